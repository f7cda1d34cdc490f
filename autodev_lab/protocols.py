"""The small interfaces behind which every part of the lab can be replaced.

A researcher who brings an agent, a memory, a solver or a policy implements one of these and checks it with the
matching suite of `autodev_lab.testing`. Solvers and environments are plain functions that return a result and its
`Cost`; only waiting is asynchronous.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from autodev_lab.records import (
    Attempt,
    Candidate,
    Change,
    Claim,
    Cost,
    Decision,
    Diagnosis,
    Event,
    Evidence,
    ExposureReport,
    HumanAnswer,
    Inspection,
    Judgement,
    Label,
    Link,
    MemoryHit,
    MemoryItem,
    Outcome,
    PatternRecord,
    PatternTrial,
    Refusal,
    Result,
    RiskAssessment,
    RiskScore,
    Role,
    SearchMode,
    Stage,
    StreamItem,
    Task,
    TaskContext,
    TaskState,
    TestReport,
    Traffic,
    Truth,
    Verdict,
)

__all__ = [
    "Calibrator",
    "CertifyingPolicy",
    "CypherMemory",
    "Embedder",
    "Environment",
    "EventBus",
    "Human",
    "LearningPolicy",
    "Ledger",
    "LinkedMemory",
    "Memory",
    "Oracle",
    "PatternLearner",
    "Policy",
    "RiskModel",
    "RolloutTarget",
    "Runtime",
    "Signal",
    "Solver",
    "Subscription",
    "TaskStream",
    "Workspace",
]

T = TypeVar("T")


# -------------------------------------------------------------------------------------------------- runtime


class Signal(Protocol):
    """Something to wait for within one process; setting it wakes all who wait."""

    def set(self) -> None:
        """Wake all waiters; later waits return at once until `clear`."""
        ...

    def clear(self) -> None:
        """Make later waits block again."""
        ...

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until set, at most `timeout` seconds; True when set, False when the time ran out."""
        ...


class Runtime(Protocol):
    """Clock, sleep, spawn and call: virtual and deterministic, or asyncio and real."""

    def now(self) -> float:
        """Seconds since the runtime started."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...

    async def call(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """Run a plain function. Virtual: inline, resuming at now + cost.seconds. Live: in a worker thread."""
        ...

    async def ask(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """As `call`, for a function that may wait for a person. Live: `run` does not wait for it when it ends."""
        ...

    def spawn(self, coroutine: Coroutine[object, object, None], name: str) -> None:
        """Start a coroutine of its own. An exception in it ends `run` with that exception."""
        ...

    def signal(self) -> Signal:
        """Make a new, unset signal."""
        ...

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Run `main` to its end and return its result; what it spawned and left running is cancelled."""
        ...


# --------------------------------------------------------------------------------------------- coordination


class Subscription(Protocol):
    """One subscriber's view of the bus."""

    async def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, at most `timeout` seconds; None when the time ran out."""
        ...

    def close(self) -> None:
        """Stop receiving."""
        ...


class EventBus(Protocol):
    """Wake-ups. They may be lost or repeated; never the truth (the ledger is)."""

    async def publish(self, event: Event) -> None:
        """Tell every subscriber of the event's stage."""
        ...

    def subscribe(self, stages: Iterable[Stage]) -> Subscription:
        """Listen for tasks reaching any of `stages`."""
        ...


class Ledger(Protocol):
    """Tasks, stages, claims and results; the only place where two agents can conflict.

    Every method is one atomic step. Expected conflicts are answered by a `Refusal`, not by an exception.
    """

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """Record a new task at stage FETCHED, to be claimed once the tasks `after` are closed as HEALTHY.

        When one of these is rolled back and followed up, its follow-up takes its place; when one ends otherwise, this
        task is abandoned. A dependency must be known, so that no circle can come about.
        """
        ...

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """Claim the next task waiting for `role` (priority, then arrival), or None when there is none."""
        ...

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """Extend a running claim."""
        ...

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """Record the result, advance to `stage`, free the lease and publish, in one step; effect once.

        `follow_up` is submitted in the same step.
        """
        ...

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """Give a claim up; the task is tried again, or becomes a dead letter after too many tries."""
        ...

    async def expire(self) -> int:
        """Free every lease that has run out; returns how many. Any agent may call it."""
        ...

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """Record a person's answer to an escalated task: CLEARED, DECLINED, or WITHDRAWN once it was exposed."""
        ...

    async def state(self, task_id: str) -> TaskState | None:
        """The state of one task."""
        ...

    async def open_count(self) -> int:
        """Number of tasks that have not reached a terminal stage."""
        ...

    async def states(self) -> tuple[TaskState, ...]:
        """All tasks, in order of submission."""
        ...


