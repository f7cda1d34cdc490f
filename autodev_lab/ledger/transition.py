"""The ledger's rules as one pure function: (state, command, now) to a new state and its events, or a refusal.

Every ledger applies this function or is held against it; why it is pure is told in ``docs/why-a-pure-transition.md``.
The rules, in the order in which they are checked:

- a task is submitted once, at stage FETCHED, with the tasks it must wait for;
- it can be claimed while nobody holds it and it waits for nothing, by the role that acts on its stage; each claim grows
  the fence by one;
- `Complete`, `Renew` and `Fail` need the running lease's fence and agent, and a lease that has not run out: a lease is
  valid while ``now < expires_at``. A completion at or after ``expires_at`` is refused even if nobody else has claimed
  the task, so that whether a result counts never depends on whether a reaper happened to be awake;
- a completion leads only where `autodev_lab.workflow.NEXT_STAGES` allows, and frees the lease;
- a claim that failed or ran out is one try of the stage; the `max_tries`-th makes the task a dead letter;
- ESCALATED is left by `Answer` alone: a person may claim it, but does not complete it, and never wears it out; where
  the answer leads depends on the stage before it;
- a task waits until each task it depends on is closed as HEALTHY; a follow-up takes the place of the task it follows,
  and any other end of a dependency abandons the task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autodev_lab.records import (
    Event,
    HumanAnswer,
    Lease,
    Refusal,
    RefusalReason,
    Result,
    Role,
    Stage,
    StageResult,
    Task,
    TaskState,
)
from autodev_lab.records.quick_init import quick_init
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE, answered

__all__ = [
    "Answer",
    "ClaimTask",
    "Command",
    "Complete",
    "Expire",
    "Fail",
    "Renew",
    "Settle",
    "Submit",
    "Transition",
    "successor_of",
    "transition",
]

_DEPTH = re.compile(r"~([0-9]+)\Z")


@quick_init
@dataclass(frozen=True, slots=True)
class Submit:
    """Record a new task, which waits for those in `after`."""

    task: Task
    after: tuple[str, ...] = ()

    @property
    def task_id(self) -> str:
        """The task the command is about."""
        return self.task.id


@quick_init
@dataclass(frozen=True, slots=True)
class ClaimTask:
    """Take a task that waits for `role`, for `lease_seconds` from now."""

    task_id: str
    role: Role
    agent_id: str
    lease_seconds: float

    def __post_init__(self) -> None:
        _check_lease_seconds(self.lease_seconds)


@quick_init
@dataclass(frozen=True, slots=True)
class Renew:
    """Let a running claim last until `lease_seconds` from now, or as long as it did if that is later."""

    task_id: str
    fence: int
    agent_id: str
    lease_seconds: float

    def __post_init__(self) -> None:
        _check_lease_seconds(self.lease_seconds)


@quick_init
@dataclass(frozen=True, slots=True)
class Complete:
    """Record a result, advance to `stage` and free the lease; `follow_up` is submitted in the same step."""

    task_id: str
    fence: int
    agent_id: str
    stage: Stage
    result: Result
    follow_up: Task | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Fail:
    """Give a claim up."""

    task_id: str
    fence: int
    agent_id: str
    reason: str


@quick_init
@dataclass(frozen=True, slots=True)
class Expire:
    """Free the task's lease if it has run out."""

    task_id: str


@quick_init
@dataclass(frozen=True, slots=True)
class Answer:
    """Record a person's answer to an escalated task."""

    answer: HumanAnswer

    @property
    def task_id(self) -> str:
        """The task the command is about."""
        return self.answer.task_id


@quick_init
@dataclass(frozen=True, slots=True)
class Settle:
    """Tell a waiting task how a task it waits for was closed. A ledger does this itself, in the step that closes it.

    Parameters
    ----------
    dependency
        Id of the task that was closed.
    stage
        The terminal stage it reached.
    successor
        Id of the task that follows it up; empty when there is none.
    """

    task_id: str
    dependency: str
    stage: Stage
    successor: str = ""


Command = Submit | ClaimTask | Renew | Complete | Fail | Expire | Answer | Settle
"""Everything that can be asked of a ledger."""


