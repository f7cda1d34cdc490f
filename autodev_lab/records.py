"""The frozen, typed records that flow through the whole lab.

Everything that crosses from one room of the lab to another is one of these. They hold data and a few derived
properties; behaviour lives in the rooms. Times are **virtual seconds** since the start of a run unless a name says
otherwise; lines are 1-based; probabilities and risks lie in [0, 1].
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Action",
    "Attempt",
    "Candidate",
    "CandidateStatus",
    "Change",
    "Claim",
    "ContextTally",
    "Cost",
    "Decision",
    "Diagnosis",
    "Edit",
    "Event",
    "Evidence",
    "ExposureReport",
    "HealthReport",
    "HumanAnswer",
    "Inspection",
    "Judgement",
    "Label",
    "LabelSource",
    "Lease",
    "LineSpectrum",
    "Link",
    "MemoryHit",
    "MemoryItem",
    "Outcome",
    "PatternContext",
    "PatternRecord",
    "PatternTrial",
    "Plan",
    "Refusal",
    "RefusalReason",
    "Result",
    "Review",
    "RiskAssessment",
    "RiskScore",
    "Role",
    "RolloutStep",
    "SearchMode",
    "Stage",
    "StageResult",
    "StreamItem",
    "Suspect",
    "Task",
    "TaskContext",
    "TaskKind",
    "TaskState",
    "TestReport",
    "Truth",
    "Verdict",
]


class Role(StrEnum):
    """The six kinds of agent, and the human who answers escalations."""

    ARCHITECT = "architect"
    DEVELOPER = "developer"
    TESTER = "tester"
    REVIEWER = "reviewer"
    DEPLOYER = "deployer"
    MONITOR = "monitor"
    HUMAN = "human"


class Stage(StrEnum):
    """The last thing that was completed for a task; `autodev_lab.workflow` says who acts next."""

    FETCHED = "fetched"
    PLANNED = "planned"
    PROPOSED = "proposed"
    TESTED = "tested"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLEARED = "cleared"
    ESCALATED = "escalated"
    CANARY = "canary"
    STAGING = "staging"
    PRODUCTION = "production"
    HEALTHY = "healthy"
    ROLLED_BACK = "rolled_back"
    ABANDONED = "abandoned"
    DECLINED = "declined"
    DEAD_LETTER = "dead_letter"


class TaskKind(StrEnum):
    """Where a task comes from; verdicts never travel from one kind to another."""

    SYNTHETIC = "synthetic"
    INJECTED = "injected"
    HISTORICAL = "historical"
    LIVE = "live"


class Action(StrEnum):
    """What the deployer may decide."""

    AUTO_DEPLOY = "AUTO_DEPLOY"
    DEPLOY_WITH_MONITORING = "DEPLOY_WITH_MONITORING"
    REQUEST_REVIEW = "REQUEST_REVIEW"


class LabelSource(StrEnum):
    """Which check said what became of a change; the two err differently.

    PERSON: a person looked at it first, and production afterwards if the answer was yes. PRODUCTION: production alone.
    """

    PERSON = "person"
    PRODUCTION = "production"


class CandidateStatus(StrEnum):
    """What running a candidate showed."""

    PLAUSIBLE = "plausible"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INVALID = "invalid"
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step used. Budgets are counted in candidates, never in seconds.

    Parameters
    ----------
    candidates
        Candidate changes evaluated (logical evaluations: a replay from a cache counts in full).
    test_executions
        Single test cases executed.
    tokens
        Language-model tokens, prompt and completion together.
    seconds
        Virtual seconds the step takes; deterministic, never measured.

    Examples
    --------
    >>> Cost(candidates=2, seconds=1.5) + Cost(candidates=1, tokens=10)
    Cost(candidates=3, test_executions=0, tokens=10, seconds=1.5)
    """

    candidates: int = 0
    test_executions: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.candidates + other.candidates,
            self.test_executions + other.test_executions,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


