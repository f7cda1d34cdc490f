"""The second opinion: the same history through the pure transition must give the same answers and the same end.

A ledger is linearizable if its calls, put in the order in which it carried them out, are what a ledger that does one
thing at a time would have answered (Herlihy and Wing 1990, "Linearizability: a correctness condition for concurrent
objects", §2). The watcher records that order, so nothing needs to be searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autodev_lab.chaos.history import Call, Reply, Request, Sweep, Take
from autodev_lab.chaos.rules import Rule, Violation
from autodev_lab.ledger.transition import (
    ClaimTask,
    Command,
    Complete,
    Expire,
    Renew,
    Settle,
    Submit,
    Transition,
    successor_of,
    transition,
)
from autodev_lab.records import Claim, Refusal, RefusalReason, TaskState
from autodev_lab.workflow import ROLE_OF_STAGE, TERMINAL_STAGES

__all__ = ["check_transition"]


def check_transition(
    history: Sequence[Call], states: Iterable[TaskState], ended_at: float, *, max_tries: int
) -> Violation | None:
    """First place where a ledger's answers differ from the transition's, or None.

    Calls that overlap could have been carried out in either order. Nothing is said from the first such call on.

    Parameters
    ----------
    history, states, ended_at, max_tries
        As for `autodev_lab.chaos.rules.check_history`.
    """
    model = _Model(max_tries)
    carry_out = model.carry_out
    for place, call in enumerate(history, 1):
        if call.next_place != place:
            return None
        reply = call.reply
        wanted = carry_out(call.request, call.at)
        if wanted != reply:
            task_id = _task_of(call.request, reply)
            sentence = f"{call.caller} was answered {_named(reply)} where the transition says {_named(wanted)}"
            return Violation(Rule.TRANSITION, task_id, call.at, call.caller, sentence, place - 1)
        if type(reply) is Claim:  # equal states: going on with the ledger's own, the next comparison is quicker
            model.states[reply.state.task.id] = reply.state
    for state in states:
        if model.states.get(state.task.id) != state:
            sentence = f"the ledger ended with {state.task.id} in another state than the transition gives"
            return Violation(Rule.TRANSITION, state.task.id, ended_at, "", sentence)
    return None


class _Model:
    """A ledger that does one thing at a time, without index, bus or clock."""

    def __init__(self, max_tries: int) -> None:
        self.states: dict[str, TaskState] = {}
        self._max_tries = max_tries
        self._some_wait = False

    def carry_out(self, request: Request, now: float) -> Reply:
        """What a ledger must answer."""
        if isinstance(request, Take):
            self._expire(now)
            return self._take(request, now)
        if isinstance(request, Sweep):
            return self._expire(now)
        if isinstance(request, Submit) and request.after:
            if request.task_id not in self.states and not self.states.keys() >= set(request.after):
                return Refusal(request.task_id, RefusalReason.UNKNOWN_DEPENDENCY)
            self._some_wait = True
        outcome = self._apply(request, now)
        if isinstance(outcome, Refusal):
            return outcome
        self._settle(now)
        if isinstance(request, Renew):
            return _held(outcome.state)
        return None

    def _apply(self, command: Command, now: float) -> Transition | Refusal:
        outcome = transition(self.states.get(command.task_id), command, now, max_tries=self._max_tries)
        if isinstance(outcome, Refusal):
            return outcome
        if isinstance(command, Complete) and command.follow_up is not None:
            if command.follow_up.id in self.states:
                return Refusal(command.task_id, RefusalReason.DUPLICATE_TASK)
            self.states[command.task_id] = outcome.state
            self._apply(Submit(command.follow_up), now)
            return outcome
        self.states[command.task_id] = outcome.state
        return outcome

    def _expire(self, now: float) -> int:
        due: list[str] = []
        for name, state in self.states.items():
            lease = state.lease
            if lease is not None and lease.expires_at <= now:
                due.append(name)
        if not due:
            return 0
        for name in due:
            self._apply(Expire(name), now)
        self._settle(now)
        return len(due)

    def _settle(self, now: float) -> None:
        """Tell waiting tasks how those they wait for were closed, until nothing changes."""
        changed = self._some_wait
        while changed:
            changed = False
            for name, state in tuple(self.states.items()):
                for dependency in state.after:
                    stage = self.states[dependency].stage
                    if stage in TERMINAL_STAGES:
                        successor = successor_of(dependency)
                        follow_up = successor if successor in self.states else ""
                        self._apply(Settle(name, dependency, stage, follow_up), now)
                        changed = True
                        break

    def _take(self, request: Take, now: float) -> Claim | None:
        best: TaskState | None = None
        for state in self.states.values():  # in order of submission, which decides ties
            if state.lease is None and not state.after and ROLE_OF_STAGE.get(state.stage) is request.role:
                task = state.task
                if best is None or (-task.priority, task.arrival) < (-best.task.priority, best.task.arrival):
                    best = state
        if best is None:
            return None
        command = ClaimTask(best.task.id, request.role, request.agent_id, request.lease_seconds)
        outcome = self._apply(command, now)
        assert isinstance(outcome, Transition)
        return _held(outcome.state)


def _held(state: TaskState) -> Claim:
    assert state.lease is not None
    return Claim(state, state.lease)


def _task_of(request: Request, reply: Reply) -> str:
    if isinstance(reply, Claim):
        return reply.task.id
    return "" if isinstance(request, Take | Sweep) else request.task_id


def _named(reply: Reply) -> str:
    if isinstance(reply, Claim):
        return f"{reply.task.id} under fence {reply.lease.fence} until {reply.lease.expires_at:.2f}"
    return f"refused, {reply.reason}" if isinstance(reply, Refusal) else "done" if reply is None else str(reply)
