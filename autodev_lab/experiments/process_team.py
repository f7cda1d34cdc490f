"""A team of processes from the outside: started, given tasks without overflowing the ledger, and looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from autodev_lab.errors import LabError
from autodev_lab.experiments.agent_process import URL_VARIABLE, AgentOrder
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.shard_map import ShardMap, shard_url
from autodev_lab.processes import Backoff, Heartbeat, Nursery, Presence, Supervisor
from autodev_lab.protocols import Ledger
from autodev_lab.records import RefusalReason, Role, Task

__all__ = ["Status", "count_agents", "read_status", "submit_all", "supervise"]

MODULE = "autodev_lab.experiments.agent_process"

_EVERY_ROLE = tuple(Role)
_FULL_SECONDS = (0.05, 2.0)


def count_agents(text: str) -> dict[Role, int]:
    """Read how many agents of each role there shall be; roles that are not named have one.

    Raises
    ------
    LabError
        If a role is none, is named twice, or has no number.

    Examples
    --------
    >>> {role.value: count for role, count in count_agents("developer=4,human=0").items()}
    {'architect': 1, 'developer': 4, 'tester': 1, 'reviewer': 1, 'deployer': 1, 'monitor': 1, 'human': 0}
    """
    counts: dict[Role, int] = {}
    names = [role.value for role in _EVERY_ROLE]
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (one.strip() for one in part.partition("="))
        if name not in names:
            raise LabError(f"--agents names {name!r}, which is no role; choose of {', '.join(names)}")
        if not equals or not number.isdigit():
            raise LabError(f"--agents says {part!r}; give a role and a number, for example developer=4")
        if Role(name) in counts:
            raise LabError(f"--agents names {name} twice; give one number")
        counts[Role(name)] = int(number)
    counts = {role: counts.get(role, 1) for role in _EVERY_ROLE}
    if not any(counts.values()):
        raise LabError("--agents leaves nobody; give at least one role a number above 0")
    return counts


def supervise(order: AgentOrder, url: str, counts: Mapping[Role, int]) -> Supervisor:
    """A supervisor of so many processes of each role; they start with its first look."""
    posts = {
        f"{role.value} {number}": replace(order, role=role.value).arguments()
        for role, count in counts.items()
        for number in range(1, count + 1)
    }
    return Supervisor(lambda: Nursery(MODULE, environment={URL_VARIABLE: url}), posts, Backoff())


async def submit_all(
    ledger: Ledger, tasks: Iterable[Task], progress: Callable[[int], None] = lambda done: None
) -> tuple[int, int]:
    """Submit tasks; a ledger that is full is waited for. Returns how many were new, and how many it knew already.

    Parameters
    ----------
    progress
        Told how many were submitted.

    Raises
    ------
    LabError
        If a task is refused for another reason.
    """
    new = known = 0
    for task in tasks:
        pause = _FULL_SECONDS[0]
        while (refusal := await ledger.submit(task)) is not None and refusal.reason is RefusalReason.FULL:
            await asyncio.sleep(pause)
            pause = min(_FULL_SECONDS[1], 2.0 * pause)
        if refusal is None:
            new += 1
        elif refusal.reason is RefusalReason.DUPLICATE_TASK:
            known += 1  # whoever submitted before was killed in between
        else:
            raise LabError(f"task {task.id} was refused ({refusal.reason}); see docs/redis.md", 1)
        progress(new + known)
    return new, known


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard.

    Parameters
    ----------
    name, url
        Which, and where.
    counts
        Tasks submitted, open and closed so far.
    stages, waiting
        Tasks by stage, and those that can be claimed by the role that may.
    leases, expired
        Tasks that somebody holds, and those among them whose lease ran out: the next look frees them.
    dead_letters
        Tasks that failed too often.
    archivable
        Closed tasks that are still in Redis.
    """

    name: str
    url: str
    counts: Mapping[str, int]
    stages: Mapping[str, int]
    waiting: Mapping[str, int]
    leases: int
    expired: int
    dead_letters: int
    archivable: int


@dataclass(frozen=True, slots=True)
class Status:
    """What can be seen on Redis of a ledger and its agents."""

    redis: str
    prefix: str
    agents: Sequence[Heartbeat]
    shards: Sequence[ShardStatus]

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return {
            "redis": self.redis,
            "prefix": self.prefix,
            "alive": sum(agent.alive for agent in self.agents),
            "silent": sum(not agent.alive for agent in self.agents),
            "agents": [{**asdict(agent), "age": round(agent.age, 3)} for agent in self.agents],
            "shards": [asdict(shard) for shard in self.shards],
        }

    def in_words(self) -> str:
        """A few lines for a person."""
        alive = [agent for agent in self.agents if agent.alive]
        silent = [agent.agent_id for agent in self.agents if not agent.alive]
        roles = {role: sum(agent.role == role for agent in alive) for role in dict.fromkeys(a.role for a in alive)}
        lines = [
            f"{len(alive)} agents alive" + (f": {_listed(roles)}" if roles else ""),
            *([f"fell silent: {', '.join(silent)}"] if silent else []),
        ]
        for shard in self.shards:
            counts = shard.counts
            lines += [
                f"shard {shard.name} on {shard.url}: {counts['open']} open of {counts['submitted']} tasks, "
                f"{shard.dead_letters} dead letters, {shard.leases} leases ({shard.expired} ran out)",
                f"  by stage: {_listed(shard.stages) or 'none'}",
                f"  waiting for: {_listed({role: n for role, n in shard.waiting.items() if n}) or 'nobody'}",
            ]
        return "\n".join(lines)


async def read_status(url: str, prefix: str, patience: float = 5.0) -> Status:
    """Look at a ledger and its agents; writes nothing.

    Raises
    ------
    LabError
        If Redis cannot be reached or holds no ledger under the prefix.
    """
    async with RedisServer(url, patience=patience) as server:
        await server.check()
        text = await server.command("GET", ShardKeys(prefix, "directory").key("map"))
        places = {"0": ""} if text is None else ShardMap.from_json(str(text)).everywhere()
        agents = await Presence(server, prefix).agents()
        shards = []
        for name, where in places.items():
            if not where or where == server.shown:
                shards.append(await _shard(server, prefix, name))
            else:
                async with RedisServer(shard_url(url, where), patience=patience) as other:
                    shards.append(await _shard(other, prefix, name))
    return Status(server.shown, prefix, agents, shards)


async def _shard(server: RedisServer, prefix: str, name: str) -> ShardStatus:
    ledger = RedisLedger(server, prefix=prefix, shard=name)
    if await server.command("GET", ledger.keys.schema) is None:
        raise LabError(
            f"{server.shown} holds no ledger under the prefix {prefix!r}; start one with `autodev-lab up`, or give "
            "another --prefix"
        )
    stages = await ledger.stages()
    clock = await server.command("TIME")
    assert isinstance(clock, list | tuple)
    now = float(clock[0]) + float(clock[1]) / 1e6
    leases, expired = ledger.keys.key("leases"), 0
    expired = int(str(await server.command("ZCOUNT", leases, "-inf", repr(now))))
    return ShardStatus(
        name,
        server.shown,
        await ledger.counts(),
        {stage.value: count for stage, count in stages.items()},
        {role.value: count for role, count in (await ledger.waiting()).items()},
        int(str(await server.command("ZCARD", leases))),
        expired,
        sum(count for stage, count in stages.items() if stage.value == "dead_letter"),
        int(str(await server.command("LLEN", ledger.keys.key("closed")))),
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
