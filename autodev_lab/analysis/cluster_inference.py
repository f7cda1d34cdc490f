"""Tests and intervals for paired totals of few clusters: sign flips, wild bootstrap and Student's t.

Tasks are nested in packages, so tasks of one package are not independent and the package is the unit (the *cluster*).
All three tests ask one question: is the ratio of two totals equal to `rho`? Under that hypothesis the *contributions*
``numerator_g - rho * denominator_g`` of the clusters sum to zero but for chance. A relative effect is the case
(treatment, baseline); an absolute difference a task is the case (treatment - baseline, tasks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy import special

from autodev_lab.analysis.estimates import Floats

__all__ = ["DEFAULT_TEST", "ClusterTest", "SignFlips", "StudentT", "WildBootstrap", "fieller_interval"]

_AT_ONCE = 4_000_000
"""Numbers held at one time while many experiments are tested together (32 MB)."""

_ROUNDING = 1e-9
"""Sums that differ by less than this share of their terms are ties."""


class ClusterTest(Protocol):
    """A test of contributions that sum to zero under the hypothesis, and the interval it inverts to."""

    def fewest(self, level: float) -> int:
        """Clusters below which the test cannot reject on either side of an interval of this level."""
        ...

    def describe(self, clusters: int) -> str:
        """The method in words, with how it was computed for so many clusters."""
        ...

    def tails(self, contributions: Floats) -> tuple[Floats, Floats]:
        """One-sided p values of many experiments at once.

        Parameters
        ----------
        contributions
            One row an experiment, one column a cluster: shape (N, G).

        Returns
        -------
        tuple
            p values against "the sum is larger than zero" and against "it is smaller", each of shape (N,).
        """
        ...

    def interval(self, numerator: Floats, denominator: Floats, *, level: float) -> tuple[float, float]:
        """Ratios of totals that the test does not reject, each side at half the level; an open end is infinite.

        Parameters
        ----------
        numerator, denominator
            Totals per cluster, each of shape (G,); denominators are not negative.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignFlips:
    """Randomisation test: under the hypothesis every contribution is as likely to have the opposite sign.

    Assumes that clusters are independent and that each contribution is symmetric about zero under the hypothesis;
    sizes and variances of clusters may differ at will. Exact then, for any number of clusters (Canay, Romano and
    Shaikh 2017, "Randomization tests under an approximate symmetry assumption", Econometrica 85(3)). Dividing by a
    standard error changes nothing, for the sum of squares is the same under every flip.

    Parameters
    ----------
    draws
        Random flips where there are too many to try all; the flip that changes nothing is always among them.
    seed
        Seed of these.
    exact_up_to
        Clusters up to which all 2^G flips are tried.

    Examples
    --------
    >>> greater, less = SignFlips().tails(np.array([[3.0, 1.0, 2.0, 4.0, 1.0, 2.0]]))
    >>> float(greater[0]), float(less[0])  # one of 64, and all of them
    (0.015625, 1.0)
    """

    draws: int = 9999
    seed: int = 0
    exact_up_to: int = 14

    def fewest(self, level: float) -> int:
        """Six for 95 %: of G clusters no flip is rarer than one in 2^G.

        Examples
        --------
        >>> SignFlips().fewest(0.95), SignFlips().fewest(1 - 0.05 / 3)
        (6, 7)
        """
        return math.ceil(math.log2(2 / (1 - level)) - _ROUNDING)

    def describe(self, clusters: int) -> str:
        """Whether all flips were tried or some drawn."""
        if clusters <= self.exact_up_to:
            return f"sign flips, all {2**clusters}"
        return f"sign flips, {self.draws} drawn with seed {self.seed}"

    def tails(self, contributions: Floats) -> tuple[Floats, Floats]:
        """Share of flips whose sum is at least (at most) the observed one."""
        # sum of flipped signs >= observed sum  <=>  sum over the flipped clusters <= 0
        flipped = self._flipped(contributions.shape[1]).T
        greater, less = np.empty(len(contributions)), np.empty(len(contributions))
        for rows in _slices(len(contributions), flipped.shape[1]):
            part = contributions[rows]
            tie = _ROUNDING * np.abs(part).sum(axis=1, keepdims=True)
            sums = part @ flipped
            greater[rows] = (sums <= tie).mean(axis=1)
            less[rows] = (sums >= -tie).mean(axis=1)
        return greater, less

    def interval(self, numerator: Floats, denominator: Floats, *, level: float) -> tuple[float, float]:
        """Order statistics of the ratios of all subsets of clusters (Hartigan 1969's typical values).

        A subset's flip counts against ``ratio > rho`` exactly when the subset's own ratio of totals is at most rho, so
        the test inverts without a search. Hartigan, "Using subsample values as typical values", J. American
        Statistical Association 64.
        """
        subsets = self._flipped(len(numerator))
        above, below = subsets @ numerator, subsets @ denominator
        held = below > _ROUNDING * max(1.0, float(denominator.sum()))
        ratios = np.divide(above, below, out=np.zeros_like(above), where=held)
        # a subset with nothing to divide by counts always or never, as its numerator says
        at_low = np.where(held, ratios, np.where(above <= 0, -math.inf, math.inf))
        at_high = np.where(held, ratios, np.where(above >= 0, math.inf, -math.inf))
        place = math.floor((1 - level) / 2 * len(subsets) + _ROUNDING)
        last = len(subsets) - 1 - place
        return float(np.partition(at_low, place)[place]), float(np.partition(at_high, last)[last])

    def _flipped(self, clusters: int) -> Floats:
        """Which signs each flip turns: 1 or 0, shape (flips, G), with the empty flip first."""
        if clusters <= self.exact_up_to:
            return _all_flips(clusters)
        return _drawn_flips(clusters, self.draws, self.seed)


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """Wild cluster bootstrap-t with the null imposed and Webb's six weights.

    Assumes independent clusters that are many enough for the studentised sum to be pivotal; symmetry is not needed.
    Cameron, Gelbach and Miller 2008, "Bootstrap-based improvements for inference with clustered errors", Review of
    Economics and Statistics 90(3); weights from Webb 2014, "Reworking wild bootstrap based inference for clustered
    errors", Queen's Economics Department Working Paper 1315.

    Parameters
    ----------
    draws
        Bootstrap samples.
    seed
        Seed of their weights.

    Examples
    --------
    >>> greater, _ = WildBootstrap(draws=999).tails(np.array([[3.0, 1.0, 2.0, 4.0, 1.0, 2.0]]))
    >>> bool(greater[0] < 0.025)
    True
    """

    draws: int = 1999
    seed: int = 0

    def fewest(self, level: float) -> int:
        """Five; with fewer even six weights give too few samples that differ (Webb 2014, section 4)."""
        return 5

    def describe(self, clusters: int) -> str:
        """How many samples were drawn."""
        return f"wild cluster bootstrap (Webb weights), {self.draws} drawn with seed {self.seed}"

    def tails(self, contributions: Floats) -> tuple[Floats, Floats]:
        """Share of bootstrap t statistics at least (at most) as large as the observed one."""
        weights = self._weights(contributions.shape[1])
        greater, less = np.empty(len(contributions)), np.empty(len(contributions))
        for rows in _slices(len(contributions), len(weights)):
            part = contributions[rows]
            observed = _studentised(part.sum(axis=1), (part**2).sum(axis=1), part.shape[1])[:, None]
            drawn = _studentised(part @ weights.T, part**2 @ weights.T**2, part.shape[1])
            tie = _ROUNDING * (1 + np.abs(observed))
            greater[rows] = (1 + (drawn >= observed - tie).sum(axis=1)) / (1 + len(weights))
            less[rows] = (1 + (drawn <= observed + tie).sum(axis=1)) / (1 + len(weights))
        return greater, less

    def interval(self, numerator: Floats, denominator: Floats, *, level: float) -> tuple[float, float]:
        """Both ends by bisection, outward from the estimate; the same weights at every ratio."""
        half = (1 - level) / 2
        estimate = float(numerator.sum() / denominator.sum())

        def rejected(rho: float, side: int) -> bool:
            contributions = (numerator - rho * denominator)[None, :]
            return bool(self.tails(contributions)[side][0] <= half)

        ends: list[float] = []
        for side, direction in ((0, -1.0), (1, 1.0)):
            inside, reach = estimate, max(abs(estimate), 1.0) / 16
            while reach < 1e4 * max(abs(estimate), 1.0) and not rejected(estimate + direction * reach, side):
                inside, reach = estimate + direction * reach, 2 * reach
            outside = estimate + direction * reach
            if not rejected(outside, side):
                ends.append(direction * math.inf)
                continue
            for _ in range(40):
                middle = (inside + outside) / 2
                inside, outside = (inside, middle) if rejected(middle, side) else (middle, outside)
            ends.append(outside)
        return ends[0], ends[1]

    def _weights(self, clusters: int) -> Floats:
        return _webb_weights(clusters, self.draws, self.seed)