@quick_init
@dataclass(frozen=True, slots=True)
class Transition:
    """A command that was carried out: the new state, the events to publish and the tasks to submit with it."""

    state: TaskState
    events: tuple[Event, ...] = ()
    submitted: tuple[Task, ...] = ()


def transition(state: TaskState | None, command: Command, now: float, *, max_tries: int) -> Transition | Refusal:
    """Carry out one command on one task, or say why not.

    Parameters
    ----------
    state
        The task's state; None when the ledger does not know the task.
    command
        What is asked. ``command.task_id`` must be the task of `state`.
    now
        The ledger's clock, in seconds.
    max_tries
        Claims of one stage that may fail or run out; the last of them makes the task a dead letter. At least 1.

    Returns
    -------
    Transition or Refusal
        A refusal means that nothing changed. Tasks in ``Transition.submitted`` are for the ledger to submit in the same
        step; it refuses the whole command when one of their ids is taken.

    Examples
    --------
    >>> from autodev_lab.records import TaskKind
    >>> task = Task("t1", "toolz", TaskKind.SYNTHETIC, "a bug")
    >>> new = transition(None, Submit(task), 0.0, max_tries=3)
    >>> claimed = transition(new.state, ClaimTask("t1", Role.ARCHITECT, "a1", 60.0), 1.0, max_tries=3)
    >>> claimed.state.lease
    Lease(agent_id='a1', role=<Role.ARCHITECT: 'architect'>, fence=1, expires_at=61.0)
    >>> transition(claimed.state, Expire("t1"), 60.0, max_tries=3)
    Refusal(task_id='t1', reason=<RefusalReason.NOT_EXPIRED: 'not expired'>)
    """
    match command:
        case Submit(task, after):
            if state is not None:
                return Refusal(task.id, RefusalReason.DUPLICATE_TASK)
            waits = tuple(dict.fromkeys(after))
            return Transition(TaskState(task, Stage.FETCHED, after=waits), _unless_waiting(waits, task.id, now))
        case _ if state is None:
            return Refusal(command.task_id, RefusalReason.UNKNOWN_TASK)
        case ClaimTask():
            return _claim(state, command, now)
        case Complete():
            return _complete(state, command, now)
        case Renew():
            return _renew(state, command, now)
        case Fail(_, fence, agent_id, reason):
            refused = _refuse_holder(state, fence, agent_id, now)
            return _tried(state, now, max_tries, reason) if refused is None else refused
        case Expire():
            if state.lease is None or state.lease.expires_at > now:
                return Refusal(state.task.id, RefusalReason.NOT_EXPIRED)
            return _tried(state, now, max_tries, f"the lease of {state.lease.agent_id} ran out")
        case Answer(answer):
            return _answer(state, answer, now)
        case Settle():
            return _settle(state, command, now)


def successor_of(task_id: str) -> str:
    """Id of the task that follows a task up, if there is one (see `autodev_lab.records.Task.root`).

    Examples
    --------
    >>> successor_of("t1"), successor_of("t1~1")
    ('t1~1', 't1~2')
    """
    depth = _DEPTH.search(task_id)
    return f"{task_id.split('~', 1)[0]}~{(int(depth.group(1)) if depth else 0) + 1}"


def _claim(state: TaskState, command: ClaimTask, now: float) -> Transition | Refusal:
    role = ROLE_OF_STAGE.get(state.stage)
    if role is None or state.lease is not None or state.after:
        return Refusal(command.task_id, RefusalReason.NOT_AVAILABLE)
    if role is not command.role:
        return Refusal(command.task_id, RefusalReason.WRONG_ROLE)
    fence = state.fence + 1
    lease = Lease(command.agent_id, role, fence, now + command.lease_seconds)
    return Transition(
        TaskState(state.task, state.stage, fence, lease, state.tries, state.reworks, state.history, state.reason)
    )


