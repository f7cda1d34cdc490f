"""Ways to carry a change through its stages: all at once, stages of a fixed size, or sequential tests; by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Protocol

from autodev_lab.decisions.rollout import RolloutPlan, SequentialRollout
from autodev_lab.decisions.rollout_requests import RequestTarget
from autodev_lab.errors import LabError
from autodev_lab.protocols import Environment, RolloutTarget
from autodev_lab.records import Change, Ruling, Stage, Task, Traffic

__all__ = [
    "ROLLOUTS",
    "AtOnce",
    "Blame",
    "FixedStages",
    "Rollout",
    "StageJudge",
    "first_failure",
    "make_rollout",
    "mann_whitney",
]

Blame = Callable[[Sequence[Traffic], bool], str]
"""From the batches of a stage, and whether it is at its end, to why the change is to blame; empty if it is not."""

_LEVEL = 0.05


class StageJudge(Protocol):
    """Judges the stages of one rollout in their order."""

    @property
    def stage(self) -> Stage:
        """The stage whose traffic is looked at; after the last one it stays."""
        ...

    @property
    def wanted(self) -> int:
        """Exposures of the change to ask for next; 0 where the stage is passed without a look."""
        ...

    @property
    def words(self) -> str:
        """The evidence on the stage that was looked at last, as a sentence."""
        ...

    def observe(self, traffic: Traffic) -> Ruling | None:
        """Look at a batch: how the stage ends, or None when more is needed. After PROMOTE the next stage has begun."""
        ...

    def let_pass(self) -> None:
        """The stage is passed whatever was seen: the next one begins."""
        ...


class AtOnce:
    """Everything at once: no stage is looked at.

    Examples
    --------
    >>> AtOnce().wanted
    0
    """

    words = "nothing was looked at"
    wanted = 0

    def __init__(self, plan: RolloutPlan | None = None) -> None:
        self._left = [rule.stage for rule in (plan or RolloutPlan()).rules]

    @property
    def stage(self) -> Stage:
        """See `StageJudge`."""
        return self._left[0]

    def observe(self, traffic: Traffic) -> Ruling | None:
        """See `StageJudge`; what is shown all the same changes nothing."""
        self.let_pass()
        return Ruling.PROMOTE

    def let_pass(self) -> None:
        """See `StageJudge`."""
        self._left = self._left[1:] or self._left


class FixedStages:
    """Stages of a fixed size, each passed at the minimum of its rule unless the change is blamed; never inconclusive.

    Parameters
    ----------
    blame
        How: `first_failure`, or `mann_whitney` with a level.
    plan
        Its stages, minima and batch are used.

    Examples
    --------
    >>> stages = FixedStages(first_failure)
    >>> while (ruling := stages.observe(Traffic(0, 20, 1, 20))) is None:
    ...     pass
    >>> ruling.value, stages.stage.value
    ('promote', 'staging')
    >>> stages.observe(Traffic(1, 20, 1, 20)).value, stages.words
    ('roll_back', 'staging: 1 of 20 exposures failed')
    """

    def __init__(self, blame: Blame, plan: RolloutPlan | None = None) -> None:
        self._plan = plan or RolloutPlan()
        self._blame = blame
        self._place = 0
        self._seen: list[Traffic] = []
        self.words = "nothing was looked at"

    @property
    def stage(self) -> Stage:
        """See `StageJudge`."""
        return self._plan.rules[self._place].stage

    @property
    def wanted(self) -> int:
        """See `StageJudge`."""
        return min(self._plan.batch, self._plan.rules[self._place].minimum - self._exposed)

    @property
    def _exposed(self) -> int:
        return sum(batch.exposed for batch in self._seen)

    def observe(self, traffic: Traffic) -> Ruling | None:
        """See `StageJudge`."""
        self._seen.append(traffic)
        full = self._exposed >= self._plan.rules[self._place].minimum
        blamed = self._blame(self._seen, full)
        if blamed:
            self.words = f"{self.stage}: {blamed}"
            return Ruling.ROLL_BACK
        if not full:
            return None
        self.words = f"{self.stage}: nothing to blame it for in {self._exposed} exposures"
        self.let_pass()
        return Ruling.PROMOTE

    def let_pass(self) -> None:
        """See `StageJudge`."""
        self._place = min(self._place + 1, len(self._plan.rules) - 1)
        self._seen = []


def first_failure(batches: Sequence[Traffic], full: bool) -> str:
    """Blames the change for the first exposure that fails: right where the baseline never fails, see `FixedStages`."""
    failed, exposed = (sum(getattr(batch, name) for batch in batches) for name in ("failed", "exposed"))
    return f"{failed} of {exposed} exposures failed" if failed else ""


def mann_whitney(batches: Sequence[Traffic], full: bool, *, level: float = _LEVEL) -> str:
    """Blames the change if Mann and Whitney's test does at the end of the stage, as canary tools judge.

    One-sided, on seconds where they were measured and on failures, each at the level, with the normal approximation
    corrected for ties (Mann and Whitney 1947, Annals of Mathematical Statistics 18(1)).

    Examples
    --------
    >>> mann_whitney([Traffic(9, 50, 0, 50)], True)
    'Mann-Whitney blames it for failures (p = 0.000898)'
    >>> mann_whitney([Traffic(9, 50, 0, 50)], False), mann_whitney([Traffic(0, 50, 0, 50)], True)
    ('', '')
    """
    if not full:
        return ""
    ours = [[0.0] * (one.exposed - one.failed) + [1.0] * one.failed for one in batches]
    theirs = [[0.0] * (one.baseline_exposed - one.baseline_failed) + [1.0] * one.baseline_failed for one in batches]
    measured = {
        "failures": (ours, theirs),
        "seconds": ([list(one.seconds) for one in batches], [list(one.baseline_seconds) for one in batches]),
    }
    for name, sides in measured.items():
        change, baseline = (list(chain.from_iterable(side)) for side in sides)
        if not change or not baseline or len({*change, *baseline}) < 2:
            continue
        from scipy.stats import mannwhitneyu  # most of a second that only this judge needs

        p = float(mannwhitneyu(change, baseline, alternative="greater", method="asymptotic").pvalue)
        if p <= level:
            return f"Mann-Whitney blames it for {name} (p = {p:.3g})"
    return ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a deployer carries changes out.

    Parameters
    ----------
    judge
        Makes the judge of one rollout's stages.
    target
        Makes where a change is rolled out, from the deployer's environment, the task and the change.
    seconds
        Virtual seconds between two exposures; 0 where time passes by itself.
    """

    judge: Callable[[], StageJudge]
    target: Callable[[Environment, Task, Change], RolloutTarget]
    seconds: float = 0.0


