"""How many times as fast one way of doing the same things is as another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from autodev_lab.analysis.estimates import Estimate, Floats

__all__ = ["times_as_fast"]

_RESAMPLES = 999


def times_as_fast(seconds: npt.ArrayLike, baseline: npt.ArrayLike, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """Median time of the baseline over that of another way: 2 where it needs half the time.

    The interval is of the percentile bootstrap over pairs (Efron and Tibshirani 1993, *An Introduction to the
    Bootstrap*, section 13.3): it says how far the ratio depends on which things were done, and nothing of other
    machines or of other load.

    Parameters
    ----------
    seconds, baseline
        What each thing took in either way, each of shape (N,), positive.
    level
        Coverage of the interval.
    seed
        Of the resampling.

    Raises
    ------
    ValueError
        If the two are not of one length, or of fewer than two.

    Examples
    --------
    >>> found = times_as_fast([1.0, 2.0, 3.0, 2.0], [2.0, 4.0, 6.0, 4.0])
    >>> found.value, found.low, found.high, found.n
    (2.0, 2.0, 2.0, 4)
    """
    ours, theirs = np.asarray(seconds, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) < 2:
        raise ValueError(f"times must be two vectors of one length, not {ours.shape} and {theirs.shape}")
    places = np.random.default_rng(seed).integers(0, len(ours), size=(_RESAMPLES, len(ours)))
    ratios: Floats = np.median(theirs[places], axis=1) / np.median(ours[places], axis=1)
    low, high = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    value = float(np.median(theirs) / np.median(ours))
    return Estimate(value, float(low), float(high), len(ours), 1)
