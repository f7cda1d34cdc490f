"""The noise floor: how far equal arms lie apart by chance in the agents' seeds alone, measured on twins."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from autodev_lab.analysis.estimates import Floats

__all__ = ["noise_floor", "share_noise_floor"]


def noise_floor(
    differences: Floats, baselines: Floats, *, flips: int = 2000, quantile: float = 0.95, seed: int = 0
) -> float:
    """How large a relative difference between equal arms chance in the agents' seeds alone would show.

    Twins are one arm run twice with different agent seeds. Under the hypothesis that seeds do not matter the sign of
    every per-(package, replicate) difference between twins is exchangeable, so random sign flips give the
    distribution of the relative difference of their totals; its 95th percentile in absolute value is the floor.
    The distributions of all twinned arms are pooled with equal weight.

    Parameters
    ----------
    differences
        Twin minus first run, per arm and (package, replicate), of shape (A, M).
    baselines
        Mean total of the two runs of each arm, of shape (A,).
    flips
        Random sign flips for each arm.

    Returns
    -------
    float
        Relative difference, >= 0; NaN without twins, infinite when an arm and its twin never succeeded.

    Examples
    --------
    >>> noise_floor(np.zeros((2, 6)), np.array([10.0, 12.0]))
    0.0
    """
    if differences.size == 0:
        return math.nan
    if np.any(baselines <= 0):
        return math.inf
    signs = _signs(flips, differences.shape[1], seed)
    totals = np.abs(signs @ differences.T) / baselines
    return float(np.quantile(totals, quantile, method="higher"))


def share_noise_floor(
    first: tuple[Floats, Floats],
    twin: tuple[Floats, Floats],
    *,
    flips: int = 2000,
    quantile: float = 0.95,
    seed: int = 0,
) -> float:
    """How far the shares of an arm and its twin lie apart by chance in the agents' seeds alone.

    First run and twin change places at random in every (package, replicate); the 95th percentile of the absolute
    difference of the two shares is the floor. Numerator and denominator move together, for the two runs may have
    deployed different tasks.

    Parameters
    ----------
    first, twin
        Successes and counts per (package, replicate), each of shape (M,).

    Returns
    -------
    float
        Difference of shares, >= 0; NaN when a run has nothing to count.

    Examples
    --------
    >>> share_noise_floor((np.array([9.0, 8.0]), np.array([9.0, 9.0])), (np.array([9.0, 9.0]), np.array([9.0, 9.0])))
    0.055...
    """
    (hits, counts), (other_hits, other_counts) = first, twin
    if hits.size == 0 or counts.sum() == 0 or other_counts.sum() == 0:
        return math.nan
    swapped = _places_changed(flips, len(hits), seed)
    numerator = hits.sum() + swapped @ (other_hits - hits)
    denominator = counts.sum() + swapped @ (other_counts - counts)
    all_hits, all_counts = float((hits + other_hits).sum()), float((counts + other_counts).sum())
    held = (denominator > 0) & (denominator < all_counts)
    here = numerator[held] / denominator[held]
    there = (all_hits - numerator[held]) / (all_counts - denominator[held])
    if not held.any():
        return math.nan
    return float(np.quantile(np.abs(here - there), quantile, method="higher"))


@lru_cache(maxsize=2)
def _signs(flips: int, width: int, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(flips, width))
    drawn.flags.writeable = False  # it serves many calls
    return drawn


@lru_cache(maxsize=2)
def _places_changed(flips: int, width: int, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).integers(0, 2, size=(flips, width)).astype(np.float64)
    drawn.flags.writeable = False
    return drawn
