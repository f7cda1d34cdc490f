"""Judging a change: what is known of it, the risk, the decision, the rollout, and what was shown in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autodev_lab.records.repair import Change, Plan, TestReport
from autodev_lab.records.retrieval import Retrieval
from autodev_lab.records.stages import Stage
from autodev_lab.records.tasks import Task

__all__ = [
    "Action",
    "Decision",
    "EscalationLevel",
    "Evidence",
    "ExposureReport",
    "HealthReport",
    "HumanAnswer",
    "Inspection",
    "Judgement",
    "Label",
    "LabelSource",
    "Outcome",
    "Review",
    "RiskAssessment",
    "RiskScore",
    "RolloutStep",
    "Ruling",
    "StageTrial",
    "Traffic",
    "Withdrawal",
]


class Action(StrEnum):
    """What the deployer may decide."""

    AUTO_DEPLOY = "AUTO_DEPLOY"
    DEPLOY_WITH_MONITORING = "DEPLOY_WITH_MONITORING"
    REQUEST_REVIEW = "REQUEST_REVIEW"


class EscalationLevel(StrEnum):
    """How urgently something goes to a person, whatever the policy says."""

    IMMEDIATE = "immediate"
    HIGH_PRIORITY = "high_priority"


class Ruling(StrEnum):
    """What follows from a stage of a rollout."""

    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    INCONCLUSIVE = "inconclusive"


class LabelSource(StrEnum):
    """Which check said what became of a change; the two err differently.

    PERSON: a person looked at it first, and production afterwards if the answer was yes. PRODUCTION: production alone.
    """

    PERSON = "person"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Inspection:
    """Static evidence about a change: linter, security scanner, complexity and size.

    ``lint`` and ``security`` count findings that the change adds; ``security_severe`` those of high severity.
    Complexities are McCabe's of the functions touched (the maximum), before and after.
    ``dependents`` counts modules of the package that import a changed module, directly or not; ``dependencies`` those
    that the changed modules import, directly or not; ``modules`` all of them.
    """

    task_id: str
    lint: int
    security: int
    security_severe: int
    complexity_before: int
    complexity_after: int
    lines_added: int
    lines_removed: int
    files: int
    dependents: int
    dependencies: int
    modules: int


@dataclass(frozen=True, slots=True)
class Review:
    """The reviewer's judgement; ``quality`` is on the specification's scale from 0 to 10.

    ``retrieved`` is what the reviewer asked its memory.
    """

    task_id: str
    approved: bool
    quality: float
    reasons: tuple[str, ...]
    inspection: Inspection
    retrieved: tuple[Retrieval, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate may know of a reviewed change before it is deployed.

    ``reworks`` counts the times the task was sent back to a developer before this change.
    """

    task: Task
    change: Change
    plan: Plan
    tests: TestReport
    review: Review
    reworks: int = 0


