"""The desk where escalations wait for a person; many may wait at once, and none blocks another."""

from __future__ import annotations

from autodev_lab.agents.base import Surroundings
from autodev_lab.protocols import Human
from autodev_lab.records import Role, Stage, TaskState

__all__ = ["HumanDesk"]

_DESK = "human-desk"
_PATIENCE_SECONDS = 86_400.0


class HumanDesk:
    """Puts every escalated task before the human once and hands the answer to the ledger.

    Parameters
    ----------
    surroundings
        Runtime, ledger and bus.
    human
        Who answers.
    desk_id
        Under which the desk claims; desks that may be there at the same time need one each.
    patience_seconds
        How long an escalation that this desk took is kept from other desks, should this one fall silent.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        human: Human,
        *,
        desk_id: str = _DESK,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._runtime = surroundings.runtime
        self._ledger = surroundings.ledger
        self._bus = surroundings.bus
        self._poll_seconds = surroundings.timing.poll_seconds
        self._human = human
        self._desk_id = desk_id
        self._patience_seconds = patience_seconds
        self._waiting: dict[str, None] = {}
        self.minutes = 0.0

    async def run(self) -> None:
        """Serve for ever; the runtime ends it."""
        subscription = self._bus.subscribe((Stage.ESCALATED,))
        try:
            while True:
                while (
                    claim := await self._ledger.claim(Role.HUMAN, self._desk_id, self._patience_seconds)
                ) is not None:
                    self._put(claim.state)
                await subscription.next(self._poll_seconds)  # a lost wake-up costs one poll, not the task
        finally:
            subscription.close()

    def _put(self, state: TaskState) -> None:
        if state.task.id in self._waiting:
            return
        self._waiting[state.task.id] = None
        self._runtime.spawn(self._ask(state), f"human {state.task.id}")

    async def _ask(self, state: TaskState) -> None:
        answer, _ = await self._runtime.call(lambda: self._human.answer(state))
        self.minutes += answer.cost
        await self._ledger.answer(answer)
        self._waiting.pop(state.task.id, None)