# --------------------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True, slots=True)
class Task:
    """What the agents may know of a piece of work.

    Parameters
    ----------
    id
        Unique within a stream, stable across runs.
    package
        The package the work is in; the cluster of the statistical analysis.
    kind
        Where the task comes from.
    title, body
        What a person would read.
    arrival
        Virtual second at which the task becomes known.
    priority
        Higher is sooner; ties are served in order of arrival.
    parent
        Id of the task this one follows up, or None.
    depth
        Number of follow-ups between this task and an original one (0 for originals).
    metadata
        Free text facts an agent may use (for example the package version).
    """

    id: str
    package: str
    kind: TaskKind
    title: str
    body: str = ""
    arrival: float = 0.0
    priority: int = 0
    parent: str | None = None
    depth: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def root(self) -> str:
        """Id of the original task: a follow-up's id is its root's, ``~`` and its depth.

        Examples
        --------
        >>> Task("toolz-1~2", "toolz", TaskKind.INJECTED, "again", depth=2).root
        'toolz-1'
        """
        return self.id.split("~", 1)[0]


@dataclass(frozen=True, slots=True)
class Truth:
    """What only the environment knows of a task. Environments subclass it with what they need."""

    task_id: str


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One element of a task stream: what may be known, and what only the environment knows."""

    task: Task
    truth: Truth


# ------------------------------------------------------------------------------------- changes and evidence


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace whole lines of one file.

    Parameters
    ----------
    path
        File, relative to the workspace root, with forward slashes.
    start_line, end_line
        First and last line replaced, 1-based and inclusive; an insertion *before* line n has
        ``start_line == n`` and ``end_line == n - 1``.
    replacement
        The new text, ending in a newline unless it is empty (a deletion).
    """

    path: str
    start_line: int
    end_line: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible change before anything is known of it: the edits and the pattern that made them."""

    edits: tuple[Edit, ...]
    pattern: str

    @property
    def id(self) -> str:
        """Content hash of the edits (16 hexadecimal digits): equal edits are the same candidate."""
        digest = hashlib.sha256()
        for edit in self.edits:
            for part in (edit.path, str(edit.start_line), str(edit.end_line), edit.replacement):
                digest.update(part.encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What evaluating one candidate on the visible tests showed.

    ``test_executions`` counts the tests run until the verdict was known; ``failing_test`` is the first failure.
    """

    candidate_id: str
    status: CandidateStatus
    test_executions: int
    failing_test: str | None = None

    @property
    def plausible(self) -> bool:
        """Whether every visible test passed."""
        return self.status is CandidateStatus.PLAUSIBLE


@dataclass(frozen=True, slots=True)
class Change:
    """A proposed patch with its provenance.

    Parameters
    ----------
    task_id
        The task it answers.
    edits
        What it does to the workspace.
    diff
        The same as a unified diff, for people.
    solver
        Name of the solver that made it.
    patterns
        Patterns used.
    evaluations
        Candidates evaluated before this one was found, itself included.
    """

    task_id: str
    edits: tuple[Edit, ...]
    diff: str
    solver: str
    patterns: tuple[str, ...] = ()
    evaluations: int = 0

    @property
    def candidate(self) -> Candidate:
        """The change without its provenance."""
        return Candidate(self.edits, "+".join(self.patterns))


