"""Effects of paired arms with packages as clusters: ratio, Fieller interval, noise floor, verdict.

Tasks are nested in packages, so tasks of one package are not independent and the package is the unit (the *cluster*).
With few clusters a normal approximation is too sure of itself; a t distribution with one degree of freedom less
than there are clusters is the usual remedy (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust
Inference", J. Human Resources 50(2), section VI).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = [
    "Effect",
    "Estimate",
    "Ruling",
    "cluster_rate",
    "fieller_interval",
    "noise_floor",
    "relative_effect",
    "verdict",
]

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
    """Relative effect of a treatment over a baseline: 0.3 means 30 % more.

    ``why`` says in words why an interval is unbounded, and is empty when it is bounded.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    why: str = ""


class Ruling(StrEnum):
    """What may be said of a registered claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    BELOW_NOISE = "undecided (below noise)"
    NO_TWINS = "undecided (noise not measured)"


def cluster_rate(totals: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Ratio of sums (a mean over tasks) with an interval that knows of clusters.

    The linearised ratio estimator: residuals ``total - rate * count`` per cluster, t with G - 1 degrees of freedom
    (Cochran 1977, *Sampling Techniques*, section 6.3, with Cameron and Miller's degrees of freedom).

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
    error = math.sqrt(clusters / (clusters - 1) * float(residuals @ residuals)) / size
    reach = float(stats.t.ppf((1 + level) / 2, clusters - 1)) * error
    return Estimate(rate, rate - reach, rate + reach, int(size), clusters)


def fieller_interval(treatment: Floats, baseline: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """All ratios r >= 0 that a cluster-level t test of ``treatment - r * baseline`` does not reject.

    Fieller 1954, "Some problems in interval estimation", J. Royal Statistical Society B 16(2), with t on G - 1
    degrees of freedom. When the baseline itself is not distinguishable from zero the set is unbounded; the smallest
    interval that holds it is returned.

    Parameters
    ----------
    treatment, baseline
        Totals per cluster, paired, each of shape (G,) with G >= 2.

    Examples
    --------
    >>> low, high = fieller_interval(np.array([13.0, 14.0, 12.0, 13.0]), np.array([10.0, 11.0, 9.0, 10.0]))
    >>> round(low, 2), round(high, 2)
    (1.27, 1.34)
    """
    clusters = len(treatment)
    quantile = float(stats.t.ppf((1 + level) / 2, clusters - 1)) ** 2 / clusters
    mean_t, mean_b = float(treatment.mean()), float(baseline.mean())
    (var_t, covariance), (_, var_b) = np.cov(treatment, baseline, ddof=1)
    # |mean_t - r mean_b|^2 <= quantile * var(treatment - r baseline), a quadratic a r^2 - 2 b r + c <= 0
    a = mean_b**2 - quantile * float(var_b)
    b = mean_t * mean_b - quantile * float(covariance)
    c = mean_t**2 - quantile * float(var_t)
    discriminant = b * b - a * c
    if a > 0:
        root = math.sqrt(max(discriminant, 0.0))
        return max(0.0, (b - root) / a), (b + root) / a
    if discriminant <= 0 or a == 0:
        return 0.0, math.inf
    first, second = sorted(((b - math.sqrt(discriminant)) / a, (b + math.sqrt(discriminant)) / a))
    return (second, math.inf) if first < 0 <= second else (0.0, math.inf)


def relative_effect(treatment: npt.ArrayLike, baseline: npt.ArrayLike, *, n: int, level: float = 0.95) -> Effect:
    """Relative effect of paired arms: ratio of their totals minus one, with a Fieller interval over clusters.

    Parameters
    ----------
    treatment, baseline
        Totals of the endpoint per cluster over the same tasks, each of shape (G,).
    n
        Paired tasks behind the totals.
    level
        Coverage; a family of m claims asks for ``1 - 0.05 / m`` each (Bonferroni).

    Raises
    ------
    ValueError
        If the two have different shapes.

    Examples
    --------
    >>> effect = relative_effect([13, 14, 12, 13], [10, 11, 9, 10], n=80)
    >>> round(effect.estimate, 3), round(effect.low, 2), round(effect.high, 2), effect.clusters
    (0.3, 0.27, 0.34, 4)
    """
    t = np.asarray(treatment, dtype=np.float64)
    b = np.asarray(baseline, dtype=np.float64)
    if t.shape != b.shape or t.ndim != 1:
        raise ValueError(f"totals per cluster must be two vectors of one length, not {t.shape} and {b.shape}")
    clusters = len(t)
    if b.sum() <= 0:
        why = "the baseline never succeeded, so a relative effect is not defined"
        return Effect(math.nan, -math.inf, math.inf, n, clusters, why)
    estimate = float(t.sum() / b.sum()) - 1.0
    if clusters < 2:
        why = "one package alone says nothing about how effects differ between packages"
        return Effect(estimate, -math.inf, math.inf, n, clusters, why)
    if t.sum() <= 0:
        # all totals are equal to zero, so a t test sees no spread and would be certain
        why = "the treatment never succeeded, so how much less it achieves cannot be bounded"
        return Effect(estimate, -1.0, math.inf, n, clusters, why)
    low, high = fieller_interval(t, b, level=level)
    why = "" if math.isfinite(high) else "the baseline is too rare or too uneven over packages to bound the ratio"
    return Effect(estimate, low - 1.0, high - 1.0, n, clusters, why)


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
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(flips, differences.shape[1]))
    totals = np.abs(signs @ differences.T) / baselines
    return float(np.quantile(totals, quantile, method="higher"))


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
