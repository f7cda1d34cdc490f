"""A rollout whose stages are sequential tests: promote, roll back, or hand over to a person.

After every batch of traffic one may look and stop: a change that is no worse than its baseline is rolled back with
probability at most `level` in the whole rollout, and one that is worse by a stage's margin is promoted from it with
probability at most `level`. What is compared is failures, and how often exposures are slower than quantiles of the
baseline, and than a multiple of its highest: a few very slow requests move neither the median nor ranks (Mann and
Whitney 1947, which canary tools judge with), but they are where nearly none should be. The capitals of all measures are
averaged, which keeps the level (`autodev_lab.decisions.sequential`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.sequential import NotMuchWorse, Worse
from autodev_lab.errors import LabError
from autodev_lab.protocols import RolloutTarget
from autodev_lab.records import Ruling, Stage, Traffic

__all__ = ["RolloutEvidence", "RolloutPlan", "RolloutResult", "Ruling", "SequentialRollout", "StageRule", "run_rollout"]

Floats = npt.NDArray[np.float64]

_FEWEST_SECONDS = 100
_ENOUGH = 700.0
_SLOW_PER_FAILURE = 4.0
_FAILING, _VERY_SLOW = 0.02, 0.002
"""Rates that bets begin with; they change how soon a stage ends, never its errors."""


@dataclass(frozen=True, slots=True)
class StageRule:
    """One stage of a rollout.

    Parameters
    ----------
    stage
        Its name in the workflow.
    margin
        Difference of failure rates that must be ruled out for a promotion, and four times the one of rates of very slow
        exposures.
    minimum, maximum
        Exposures of the change at this stage before it may be promoted, and after which it is inconclusive.

    Raises
    ------
    LabError
        If the margin is not inside (0, 1), or the numbers contradict each other.
    """

    stage: Stage
    margin: float
    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 0.0 < self.margin < 1.0:
            raise LabError(f"margin of stage {self.stage} is {self.margin}; it must lie between 0 and 1")
        if not 1 <= self.minimum <= self.maximum:
            raise LabError(
                f"stage {self.stage} has a minimum of {self.minimum} and a maximum of {self.maximum} exposures; the "
                "minimum must be at least 1 and not above the maximum"
            )


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The stages and the error that is accepted.

    Parameters
    ----------
    rules
        Stages in order. Defaults are assumptions: margins of 10, 5 and 2 points, up to 2,000 exposures
        a stage and 4,000 at the last.
    level
        Chance of ever rolling back a change that is no worse, in the whole rollout; and of promoting, from one stage,
        a change that is worse by its margin.
    quantiles
        Of the baseline's seconds: how often each is exceeded is one measure.
    slow
        Exposures above so many times the highest of these quantiles are very slow: one more measure.
    batch
        Exposures of the change that are asked for between two looks.
    timed
        Whether traffic comes with seconds; without, failures alone are compared.

    Raises
    ------
    LabError
        If a value is not allowed.
    """

    rules: tuple[StageRule, ...] = (
        StageRule(Stage.CANARY, 0.1, 50, 2000),
        StageRule(Stage.STAGING, 0.05, 100, 2000),
        StageRule(Stage.PRODUCTION, 0.02, 200, 4000),
    )
    level: float = 0.05
    quantiles: tuple[float, ...] = (0.5, 0.95)
    slow: float = 3.0
    batch: int = 20
    timed: bool = False

    def __post_init__(self) -> None:
        if not self.rules:
            raise LabError("a rollout needs at least one stage")
        if not 0.0 < self.level < 1.0 or self.slow < 1.0 or self.batch < 1:
            raise LabError("a rollout's level must lie in (0, 1), slow be at least 1 and batch at least 1")
        if not self.quantiles or not all(0.0 < one < 1.0 for one in self.quantiles):
            raise LabError("a rollout's quantiles must lie between 0 and 1, and there must be one")

    def limits(self, baseline_seconds: npt.ArrayLike) -> Floats:
        """Seconds whose exceedance is compared: the quantiles of the baseline, and what is very slow.

        Examples
        --------
        >>> RolloutPlan(quantiles=(0.5, 0.9)).limits(np.arange(101)).tolist()
        [50.0, 90.0, 270.0]
        """
        quantiles = np.quantile(np.asarray(baseline_seconds, dtype=np.float64), np.sort(self.quantiles))
        return np.append(quantiles, self.slow * quantiles[-1])


