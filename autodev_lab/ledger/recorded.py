"""A ledger that keeps the history of its commands, and the replay that holds a history against the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.ledger.transition import Command, Submit, Transition, transition
from autodev_lab.protocols import EventBus, Runtime
from autodev_lab.records import Refusal, TaskState

__all__ = ["HistoryEntry", "RecordedLedger", "replay"]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One command, when it came, and what came of it."""

    now: float
    command: Command
    outcome: Transition | Refusal


class RecordedLedger(InMemoryLedger):
    """An in-memory ledger with an append-only `history` of (now, command, outcome), refusals included."""

    def __init__(self, runtime: Runtime, bus: EventBus, max_tries: int = 3, max_open: int | None = None) -> None:
        super().__init__(runtime, bus, max_tries, max_open)
        self.history: list[HistoryEntry] = []

    def _apply(self, command: Command) -> Transition | Refusal:
        now = self._runtime.now()
        outcome = super()._apply(command)
        self.history.append(HistoryEntry(now, command, outcome))
        return outcome


def replay(commands: Iterable[tuple[float, Command]], *, max_tries: int) -> dict[str, TaskState]:
    """Apply commands in order to an empty ledger, without clock, bus or index; returns the states by task id.

    Examples
    --------
    >>> replay([], max_tries=3)
    {}
    """
    states: dict[str, TaskState] = {}
    for now, command in commands:
        outcome = transition(states.get(command.task_id), command, now, max_tries=max_tries)
        if isinstance(outcome, Refusal) or any(task.id in states for task in outcome.submitted):
            continue
        states[command.task_id] = outcome.state
        for task in outcome.submitted:
            submitted = transition(None, Submit(task), now, max_tries=max_tries)
            assert isinstance(submitted, Transition)
            states[task.id] = submitted.state
    return states