@dataclass(frozen=True, slots=True)
class LineSpectrum:
    """How many failing and passing visible tests executed one line."""

    path: str
    line: int
    failed: int
    passed: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Evidence about what is wrong: the failing visible tests and the coverage spectrum.

    ``total_failed`` and ``total_passed`` count visible tests; ``messages`` holds one failure text per failing test.
    """

    task_id: str
    failing: tuple[str, ...]
    total_failed: int
    total_passed: int
    spectrum: tuple[LineSpectrum, ...] = ()
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line that may hold the fault; suspiciousness in [0, 1], higher is more suspect."""

    path: str
    line: int
    suspiciousness: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the architect hands on: where to look, how hard it looks, how much to spend.

    ``complexity`` is on the specification's scale from 0 to 10; ``budget`` is in candidates;
    ``similar`` names past tasks found in memory; ``failing`` counts the failing visible tests.
    """

    task_id: str
    suspects: tuple[Suspect, ...]
    complexity: float
    budget: int
    similar: tuple[str, ...] = ()
    failing: int = 0


@dataclass(frozen=True, slots=True, order=True)
class PatternContext:
    """Where a pattern was tried, in words that mean the same in every package; an empty one is not known.

    Parameters
    ----------
    statement
        Kind of the statement changed, as Python's syntax tree names it: ``"If"``, ``"Return"``, ``"Assign"``.
    failure
        Class of the exception of the first failing test: ``"AssertionError"``, ``"TypeError"``.
    place
        How suspicious the statement is: its rank among the suspicious ones, in buckets that grow.
    """

    statement: str = ""
    failure: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class ContextTally:
    """Successes and tries of a pattern in one context, as weights in a record and as counts in a trial."""

    context: PatternContext
    successes: float
    tries: float


@dataclass(frozen=True, slots=True)
class PatternTrial:
    """One pattern's record within one attempt: how often it was tried and whether it produced the change.

    ``contexts`` says where, as far as the solver knows; its tries and successes are among those of the trial.
    """

    pattern: str
    tries: int
    successes: int
    contexts: tuple[ContextTally, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a solver came back with: a change, or None when its budget ran out, and what it tried."""

    task_id: str
    change: Change | None
    trials: tuple[PatternTrial, ...] = ()
    cost: Cost = Cost()


@dataclass(frozen=True, slots=True)
class TestReport:
    """The visible tests under the change, from files on disk, and the coverage of the changed lines.

    ``changed_lines`` and ``covered_lines`` count executable lines of the change.
    """

    __test__ = False  # not a pytest class

    task_id: str
    passed: int
    failed: tuple[str, ...]
    changed_lines: int
    covered_lines: int

    @property
    def solved(self) -> bool:
        """Whether all visible tests passed (and there were any)."""
        return self.passed > 0 and not self.failed

    @property
    def coverage(self) -> float:
        """Share of the changed executable lines that visible tests execute; 1 when nothing executable changed."""
        return self.covered_lines / self.changed_lines if self.changed_lines else 1.0


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
    """The reviewer's judgement; ``quality`` is on the specification's scale from 0 to 10."""

    task_id: str
    approved: bool
    quality: float
    reasons: tuple[str, ...]
    inspection: Inspection


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
    """

    task_id: str
    action: Action
    assessment: RiskAssessment
    policy: str
    reasons: tuple[str, ...]
    explored: bool = False
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class ExposureReport:
    """What production traffic showed at one stage: exposure tests drawn, and those that failed."""

    task_id: str
    stage: Stage
    sampled: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """One stage of a rollout: what was seen, and whether the change was promoted."""

    task_id: str
    promoted: bool
    report: ExposureReport


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What the monitor saw in production, and whether it called it healthy."""

    task_id: str
    healthy: bool
    report: ExposureReport


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """What a person (or the twin) answered to an escalation; ``seconds`` of latency, ``cost`` in person-minutes."""

    task_id: str
    approve: bool
    seconds: float
    cost: float
    reason: str = ""


Result = Plan | Attempt | TestReport | Review | Decision | RolloutStep | HealthReport | HumanAnswer
"""What an agent may hand to the ledger when it completes a stage."""


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


# --------------------------------------------------------------------------------------------- coordination


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim's time limit. ``fence`` grows with every claim of the task."""

    agent_id: str
    role: Role
    fence: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class StageResult:
    """One completed stage in a task's history."""

    stage: Stage
    agent_id: str
    at: float
    result: Result | None


