"""The in-memory ledger: applies the pure transition to states in a dictionary, and finds the next task in O(log n)."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

from autodev_lab.ledger.transition import (
    Answer,
    ClaimTask,
    Command,
    Complete,
    Expire,
    Fail,
    Renew,
    Settle,
    Submit,
    Transition,
    successor_of,
    transition,
)
from autodev_lab.protocols import EventBus, Runtime
from autodev_lab.records import (
    Claim,
    Event,
    HumanAnswer,
    Lease,
    Refusal,
    RefusalReason,
    Result,
    Role,
    Stage,
    Task,
    TaskState,
)
from autodev_lab.workflow import ROLE_OF_STAGE, TERMINAL_STAGES

__all__ = ["InMemoryLedger"]


class InMemoryLedger:
    """Tasks of one process. Every command is applied before the first await, hence in one step.

    Tasks are served by priority (higher first), then arrival, then order of submission.

    Parameters
    ----------
    runtime
        Gives the clock by which leases run out.
    bus
        Told of every stage a task reaches, and of every task that becomes free again.
    max_tries
        Claims of one stage that may fail or run out; the last of them makes the task a dead letter.
    max_open
        Open tasks above which `submit` refuses (full), so that whoever submits slows down; follow-ups always pass. None
        is no limit.

    Examples
    --------
    >>> from autodev_lab.kernel.virtual import VirtualRuntime
    >>> from autodev_lab.ledger.bus import InMemoryEventBus
    >>> from autodev_lab.records import TaskKind
    >>> runtime = VirtualRuntime()
    >>> ledger = InMemoryLedger(runtime, InMemoryEventBus(runtime))
    >>> async def main():
    ...     await ledger.submit(Task("t1", "toolz", TaskKind.SYNTHETIC, "a bug"))
    ...     claim = await ledger.claim(Role.ARCHITECT, "architect-1", 60.0)
    ...     return claim.task.id, await ledger.claim(Role.ARCHITECT, "architect-2", 60.0)
    >>> runtime.run(main())
    ('t1', None)
    """

    def __init__(self, runtime: Runtime, bus: EventBus, max_tries: int = 3, max_open: int | None = None) -> None:
        if max_tries < 1:
            raise ValueError(f"max_tries must be 1 or more, not {max_tries}")
        if max_open is not None and max_open < 1:
            raise ValueError(f"max_open must be 1 or more, not {max_open}")
        self._runtime = runtime
        self._bus = bus
        self.max_tries = max_tries
        self.max_open = max_open
        self._states: dict[str, TaskState] = {}
        self._submission: dict[str, int] = {}
        self._waiting: dict[Role, list[tuple[int, float, int, str]]] = {role: [] for role in Role}
        self._leases: list[tuple[float, int, str]] = []
        self._dependants: dict[str, dict[str, None]] = {}
        self._open = 0

    # ------------------------------------------------------------------------------------- the protocol

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """Record a new task at stage FETCHED, to be claimed once the tasks `after` are closed as HEALTHY."""
        if task.id not in self._states:
            if any(dependency not in self._states for dependency in after):
                return Refusal(task.id, RefusalReason.UNKNOWN_DEPENDENCY)
            if self.max_open is not None and self._open >= self.max_open:
                return Refusal(task.id, RefusalReason.FULL)
        return await self._carry_out(Submit(task, tuple(after)))

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """Claim the next task waiting for `role`, or None when there is none.

        Leases that have run out are freed first, so that a reaper that stalls holds nobody up.
        """
        _, events = self._expire_due()
        claim = self._claim_next(role, agent_id, lease_seconds)
        if events:
            await self._publish(events)
        return claim

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """Extend a running claim."""
        lease = claim.lease
        outcome = self._apply(Renew(claim.task.id, lease.fence, lease.agent_id, lease_seconds))
        if isinstance(outcome, Refusal):
            return outcome
        return _held(outcome.state)

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """Record the result, advance to `stage`, free the lease, submit `follow_up` and publish, in one step.

        Refused as a whole (duplicate task) when the id of `follow_up` is taken.
        """
        lease = claim.lease
        return await self._carry_out(Complete(claim.task.id, lease.fence, lease.agent_id, stage, result, follow_up))

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """Give a claim up; the task is tried again, or becomes a dead letter after `max_tries` tries."""
        return await self._carry_out(Fail(claim.task.id, claim.lease.fence, claim.lease.agent_id, reason))

    async def expire(self) -> int:
        """Free every lease that has run out; returns how many. Any agent may call it."""
        expired, events = self._expire_due()
        await self._publish(events)
        return expired

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """Record a person's answer to an escalated task: CLEARED, DECLINED, or WITHDRAWN once it was exposed."""
        return await self._carry_out(Answer(answer))

    async def state(self, task_id: str) -> TaskState | None:
        """The state of one task."""
        return self._states.get(task_id)

    async def open_count(self) -> int:
        """Number of tasks that have not reached a terminal stage."""
        return self._open

    async def states(self) -> tuple[TaskState, ...]:
        """All tasks, in order of submission."""
        return tuple(self._states.values())

    # ----------------------------------------------------------------------------------------- machinery

    async def _carry_out(self, command: Command) -> Refusal | None:
        outcome = self._apply(command)
        if isinstance(outcome, Refusal):
            return outcome
        events = [*outcome.events, *self._settle(outcome.state)]
        if events:
            await self._publish(events)
        return None

    async def _publish(self, events: list[Event]) -> None:
        for event in events:
            await self._bus.publish(event)

    def _settle(self, state: TaskState) -> list[Event]:
        """Tell whom it concerns how tasks were closed: those that wait for this one, or itself, and so on."""
        if not state.after and state.stage not in TERMINAL_STAGES:
            return []
        events: list[Event] = []
        changed = deque([state])
        while changed:
            state = changed.popleft()
            told: list[tuple[str, TaskState]] = []
            if state.stage in TERMINAL_STAGES:
                told = [(dependant, state) for dependant in self._dependants.pop(state.task.id, ())]
            for dependency in state.after:
                other = self._states[dependency]
                if other.stage in TERMINAL_STAGES:
                    told.append((state.task.id, other))
                else:
                    self._dependants.setdefault(dependency, {})[state.task.id] = None
            for dependant, closed in told:
                successor = successor_of(closed.task.id)
                follow_up = successor if successor in self._states else ""
                outcome = self._apply(Settle(dependant, closed.task.id, closed.stage, follow_up))
                if isinstance(outcome, Transition):  # else an earlier one has abandoned it already
                    events += outcome.events
                    changed.append(outcome.state)
        return events

    def _apply(self, command: Command) -> Transition | Refusal:
        """Carry out one command on its task, follow-ups included; the only way a state changes."""
        now = self._runtime.now()
        before = self._states.get(command.task_id)
        outcome = transition(before, command, now, max_tries=self.max_tries)
        if isinstance(outcome, Refusal):
            return outcome
        submitted = outcome.submitted
        if not submitted:
            self._store(before, outcome.state)
            return outcome
        if any(task.id in self._states for task in submitted):
            return Refusal(command.task_id, RefusalReason.DUPLICATE_TASK)
        self._store(before, outcome.state)
        events = outcome.events
        for task in submitted:
            follow_up = transition(None, Submit(task), now, max_tries=self.max_tries)
            assert isinstance(follow_up, Transition)
            self._store(None, follow_up.state)
            events += follow_up.events
        return Transition(outcome.state, events, submitted)

    def _store(self, before: TaskState | None, after: TaskState) -> None:
        """Keep a new state and the indices that belong to it."""
        task = after.task
        self._states[task.id] = after
        if before is None:
            self._submission[task.id] = len(self._submission)
            self._open += 1
        lease = after.lease
        if lease is not None:
            heapq.heappush(self._leases, (lease.expires_at, lease.fence, task.id))
        elif after.stage in TERMINAL_STAGES:
            self._open -= 1
        elif not after.after:
            entry = (-task.priority, task.arrival, self._submission[task.id], task.id)
            heapq.heappush(self._waiting[ROLE_OF_STAGE[after.stage]], entry)

    def _claim_next(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        waiting = self._waiting[role]
        while waiting:
            task_id = waiting[0][3]
            outcome = self._apply(ClaimTask(task_id, role, agent_id, lease_seconds))
            heapq.heappop(waiting)
            if isinstance(outcome, Transition):
                return _held(outcome.state)
        return None

    def _expire_due(self) -> tuple[int, list[Event]]:
        """Free the leases that have run out and say how many; entries of leases that ended or were renewed are void."""
        events: list[Event] = []
        expired = 0
        if not self._leases:
            return expired, events
        now = self._runtime.now()
        while self._leases and self._leases[0][0] <= now:
            expires_at, fence, task_id = heapq.heappop(self._leases)
            lease = self._states[task_id].lease
            if lease is not None and lease.fence == fence and lease.expires_at == expires_at:
                outcome = self._apply(Expire(task_id))
                if isinstance(outcome, Transition):
                    expired += 1
                    events += [*outcome.events, *self._settle(outcome.state)]
        return expired, events


def _held(state: TaskState) -> Claim:
    lease: Lease | None = state.lease
    assert lease is not None
    return Claim(state, lease)
