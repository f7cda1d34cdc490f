"""What may be said of a claim, and p values of a family of claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

__all__ = ["Ruling", "holm", "verdict"]


class Ruling(StrEnum):
    """What may be said of a registered claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    BELOW_NOISE = "undecided (below noise)"
    NO_TWINS = "undecided (noise not measured)"


def verdict(estimate: float, interval: tuple[float, float], threshold: float, floor: float) -> Ruling:
    """What may be said of the claim "the relative effect is at least `threshold`".

    An effect smaller than the noise floor is undecided whatever its sign; else the interval's lower end decides for
    the claim and its upper end against it.

    Examples
    --------
    >>> verdict(0.5, (0.35, 0.7), 0.3, 0.1).value
    'supported'
    >>> verdict(0.05, (-0.1, 0.2), 0.3, 0.02).value
    'refuted'
    >>> verdict(0.05, (-0.1, 0.2), 0.3, 0.1).value
    'undecided (below noise)'
    >>> verdict(0.3, (-0.1, float("inf")), 0.3, 0.1).value
    'undecided'
    """
    low, high = interval
    if math.isnan(estimate):
        return Ruling.UNDECIDED
    if math.isnan(floor):
        return Ruling.NO_TWINS
    if abs(estimate) < floor:
        return Ruling.BELOW_NOISE
    if low >= threshold:
        return Ruling.SUPPORTED
    return Ruling.REFUTED if high < threshold else Ruling.UNDECIDED


def holm(p_values: Sequence[float], *, family: int | None = None) -> tuple[float, ...]:
    """Adjusted p values of Holm's step-down procedure: at most `alpha` of families have any false rejection.

    Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6(2). No assumption
    on how the tests depend on one another.

    Parameters
    ----------
    p_values
        One a hypothesis; NaN (not tested) stays NaN and counts in the family.
    family
        Hypotheses in the family, those that were not tested included; ``len(p_values)`` unless given.

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    >>> holm([0.01], family=3)
    (0.03,)
    """
    size = len(p_values) if family is None else family
    if size < len(p_values):
        raise ValueError(f"a family of {size} cannot hold {len(p_values)} p values")
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(given), np.nan)
    tested = np.flatnonzero(~np.isnan(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    steps = given[order] * (size - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return tuple(float(p) for p in adjusted)
