"""A ledger over several shards on Redis: each task in one of them, and shards that come and go under load."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_ledger import RedisLedger, StaleMapError
from autodev_lab.ledger.redis_server import RedisServer, without_password
from autodev_lab.ledger.shard_map import ShardMap, shard_url
from autodev_lab.ledger.transition import successor_of
from autodev_lab.records import Claim, HumanAnswer, Refusal, RefusalReason, Result, Role, Stage, Task, TaskState
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["ShardedLedger", "ShardsChangingError"]

_REFRESH_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_LOCK_SECONDS = 60
_ALONE = ShardMap(0, {"0": ""})


class ShardsChangingError(LabError):
    """Somebody else is changing the shards."""


class ShardedLedger:
    """Tasks over the shards of a map that is kept on one server, the directory; see `autodev_lab.protocols.Ledger`.

    A task is served by priority and arrival within its shard; among shards an agent looks in turn. A task that waits
    for one of another shard is set free by whoever looks for work next.

    A ledger without a map has the one shard "0", on the directory's server: what `RedisLedger` uses by itself.

    Parameters
    ----------
    url
        The directory's address. Its user, password and options are used for all shards.
    shards
        Address of every shard, by name, for a ledger without a map; empty is the directory's server, by whatever
        address a client reaches it. None takes what is there.
    prefix, max_tries, max_open, work_length, log_length
        As for `RedisLedger`; each shard gets an equal part of `max_open`.
    patience
        As for `RedisServer`.
    """

    def __init__(
        self,
        url: str,
        shards: Mapping[str, str] | None = None,
        *,
        prefix: str = "autodev",
        max_tries: int = 3,
        max_open: int | None = None,
        work_length: int = 1_000,
        log_length: int = 0,
        patience: float = 30.0,
    ) -> None:
        if shards is not None and not shards:
            raise LabError("a ledger needs a shard at least; name one")
        self.directory = RedisServer(url, patience=patience)
        self._wanted = shards

        def make(server: RedisServer, name: str) -> RedisLedger:
            return RedisLedger(
                server,
                prefix=prefix,
                shard=name,
                max_tries=max_tries,
                work_length=work_length,
                log_length=log_length,
            )

        self._make = make
        self._max_open = max_open
        self._patience = patience
        self._place = ShardKeys(prefix, "directory").key("map")
        self._lock = ShardKeys(prefix, "directory").key("rebalancing")
        self._servers: dict[str, RedisServer] = {}
        self._ledgers: dict[str, RedisLedger] = {}
        self._held: dict[tuple[str, int], str] = {}
        self._turn = itertools.count()
        self._first = ""
        self._looked = 0.0
        self.map = ShardMap(0, {})

    async def __aenter__(self) -> ShardedLedger:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Read the shard map, or write the first one, and check every shard.

        Raises
        ------
        LabError
            If a shard is unfit.
        """
        await self.directory.check()
        await self.refresh()
        while self._wanted is not None and not self.map.version:
            # whoever took the ledger for one of a single shard must hear of it, and may have put tasks there
            try:
                await self.change_shards(self._wanted)
            except ShardsChangingError:
                await asyncio.sleep(_AGAIN_SECONDS)
                await self.refresh()

    async def close(self) -> None:
        """Close all connections."""
        for server in (*self._servers.values(), self.directory):
            await server.close()

    async def refresh(self) -> None:
        """Read the shard map again."""
        text = await self.directory.command("GET", self._place)
        await self._go_by(_ALONE if text is None else ShardMap.from_json(str(text)))

    # ------------------------------------------------------------------------------------------- the protocol

    async def submit(self, task: Task, after: Sequence[str] = ()) -> Refusal | None:
        """Record a new task in the shard it belongs to; see `autodev_lab.protocols.Ledger`."""
        while True:
            home = self.map.owner(task.id)
            if self.map.moving and await self._find(task.id) not in (None, home):
                return Refusal(task.id, RefusalReason.DUPLICATE_TASK)
            elsewhere = []
            for dependency in dict.fromkeys(after):
                found = await self._find(dependency)
                if found is None:
                    return Refusal(task.id, RefusalReason.UNKNOWN_DEPENDENCY)
                if found != home:
                    elsewhere.append(dependency)
            try:
                return await self._ledgers[home].submit_here(task, after, elsewhere)
            except StaleMapError:
                await self.refresh()

    async def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Claim | None:
        """Claim the next task of the first shard, in turn, where one waits for `role`."""
        await self._look()
        names = list(self._ledgers)
        at, self._first = names.index(self._first) if self._first in names else next(self._turn) % len(names), ""
        for name in (*names[at:], *names[:at]):
            ledger = self._ledgers.get(name)
            if ledger is None:  # it went while we asked another
                continue
            claim = await ledger.claim(role, agent_id, lease_seconds)
            if claim is not None:
                self._held[claim.task.id, claim.lease.fence] = name
                return claim
        return None

    async def renew(self, claim: Claim, lease_seconds: float) -> Claim | Refusal:
        """Extend a running claim."""
        ledger = await self._holding(claim)
        if ledger is None:
            return Refusal(claim.task.id, RefusalReason.UNKNOWN_TASK)
        return await ledger.renew(claim, lease_seconds)

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """Record the result, advance to `stage`, free the lease and submit `follow_up`, in one step of one shard."""
        ledger = await self._holding(claim)
        if ledger is None:
            return Refusal(claim.task.id, RefusalReason.UNKNOWN_TASK)
        refusal = await ledger.complete(claim, stage, result, follow_up)
        self._held.pop((claim.task.id, claim.lease.fence), None)
        return refusal

    async def fail(self, claim: Claim, reason: str) -> Refusal | None:
        """Give a claim up."""
        ledger = await self._holding(claim)
        if ledger is None:
            return Refusal(claim.task.id, RefusalReason.UNKNOWN_TASK)
        self._held.pop((claim.task.id, claim.lease.fence), None)
        return await ledger.fail(claim, reason)

    async def expire(self) -> int:
        """Free every lease that has run out, and who waited for a task of another shard; returns how many leases."""
        freed = 0
        for ledger in tuple(self._ledgers.values()):
            freed += await ledger.expire()
        await self._settle()
        return freed

    async def answer(self, answer: HumanAnswer) -> Refusal | None:
        """Record a person's answer to an escalated task."""
        name = await self._find(answer.task_id)
        if name is None:
            return Refusal(answer.task_id, RefusalReason.UNKNOWN_TASK)
        return await self._ledgers[name].answer(answer)

    async def state(self, task_id: str) -> TaskState | None:
        """The state of one task."""
        name = await self._find(task_id)
        return None if name is None else await self._ledgers[name].state(task_id)

    async def open_count(self) -> int:
        """Number of open tasks. While shards change it is about right, and 0 only when none is open."""
        while True:
            by = self.map
            # one that is moved from a shard still to be asked to one that was asked is there at the second look
            looks = [
                sum([await ledger.open_count() for ledger in tuple(self._ledgers.values())])
                for _ in range(2 if by.moving else 1)
            ]
            await self.refresh()
            if self.map.version == by.version:  # else tasks may be in shards that were not asked
                return max(looks)

    async def states(self) -> tuple[TaskState, ...]:
        """All tasks that are not archived: those of a shard in order of submission, one shard after the other."""
        return tuple([state for ledger in tuple(self._ledgers.values()) for state in await ledger.states()])

    # ---------------------------------------------------------------------------------------- beside the protocol

    def addresses(self) -> dict[str, str]:
        """Where each shard is, without user and password."""
        return {name: where or self.directory.shown for name, where in self.map.shards.items()}

    def look_first(self, task_id: str) -> None:
        """Let the next claim begin at the shard of a task that somebody told of."""
        self._first = self.map.owner(task_id)

    def places(self) -> tuple[tuple[RedisServer, tuple[ShardKeys, ...]], ...]:
        """Where tasks may be: the shards that one command can read, by server."""
        found: dict[RedisServer | str, tuple[RedisServer, tuple[ShardKeys, ...]]] = {}
        for name, ledger in self._ledgers.items():
            together = name if ledger.server.clustered else ledger.server
            _, before = found.get(together, (ledger.server, ()))
            found[together] = (ledger.server, (*before, ledger.keys))
        return tuple(found.values())

    async def counts(self) -> dict[str, int]:
        """As `RedisLedger.counts`, of all shards; about right while they change."""
        await self.refresh()
        total: Counter[str] = Counter()
        for ledger in tuple(self._ledgers.values()):
            total.update(await ledger.counts())
        return dict(total)

    async def stages(self) -> dict[Stage, int]:
        """As `RedisLedger.stages`, of all shards; about right while they change."""
        await self.refresh()
        total: Counter[Stage] = Counter()
        for ledger in tuple(self._ledgers.values()):
            total.update(await ledger.stages())
        return dict(total)

    async def leave(self, agent_id: str) -> None:
        """Forget what an agent that ends was answered last."""
        for ledger in tuple(self._ledgers.values()):
            await ledger.leave(agent_id)

    def hurry(self, seconds: float) -> None:
        """Have no more patience than so many seconds from now on."""
        for server in (*self._servers.values(), self.directory):
            server.patience = min(server.patience, seconds)

    # ---------------------------------------------------------------------------------------------- rebalancing

    async def change_shards(self, shards: Mapping[str, str], progress: Callable[[int, int], None] | None = None) -> int:
        """Let tasks live in these shards from now on, and move those that belong elsewhere; returns how many moved.

        Agents go on meanwhile. A held task is moved once it is free. Killed in between, the next call goes on.

        Parameters
        ----------
        progress
            Called with (moved, held) after each round.

        Raises
        ------
        ShardsChangingError
            If somebody else is changing the shards.
        LabError
            If a shard is unfit, or has the name of one that is elsewhere.
        """
        if not shards:
            raise LabError("a ledger needs a shard at least; name one")
        if await self.directory.command("SET", self._lock, "1", "NX", "EX", _LOCK_SECONDS) is None:
            raise ShardsChangingError(
                f"the shards on {self.directory.shown} are being changed already; wait until that is done"
            )
        try:
            await self.refresh()
            places = {name: without_password(where) for name, where in sorted(shards.items())}
            for name, where in self.map.everywhere().items():
                if name in places and self._server_at(places[name]) is not self._server_at(where):
                    raise LabError(
                        f"shard {name} is on {where or self.directory.shown} and cannot become another server; "
                        "give the new one another name"
                    )
            leaving = {name: where for name, where in self.map.everywhere().items() if name not in places}
            after = ShardMap(self.map.version + 1, places, leaving, moving=True)
            # shards refuse tasks by the old map before anything moves, so that no task is taken in two places
            await self._go_by(after)
            await self.directory.command("SET", self._place, after.as_json())
            for ledger in self._ledgers.values():
                await ledger.follow(after.version)
            moved = await self._move_all(progress)
            done = replace(after, leaving={}, moving=False)
            await self.directory.command("SET", self._place, done.as_json())
            await self._go_by(done)
        finally:
            await self.directory.command("DEL", self._lock)
        return moved

    async def _move_all(self, progress: Callable[[int, int], None] | None) -> int:
        moved = 0
        while True:
            held = 0
            for name, ledger in tuple(self._ledgers.items()):
                async for task_id in ledger.ids():
                    owner = self.map.owner(task_id)
                    if owner == name:
                        continue
                    await self.directory.command("EXPIRE", self._lock, _LOCK_SECONDS)  # a million moves take long
                    if await ledger.move(task_id, self._ledgers[owner]):
                        moved += 1
                    else:
                        held += 1
            if progress is not None:
                progress(moved, held)
            if not held:
                return moved
            await asyncio.sleep(_AGAIN_SECONDS)

    # ------------------------------------------------------------------------------------------------ machinery

    async def _go_by(self, shards: ShardMap) -> None:
        """Use a map: open what is new, and forget what is gone."""
        if shards == self.map:
            return
        for name, where in shards.everywhere().items():
            if name not in self._ledgers:
                ledger = self._make(self._server_at(where), name)
                await ledger.open()
                self._ledgers[name] = ledger
        for name in set(self._ledgers) - set(shards.everywhere()):
            del self._ledgers[name]
        for ledger in self._ledgers.values():
            ledger.map_version = shards.version
            if self._max_open is not None:
                ledger.limit(-(-self._max_open // len(shards.shards)))
        self.map = shards

    def _server_at(self, where: str) -> RedisServer:
        if not where or where == self.directory.shown:
            return self.directory
        if where not in self._servers:
            self._servers[where] = RedisServer(shard_url(self.directory.url, where), patience=self._patience)
        return self._servers[where]

    async def _look(self) -> None:
        """Now and then read the map again, and see to tasks that wait for those of other shards."""
        now = asyncio.get_running_loop().time()
        if now - self._looked >= _REFRESH_SECONDS:
            self._looked = now
            await self.refresh()
            await self._settle()

    async def _settle(self) -> None:
        if len(self._ledgers) < 2:
            return
        for ledger in tuple(self._ledgers.values()):
            for dependency in await ledger.awaited():
                name = await self._find(dependency)
                closed = None if name is None else await self._ledgers[name].stage(dependency)
                if closed in TERMINAL_STAGES:
                    successor = successor_of(dependency)
                    follow_up = successor if await self._find(successor) is not None else ""
                    await ledger.settle(dependency, closed, follow_up)

    async def _find(self, task_id: str) -> str | None:
        """Name of the shard where a task is; where it belongs is looked at first."""
        while True:
            by = self.map
            home = by.owner(task_id)
            if await self._ledgers[home].known(task_id):
                return home
            if by.moving:
                for name, ledger in tuple(self._ledgers.items()):
                    if name != home and await ledger.known(task_id):
                        return name
                if await self._ledgers[home].known(task_id):  # it may have come in between
                    return home
            await self.refresh()
            if self.map.version == by.version:  # else it may be in a shard that was not asked
                return None

    async def _holding(self, claim: Claim) -> RedisLedger | None:
        """The shard of a claim: a held task is not moved."""
        name = self._held.get((claim.task.id, claim.lease.fence)) or await self._find(claim.task.id)
        return None if name is None else self._ledgers.get(name)
