"""Simulated rollouts on noisy traffic: errors, delays, and what other ways to judge make of the same traffic.

Failure rates and response times drift from batch to batch, for the change and its baseline alike; regressions touch the
change alone. All rollouts of a study run side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit, logit

from autodev_lab.decisions.rollout import RolloutEvidence, RolloutPlan
from autodev_lab.errors import LabError

__all__ = ["REGRESSIONS", "FixedSample", "Regression", "RolloutStudy", "fixed_sample", "judge_rollouts"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_FAILING = 0.01
_MEDIAN = 0.1
_SPREAD = 0.6
_DRIFT = 0.3
_STAY = 0.9
_WARM_UP = 1000


@dataclass(frozen=True, slots=True)
class Regression:
    """What a change does to its exposures.

    ``failures`` times as many fail, all take ``slower`` times as long, and a share ``stuck`` takes 100 times as long.
    """

    failures: float = 1.0
    slower: float = 1.0
    stuck: float = 0.0


REGRESSIONS: Mapping[str, Regression] = MappingProxyType(
    {
        "none": Regression(),
        "failures x 3": Regression(failures=3.0),
        "failures x 10": Regression(failures=10.0),
        "all 20 % slower": Regression(slower=1.2),
        "1 % take 100 times as long": Regression(stuck=0.01),
        "3 % take 100 times as long": Regression(stuck=0.03),
    }
)
"""Regressions of the study, by name. The baseline fails in 1 % and takes .1 s, log-normal with a spread of .6; the
log-odds of failing and the logarithm of seconds drift with a standard deviation of .3. All are assumptions."""


@dataclass(frozen=True, slots=True)
class RolloutStudy:
    """What became of simulated rollouts of one kind.

    Parameters
    ----------
    runs
        Rollouts.
    rolled_back, rolled_back_low, rolled_back_high
        Share that is ever rolled back, with one-sided 95 % bounds (Clopper and Pearson 1934).
    promoted, inconclusive
        Share that passes all stages, and that stops for a person.
    delay, delay_high
        Exposures of the change until it is rolled back: median and 90th percentile over those that are; NaN without.
    exposures
        Mean exposures of the change until the rollout ends.
    harmed
        Mean exposures of the change that failed or took 100 times as long.
    """

    runs: int
    rolled_back: float
    rolled_back_low: float
    rolled_back_high: float
    promoted: float
    inconclusive: float
    delay: float
    delay_high: float
    exposures: float
    harmed: float


@dataclass(frozen=True, slots=True)
class FixedSample:
    """Power of tests of one look, at a level, after ``exposures`` of the change and as many of its baseline."""

    exposures: int
    failures: float
    very_slow: float
    mann_whitney: float


class _Traffic:
    """Batches of many rollouts; timed ones as counts above limits, so that nothing has to be kept."""

    def __init__(self, regression: Regression, runs: int, batch: int, seed: int) -> None:
        self._regression = regression
        self._batch = batch
        self._rng = np.random.default_rng(seed)
        self._drift = self._rng.normal(size=(2, runs)) * _DRIFT

    def warm_up(self) -> Floats:
        """Seconds of the baseline before the rollout."""
        return np.asarray(self._rng.lognormal(math.log(_MEDIAN), math.hypot(_SPREAD, _DRIFT), _WARM_UP))

    def next(self) -> tuple[Bools, Bools, Floats, Floats, Bools]:
        """Failures and seconds of the change and of its baseline, each (runs, batch), and which were stuck."""
        fresh = self._rng.normal(size=self._drift.shape) * _DRIFT * math.sqrt(1.0 - _STAY**2)
        self._drift = _STAY * self._drift + fresh
        shape = (self._drift.shape[1], self._batch)
        rate = expit(logit(_FAILING) + self._drift[0])[:, np.newaxis]
        failed = self._rng.random(shape) < np.minimum(1.0, self._regression.failures * rate)
        baseline_failed = self._rng.random(shape) < rate
        centre = math.log(_MEDIAN) + self._drift[1][:, np.newaxis]
        stuck = self._rng.random(shape) < self._regression.stuck
        scale = np.where(stuck, 100.0, self._regression.slower)
        seconds = np.exp(centre + _SPREAD * self._rng.normal(size=shape)) * scale
        baseline_seconds = np.exp(centre + _SPREAD * self._rng.normal(size=shape))
        return failed, baseline_failed, seconds, baseline_seconds, stuck


def judge_rollouts(
    name: str, *, way: str = "sequential", runs: int = 1000, seed: int = 0, plan: RolloutPlan | None = None
) -> RolloutStudy:
    """Run rollouts to their end.

    Parameters
    ----------
    name
        One of `REGRESSIONS`.
    way
        ``sequential``; ``any failure`` (rolls back at the first exposure that fails, as where the baseline never
        fails, and has a stage passed at its minimum); ``mann-whitney`` (one-sided on all seconds of a stage, at its
        minimum, level .05); ``mann-whitney, every batch`` (the same after every batch: what peeking does).
    plan
        Stages; the timed default unless given.

    Raises
    ------
    LabError
        If a name is not known.

    Examples
    --------
    >>> judge_rollouts("failures x 10", runs=50).rolled_back
    1.0
    """
    if name not in REGRESSIONS or way not in _WAYS:
        raise LabError(f"{name!r} by {way!r} is not in the study; choose among {list(REGRESSIONS)} and {list(_WAYS)}")
    kept = plan or RolloutPlan(timed=True)
    traffic = _Traffic(REGRESSIONS[name], runs, kept.batch, seed)
    judge = _WAYS[way](kept, traffic.warm_up(), runs)
    place, at_stage = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    minimum, maximum = (np.array([getattr(rule, what) for rule in kept.rules]) for what in ("minimum", "maximum"))
    running, rolled_back, promoted = np.ones(runs, dtype=np.bool_), *(np.zeros(runs, dtype=np.bool_) for _ in range(2))
    exposures, harmed = np.zeros(runs), np.zeros(runs)
    while running.any():
        failed, baseline_failed, seconds, baseline_seconds, stuck = traffic.next()
        at_stage += kept.batch
        exposures[running] += kept.batch
        harmed[running] += (failed | stuck).sum(axis=1)[running]
        bad, fine = judge.look(failed, baseline_failed, seconds, baseline_seconds, place, at_stage >= minimum[place])
        bad &= running
        passed = running & ~bad & fine & (at_stage >= minimum[place])
        rolled_back |= bad
        promoted |= passed & (place + 1 == len(minimum))
        running &= ~(bad | promoted | (~passed & (at_stage >= maximum[place])))
        place = np.where(passed & running, place + 1, place)
        at_stage = np.where(passed, 0, at_stage)
    count = int(rolled_back.sum())
    delays = exposures[rolled_back]
    return RolloutStudy(
        runs,
        count / runs,
        float(stats.binomtest(count, runs, alternative="greater").proportion_ci(0.95).low),
        float(stats.binomtest(count, runs, alternative="less").proportion_ci(0.95).high),
        float(promoted.mean()),
        float((~promoted & ~rolled_back).mean()),
        float(np.median(delays)) if count else math.nan,
        float(np.quantile(delays, 0.9)) if count else math.nan,
        float(exposures.mean()),
        float(harmed.mean()),
    )


class _Judge(Protocol):
    def look(
        self, failed: Bools, baseline_failed: Bools, seconds: Floats, baseline: Floats, place: Ints, due: Bools
    ) -> tuple[Bools, Bools]:
        """After a batch: which are shown to be worse, and which may be promoted."""
        ...


class _Sequential:
    def __init__(self, plan: RolloutPlan, warm_up: Floats, runs: int) -> None:
        self._limits = plan.limits(warm_up)
        self._margins = [rule.margin for rule in plan.rules]
        self._enough = -math.log(plan.level)
        self._evidence = RolloutEvidence(
            tuple(dict.fromkeys(self._margins)), streams=runs, slow_measures=len(self._limits)
        )

    def look(
        self, failed: Bools, baseline_failed: Bools, seconds: Floats, baseline: Floats, place: Ints, due: Bools
    ) -> tuple[Bools, Bools]:
        """See `_Judge`."""
        sizes = np.full(len(failed), failed.shape[1]), np.full(len(failed), baseline_failed.shape[1])
        self._evidence.observe(0, (failed.sum(axis=1), sizes[0], baseline_failed.sum(axis=1), sizes[1]))
        for measure, limit in enumerate(self._limits.tolist(), start=1):
            slow, baseline_slow = (seconds > limit).sum(axis=1), (baseline > limit).sum(axis=1)
            self._evidence.observe(measure, (slow, sizes[0], baseline_slow, sizes[1]))
        self._evidence.close_batch()
        fine = np.array([self._evidence.not_much_worse(margin) for margin in self._margins])
        bad: Bools = self._evidence.worse >= self._enough
        good: Bools = fine[place, np.arange(len(failed))] >= self._enough
        return bad, good


class _AnyFailure:
    def __init__(self, plan: RolloutPlan, warm_up: Floats, runs: int) -> None:
        pass

    def look(
        self, failed: Bools, baseline_failed: Bools, seconds: Floats, baseline: Floats, place: Ints, due: Bools
    ) -> tuple[Bools, Bools]:
        """See `_Judge`: the first failure is too many."""
        bad: Bools = np.asarray(failed.any(axis=1))
        return bad, ~bad


class _MannWhitney:
    """Judges the seconds of a stage so far, when it is due or after every batch."""

    def __init__(self, plan: RolloutPlan, warm_up: Floats, runs: int, *, peeks: bool = False) -> None:
        self._level = plan.level
        self._peeks = peeks
        self._kept: list[tuple[Floats, Floats]] = []
        self._since = np.zeros(runs, dtype=np.int64)
        self._places = np.zeros(runs, dtype=np.int64)

    def look(
        self, failed: Bools, baseline_failed: Bools, seconds: Floats, baseline: Floats, place: Ints, due: Bools
    ) -> tuple[Bools, Bools]:
        """See `_Judge`."""
        self._since = np.where(place != self._places, len(self._kept), self._since)
        self._places = np.array(place)
        self._kept.append((seconds, baseline))
        bad: Bools = np.zeros(len(failed), dtype=np.bool_)
        looked: Bools = np.ones(len(due), dtype=np.bool_) if self._peeks else due
        for since in np.unique(self._since[looked]).tolist():
            rows = np.flatnonzero(looked & (self._since == since))
            ours = np.concatenate([one[rows] for one, _ in self._kept[since:]], axis=1)
            theirs = np.concatenate([one[rows] for _, one in self._kept[since:]], axis=1)
            p = stats.mannwhitneyu(ours, theirs, alternative="greater", axis=1, method="asymptotic").pvalue
            bad[rows] = p <= self._level
        return bad, due & ~bad


_WAYS: Mapping[str, Callable[[RolloutPlan, Floats, int], _Judge]] = MappingProxyType(
    {
        "sequential": _Sequential,
        "any failure": _AnyFailure,
        "mann-whitney": _MannWhitney,
        "mann-whitney, every batch": lambda plan, warm_up, runs: _MannWhitney(plan, warm_up, runs, peeks=True),
    }
)


def fixed_sample(
    name: str, sizes: tuple[int, ...], *, runs: int = 400, seed: int = 0, level: float = 0.05
) -> tuple[FixedSample, ...]:
    """Power of tests that look once, at several sizes: score tests of failures and of very slow ones, Mann-Whitney.

    Each is one-sided at the level; "very slow" has the limit of the default plan.

    Examples
    --------
    >>> [one] = fixed_sample("failures x 10", (200,), runs=50)
    >>> one.failures > 0.9
    True
    """
    plan = RolloutPlan(timed=True)
    traffic = _Traffic(REGRESSIONS[name], runs, plan.batch, seed)
    slow = float(plan.limits(traffic.warm_up())[-1])
    batches = [traffic.next() for _ in range(max(sizes) // plan.batch)]
    whole = [np.concatenate([one[part] for one in batches], axis=1) for part in range(4)]
    found = []
    for size in sizes:
        failed, baseline_failed, seconds, baseline = (one[:, :size] for one in whole)
        ranks = stats.mannwhitneyu(seconds, baseline, alternative="greater", axis=1, method="asymptotic").pvalue
        found.append(
            FixedSample(
                size,
                float((_score(failed, baseline_failed) <= level).mean()),
                float((_score(seconds > slow, baseline > slow) <= level).mean()),
                float((ranks <= level).mean()),
            )
        )
    return tuple(found)


def _score(ours: npt.NDArray[np.generic], theirs: npt.NDArray[np.generic]) -> Floats:
    """One-sided p values of equal shares (pooled score test); 1 where nothing happened."""
    n = ours.shape[1]
    a, b = ours.sum(axis=1), theirs.sum(axis=1)
    pooled = (a + b) / (2.0 * n)
    spread = np.sqrt(2.0 * pooled * (1.0 - pooled) / n)
    z = np.divide((a - b) / n, spread, out=np.zeros(len(a)), where=spread > 0)
    p: Floats = np.where(spread > 0, stats.norm.sf(z), 1.0)
    return p
