"""The ledger on Redis: each command is one run of `transition.lua`, so tasks may be shared by many processes."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_keys import ShardKeys, script_text
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.wire import rank_of, read_state, result_to_json, task_to_json
from autodev_lab.records import Claim, HumanAnswer, Refusal, RefusalReason, Result, Role, Stage, Task, TaskState
from autodev_lab.workflow import answered

__all__ = ["SCHEMA", "RedisLedger", "StaleMapError"]

SCHEMA = "autodev_lab.ledger/3"
"""Name and version of what a shard's keys hold."""

_PAGE = 1_000
_ARCHIVED = "archived:"


class StaleMapError(LabError):
    """Tasks are distributed by a newer shard map than the one that was used."""


class RedisLedger:
    """One shard of tasks on a Redis server; see `autodev_lab.protocols.Ledger`.

    Leases run by the server's clock, so that the clocks of agents do not matter. A command whose answer is lost is sent
    again with the same request number, and answered again without being carried out twice.

    Parameters
    ----------
    server
        Where the tasks are.
    prefix, shard
        Begin the names of all keys; see `ShardKeys`.
    max_tries, max_open
        As for `InMemoryLedger`.
    work_length, log_length
        About how many entries a stream of wake-ups and the log of commands keep; a log of 0 is not written.
    clock
        Seconds to use instead of the server's clock; for tests.

    Examples
    --------
    ::

        server = RedisServer("redis://localhost:6379/0")
        ledger = RedisLedger(server)
        await ledger.open()
        claim = await ledger.claim(Role.TESTER, "tester-1", lease_seconds=60.0)
    """

    def __init__(
        self,
        server: RedisServer,
        *,
        prefix: str = "autodev",
        shard: str = "0",
        max_tries: int = 3,
        max_open: int | None = None,
        work_length: int = 1_000,
        log_length: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if max_tries < 1:
            raise ValueError(f"max_tries must be 1 or more, not {max_tries}")
        self.server = server
        self.keys = ShardKeys(prefix, shard)
        self._keys = (self.keys.base,)
        self._limits = json.dumps({"max_tries": max_tries})
        self._write = partial(script_text, max_tries, work_length=work_length, log_length=log_length)
        self.limit(max_open)
        self.map_version = 0
        self._clock = clock
        self._me = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._submitting = asyncio.Lock()

    def limit(self, max_open: int | None) -> None:
        """Let `submit` refuse from now on while so many tasks are open; None is no limit."""
        if max_open is not None and max_open < 1:
            raise ValueError(f"max_open must be 1 or more, not {max_open}")
        self._script = self._write(max_open=max_open)
        self._sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def open(self) -> None:
        """Check the server, and that nothing else lives under our names.

        Raises
        ------
        LabError
            If the server is unfit, keys are there that no ledger of this version wrote, or another client opened this
            ledger with another `max_tries`: a task's last try must not depend on who counts.
        """
        await self.server.check()
        found = await self.server.command("GET", self.keys.schema)
        if found is None:
            # EXISTS of all our keys: a shard without a schema must be empty
            taken = [name for name in self.keys.data() if await self.server.command("EXISTS", name)]
            if taken:
                raise LabError(
                    f"{self.server.shown} holds a key {taken[0]!r} that no ledger made; give another prefix than "
                    f"{self.keys.prefix!r}"
                )
            await self.server.command("SET", self.keys.schema, SCHEMA, "NX")
            found = await self.server.command("GET", self.keys.schema)
        if found != SCHEMA:
            raise LabError(
                f"{self.server.shown} holds {found!r} under the prefix {self.keys.prefix!r}, and this version of "
                f"autodev_lab keeps {SCHEMA!r}; use the version that wrote it, or another prefix"
            )
        await self.server.command("SET", self.keys.key("limits"), self._limits, "NX")
        limits = await self.server.command("GET", self.keys.key("limits"))
        if limits != self._limits:
            raise LabError(
                f"the ledger under the prefix {self.keys.prefix!r} on {self.server.shown} was made with {limits}, and "
                f"this client has {self._limits}; give all clients the same"
            )

    # ------------------------------------------------------------------------------------------- the protocol

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """Record a new task at stage FETCHED, to be claimed once the tasks `after` are closed as HEALTHY."""
        return await self.submit_here(task, after, ())

    async def submit_here(self, task: Task, after: Sequence[str], elsewhere: Sequence[str]) -> Refusal | None:
        """As `submit`, in one of several shards: the dependencies `elsewhere` are known to live in others.

        Raises
        ------
        StaleMapError
            If tasks are distributed by a newer shard map by now.
        """
        waits = json.dumps(list(dict.fromkeys(after)))
        async with self._submitting:  # a client has one request at a time
            answer = await self._run(
                "submit",
                self._me,
                task.id,
                task_to_json(task),
                rank_of(task),
                waits,
                json.dumps(list(elsewhere)),
                self.map_version,
            )
        if answer[0] == "stale map":
            raise StaleMapError(
                f"shard {self.keys.shard} of {self.server.shown} follows a newer shard map; read it again"
            )
        return _refusal(task.id, answer)

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """Claim the next task waiting for `role`, or None when there is none; frees leases that ran out first."""
        _check_lease_seconds(lease_seconds)
        state = _state(await self._run("claim", agent_id, role.value, agent_id, repr(float(lease_seconds))))
        return None if state is None else _held(state)

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """Extend a running claim."""
        _check_lease_seconds(lease_seconds)
        lease = claim.lease
        answer = await self._run("renew", "", claim.task.id, lease.fence, lease.agent_id, repr(float(lease_seconds)))
        state = _state(answer)
        if state is not None:
            return _held(state)
        return Refusal(claim.task.id, RefusalReason(str(answer[0])))

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """Record the result, advance to `stage`, free the lease, submit `follow_up` and publish, in one step."""
        lease = claim.lease
        more = ("", "", "") if follow_up is None else (follow_up.id, task_to_json(follow_up), rank_of(follow_up))
        answer = await self._run(
            "complete",
            lease.agent_id,
            claim.task.id,
            lease.fence,
            lease.agent_id,
            stage.value,
            result_to_json(result),
            *more,
        )
        return _refusal(claim.task.id, answer)

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """Give a claim up; the task is tried again, or becomes a dead letter after `max_tries` tries."""
        lease = claim.lease
        answer = await self._run("fail", lease.agent_id, claim.task.id, lease.fence, lease.agent_id, reason)
        return _refusal(claim.task.id, answer)

    async def expire(self) -> int:
        """Free every lease that has run out; returns how many. Any agent may call it."""
        freed = 0
        while count := _count(await self._run("expire", "")):
            freed += count
        return freed

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """Record a person's answer to an escalated task: CLEARED, DECLINED, or WITHDRAWN once it was exposed."""
        stages = (answered(before, answer.approve).value for before in (Stage.APPROVED, Stage.CLEARED))
        async with self._submitting:
            got = await self._run("answer", self._me, answer.task_id, *stages, result_to_json(answer), answer.reason)
        return _refusal(answer.task_id, got)

    async def state(self, task_id: str) -> TaskState | None:
        """The state of one task; None if it is not known, or archived."""
        return _state(await self._run("state", "", task_id))

    async def open_count(self) -> int:
        """Number of tasks that have not reached a terminal stage."""
        return int(str(await self.server.command("HGET", self.keys.key("counts"), "open") or 0))

    async def states(self) -> tuple[TaskState, ...]:
        """All tasks that are not archived, in order of submission. Read one by one: for tests and small ledgers."""
        found = await self.server.command("HGETALL", self.keys.key("states"))
        assert isinstance(found, dict)
        living = {name: json.loads(text) for name, text in found.items() if not text.startswith(_ARCHIVED)}
        order = sorted(living, key=lambda name: str(living[name][8])[-13:])
        states = [await self.state(name) for name in order]
        return tuple(state for state in states if state is not None)

    # ---------------------------------------------------------------------------------------- beside the protocol

    async def counts(self) -> dict[str, int]:
        """Tasks ``submitted``, ``open`` and ``closed`` so far, archived ones included."""
        found = await self.server.command("HGETALL", self.keys.key("counts"))
        assert isinstance(found, dict)
        return {name: int(found.get(name, 0)) for name in ("submitted", "open", "closed")}

    async def waiting(self) -> dict[Role, int]:
        """Tasks that wait to be claimed, by role."""
        return {role: int(str(await self.server.command("ZCARD", self.keys.waiting(role)))) for role in Role}

    async def stages(self) -> dict[Stage, int]:
        """Tasks by stage, archived ones included; read page by page, so a million take seconds."""
        counts: dict[Stage, int] = {}
        cursor = "0"
        while True:
            answer = await self.server.command("HSCAN", self.keys.key("states"), cursor, "COUNT", _PAGE)
            after, page = cast(tuple[object, dict[str, str]], answer)
            for text in page.values():
                stage = _stage_of(text)
                counts[stage] = counts.get(stage, 0) + 1
            cursor = str(after)
            if cursor == "0":
                return {stage: counts[stage] for stage in Stage if stage in counts}

    async def archive(self, path: Path) -> int:
        """Move closed tasks out of Redis to the end of a JSON-lines file; returns how many.

        A page is on disk before Redis forgets it: after a kill in between, tasks are in both, and the next call writes
        them once more. Their ids stay taken.
        """
        from autodev_lab.ledger.archive import append_states

        moved = 0
        key = self.keys.key("closed")
        while True:
            names = await self.server.command("LRANGE", key, 0, _PAGE - 1)
            assert isinstance(names, list)
            if not names:
                return moved
            states = [await self.state(str(name)) for name in names]
            append_states(path, [state for state in states if state is not None])
            moved += _count(await self._run("forget", "", *names))

    async def stage(self, task_id: str) -> Stage | None:
        """The stage of one task, archived or not; None if it is not here."""
        found = await self.server.command("HGET", self.keys.key("states"), task_id)
        if found is None:
            return None
        return _stage_of(str(found))

    # ------------------------------------------------------------------------------------- among several shards

    async def known(self, task_id: str) -> bool:
        """Whether an id is taken here: by a task, one on its way to another shard, or an archived one."""
        return _count(await self._run("known", "", task_id)) > 0

    async def follow(self, version: int) -> None:
        """Refuse tasks from whoever goes by an older shard map."""
        await self._run("follow", "", version)

    async def awaited(self) -> tuple[str, ...]:
        """Ids of tasks of other shards that tasks here wait for."""
        return tuple(str(name) for name in (await self._run("awaited", ""))[1:])

    async def settle(self, dependency: str, stage: Stage, successor: str = "") -> int:
        """Tell the tasks that wait here how a task of another shard was closed; returns how many it changed."""
        return _count(await self._run("settle", "", dependency, stage.value, successor))

    async def ids(self) -> AsyncIterator[str]:
        """Ids of all tasks here, archived and departing ones included, in no order; some may come twice."""
        for name in ("moving", "states"):
            cursor = "0"
            while True:
                answer = await self.server.command("HSCAN", self.keys.key(name), cursor, "COUNT", _PAGE)
                after, page = cast(tuple[object, dict[str, str]], answer)
                for task_id in page:
                    yield task_id
                cursor = str(after)
                if cursor == "0":
                    break

    async def move(self, task_id: str, target: RedisLedger) -> bool:
        """Move a task to another shard; False while somebody holds it. A move that was cut short is gone on with."""
        answer = await self._run("depart", "", task_id)
        if answer[0] != "moving":
            return answer[0] == "unknown task"
        await target._run("arrive", "", task_id, str(answer[1]))
        await self._run("departed", "", task_id)
        return True

    async def leave(self, agent_id: str) -> None:
        """Forget what an agent that ends was answered last."""
        await self._run("leave", "", agent_id)

    async def _run(self, command: str, client: str, *arguments: str | int | float) -> list[object]:
        request = f"{self._me}:{next(self._numbers)}" if client else ""
        now = "" if self._clock is None else repr(float(self._clock()))
        fixed = (command, client, request, now)
        answer = await self.server.script(self._script, self._sha, self._keys, (*fixed, *arguments))
        assert isinstance(answer, list)
        return answer


def _stage_of(text: str) -> Stage:
    """The stage of a packed state, archived or not."""
    return Stage(text.removeprefix(_ARCHIVED) if text.startswith(_ARCHIVED) else json.loads(text)[0])


def _state(answer: list[object]) -> TaskState | None:
    if answer[0] != "state":
        return None
    task, state, *history = (str(part) for part in answer[1:])
    return read_state(task, state, history)


def _held(state: TaskState) -> Claim:
    assert state.lease is not None
    return Claim(state, state.lease)


def _refusal(task_id: str, answer: list[object]) -> Refusal | None:
    return None if answer[0] == "done" else Refusal(task_id, RefusalReason(str(answer[0])))


def _count(answer: list[object]) -> int:
    return int(str(answer[1]))


def _check_lease_seconds(lease_seconds: float) -> None:
    if not lease_seconds > 0:
        raise ValueError(f"lease_seconds must be more than 0, not {lease_seconds!r}")
