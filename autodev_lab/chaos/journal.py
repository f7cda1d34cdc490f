"""What an agent saw of a ledger, on disk before it goes on: what a killed process was told outlives it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from autodev_lab.protocols import Ledger
from autodev_lab.records import Claim, HumanAnswer, Refusal, Result, Role, Stage, Task, TaskState

__all__ = ["Entry", "JournalledLedger", "read_journals"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A step as whoever sent it saw it.

    Parameters
    ----------
    agent_id
        Who.
    did
        ``"submit"``, ``"complete"`` or ``"answer"``.
    task_id, fence, stage
        Of which task, under which fence (0 where none is needed), and to which stage.
    heard
        ``"sent"`` before it is sent; then ``"done"``, or why it was refused.
    """

    agent_id: str
    did: str
    task_id: str
    fence: int
    stage: str
    heard: str


class JournalledLedger:
    """A ledger that writes down every step that should take effect, before and after; see `Ledger`.

    Parameters
    ----------
    ledger
        Who answers.
    path
        The journal; its name says whose it is.
    """

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._agent_id = path.stem
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def close(self) -> None:
        """Close the journal."""
        os.close(self._file)

    def _write(self, did: str, task_id: str, fence: int, stage: str, heard: str) -> None:
        entry = Entry(self._agent_id, did, task_id, fence, stage, heard)
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")  # one write: a kill leaves whole lines

    # ------------------------------------------------------------------------------------------- the protocol

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """See `Ledger`."""
        self._write("submit", task.id, 0, Stage.FETCHED, "sent")
        refusal = await self._ledger.submit(task, after)
        self._write("submit", task.id, 0, Stage.FETCHED, _heard(refusal))
        return refusal

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """See `Ledger`."""
        return await self._ledger.claim(role, agent_id, lease_seconds)

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """See `Ledger`."""
        return await self._ledger.renew(claim, lease_seconds)

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """See `Ledger`."""
        step = ("complete", claim.task.id, claim.lease.fence, stage.value)
        self._write(*step, "sent")
        if follow_up is not None:
            self._write("submit", follow_up.id, 0, Stage.FETCHED, "sent")
        refusal = await self._ledger.complete(claim, stage, result, follow_up)
        self._write(*step, _heard(refusal))
        if follow_up is not None and refusal is None:
            self._write("submit", follow_up.id, 0, Stage.FETCHED, "done")
        return refusal

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """See `Ledger`."""
        return await self._ledger.fail(claim, reason)

    async def expire(self) -> int:
        """See `Ledger`."""
        return await self._ledger.expire()

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """See `Ledger`."""
        stage = Stage.CLEARED if answer.approve else Stage.DECLINED
        self._write("answer", answer.task_id, 0, stage, "sent")
        refusal = await self._ledger.answer(answer)
        self._write("answer", answer.task_id, 0, stage, _heard(refusal))
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


def read_journals(folder: Path) -> Iterator[Entry]:
    """Entries of all journals in a folder, one journal after the other."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Entry(**json.loads(line))


def _heard(refusal: Refusal | None) -> str:
    return "done" if refusal is None else refusal.reason.value