class RolloutEvidence:
    """Capitals of many rollouts side by side, by measure: failures first, then what is slow.

    Parameters
    ----------
    margins
        Of the stages.
    streams
        Number of rollouts.
    slow_measures
        How many limits of seconds there are; the last is that of very slow exposures. 0 where nothing is timed.
    """

    def __init__(self, margins: Sequence[float], *, streams: int = 1, slow_measures: int = 0) -> None:
        rates = [_FAILING, *np.geomspace(0.5, _VERY_SLOW, slow_measures)]
        self._worse = [Worse(streams, rate=rate) for rate in rates]
        kinds = 1 + (slow_measures > 0)
        self._fine = {
            margin: [
                NotMuchWorse(margin, streams, rate=_FAILING),
                *(NotMuchWorse(margin / _SLOW_PER_FAILURE, streams, rate=_VERY_SLOW) for _ in range(kinds - 1)),
            ]
            for margin in margins
        }
        self._worst = np.zeros(streams)
        self._best = {margin: [np.zeros(streams) for _ in range(kinds)] for margin in margins}

    def observe(self, measure: int, counts: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]) -> None:
        """Take note of one measure of a batch: counts as `Worse.observe` takes them, one a stream."""
        self._worse[measure].observe(*counts)
        if measure in (0, len(self._worse) - 1):
            kind = min(measure, 1)
            for tests in self._fine.values():
                tests[kind].observe(*counts)

    def close_batch(self) -> None:
        """All measures of a batch have been noted: look."""
        mean = np.logaddexp.reduce([test.log_capital for test in self._worse], axis=0) - np.log(len(self._worse))
        self._worst = np.maximum(self._worst, mean)
        for margin, tests in self._fine.items():
            self._best[margin] = [
                np.maximum(best, test.log_capital) for best, test in zip(self._best[margin], tests, strict=True)
            ]

    @property
    def worse(self) -> Floats:
        """Highest mean capital so far of those who bet that the change is worse, as a logarithm; shape (streams,)."""
        return self._worst

    def not_much_worse(self, margin: float) -> Floats:
        """Highest capital so far of those who bet that it is not worse by a margin, as a logarithm; lower measure."""
        lowest: Floats = np.min(self._best[margin], axis=0)
        return lowest


class SequentialRollout:
    """One rollout: takes batches of traffic, says when a stage has ended, and how.

    Parameters
    ----------
    plan
        Stages and accepted errors.
    baseline_seconds
        Earlier timings of the baseline, which fix the limits of what is slow. Without at least a hundred of them they
        are taken from the first timed batches, which are then not compared in time.

    Examples
    --------
    >>> rollout = SequentialRollout(RolloutPlan())
    >>> while (ruling := rollout.observe(Traffic(0, 20, 0, 20))) is None:
    ...     pass
    >>> ruling.value, rollout.exposed, rollout.stage.value
    ('promote', 60, 'staging')
    >>> while (ruling := rollout.observe(Traffic(5, 20, 0, 20))) is None:
    ...     pass
    >>> ruling.value
    'roll_back'
    """

    def __init__(self, plan: RolloutPlan, baseline_seconds: Sequence[float] = ()) -> None:
        self._plan = plan
        self._place = 0
        self._looked = 0
        self._at_stage = 0
        self._over = False
        self._seconds = list(baseline_seconds)
        self._limits: Floats | None = None
        self._evidence = RolloutEvidence(
            tuple(dict.fromkeys(rule.margin for rule in plan.rules)),
            slow_measures=len(plan.quantiles) + 1 if plan.timed else 0,
        )
        self.exposed = 0
        self._fix_limits()

    @property
    def stage(self) -> Stage:
        """The stage whose traffic is looked at."""
        return self._plan.rules[self._place].stage

    @property
    def over(self) -> bool:
        """Whether the last stage has been passed, or the rollout has ended otherwise."""
        return self._over

    @property
    def wanted(self) -> int:
        """Exposures of the change to ask for next."""
        return self._plan.batch

    @property
    def words(self) -> str:
        """The evidence on the stage that was looked at last, as a sentence."""
        rule = self._plan.rules[self._looked]
        worse = float(np.exp(np.minimum(self._evidence.worse[0], _ENOUGH)))
        fine = float(np.exp(np.minimum(self._evidence.not_much_worse(rule.margin)[0], _ENOUGH)))
        return (
            f"{rule.stage}: e-value {worse:.3g} that the change is worse and {fine:.3g} that it is not worse by "
            f"{100 * rule.margin:.3g} points (limit {1.0 / self._plan.level:.3g}), {self.exposed} exposures"
        )

    def observe(self, traffic: Traffic) -> Ruling | None:
        """Look at a batch: how the stage ends, or None when more traffic is needed.

        After PROMOTE the next stage has begun, unless it was the last.

        Raises
        ------
        LabError
            If the rollout is over, the counts contradict each other, or seconds are missing from a timed rollout.
        """
        if self._over:
            raise LabError("this rollout is over; begin another")
        _check_traffic(traffic, timed=self._plan.timed)
        counts = (traffic.failed, traffic.exposed, traffic.baseline_failed, traffic.baseline_exposed)
        self._evidence.observe(0, _one(*counts))
        if self._limits is None:
            self._seconds.extend(traffic.baseline_seconds)
            self._fix_limits()
        else:
            seconds, baseline = np.array(traffic.seconds), np.array(traffic.baseline_seconds)
            for measure, limit in enumerate(self._limits.tolist(), start=1):
                slow, baseline_slow = int((seconds > limit).sum()), int((baseline > limit).sum())
                self._evidence.observe(measure, _one(slow, len(seconds), baseline_slow, len(baseline)))
        self._evidence.close_batch()
        self.exposed += traffic.exposed
        self._at_stage += traffic.exposed
        self._looked = self._place
        return self._rule()

    def let_pass(self) -> None:
        """A person lets a stage pass that was inconclusive: the next one begins, and the evidence is kept."""
        self._advance()

    def _rule(self) -> Ruling | None:
        rule = self._plan.rules[self._place]
        enough = -np.log(self._plan.level)
        if self._evidence.worse[0] >= enough:
            self._over = True
            return Ruling.ROLL_BACK
        if self._at_stage >= rule.minimum and self._evidence.not_much_worse(rule.margin)[0] >= enough:
            self._advance()
            return Ruling.PROMOTE
        if self._at_stage >= rule.maximum:
            self._over = True
            return Ruling.INCONCLUSIVE
        return None

    def _advance(self) -> None:
        self._over = self._place + 1 == len(self._plan.rules)
        if not self._over:
            self._place, self._at_stage = self._place + 1, 0

    def _fix_limits(self) -> None:
        if self._plan.timed and len(self._seconds) >= _FEWEST_SECONDS:
            self._limits = self._plan.limits(self._seconds)


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """How a rollout ended: rulings by stage, exposures of the change, and the evidence in words."""

    ruling: Ruling
    stage: Stage
    exposures: int
    words: str


