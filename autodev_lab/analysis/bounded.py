"""A lower bound on the mean of numbers between 0 and 1 that holds for any number of them, however they are spread."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

__all__ = ["mean_lower_bound"]


def mean_lower_bound(values: npt.ArrayLike, *, level: float = 0.95) -> float:
    """One-sided lower confidence bound for the mean of independent numbers in [0, 1].

    Bentkus' inequality (Bentkus 2004, "On Hoeffding's inequalities", Annals of Probability 32(2)) in the form of Bates
    et al. 2021, "Distribution-free, risk-controlling prediction sets", JACM 68(6), section 3.1: with r the mean of what
    is missing to 1, the chance of seeing so little is at most ``e * P(Bin(n, r) <= ceil(n * seen))``.
    Numbers that are all 1 leave room, unlike an interval from their standard deviation.

    Parameters
    ----------
    values
        Shape (n,).
    level
        Confidence.

    Returns
    -------
    float
        NaN without values.

    Examples
    --------
    >>> round(mean_lower_bound([1.0] * 200), 3), round(mean_lower_bound([1.0] * 400), 3)
    (0.98, 0.99)
    """
    missing = 1.0 - np.asarray(values, dtype=np.float64)
    count = len(missing)
    if count == 0:
        return math.nan
    seen = math.ceil(float(missing.sum()) - 1e-9)
    if seen >= count:
        return 0.0
    wanted = (1.0 - level) / math.e
    upper = optimize.brentq(lambda r: float(stats.binom.cdf(seen, count, r)) - wanted, seen / count, 1.0)
    return 1.0 - float(upper)
