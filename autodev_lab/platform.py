"""Platform: wires a runtime, a ledger, a bus, memories, an environment and six kinds of agent, and runs a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autodev_lab.agents import Agent, HumanDesk, Surroundings, Timing
from autodev_lab.agents.members import make_member
from autodev_lab.agents.outcomes import outcome_of
from autodev_lab.decisions import Gate, HumanTwin, Rollout, make_rollout
from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.learning import PatternLibrary
from autodev_lab.ledger.bus import InMemoryEventBus
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.memory import InMemoryMemory, SealedMemory
from autodev_lab.protocols import Environment, Human, LinkedMemory, Memory, Oracle, PatternLearner, Runtime, Solver
from autodev_lab.records import (
    Attempt,
    Change,
    Event,
    HumanAnswer,
    Judgement,
    Outcome,
    PatternRecord,
    Role,
    StreamItem,
    Task,
    TaskState,
    Truth,
)
from autodev_lab.rules import EscalationRules
from autodev_lab.team_spec import TeamSpec
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["Platform", "StreamRun", "TaskRecord", "TeamSpec", "run_stream"]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """All that happened to one task of a stream, with truth joined for the analysis.

    ``index`` is the task's place in the stream (follow-ups have their root's). ``change`` is the last change proposed,
    unless the task was abandoned after it; ``judgement`` is the oracle's word on it, or None without a change.
    ``opened_at`` and ``closed_at`` are virtual seconds.
    """

    index: int
    task: Task
    truth: Truth
    state: TaskState
    outcome: Outcome
    change: Change | None
    judgement: Judgement | None
    opened_at: float
    closed_at: float

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt made, oldest first."""
        return tuple(entry.result for entry in self.state.history if isinstance(entry.result, Attempt))

    @property
    def human_seconds(self) -> float:
        """Virtual seconds that people took to answer."""
        return sum(entry.result.seconds for entry in self.state.history if isinstance(entry.result, HumanAnswer))


@dataclass(frozen=True, slots=True)
class StreamRun:
    """One team's run of one stream.

    Parameters
    ----------
    records
        One a task in stream order; follow-ups come after their root.
    finished_at
        Virtual second at which the last task was closed.
    busy
        Virtual seconds each agent spent working.
    human_minutes
        Person-minutes spent on answers.
    patterns
        What the first developer knew of each pattern at the end; with one memory, all know the same.
    """

    records: tuple[TaskRecord, ...]
    finished_at: float
    busy: Mapping[str, float] = field(hash=False)
    human_minutes: float = 0.0
    patterns: Mapping[str, PatternRecord] = field(default_factory=dict, hash=False)


class Platform:
    """A team in a world. It starts the agents and submits tasks; it never tells anybody what to do.

    Parameters
    ----------
    environment
        Where evidence comes from.
    spec
        The team.
    solver
        What the developers solve with.
    seed
        Seed of the agents; the tasks have their own.
    human
        Who answers escalations.
    runtime
        Virtual and deterministic unless another is given.
    gate
        The spec's unless another is given; it learns, so a gate serves one platform.
    patterns
        Makes a developer's knowledge of patterns on its memory.
    memory
        Makes a memory: one for all or one an agent, as the spec says.
    rules
        Which changes and incidents go to a person, whatever the gate says; none unless given.
    rollout
        Judges and targets of rollouts; the spec's unless given.
    answer_within_seconds
        After which an escalation expires, see `autodev_lab.agents.HumanDesk`; never unless given.
    questions_at_once
        How many the human deals with at one time; all unless given.
    """

    def __init__(
        self,
        environment: Environment,
        spec: TeamSpec,
        *,
        solver: Solver,
        human: Human,
        seed: int,
        runtime: Runtime | None = None,
        gate: Gate | None = None,
        patterns: Callable[[Memory], PatternLearner] = PatternLibrary,
        memory: Callable[[], LinkedMemory] = InMemoryMemory,
        rules: EscalationRules | None = None,
        rollout: Rollout | None = None,
        answer_within_seconds: float | None = None,
        questions_at_once: int | None = None,
    ) -> None:
        self.runtime: Runtime = runtime or VirtualRuntime(seed=stable_seed(seed, "scheduler"))
        bus = InMemoryEventBus(self.runtime)
        self.ledger = InMemoryLedger(self.runtime, bus, max_tries=spec.max_tries)
        self._bus = bus
        self._spec = spec
        shared = SealedMemory(memory()) if spec.memory == "none" else memory()
        timing = Timing(spec.lease_seconds, spec.poll_seconds)
        decider = gate or spec.gate()
        judged = rollout or make_rollout(spec.rollout, noise=spec.traffic_noise)

        def surroundings() -> Surroundings:
            home = memory() if spec.memory == "isolated" else shared
            return Surroundings(self.runtime, self.ledger, bus, environment, home, seed, timing)

        def member(role: Role, number: int = 1) -> Agent:
            name = f"{role.value}-{number}"
            return make_member(
                role,
                name,
                surroundings(),
                solver=solver,
                gate=decider,
                budget=spec.budget,
                recalling=spec.recall == "used",
                patterns=keep,
                rules=rules,
                rollout=judged,
            )

        libraries: list[PatternLearner] = []

        def keep(home: Memory) -> PatternLearner:
            libraries.append(patterns(home))
            return libraries[-1]

        self.agents: tuple[Agent, ...] = (
            member(Role.ARCHITECT),
            *(member(Role.DEVELOPER, number) for number in range(1, spec.developers + 1)),
            *(member(role) for role in (Role.TESTER, Role.REVIEWER, Role.DEPLOYER, Role.MONITOR)),
        )
        self.libraries = tuple(libraries)
        self.desk = HumanDesk(
            surroundings(), human, answer_within_seconds=answer_within_seconds, at_once=questions_at_once
        )

    def run(
        self, tasks: Iterable[Task], progress: Callable[[int, int], None] | None = None
    ) -> tuple[float, tuple[TaskState, ...]]:
        """Run the tasks to their end; returns the second at which the last was closed, and how each ended.

        Parameters
        ----------
        tasks
            In order of arrival.
        progress
            Called with (tasks closed, tasks known) as tasks are closed.
        """
        return self.runtime.run(self._main(tuple(tasks), progress))

    async def _main(
        self, tasks: Sequence[Task], progress: Callable[[int, int], None] | None
    ) -> tuple[float, tuple[TaskState, ...]]:
        closed = self._bus.subscribe(sorted(TERMINAL_STAGES))
        if progress is not None:
            self._bus.watch(TERMINAL_STAGES, _Counter({task.id for task in tasks}, progress))
        for agent in self.agents:
            self.runtime.spawn(agent.run(), agent.agent_id)
        self.runtime.spawn(self.desk.run(), "human desk")
        for task in tasks:
            if (wait := task.arrival - self.runtime.now()) > 0:
                await self.runtime.sleep(wait)
            refusal = await self.ledger.submit(task)
            if refusal is not None:
                raise LabError(f"task {task.id} was refused ({refusal.reason}); task ids must be unique in a stream")
        while await self.ledger.open_count() > 0:
            await closed.next(self._spec.poll_seconds)
        return self.runtime.now(), await self.ledger.states()


