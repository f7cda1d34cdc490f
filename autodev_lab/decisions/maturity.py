"""Certificates when failures show late: only what is old enough counts, or what is seen stands for what is not yet.

A change whose failure has not been found yet looks like a success. So "success" is stated with a horizon: no failure
within so many days. Two ways keep the promise: to certify on *mature* changes alone, those as old as the horizon; or to
count a failure found on a younger change for all those still hidden, as one over the probability that it would have
been found by now (inverse probability of observation; Robins and Rotnitzky 1992, "Recovery of information and
adjustment for dependent censoring using surrogate markers"). Certifying on immature labels breaks the promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise, certify
from autodev_lab.errors import LabError

__all__ = ["DatedOutcomes", "DelayDistribution", "certify_mature", "certify_observed", "fit_delays"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DatedOutcomes:
    """What is known of changes at one time.

    Parameters
    ----------
    committed
        When each change was made, shape (n,), in days (or any one unit of time).
    failed
        When its failure was found, shape (n,); NaN where none was.
    now
        Time of looking; what was found later is not known yet.
    horizon
        Time within which a failure counts.

    Raises
    ------
    LabError
        If a failure was found before its change was made, a change was made after now, or the horizon is not positive.

    Examples
    --------
    >>> known = DatedOutcomes(np.array([0.0, 0.0, 80.0]), np.array([10.0, 95.0, np.nan]), now=90.0, horizon=60.0)
    >>> known.success.tolist(), known.mature.tolist()
    ([False, True, True], [True, True, False])
    """

    committed: Floats
    failed: Floats
    now: float
    horizon: float

    def __post_init__(self) -> None:
        if self.committed.ndim != 1 or self.committed.shape != self.failed.shape:
            raise LabError(f"times must be two vectors of one length: {self.committed.shape} and {self.failed.shape}")
        if not self.horizon > 0.0:
            raise LabError(f"horizon is {self.horizon}; it is the time in which a failure counts and must be positive")
        if not np.all(np.isfinite(self.committed)):
            raise LabError("a change has no date; leave it out")
        if np.any(self.failed < self.committed):
            raise LabError("a failure was found before its change was made; check the dates and their unit")
        if np.any(self.committed > self.now):
            raise LabError("a change was made after the time of looking; leave it out")

    @property
    def age(self) -> Floats:
        """Time since each change was made."""
        return self.now - self.committed

    @property
    def success(self) -> Bools:
        """Whether no failure within the horizon is known by now."""
        delay = self.failed - self.committed
        known: Bools = (self.failed <= self.now) & (delay <= self.horizon)
        return ~known

    @property
    def mature(self) -> Bools:
        """Changes at least as old as the horizon: their success is final."""
        old: Bools = self.age >= self.horizon
        return old


@dataclass(frozen=True, slots=True)
class DelayDistribution:
    """How soon failures within the horizon are found: at ``times`` (rising), by shares ``found`` (up to 1)."""

    times: tuple[float, ...]
    found: tuple[float, ...]

    def observed(self, age: npt.ArrayLike) -> Floats:
        """Probability that the failure of a change of each age would have been found by now, shape (n,).

        Examples
        --------
        >>> DelayDistribution((10.0, 30.0), (0.5, 1.0)).observed([5.0, 10.0, 31.0]).tolist()
        [0.0, 0.5, 1.0]
        """
        place = np.searchsorted(self.times, np.asarray(age, dtype=np.float64), side="right")
        return np.concatenate([[0.0], self.found])[place]


def fit_delays(outcomes: DatedOutcomes) -> DelayDistribution:
    """Estimate the delays from all changes, those without a failure yet being censored at their age.

    Kaplan and Meier 1958, "Nonparametric estimation from incomplete observations" (JASA 53), of the time until a
    failure is found; divided by its value at the horizon. Delays are taken not to depend on when a change was made.

    Raises
    ------
    LabError
        If no failure is known, or no change is as old as the horizon, so that its end cannot be seen.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> committed = rng.uniform(0, 1000, 20_000)
    >>> delay = np.where(rng.random(20_000) < 0.2, rng.exponential(100, 20_000), np.nan)
    >>> fit = fit_delays(DatedOutcomes(committed, committed + delay, now=1000.0, horizon=365.0))
    >>> round(float(fit.observed([100.0])[0]), 2), round(float((1 - np.exp(-1)) / (1 - np.exp(-3.65))), 2)
    (0.63, 0.65)
    """
    from scipy import stats  # half a second that only this needs

    if not outcomes.mature.any():
        raise LabError("no change is as old as the horizon, so nobody knows how late failures show; wait or shorten it")
    shown = ~outcomes.success
    if not shown.any():
        raise LabError("no failure is known by now, so nothing is known of delays; certify on mature changes instead")
    found = np.clip((outcomes.failed - outcomes.committed)[shown], 0.0, None)
    unseen = np.minimum(outcomes.age, outcomes.horizon)[~shown]
    curve = stats.ecdf(stats.CensoredData(uncensored=found, right=unseen)).cdf
    inside = curve.quantiles <= outcomes.horizon
    times, shares = curve.quantiles[inside], np.asarray(curve.probabilities)[inside]
    return DelayDistribution(tuple(times.tolist()), tuple((shares / shares[-1]).tolist()))


def certify_mature(
    confidence: npt.ArrayLike,
    outcomes: DatedOutcomes,
    promise: Promise,
    *,
    blocks: npt.ArrayLike | None = None,
    sequences: FixedSequences | None = None,
    each_block_counts_once: bool = False,
) -> Certificate:
    """Certify on the changes that are at least as old as the horizon.

    Parameters
    ----------
    confidence, promise, blocks, sequences, each_block_counts_once
        As for `autodev_lab.decisions.certify`, of all changes.
    outcomes
        What is known of them.

    Examples
    --------
    >>> committed = np.arange(400.0)
    >>> known = DatedOutcomes(committed, np.full(400, np.nan), now=400.0, horizon=100.0)
    >>> certify_mature(np.ones(400), known, Promise()).n
    301
    """
    kept = outcomes.mature
    seen = np.asarray(confidence, dtype=np.float64)
    groups = None if blocks is None else np.asarray(blocks)[kept]
    return certify(
        seen[kept],
        outcomes.success[kept],
        promise,
        blocks=groups,
        sequences=sequences,
        each_block_counts_once=each_block_counts_once,
    )


def certify_observed(
    confidence: npt.ArrayLike,
    outcomes: DatedOutcomes,
    promise: Promise,
    *,
    delays: DelayDistribution | None = None,
    least: float = 0.5,
    blocks: npt.ArrayLike | None = None,
    sequences: FixedSequences | None = None,
    each_block_counts_once: bool = False,
) -> Certificate:
    """Certify on younger changes as well, corrected for failures still to be found.

    Parameters
    ----------
    confidence, promise, blocks, sequences, each_block_counts_once
        As for `autodev_lab.decisions.certify`, of all changes.
    outcomes
        What is known of them.
    delays
        How soon failures are found; estimated from the same changes unless given.
    least
        Changes whose failure would have been found with a smaller probability are left out. An assumption.

    Examples
    --------
    >>> committed = np.arange(400.0)
    >>> known = DatedOutcomes(committed, np.full(400, np.nan), now=400.0, horizon=100.0)
    >>> delays = DelayDistribution((50.0, 100.0), (0.6, 1.0))
    >>> certify_observed(np.ones(400), known, Promise(), delays=delays).n
    351
    """
    chance = (delays or fit_delays(outcomes)).observed(outcomes.age)
    kept = chance >= least
    seen = np.asarray(confidence, dtype=np.float64)
    groups = None if blocks is None else np.asarray(blocks)[kept]
    return certify(
        seen[kept],
        outcomes.success[kept],
        promise,
        blocks=groups,
        observed=chance[kept],
        sequences=sequences,
        each_block_counts_once=each_block_counts_once,
    )
