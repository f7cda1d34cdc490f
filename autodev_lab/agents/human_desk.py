"""The desk where escalations wait for a person; many may wait at once, and none blocks another."""

from __future__ import annotations

import heapq
import math

from autodev_lab.agents.base import Surroundings
from autodev_lab.errors import LabError
from autodev_lab.protocols import Human
from autodev_lab.records import Claim, Decision, EscalationLevel, HumanAnswer, Role, Stage, TaskState

__all__ = ["HumanDesk"]

_DESK = "human-desk"
_POLLS_A_LEASE = 3.0
_RENEWED_AT = 0.25

_URGENCY = {EscalationLevel.IMMEDIATE: 0, EscalationLevel.HIGH_PRIORITY: 1, None: 2}


class HumanDesk:
    """Puts every escalated task before the human once and hands the answer to the ledger.

    It holds what it asks about by leases that it renews for as long as it lives, so that the escalations of a desk that
    died are soon asked by another. An answer needs no lease: the first that arrives counts.

    Parameters
    ----------
    surroundings
        Runtime, ledger and bus.
    human
        Who answers.
    desk_id
        Under which the desk claims; desks that may be there at the same time need one each.
    patience_seconds
        How long an escalation that this desk took is kept from other desks, should this one fall silent. None: a lease
        of the surroundings' timing, but three polls at least, for that is when it is renewed.
    answer_within_seconds
        How long an escalation waits for its answer, from when it was escalated. Then its change is declined, and
        recorded as expired: it is not deployed, and nothing is learned from it. An answer that comes later, or at that
        very moment, changes nothing. None: it waits for ever.
    at_once
        Questions put before the human at one time; the others wait, *immediate* ones at the front, then those of *high
        priority*, then the rest, each in the order in which they were escalated. None: all.

    Raises
    ------
    LabError
        If the time or the number is not above 0.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        human: Human,
        *,
        desk_id: str = _DESK,
        patience_seconds: float | None = None,
        answer_within_seconds: float | None = None,
        at_once: int | None = None,
    ) -> None:
        if answer_within_seconds is not None and not 0 < answer_within_seconds < math.inf:
            raise LabError(f"answer_within_seconds is {answer_within_seconds}; it must be a number above 0")
        if at_once is not None and at_once < 1:
            raise LabError(f"at_once is {at_once}; a person answers at least 1 question at a time")
        self._runtime = surroundings.runtime
        self._ledger = surroundings.ledger
        self._bus = surroundings.bus
        timing = surroundings.timing
        if patience_seconds is None:
            patience_seconds = max(timing.lease_seconds, _POLLS_A_LEASE * timing.poll_seconds)
        self._patience_seconds = patience_seconds
        self._poll_seconds = min(timing.poll_seconds, self._patience_seconds / _POLLS_A_LEASE)
        self._human = human
        self._desk_id = desk_id
        self._within = answer_within_seconds
        self._at_once = math.inf if at_once is None else at_once
        self._waiting: dict[str, float] = {}  # task and the moment at which it expires
        self._held: dict[str, tuple[Claim, float]] = {}  # and the moment at which its lease was taken or renewed
        self._queue: list[tuple[int, float, int, TaskState]] = []
        self._queued = 0
        self._asked = 0
        self.minutes = 0.0

    async def run(self) -> None:
        """Serve for ever; the runtime ends it."""
        subscription = self._bus.subscribe((Stage.ESCALATED,))
        try:
            while True:
                await self._renew()
                while (
                    claim := await self._ledger.claim(Role.HUMAN, self._desk_id, self._patience_seconds)
                ) is not None:
                    self._put(claim)
                self._ask_next()
                await subscription.next(self._poll_seconds)  # a lost wake-up costs one poll, not the task
        finally:
            subscription.close()

    async def _renew(self) -> None:
        for task_id, (claim, since) in tuple(self._held.items()):
            if self._runtime.now() - since >= _RENEWED_AT * self._patience_seconds:
                renewed = await self._ledger.renew(claim, self._patience_seconds)
                if isinstance(renewed, Claim):
                    self._held[task_id] = renewed, self._runtime.now()
                else:  # it ran out, and is claimed again in a moment, or has been answered
                    self._held.pop(task_id, None)

    def _put(self, claim: Claim) -> None:
        state = claim.state
        self._held[state.task.id] = claim, self._runtime.now()
        if state.task.id in self._waiting:
            return
        # by the ledger's clock alone: this machine's may be another
        claimed_at = claim.lease.expires_at - self._patience_seconds
        since, level = claimed_at, None
        for entry in state.history:
            if entry.stage is Stage.ESCALATED:
                since = entry.at
            if isinstance(entry.result, Decision):
                level = entry.result.escalation
        heapq.heappush(self._queue, (_URGENCY[level], since, self._queued, state))
        self._queued += 1
        if self._within is None:
            self._waiting[state.task.id] = math.inf
        else:
            left = min(self._within, max(0.0, self._within - (claimed_at - since)))
            deadline = self._waiting[state.task.id] = self._runtime.now() + left
            self._runtime.spawn(self._expire(state, self._within, left, deadline), f"human {state.task.id} deadline")
        if math.isinf(self._at_once):
            self._ask_next()

    def _ask_next(self) -> None:
        while self._queue and self._asked < self._at_once:
            *_, state = heapq.heappop(self._queue)
            if self._in_time(state):
                self._asked += 1
                self._runtime.spawn(self._ask(state), f"human {state.task.id}")

    async def _ask(self, state: TaskState) -> None:
        answer, _ = await self._runtime.ask(lambda: self._human.answer(state))
        self.minutes += answer.cost
        self._asked -= 1
        self._ask_next()
        if self._in_time(state):
            await self._ledger.answer(answer)
            self._forget(state.task.id)

    async def _expire(self, state: TaskState, within: float, left: float, deadline: float) -> None:
        await self._runtime.sleep(left)
        if self._waiting.get(state.task.id) == deadline:  # the same task may have been escalated again since
            reason = f"nobody answered within {within:g} s"
            await self._ledger.answer(HumanAnswer(state.task.id, False, within, 0.0, reason, expired=True))
            self._forget(state.task.id)

    def _forget(self, task_id: str) -> None:
        self._waiting.pop(task_id, None)
        self._held.pop(task_id, None)

    def _in_time(self, state: TaskState) -> bool:
        """Whether an escalation still waits for its answer."""
        return self._runtime.now() < self._waiting.get(state.task.id, -math.inf)