class _Counter:
    """Tells of every task that is closed how many are; follow-ups do not count."""

    def __init__(self, open_tasks: set[str], progress: Callable[[int, int], None]) -> None:
        self._open = open_tasks
        self._all = len(open_tasks)
        self._progress = progress

    def __call__(self, event: Event) -> None:
        if event.task_id in self._open:
            self._open.remove(event.task_id)
            self._progress(self._all - len(self._open), self._all)


def run_stream(
    items: Iterable[StreamItem],
    environment: Environment,
    spec: TeamSpec,
    *,
    solver: Solver,
    oracle: Oracle,
    seed: int,
    human: Human | None = None,
    gate: Gate | None = None,
    runtime: Runtime | None = None,
    patterns: Callable[[Memory], PatternLearner] = PatternLibrary,
    memory: Callable[[], LinkedMemory] = InMemoryMemory,
    rules: EscalationRules | None = None,
    rollout: Rollout | None = None,
    answer_within_seconds: float | None = None,
    questions_at_once: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StreamRun:
    """Run a stream with one team and join truth to what came out.

    Parameters
    ----------
    items
        The stream, or any part of it.
    environment, spec, solver, seed, gate, runtime, patterns, memory, rollout, progress
        See `Platform`.
    oracle
        Judges changes after the run, and stands behind the Human twin. Agents never see it.
    human
        Who answers escalations; the twin with the spec's assumptions unless another is given.
    rules, answer_within_seconds, questions_at_once
        When and how the human is asked; see `Platform`.

    Returns
    -------
    StreamRun
        The same for the same arguments under the virtual runtime (a gate that has learned is not the same).
    """
    known = tuple(items)
    truths = {item.task.id: (index, item.task, item.truth) for index, item in enumerate(known)}

    def judge(state: TaskState, change: Change) -> bool:
        _, task, truth = truths[state.task.root]
        return oracle.judge(task, truth, change).correct

    person = human or HumanTwin(
        judge,
        seed=stable_seed(seed, "twin"),
        accuracy=spec.human_accuracy,
        latency_seconds=spec.human_latency_seconds,
        minutes=spec.human_minutes,
    )
    platform = Platform(
        environment,
        spec,
        solver=solver,
        human=person,
        seed=seed,
        runtime=runtime,
        gate=gate,
        patterns=patterns,
        memory=memory,
        rules=rules,
        rollout=rollout,
        answer_within_seconds=answer_within_seconds,
        questions_at_once=questions_at_once,
    )
    finished_at, states = platform.run((item.task for item in known), progress)
    records = sorted(
        (_record(state, *truths[state.task.root], oracle) for state in states),
        key=lambda record: (record.index, record.task.depth),
    )
    busy = {agent.agent_id: agent.busy_seconds for agent in platform.agents}
    known_patterns = dict(platform.libraries[0].records())
    return StreamRun(tuple(records), finished_at, busy, platform.desk.minutes, known_patterns)


def _record(state: TaskState, index: int, root: Task, truth: Truth, oracle: Oracle) -> TaskRecord:
    outcome = outcome_of(state)
    if outcome is None:
        raise LabError(f"task {state.task.id} is still open at stage {state.stage}; the run did not finish")
    change = None
    for entry in state.history:
        if isinstance(entry.result, Attempt):
            change = entry.result.change
    judgement = oracle.judge(root, truth, change) if change is not None else None
    opened_at = state.task.arrival
    closed_at = state.history[-1].at if state.history else opened_at
    return TaskRecord(index, state.task, truth, state, outcome, change, judgement, opened_at, closed_at)
