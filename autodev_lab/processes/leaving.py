"""A ledger that an agent can leave: it gives no more work, and knows what is still being worked on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from autodev_lab.protocols import Ledger
from autodev_lab.records import Claim, HumanAnswer, Refusal, Result, Role, Stage, Task, TaskState

__all__ = ["LeavingLedger"]


class LeavingLedger:
    """What one agent sees of a ledger; see `autodev_lab.protocols.Ledger`.

    Parameters
    ----------
    ledger
        The ledger.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[str, Claim] = {}
        self._asking = 0
        self._leaving = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def finish(self, grace_seconds: float) -> None:
        """Take no more work, and wait so long for what is under way."""
        self._leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()

    async def release(self) -> int:
        """Give up what is still held, which counts as a try of its task; returns how much that was."""
        held = tuple(self._held.values())
        for claim in held:
            await self._ledger.fail(claim, f"{claim.lease.agent_id} was told to stop")
        return len(held)

    def _note(self) -> None:
        if self._held or self._asking:
            self._idle.clear()
        else:
            self._idle.set()

    # ------------------------------------------------------------------------------------------- the protocol

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """See `Ledger`."""
        return await self._ledger.submit(task, after)

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """See `Ledger`; None once the agent leaves."""
        if self._leaving:
            return None
        self._asking += 1  # a claim whose answer is under way is work already
        self._note()
        try:
            claim = await self._ledger.claim(role, agent_id, lease_seconds)
            if claim is not None:
                self._held[claim.task.id] = claim
            return claim
        finally:
            self._asking -= 1
            self._note()

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """See `Ledger`."""
        return await self._ledger.renew(claim, lease_seconds)

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """See `Ledger`."""
        refusal = await self._ledger.complete(claim, stage, result, follow_up)
        self._done(claim.task.id)
        return refusal

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """See `Ledger`."""
        refusal = await self._ledger.fail(claim, reason)
        self._done(claim.task.id)
        return refusal

    async def expire(self) -> int:
        """See `Ledger`."""
        return await self._ledger.expire()

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """See `Ledger`."""
        refusal = await self._ledger.answer(answer)
        self._done(answer.task_id)
        return refusal

    async def state(self, task_id: str) -> TaskState | None:
        """See `Ledger`."""
        return await self._ledger.state(task_id)

    async def open_count(self) -> int:
        """See `Ledger`."""
        return await self._ledger.open_count()

    async def states(self) -> tuple[TaskState, ...]:
        """See `Ledger`."""
        return await self._ledger.states()

    def _done(self, task_id: str) -> None:
        self._held.pop(task_id, None)
        self._note()