# ---------------------------------------------------------------------------------------- work and evidence


class Workspace(Protocol):
    """What a solver may see and do for one task: read the (faulty) source and try candidates.

    It never gives access to the pristine source, to the exposure tests or to the oracle tests.
    """

    @property
    def visible_tests(self) -> tuple[str, ...]:
        """Ids of the tests that may be run."""
        ...

    def paths(self) -> tuple[str, ...]:
        """Source files of the package, relative to the workspace root."""
        ...

    def read(self, path: str) -> str:
        """Text of one source file."""
        ...

    def evaluate(self, candidates: Sequence[Candidate]) -> tuple[Verdict, ...]:
        """Run the visible tests under each candidate, fast; a PLAUSIBLE one is a claim until it is confirmed.

        A batch is cached whole by its content, so a solver should ask for fixed chunks of a fixed enumeration. The
        caller counts logical evaluations itself; `autodev_lab.solvers` has the helper.
        """
        ...

    def confirm(self, candidate: Candidate) -> Verdict:
        """Check a claim in the way a tester will; the test executions are those of the check alone."""
        ...


@runtime_checkable
class Environment(Protocol):
    """Gives evidence about tasks and changes, never judgement."""

    @property
    def name(self) -> str:
        """Short name, part of every verdict."""
        ...

    def workspace(self, task: Task) -> tuple[Workspace, Cost]:
        """Open a task's workspace."""
        ...

    def diagnose(self, task: Task) -> tuple[Diagnosis, Cost]:
        """Run the visible tests on the faulty source, with coverage."""
        ...

    def test(self, task: Task, change: Change) -> tuple[TestReport, Cost]:
        """Run all visible tests on the changed files, on disk, in a fresh process."""
        ...

    def inspect(self, task: Task, change: Change) -> tuple[Inspection, Cost]:
        """Look at the change without running it."""
        ...

    def expose(self, task: Task, change: Change, stage: Stage, share: float) -> tuple[ExposureReport, Cost]:
        """Expose the change to a share in (0, 1] of production traffic; samples grow, the smaller in the larger."""
        ...

    def rollback(self, task: Task, change: Change) -> Cost:
        """Take the change out of production."""
        ...


class Oracle(Protocol):
    """Joins truth to a change. Only the analysis may ask; agents never hold one."""

    def judge(self, task: Task, truth: Truth, change: Change) -> Judgement:
        """Say whether the change is correct on all that was held out."""
        ...


class TaskStream(Protocol):
    """An ordered, seeded, restartable source of tasks: iterating twice gives the same items."""

    @property
    def name(self) -> str:
        """Short name for logs and reports."""
        ...

    def __iter__(self) -> Iterator[StreamItem]: ...


class Solver(Protocol):
    """Turns a task and its context into a change."""

    @property
    def name(self) -> str:
        """Short name, recorded with every change."""
        ...

    def solve(
        self, context: TaskContext, workspace: Workspace, budget: int, rng: np.random.Generator
    ) -> tuple[Attempt, Cost]:
        """Look for a change with at most `budget` candidate evaluations."""
        ...


# --------------------------------------------------------------------------- memory, learning and decisions