def run_rollout(
    target: RolloutTarget,
    plan: RolloutPlan,
    *,
    baseline_seconds: Sequence[float] = (),
    progress: Callable[[Stage, int], None] | None = None,
) -> RolloutResult:
    """Carry a change through all stages of a target, or as far as it comes.

    An inconclusive stage, or one whose traffic runs out, is left as it is: the change goes no further and a person has
    to look.

    Parameters
    ----------
    target
        Where the change is rolled out.
    plan, baseline_seconds
        As for `SequentialRollout`.
    progress
        Called with the stage and the exposures so far after every batch.
    """
    rollout = SequentialRollout(plan, baseline_seconds)
    while True:
        stage = rollout.stage
        traffic = target.expose(stage, plan.batch)
        ruling = rollout.observe(traffic) if traffic is not None else Ruling.INCONCLUSIVE
        if progress is not None:
            progress(stage, rollout.exposed)
        if ruling is None:
            continue
        if ruling is Ruling.PROMOTE:
            target.promote(stage)
            if not rollout.over:
                continue
        if ruling is Ruling.ROLL_BACK:
            target.roll_back(stage, rollout.words)
        words = rollout.words if traffic is not None else f"no traffic is left; {rollout.words}"
        return RolloutResult(ruling, stage, rollout.exposed, words)


def _one(*counts: int) -> tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]:
    failed, exposed, baseline_failed, baseline = counts
    return [failed], [exposed], [baseline_failed], [baseline]


def _check_traffic(traffic: Traffic, *, timed: bool) -> None:
    sides = ((traffic.failed, traffic.exposed), (traffic.baseline_failed, traffic.baseline_exposed))
    if not all(0 <= failed <= exposed for failed, exposed in sides):
        raise LabError(f"a batch of traffic has more failures than exposures, or fewer than none: {sides}")
    if traffic.exposed < 1 or traffic.baseline_exposed < 1:
        raise LabError("a batch of traffic needs exposures of the change and of its baseline")
    both = (len(traffic.seconds), len(traffic.baseline_seconds))
    if timed and both != (traffic.exposed, traffic.baseline_exposed):
        raise LabError(f"a timed rollout needs seconds for every exposure, not {both} of {sides}")
    if not all(np.isfinite(one) and one >= 0.0 for one in (*traffic.seconds, *traffic.baseline_seconds)):
        raise LabError("seconds of an exposure must be finite and not negative; count one that never ended as failed")