def _renew(state: TaskState, command: Renew, now: float) -> Transition | Refusal:
    refused = _refuse_holder(state, command.fence, command.agent_id, now)
    if refused is not None:
        return refused
    lease = state.lease
    assert lease is not None
    longer = Lease(lease.agent_id, lease.role, lease.fence, max(lease.expires_at, now + command.lease_seconds))
    return Transition(
        TaskState(state.task, state.stage, state.fence, longer, state.tries, state.reworks, state.history, state.reason)
    )


def _complete(state: TaskState, command: Complete, now: float) -> Transition | Refusal:
    refused = _refuse_holder(state, command.fence, command.agent_id, now)
    if refused is not None:
        return refused
    if state.stage is Stage.ESCALATED or command.stage not in NEXT_STAGES[state.stage]:
        return Refusal(state.task.id, RefusalReason.WRONG_STAGE)
    follow_ups = () if command.follow_up is None else (command.follow_up,)
    return _advanced(state, StageResult(command.stage, command.agent_id, now, command.result), "", follow_ups)


def _answer(state: TaskState, answer: HumanAnswer, now: float) -> Transition | Refusal:
    if state.stage is not Stage.ESCALATED:
        return Refusal(state.task.id, RefusalReason.WRONG_STAGE)
    stage = answered(state.history[-2].stage, answer.approve)
    agent_id = Role.HUMAN.value if state.lease is None else state.lease.agent_id
    return _advanced(state, StageResult(stage, agent_id, now, answer), answer.reason, ())


def _settle(state: TaskState, command: Settle, now: float) -> Transition | Refusal:
    task = state.task
    if command.dependency not in state.after:
        return Refusal(task.id, RefusalReason.NOT_WAITING)
    if command.stage is Stage.HEALTHY or command.successor:
        put = (command.successor,) if command.successor else ()
        at = state.after.index(command.dependency)
        waits = tuple(dict.fromkeys((*state.after[:at], *put, *state.after[at + 1 :])))
        return Transition(TaskState(task, state.stage, after=waits), _unless_waiting(waits, task.id, now))
    entry = StageResult(Stage.ABANDONED, "", now, None)
    reason = f"it depends on {command.dependency}, which ended as {command.stage}"
    after = TaskState(task, Stage.ABANDONED, history=(entry,), reason=reason)
    return Transition(after, (Event(task.id, Stage.ABANDONED, now),))


def _unless_waiting(waits: tuple[str, ...], task_id: str, now: float) -> tuple[Event, ...]:
    """The event that a new task can be claimed; none while it waits for others."""
    return () if waits else (Event(task_id, Stage.FETCHED, now),)


def _refuse_holder(state: TaskState, fence: int, agent_id: str, now: float) -> Refusal | None:
    """Refuse whoever does not hold the running lease."""
    lease = state.lease
    if lease is None or lease.fence != fence or lease.agent_id != agent_id:
        return Refusal(state.task.id, RefusalReason.STALE_FENCE)
    if lease.expires_at <= now:
        return Refusal(state.task.id, RefusalReason.LEASE_EXPIRED)
    return None


def _advanced(state: TaskState, entry: StageResult, reason: str, follow_ups: tuple[Task, ...]) -> Transition:
    """Append a completed stage and free the lease."""
    reworks = state.reworks + (entry.stage is Stage.REJECTED)
    after = TaskState(state.task, entry.stage, state.fence, None, 0, reworks, (*state.history, entry), reason)
    return Transition(after, (Event(state.task.id, entry.stage, entry.at),), follow_ups)


def _tried(state: TaskState, now: float, max_tries: int, reason: str) -> Transition:
    """Count a failed try and free the lease; the last try makes the task a dead letter."""
    tries = state.tries + 1
    stage, history = state.stage, state.history
    if tries >= max_tries and stage is not Stage.ESCALATED:
        holder = "" if state.lease is None else state.lease.agent_id
        stage = Stage.DEAD_LETTER
        history = (*history, StageResult(stage, holder, now, None))
    after = TaskState(state.task, stage, state.fence, None, tries, state.reworks, history, reason)
    return Transition(after, (Event(state.task.id, stage, now),))


def _check_lease_seconds(lease_seconds: float) -> None:
    if not lease_seconds > 0:
        raise ValueError(f"lease_seconds must be more than 0, not {lease_seconds!r}")