@dataclass(frozen=True, slots=True)
class StudentT:
    """One-sample t test of the contributions, G - 1 degrees of freedom; its interval is Fieller's.

    Assumes independent contributions that are normal with one variance: right for clusters of like size, timid for
    clusters of very unlike size (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference",
    J. Human Resources 50(2), section VI).

    Examples
    --------
    >>> greater, _ = StudentT().tails(np.array([[3.0, 1.0, 2.0, 4.0, 1.0, 2.0]]))
    >>> round(float(greater[0]), 4)
    0.0031
    """

    def fewest(self, level: float) -> int:
        """Two, for a variance."""
        return 2

    def describe(self, clusters: int) -> str:
        """The degrees of freedom."""
        return f"t with {clusters - 1} degrees of freedom"

    def tails(self, contributions: Floats) -> tuple[Floats, Floats]:
        """Tails of the t distribution; without any spread both p values are 1, for a t test knows nothing then."""
        clusters = contributions.shape[1]
        squares = (contributions**2).sum(axis=1)
        statistic = _studentised(contributions.sum(axis=1), squares, clusters)
        spread = np.ptp(contributions, axis=1) > _ROUNDING * np.sqrt(squares)
        greater = np.where(spread, special.stdtr(clusters - 1, -statistic), 1.0)
        return greater, np.where(spread, special.stdtr(clusters - 1, statistic), 1.0)

    def interval(self, numerator: Floats, denominator: Floats, *, level: float) -> tuple[float, float]:
        """Fieller's interval."""
        return fieller_interval(numerator, denominator, level=level)


