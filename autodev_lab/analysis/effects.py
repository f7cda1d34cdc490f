"""Effects of paired arms with packages as clusters: relative and absolute, with intervals and p values.

A test over clusters sees no spread when all packages agree exactly, and would then be certain. Outcomes are counts, so
they cannot be: when n discordant tasks were expected and none was seen, ``exp(-n)`` is the chance of that (Poisson).
No interval here is therefore narrower than what that rule leaves open, ``log(2 / alpha)`` tasks to either side of the
estimate (3.7 tasks at 95 %; the "rule of three", Hanley and Lippman-Hand 1983, JAMA 249(13), two-sided). It supposes
that discordant tasks come one at a time.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from autodev_lab.analysis.cluster_inference import DEFAULT_TEST, ClusterTest
from autodev_lab.analysis.estimates import Effect, Estimate, Floats

__all__ = ["absolute_effect", "matched_difference", "p_value", "relative_effect", "resolution"]


def relative_effect(
    treatment: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    n: int,
    level: float = 0.95,
    test: ClusterTest = DEFAULT_TEST,
    unit: float = 1.0,
) -> Effect:
    """Relative effect of paired arms: ratio of their totals minus one, with an interval over clusters.

    Parameters
    ----------
    treatment, baseline
        Totals of the endpoint per cluster over the same tasks, each of shape (G,), not negative.
    n
        Paired tasks behind the totals.
    level
        Coverage; a family of m claims asks for ``1 - 0.05 / m`` each (Bonferroni).
    test
        Whose inversion the interval is.
    unit
        The smallest step of a total: 1 for counts, 0 for what is measured and not counted (a share of time, say), where
        the spread over clusters is all there is to go by.

    Raises
    ------
    ValueError
        If the two have different shapes.

    Examples
    --------
    >>> effect = relative_effect([131, 138, 122, 129, 140, 125], [100, 110, 90, 100, 105, 95], n=1200)
    >>> round(effect.estimate, 3), round(effect.low, 2), round(effect.high, 2), effect.clusters
    (0.308, 0.25, 0.36, 6)
    """
    t, b = _paired(treatment, baseline)
    clusters = len(t)
    if b.sum() <= 0:
        why = "the baseline never succeeded, so a relative effect is not defined"
        return Effect(math.nan, -math.inf, math.inf, n, clusters, why)
    estimate = float(t.sum() / b.sum()) - 1.0
    why = _too_few(clusters, level, test)
    if why:
        return Effect(estimate, -math.inf, math.inf, n, clusters, why)
    low, high = test.interval(t, b, level=level)
    slack = resolution(level, unit) / float(b.sum())
    low, high = max(-1.0, min(low - 1.0, estimate - slack)), max(high - 1.0, estimate + slack)
    why = "" if math.isfinite(high) else "the baseline is too rare or too uneven over packages to bound the ratio"
    return Effect(estimate, low, high, n, clusters, why)


def absolute_effect(
    treatment: npt.ArrayLike,
    baseline: npt.ArrayLike,
    counts: npt.ArrayLike,
    *,
    level: float = 0.95,
    test: ClusterTest = DEFAULT_TEST,
    unit: float = 1.0,
) -> Effect:
    """Difference of paired arms a task, with an interval over clusters.

    Parameters
    ----------
    treatment, baseline, counts
        Totals of the endpoint, and paired tasks, per cluster, each of shape (G,).
    level, test, unit
        As for `relative_effect`.

    Examples
    --------
    >>> effect = absolute_effect([13, 14, 12, 13, 14, 12], [10, 11, 9, 10, 10, 9], [20] * 6)
    >>> round(effect.estimate, 3), round(effect.low, 3), round(effect.high, 3)
    (0.158, 0.128, 0.2)
    """
    t, b = _paired(treatment, baseline)
    _, sizes = _paired(treatment, counts)
    n, clusters = int(sizes.sum()), len(t)
    if n == 0:
        return Effect(math.nan, -math.inf, math.inf, 0, clusters, "there is no paired task")
    estimate = float((t - b).sum() / n)
    why = _too_few(clusters, level, test)
    if why:
        return Effect(estimate, -math.inf, math.inf, n, clusters, why)
    low, high = test.interval(t - b, sizes, level=level)
    slack = resolution(level, unit) / n
    why = "" if math.isfinite(low) and math.isfinite(high) else "packages are too uneven to bound the difference"
    return Effect(estimate, min(low, estimate - slack), max(high, estimate + slack), n, clusters, why)


def matched_difference(differences: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of paired differences of outcomes, with an interval that has a width where all are 0.

    Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in
    Medicine 24(5): the Wald interval after half an observation is added to each cell of the table of pairs. Differences
    between -1 and 1 (means over replicates) enter with their squares where discordant pairs would be counted.

    Parameters
    ----------
    differences
        One a task, each in [-1, 1], of shape (N,).

    Examples
    --------
    >>> found = matched_difference([0, 0, 0, 0, 0, 0, 0, 0])
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (0.0, -0.2, 0.2)
    """
    x = np.asarray(differences, dtype=np.float64)
    n = len(x) + 2
    centre = float(x.sum()) / n
    variance = (float((x**2).sum()) + 1.0) / n - centre**2
    reach = float(special.ndtri(0.5 + level / 2)) * math.sqrt(variance / n)
    low, high = max(-1.0, centre - reach), min(1.0, centre + reach)
    return Estimate(float(x.mean()) if len(x) else math.nan, low, high, len(x), 1)


def p_value(
    treatment: npt.ArrayLike,
    baseline: npt.ArrayLike,
    threshold: float,
    *,
    test: ClusterTest = DEFAULT_TEST,
    unit: float = 1.0,
) -> float:
    """One-sided p value against "the relative effect is at most `threshold`".

    It is at most ``(1 - level) / 2`` where the lower end of `relative_effect`'s interval is above the threshold. NaN
    where a relative effect is not defined, 1 with fewer than two clusters.

    Examples
    --------
    >>> p_value([13, 14, 12, 13, 14, 12], [10, 11, 9, 10, 10, 9], 0.0)
    0.015625
    """
    t, b = _paired(treatment, baseline)
    if b.sum() <= 0:
        return math.nan
    if len(t) < 2:
        return 1.0
    ratio = 1.0 + threshold
    greater, _ = test.tails((t - ratio * b)[None, :])
    excess = max(0.0, float((t - ratio * b).sum())) / unit
    return float(max(greater[0], math.exp(-excess)))


def resolution(level: float, unit: float = 1.0) -> float:
    """What a total can hide at the least: the count that shows as nothing with chance ``(1 - level) / 2``.

    Examples
    --------
    >>> round(resolution(0.95), 2)
    3.69
    """
    return math.log(2 / (1 - level)) * unit


def _paired(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats]:
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"totals per cluster must be two vectors of one length, not {a.shape} and {b.shape}")
    return a, b


def _too_few(clusters: int, level: float, test: ClusterTest) -> str:
    """Why so few clusters give no interval, or nothing."""
    if clusters < 2:
        return "one package alone says nothing about how effects differ between packages"
    needed = test.fewest(level)
    if clusters < needed:
        return f"{clusters} packages are too few for an interval of {100 * level:.3g} %, which needs {needed}"
    return ""
