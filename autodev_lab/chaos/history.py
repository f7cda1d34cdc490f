"""The history of a ledger: every command that reached it and what it answered, seen from outside.

The watcher stands between a ledger and those who use it, and knows nothing but the `autodev_lab.protocols.Ledger`
protocol, so that any ledger can be watched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from autodev_lab.ledger.transition import Answer, Complete, Fail, Renew, Submit
from autodev_lab.protocols import Ledger
from autodev_lab.records import Claim, HumanAnswer, Refusal, Result, Role, Stage, Task, TaskState
from autodev_lab.records.quick_init import quick_init

__all__ = ["Call", "Pending", "Reply", "Request", "Sweep", "Take", "WatchedLedger"]


@quick_init
@dataclass(frozen=True, slots=True)
class Take:
    """A claim of whatever waits for a role."""

    role: Role
    agent_id: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """A call for the expiry of all leases that have run out."""


_SWEEP = Sweep()

Request = Submit | Take | Renew | Complete | Fail | Answer | Sweep
"""What can be asked of a ledger through its protocol."""


class Pending(Enum):
    """The reply of a call that has none (yet): whoever made it died, or the ledger did."""

    PENDING = "no answer"


Reply = Claim | Refusal | int | None | Pending
"""What a ledger answers; None is "done", or "nothing waits" to a `Take`."""


@dataclass(slots=True)
class Call:
    """One command at the ledger. The one record that changes: its reply is filled in when it is known.

    Parameters
    ----------
    at
        When it reached the ledger, in seconds of the ledger's clock.
    caller
        Id of who sent it.
    request, reply
        What was asked, and what was answered.
    next_place
        Place in the history of the next call that came after the reply; one call at a time if it is the next place.
    """

    at: float
    caller: str
    request: Request
    reply: Reply = Pending.PENDING
    next_place: int = 0


class WatchedLedger:
    """A ledger that keeps the history of what it is asked and what it answers.

    Parameters
    ----------
    ledger
        Who answers.
    now
        The ledger's clock.
    history
        Calls are appended to it in the order in which they reach the ledger; several watchers may share it.
    caller
        Id of who uses this watcher.
    """

    def __init__(self, ledger: Ledger, now: Callable[[], float], history: list[Call], caller: str) -> None:
        self._ledger = ledger
        self._now = now
        self._history = history
        self._caller = caller
        self._take: Take | None = None  # whoever looks for work asks the same again and again

    def _heard(self, request: Request) -> Call:
        call = Call(self._now(), self._caller, request)
        self._history.append(call)
        return call

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """See `Ledger`."""
        call = self._heard(Submit(task, tuple(after)))
        call.reply = reply = await self._ledger.submit(task, after)
        call.next_place = len(self._history)
        return reply

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """See `Ledger`."""
        take = self._take
        if take is None or take.role is not role or take.agent_id != agent_id or take.lease_seconds != lease_seconds:
            take = self._take = Take(role, agent_id, lease_seconds)
        call = self._heard(take)
        call.reply = reply = await self._ledger.claim(role, agent_id, lease_seconds)
        call.next_place = len(self._history)
        return reply

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """See `Ledger`."""
        lease = claim.lease
        call = self._heard(Renew(claim.task.id, lease.fence, lease.agent_id, lease_seconds))
        call.reply = reply = await self._ledger.renew(claim, lease_seconds)
        call.next_place = len(self._history)
        return reply

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """See `Ledger`."""
        lease = claim.lease
        request = Complete(claim.task.id, lease.fence, lease.agent_id, stage, result, follow_up)
        call = self._heard(request)
        call.reply = reply = await self._ledger.complete(claim, stage, result, follow_up)
        call.next_place = len(self._history)
        return reply

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """See `Ledger`."""
        lease = claim.lease
        call = self._heard(Fail(claim.task.id, lease.fence, lease.agent_id, reason))
        call.reply = reply = await self._ledger.fail(claim, reason)
        call.next_place = len(self._history)
        return reply

    async def expire(self) -> int:
        """See `Ledger`."""
        call = self._heard(_SWEEP)
        call.reply = reply = await self._ledger.expire()
        call.next_place = len(self._history)
        return reply

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """See `Ledger`."""
        call = self._heard(Answer(answer))
        call.reply = reply = await self._ledger.answer(answer)
        call.next_place = len(self._history)
        return reply

    async def state(self, task_id: str) -> TaskState | None:
        """See `Ledger`."""
        return await self._ledger.state(task_id)

    async def open_count(self) -> int:
        """See `Ledger`."""
        return await self._ledger.open_count()

    async def states(self) -> tuple[TaskState, ...]:
        """See `Ledger`."""
        return await self._ledger.states()