class Memory(Protocol):
    """Collections of items that agents share or keep to themselves.

    What was added, changed or deleted is visible to the next search. Mistakes (an unknown collection or id, an id
    that exists already) are a `LabError`.
    """

    def add(self, item: MemoryItem) -> MemoryItem:
        """Remember an item; returns it with its sequence number and its id."""
        ...

    def change(self, item: MemoryItem) -> MemoryItem:
        """Put an item in the place of the one with its id and collection; returns it with its new sequence number."""
        ...

    def delete(self, collection: str, item_id: str) -> None:
        """Forget an item, and the links from and to it."""
        ...

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """Living items of a collection with a sequence number greater than `sequence`, oldest first."""
        ...

    def search(
        self,
        query: str,
        *,
        collection: str,
        mode: SearchMode = SearchMode.KEYWORD,
        k: int = 10,
        filters: Mapping[str, str] | None = None,
        at: float | None = None,
    ) -> tuple[MemoryHit, ...]:
        """Best `k` items for a text query, best first, each with its signals; an empty query finds nothing.

        `filters` compare facts as text. With a time `at` (seconds) only items valid then are found, and their scores
        halve with every half-life of their age; without, age and validity do not count.
        """
        ...


class LinkedMemory(Memory, Protocol):
    """A memory whose items, and things beside them, are linked: a graph."""

    def link(self, links: Iterable[Link]) -> None:
        """Add links; those that exist already are not doubled. Ends need not be items."""
        ...

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """Links from an id (or to it, if `incoming`), of one relation or of all, by relation and then other end."""
        ...

    def impact(self, item_id: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """Ids from which links lead to `item_id` (what depends on it) in at most `hops` steps, with their distance."""
        ...


class CypherMemory(LinkedMemory, Protocol):
    """A linked memory that answers openCypher queries."""

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """Rows of a query that only reads; a query that writes or is malformed is a `LabError`."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors whose inner product says how close the texts' meanings are."""

    @property
    def name(self) -> str:
        """Name and version; vectors of another name are never compared."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """One vector a text, of unit length (zero for a text without words): shape (number of texts, dimensions)."""
        ...


class PatternLearner(Protocol):
    """Learns which patterns work from trials and outcomes held in a memory."""

    def records(self) -> Mapping[str, PatternRecord]:
        """What is known of each pattern now."""
        ...

    def observe(self, task: Task, trials: Sequence[PatternTrial], *, agent_id: str, at: float) -> None:
        """Remember what an attempt showed."""
        ...

    def settle(self, outcome: Outcome, *, agent_id: str, at: float) -> None:
        """Remember what production showed of a change."""
        ...


class RiskModel(Protocol):
    """Scores a reviewed change by what is known before it is deployed."""

    def assess(self, evidence: Evidence) -> RiskScore:
        """Risk of the change, what it was computed from, and what moved it most; asking twice changes nothing."""
        ...

    def learn(self, label: Label) -> None:
        """Take note of what was shown of a change that some gate decided on."""
        ...


class Calibrator(Protocol):
    """Turns a risk into a probability that the change is right, from past outcomes only."""

    def confidence(self, risk: float) -> float:
        """Probability in [0, 1] that a change of this risk is right; the prior before there are outcomes."""
        ...

    def learn(self, label: Label) -> None:
        """Take note of one labelled outcome."""
        ...


class Policy(Protocol):
    """Decides what happens to a reviewed change."""

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        ...

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Choose an action and say why."""
        ...


class RolloutTarget(Protocol):
    """Where a change is rolled out: shows traffic of a stage, and carries out what was ruled."""

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        """Traffic not shown before, about as many exposures of the change; None when there is none left."""
        ...

    def promote(self, stage: Stage) -> None:
        """Stage `stage` was passed."""
        ...

    def roll_back(self, stage: Stage, reason: str) -> None:
        """Take the change out, from whatever stages it is in.

        Another object may have exposed it, in a process that has died since; and being asked twice must do no harm.
        """
        ...


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy that itself learns from labels, as one does that watches what it has promised."""

    def learn(self, label: Label) -> None:
        """Take note of one labelled outcome."""
        ...


@runtime_checkable
class CertifyingPolicy(Policy, Protocol):
    """A policy that deploys what a certificate covers."""

    @property
    def threshold(self) -> float | None:
        """Least 1 - risk that is certified now; None when nothing is."""
        ...

    @property
    def words(self) -> str:
        """What is promised now, as a sentence."""
        ...


class Human(Protocol):
    """Who answers an escalation: a person live, a twin in the lab."""

    def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
        """Look at an escalated task and say yes or no; `Cost.seconds` is how long the answer takes."""
        ...
