"""Means and shares over tasks with intervals over packages, and bounds that hold near a share of 0 or 1."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from autodev_lab.analysis.effects import resolution
from autodev_lab.analysis.estimates import Estimate, Floats

__all__ = ["ASSUMED_CORRELATION", "cluster_rate", "cluster_share", "share_p_value"]

ASSUMED_CORRELATION = 0.1
"""Least correlation of two tasks of one package that `cluster_share` allows for. An assumption: near a share of 1 a few
packages show next to nothing of it, and with less the simulated error rates are too high (`docs/statistics.md`)."""


def cluster_rate(totals: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Ratio of sums (a mean over tasks) with an interval that knows of clusters.

    The linearised ratio estimator: residuals ``total - rate * count`` per cluster, t with G - 1 degrees of freedom
    (Cochran 1977, *Sampling Techniques*, section 6.3, with the degrees of freedom of Cameron and Miller 2015). Clusters
    that agree exactly leave no residual; a share's interval is then that of `cluster_share`, and any other mean's is as
    wide as the count that could have gone unseen (`effects.resolution`).

    Parameters
    ----------
    totals, counts
        Sum of the outcome and number of tasks per cluster, each of shape (G,).
    level
        Coverage of the interval.

    Examples
    --------
    >>> rate = cluster_rate([3, 5, 4], [10, 10, 10])
    >>> round(rate.value, 2), round(rate.low, 3), round(rate.high, 3)
    (0.4, 0.152, 0.648)
    >>> never = cluster_rate([0, 0, 0, 0, 0, 0], [20] * 6)
    >>> never.low, round(never.high, 2)
    (0.0, 0.14)
    """
    y = np.asarray(totals, dtype=np.float64)
    n = np.asarray(counts, dtype=np.float64)
    clusters, size = len(y), float(n.sum())
    if size == 0:
        return Estimate(math.nan, -math.inf, math.inf, 0, clusters)
    rate = float(y.sum() / size)
    if clusters < 2:
        return Estimate(rate, -math.inf, math.inf, int(size), clusters)
    residuals = y - rate * n
    if np.abs(residuals).max() <= 1e-9 * max(1.0, float(np.abs(y).max())):
        if size >= 1 and 0 <= rate <= 1:
            share = cluster_share(y, n, level=level)
            return Estimate(rate, share.low, share.high, int(size), clusters)
        slack = resolution(level) / size
        return Estimate(rate, rate - slack, rate + slack, int(size), clusters)
    error = math.sqrt(clusters / (clusters - 1) * float(residuals @ residuals)) / size
    reach = float(special.stdtrit(clusters - 1, (1 + level) / 2)) * error
    return Estimate(rate, rate - reach, rate + reach, int(size), clusters)


def cluster_share(
    successes: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95, correlation: float = ASSUMED_CORRELATION
) -> Estimate:
    """Share of tasks with an exact binomial interval at the size the clusters leave of the sample.

    Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24(2): Clopper and Pearson's interval (Biometrika 1934, 26(4)) for
    an effective sample of ``n / deff``, shrunk by the ratio of t quantiles for few clusters. The design effect `deff`
    is the estimated one, and at least that of tasks correlated by `correlation` within a package.

    Parameters
    ----------
    successes, counts
        Successes and tasks per cluster, each of shape (G,); clusters without tasks do not count.
    level
        Coverage of the interval.
    correlation
        Least correlation between two tasks of a package that is allowed for.

    Returns
    -------
    Estimate
        With one cluster the interval is [0, 1]; without a task the value is NaN.

    Examples
    --------
    >>> share = cluster_share([20] * 8, [20] * 8)
    >>> share.value, round(share.low, 3), share.high
    (1.0, 0.909, 1.0)
    """
    y, n = _with_tasks(successes, counts)
    size, clusters = float(n.sum()), len(n)
    if clusters == 0:
        return Estimate(math.nan, -math.inf, math.inf, 0, 0)
    share = float(y.sum() / size)
    if clusters < 2:
        return Estimate(share, 0.0, 1.0, int(size), clusters)
    effective = _effective_size(y, n, level, correlation)
    hits = share * effective
    tail = (1 - level) / 2
    low = float(special.betaincinv(hits, effective - hits + 1, tail)) if share > 0 else 0.0
    high = float(special.betaincinv(hits + 1, effective - hits, 1 - tail)) if share < 1 else 1.0
    return Estimate(share, low, high, int(size), clusters)


def share_p_value(
    successes: npt.ArrayLike,
    counts: npt.ArrayLike,
    threshold: float,
    *,
    level: float = 0.95,
    correlation: float = ASSUMED_CORRELATION,
) -> float:
    """One-sided p value against "the share is at most `threshold`", from the same effective sample.

    Examples
    --------
    >>> round(share_p_value([20] * 8, [20] * 8, 0.9), 3)
    0.017
    """
    y, n = _with_tasks(successes, counts)
    if len(n) == 0:
        return math.nan
    if len(n) < 2 or y.sum() == 0:
        return 1.0
    effective = _effective_size(y, n, level, correlation)
    hits = float(y.sum() / n.sum()) * effective
    return float(special.betainc(hits, effective - hits + 1, threshold))


def _with_tasks(successes: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    y = np.asarray(successes, dtype=np.float64)
    n = np.asarray(counts, dtype=np.float64)
    return y[n > 0], n[n > 0]


def _effective_size(y: Floats, n: Floats, level: float, correlation: float) -> float:
    """Independent tasks that would tell as much as these, for an interval of the level."""
    size, clusters = float(n.sum()), len(n)
    share = float(y.sum() / size)
    residuals = y - share * n
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / size**2
    simple = share * (1 - share) / size
    least = 1 + (float((n**2).sum()) / size - 1) * correlation
    design = max(1.0, least, variance / simple if simple > 0 else 1.0)
    tail = (1 + level) / 2
    shrink = float(special.stdtrit(max(size - 1, 1), tail) / special.stdtrit(clusters - 1, tail)) ** 2
    return size / design * min(1.0, shrink)