ROLLOUTS: MappingProxyType[str, Callable[[RolloutPlan], StageJudge]] = MappingProxyType(
    {
        "at_once": AtOnce,
        "first_failure": partial(FixedStages, first_failure),
        "mann_whitney": partial(FixedStages, mann_whitney),
        "sequential": SequentialRollout,
    }
)
"""Judges by name. ``fixed`` is not among them: every exposure test of a stage is shown once, without traffic."""

_SECONDS = 1.0
"""Virtual seconds between two requests. An assumption."""


def make_rollout(name: str, *, noise: float = 0.0, plan: RolloutPlan | None = None) -> Rollout | None:
    """The rollout of a name, on a lab environment's requests; None for ``fixed``.

    Parameters
    ----------
    noise
        See `RequestTarget`.
    plan
        Its stages, and what each of them has to show; the usual one unless given.

    Raises
    ------
    LabError
        If there is no such rollout, or the noise is not in [0, 1).

    Examples
    --------
    >>> make_rollout("sequential").judge().stage.value
    'canary'
    """
    if name == "fixed":
        return None
    if name not in ROLLOUTS:
        raise LabError(f"rollout is {name!r}; choose one of fixed, {', '.join(ROLLOUTS)}")
    if not 0.0 <= noise < 1.0:
        raise LabError(f"traffic_noise is {noise}; it is a share of requests and must be at least 0 and below 1")
    judge = partial(ROLLOUTS[name], plan or RolloutPlan())
    return Rollout(judge, partial(RequestTarget, noise=noise), _SECONDS)