@dataclass(frozen=True, slots=True)
class TaskState:
    """All the ledger knows of a task.

    Parameters
    ----------
    task
        The task.
    stage
        Last completed stage.
    fence
        Grows by one with every claim; a completion with an older fence is refused.
    lease
        The running claim, or None.
    tries
        Claims of the current stage that failed or expired.
    reworks
        Times a reviewer or tester sent the task back to a developer.
    history
        Completed stages, oldest first.
    """

    task: Task
    stage: Stage
    fence: int = 0
    lease: Lease | None = None
    tries: int = 0
    reworks: int = 0
    history: tuple[StageResult, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A granted claim, as an agent holds it: the task's state when it was granted, and the lease."""

    state: TaskState
    lease: Lease

    @property
    def task(self) -> Task:
        """The claimed task."""
        return self.state.task


class RefusalReason(StrEnum):
    """Why the ledger refused a command."""

    UNKNOWN_TASK = "unknown task"
    DUPLICATE_TASK = "duplicate task"
    NOT_AVAILABLE = "not available"
    WRONG_ROLE = "wrong role"
    STALE_FENCE = "stale fence"
    LEASE_EXPIRED = "lease expired"
    NOT_EXPIRED = "not expired"
    WRONG_STAGE = "wrong stage"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command the ledger did not carry out; nothing changed."""

    task_id: str
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Event:
    """A wake-up: task `task_id` reached `stage`. May be lost or repeated; the ledger is the truth."""

    task_id: str
    stage: Stage
    at: float


# --------------------------------------------------------------------------------------------------- memory


class SearchMode(StrEnum):
    """By what a memory is searched: words, meaning, words and links, words and meaning, or all three."""

    KEYWORD = "keyword"
    VECTOR = "vector"
    GRAPH = "graph"
    HYBRID = "hybrid"
    HYBRID_GRAPH = "hybrid_graph"


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """One thing remembered: text to search, facts to use, where it came from, and how long it holds.

    Parameters
    ----------
    collection
        One of ``codebase``, ``tasks``, ``patterns``, ``decisions``.
    text
        What is searched.
    facts
        What is used and filtered by. A fact ``name`` is searched too and weighs more than the text.
    task_id, agent_id, decision_id, run_id
        Where it came from; empty where it does not apply.
    at
        When it was remembered, in seconds of the runtime's clock.
    sequence
        Given by the memory when the item is added or changed; grows within a collection.
    id
        Names the item within its memory, over all its changes; given by the memory when empty.
    valid_from, valid_until
        Search finds the item from the one (inclusive) to the other (exclusive), in seconds of the same clock.
    half_life
        Seconds after which the item counts half in a search; without end unless given.
    """

    collection: str
    text: str
    facts: Mapping[str, str | float | int | bool] = field(hash=False)
    task_id: str = ""
    agent_id: str = ""
    at: float = 0.0
    sequence: int = -1
    id: str = ""
    decision_id: str = ""
    run_id: str = ""
    valid_from: float = -math.inf
    valid_until: float = math.inf
    half_life: float = math.inf


@dataclass(frozen=True, slots=True)
class MemoryHit:
    """A search result: the item and each signal's score, so that one can see why it was found.

    ``signals`` has, of ``keyword``, ``vector`` and ``graph``, those that the search used and that know the item, each
    in its own unit, and ``decay``, a factor below 1, where the item's age counted.
    """

    item: MemoryItem
    score: float
    signals: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A directed relation between two things by their ids: ``tests/test_a.py::test_b`` TESTS ``package.module.f``."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class PatternRecord:
    """A pattern's record: successes and tries, as weights (they may have decayed).

    Parameters
    ----------
    pattern
        Its name.
    successes
        Tries that gave a change that passed the visible tests and that nobody has taken back since.
    tries
        Candidates made with it.
    helpful, harmful
        Changes made with it that lasted in production, and that production or a person refused.
    contexts
        Successes and tries by context, in the contexts' order; what was tried where nobody knew is in none of them.
    """

    pattern: str
    successes: float
    tries: float
    helpful: float = 0.0
    harmful: float = 0.0
    contexts: tuple[ContextTally, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskContext:
    """All a solver may know: the task, the plan, the evidence, what memory holds, what was refused before."""

    task: Task
    plan: Plan
    diagnosis: Diagnosis
    patterns: Mapping[str, PatternRecord] = field(default_factory=dict, hash=False)
    rejected: tuple[Change, ...] = ()
