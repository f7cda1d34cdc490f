"""Values with intervals: what every method of the analysis gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Effect", "Estimate", "Floats", "mean_estimate"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; `n` observations in `clusters` clusters. An unknown end is infinite."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a claim is about, estimated: a relative effect (0.3 means 30 % more), a difference, or a share.

    ``why`` says in words why an interval is unbounded, and is empty when it is bounded.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    why: str = ""


def mean_estimate(values: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of independent measurements with a t interval; unbounded with one.

    Examples
    --------
    >>> found = mean_estimate([0.2, 0.3, 0.25])
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.25, 0.126, 0.374)
    """
    array = np.asarray(values, dtype=np.float64)
    count, mean = len(array), float(array.mean())
    if count < 2:
        return Estimate(mean, -math.inf, math.inf, count, count)
    reach = float(special.stdtrit(count - 1, (1 + level) / 2)) * float(array.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - reach, mean + reach, count, count)
