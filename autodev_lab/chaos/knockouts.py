"""Ledgers that lack one mechanism each, to show that the checker finds what the mechanism prevents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from autodev_lab.chaos.schedule import Mechanism
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.ledger.transition import Command, Complete, Fail, Renew, Submit, Transition, transition
from autodev_lab.protocols import EventBus, Runtime
from autodev_lab.records import Claim, Event, Refusal, Result, Stage, Task
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = [
    "FencelessLedger",
    "GullibleLedger",
    "IdentityLedger",
    "ImmortalLeaseLedger",
    "LedgerMaker",
    "TwoStepLedger",
    "ledger_without",
]

LedgerMaker = Callable[[Runtime, EventBus, int], InMemoryLedger]
"""Makes a ledger from runtime, bus and the number of tries that make a dead letter."""

_BETWEEN_SECONDS = 0.05


class FencelessLedger(InMemoryLedger):
    """Without the fence: a completion counts for whoever holds the task, whoever sends it."""

    def _apply(self, command: Command) -> Transition | Refusal:
        state = self._states.get(command.task_id)
        if isinstance(command, Complete) and state is not None and state.lease is not None:
            command = replace(command, fence=state.lease.fence, agent_id=state.lease.agent_id)
        return super()._apply(command)


class TwoStepLedger(InMemoryLedger):
    """Without atomic completion: the result is recorded, and the stage advances a round trip later."""

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """Record the result, wait, and advance if the claim still holds."""
        name, lease = claim.task.id, claim.lease
        command = Complete(name, lease.fence, lease.agent_id, stage, result)
        outcome = transition(self._states.get(name), command, self._runtime.now(), max_tries=self.max_tries)
        if isinstance(outcome, Refusal):
            return outcome
        before = self._states[name].history
        self._states[name] = recorded = replace(self._states[name], history=outcome.state.history)
        await self._runtime.sleep(_BETWEEN_SECONDS)
        if self._states[name].history is not recorded.history:
            return await super().complete(claim, stage, result, follow_up)
        waiting = self._states[name]
        self._states[name] = replace(waiting, history=before)  # or the second step would record it again
        refusal = await super().complete(claim, stage, result, follow_up)
        self._states[name] = waiting if refusal else replace(self._states[name], history=recorded.history)
        return refusal


class ImmortalLeaseLedger(InMemoryLedger):
    """Without expiry: a lease lasts until its holder ends it, and a holder may be dead."""

    def _expire_due(self) -> tuple[int, list[Event]]:
        return 0, []


class IdentityLedger(InMemoryLedger):
    """A ledger that knows a holder by id alone. It is safe for as long as no id is used twice.

    The fence makes unique ids a second line of defence: to see the first line work alone, the other has to go.
    """

    def _apply(self, command: Command) -> Transition | Refusal:
        state = self._states.get(command.task_id)
        lease = None if state is None else state.lease
        if isinstance(command, Complete | Renew | Fail) and lease is not None and lease.agent_id == command.agent_id:
            command = replace(command, fence=lease.fence)
        return super()._apply(command)


class GullibleLedger(InMemoryLedger):
    """Without deduplication: a submission that arrives a second time starts its task a second time."""

    def _apply(self, command: Command) -> Transition | Refusal:
        if isinstance(command, Submit):
            old = self._states.pop(command.task_id, None)
            if old is not None and old.stage not in TERMINAL_STAGES:
                self._open -= 1
        return super()._apply(command)


_WITHOUT: Mapping[Mechanism | None, LedgerMaker] = MappingProxyType(
    {
        None: InMemoryLedger,
        Mechanism.FENCE: FencelessLedger,
        Mechanism.ATOMIC: TwoStepLedger,
        Mechanism.EXPIRY: ImmortalLeaseLedger,
        Mechanism.UNIQUE_ID: IdentityLedger,
        Mechanism.DEDUP: GullibleLedger,
    }
)


def ledger_without(mechanism: Mechanism | None) -> LedgerMaker:
    """The in-memory ledger, whole or without one mechanism.

    Examples
    --------
    >>> ledger_without(None) is InMemoryLedger
    True
    """
    return _WITHOUT[mechanism]