DEFAULT_TEST: ClusterTest = SignFlips()
"""What verdicts are made with; `docs/statistics.md` has the error rates that chose it."""


def fieller_interval(numerator: Floats, denominator: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """All ratios that a cluster-level t test of ``numerator - ratio * denominator`` does not reject.

    Fieller 1954, "Some problems in interval estimation", J. Royal Statistical Society B 16(2), with t on G - 1
    degrees of freedom. When the denominator itself is not distinguishable from zero the set is unbounded; the whole
    line is returned then.

    Parameters
    ----------
    numerator, denominator
        Totals per cluster, paired, each of shape (G,) with G >= 2.

    Examples
    --------
    >>> low, high = fieller_interval(np.array([13.0, 14.0, 12.0, 13.0]), np.array([10.0, 11.0, 9.0, 10.0]))
    >>> round(low, 2), round(high, 2)
    (1.27, 1.34)
    """
    clusters = len(numerator)
    quantile = float(special.stdtrit(clusters - 1, (1 + level) / 2)) ** 2 / clusters
    above, below = float(numerator.mean()), float(denominator.mean())
    (var_above, covariance), (_, var_below) = np.cov(numerator, denominator, ddof=1)
    # |above - r below|^2 <= quantile * var(numerator - r denominator), a quadratic a r^2 - 2 b r + c <= 0
    a = below**2 - quantile * float(var_below)
    if a <= 0:
        return -math.inf, math.inf
    b = above * below - quantile * float(covariance)
    c = above**2 - quantile * float(var_above)
    root = math.sqrt(max(b * b - a * c, 0.0))
    return (b - root) / a, (b + root) / a


@lru_cache(maxsize=4)
def _all_flips(clusters: int) -> Floats:
    return _kept((np.arange(2**clusters)[:, np.newaxis] >> np.arange(clusters)[::-1] & 1).astype(np.float64))


@lru_cache(maxsize=2)
def _drawn_flips(clusters: int, draws: int, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).integers(0, 2, size=(draws + 1, clusters)).astype(np.float64)
    drawn[0] = 0.0
    return _kept(drawn)


@lru_cache(maxsize=2)
def _webb_weights(clusters: int, draws: int, seed: int) -> Floats:
    size = np.sqrt(np.array([0.5, 1.0, 1.5]))
    return _kept(np.random.default_rng(seed).choice(np.concatenate([-size, size]), size=(draws, clusters)))


def _kept(array: Floats) -> Floats:
    """An array that serves many calls, and that none of them can change."""
    array.flags.writeable = False
    return array


def _studentised(sums: Floats, squares: Floats, clusters: int) -> Floats:
    """t statistic of a mean from the sum and the sum of squares of its terms; 0 for terms that are all zero."""
    variance = np.maximum(squares - sums**2 / clusters, 1e-12 * squares)
    scale = np.sqrt(variance * clusters / (clusters - 1))
    return np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 0)


def _slices(rows: int, width: int) -> list[slice]:
    step = max(1, _AT_ONCE // width)
    return [slice(start, start + step) for start in range(0, rows, step)]