@dataclass(frozen=True, slots=True)
class RiskScore:
    """What a risk model says of a change.

    Parameters
    ----------
    risk
        In [0, 1].
    factors
        What the risk was computed from: finite numbers by name. They come back with the change's label.
    reason
        In words, what moved the risk most.
    """

    risk: float
    factors: Mapping[str, float] = field(hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """A change as a policy sees it.

    Parameters
    ----------
    task_id
        The task.
    factors
        What the risk was computed from, by name.
    risk
        In [0, 1].
    confidence
        Probability in [0, 1] that the change is right.
    lines
        Lines that the change adds and removes.
    reason
        In words, what moved the risk most.
    """

    task_id: str
    factors: Mapping[str, float] = field(hash=False)
    risk: float
    confidence: float
    lines: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the deployer decided and why.

    Parameters
    ----------
    task_id, action, assessment
        What is done to which change, on which assessment.
    policy
        Name of the policy.
    reasons
        In words.
    explored
        Whether the change belongs to the recorded random share that goes to review anyway.
    propensity
        Probability, given the assessment, of the path that was taken: review, or deployment of either kind. The path
        decides which check labels the change, so this is what corrects for the selection of labels.
    retrieved
        What the deployer asked its memory.
    escalation
        Level of the rule that sent the change to a person, or None if the policy alone decided.
    certified
        Least 1 - risk for which the policy held a certificate when it decided; None without one.
    """

    task_id: str
    action: Action
    assessment: RiskAssessment
    policy: str
    reasons: tuple[str, ...]
    explored: bool = False
    propensity: float = 1.0
    retrieved: tuple[Retrieval, ...] = ()
    escalation: EscalationLevel | None = None
    certified: float | None = None


@dataclass(frozen=True, slots=True)
class ExposureReport:
    """What production traffic showed at one stage: exposure tests drawn, and those that failed."""

    task_id: str
    stage: Stage
    sampled: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one batch of traffic showed of a change and, at the same time, of its baseline.

    Parameters
    ----------
    failed, exposed
        Exposures of the change that failed, of how many.
    baseline_failed, baseline_exposed
        The same of what runs without the change.
    seconds, baseline_seconds
        How long each took, where it was measured: one number an exposure, or none at all.
    """

    failed: int
    exposed: int
    baseline_failed: int
    baseline_exposed: int
    seconds: tuple[float, ...] = ()
    baseline_seconds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """One stage of a rollout: what was seen, and whether the change was promoted."""

    task_id: str
    promoted: bool
    report: ExposureReport


@dataclass(frozen=True, slots=True)
class StageTrial:
    """One stage of a rollout that is judged on traffic.

    Parameters
    ----------
    task_id, stage
        Which stage of the rollout of which task's change.
    ruling
        What followed. An inconclusive stage goes to a person; who let it pass said so in the answer after it.
    traffic
        The batches that were looked at, in order: whoever carries the rollout further goes on from them. None where
        the stage was passed without a look.
    words
        The evidence, as a sentence.
    """

    task_id: str
    stage: Stage
    ruling: Ruling
    traffic: tuple[Traffic, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A change that was exposed was taken back because a person declined it; `stage` is the last it was exposed at."""

    task_id: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What the monitor saw in production, and whether it called it healthy."""

    task_id: str
    healthy: bool
    report: ExposureReport


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """What a person (or the twin) answered to an escalation; ``seconds`` of latency, ``cost`` in person-minutes.

    ``expired``: nobody answered in time, so the change is not deployed. It says nothing about the change.
    """

    task_id: str
    approve: bool
    seconds: float
    cost: float
    reason: str = ""
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What production *showed* of a task: all that calibrators and learners ever see.

    ``success`` is True or False once production or a person has answered, and None when nothing was learned;
    ``source`` says which check answered, and is None with it.
    """

    task_id: str
    stage: Stage
    deployed: bool
    success: bool | None
    change: Change | None
    decision: Decision | None
    source: LabelSource | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What became of a change that a gate decided on: all that risk models and calibrators learn from.

    Parameters
    ----------
    task_id, package
        The task, and the package it is in.
    factors, risk
        As the risk model scored the change before it was deployed.
    success
        What was shown. A person or production may err: it is not the truth.
    source
        Which check showed it.
    propensity
        Probability in (0, 1] that the change was sent to that check.
    patterns
        Patterns the change used.
    """

    task_id: str
    package: str
    factors: Mapping[str, float] = field(hash=False)
    risk: float
    success: bool
    source: LabelSource = LabelSource.PRODUCTION
    propensity: float = 1.0
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Truth joined in the analysis: whether a change is correct on all that was held out.

    ``oracle_passed``, ``exposure_passed`` and ``differential_agreed`` are None where there was nothing to run.
    """

    task_id: str
    correct: bool
    oracle_passed: bool | None = None
    exposure_passed: bool | None = None
    differential_agreed: bool | None = None
    identical: bool = False
