"""Who is there: agent ids that are never given twice, and heartbeats by Redis' own clock."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass

from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.protocols import Runtime
from autodev_lab.records import Role

__all__ = ["Heartbeat", "Presence"]

_FORGET_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What is known of an agent.

    Parameters
    ----------
    agent_id, role
        Who.
    alive
        Whether its last heartbeat is recent; one that is not alive did not say that it leaves.
    age
        Seconds since its last heartbeat, by Redis' clock.
    host, pid
        Where it runs; empty and 0 when it is not alive.
    """

    agent_id: str
    role: str
    alive: bool
    age: float
    host: str = ""
    pid: int = 0


class Presence:
    """The list of agents on one Redis, which is there to be looked at: nothing depends on it.

    A task of an agent that is gone is freed because its lease ran out, not because its heartbeat did.

    Parameters
    ----------
    server, prefix
        As for `autodev_lab.ledger.redis_ledger.RedisLedger`.
    beat_seconds
        How often an agent says that it is there. Who says nothing for three times as long is not alive.
    """

    def __init__(self, server: RedisServer, prefix: str = "autodev", *, beat_seconds: float = 3.0) -> None:
        self._server = server
        self._keys = ShardKeys(prefix, "agents")
        self._beat_seconds = beat_seconds
        self._agent_id = ""

    async def join(self, role: Role) -> str:
        """Take an id that no agent had before, and say that we are here."""
        number = await self._server.command("HINCRBY", self._keys.key("numbers"), role.value, 1)
        self._agent_id = f"{role.value}-{number}"
        await self._server.command(
            "ZREMRANGEBYSCORE", self._keys.key("beats"), "-inf", repr(await self._now() - _FORGET_SECONDS)
        )
        await self.beat()
        return self._agent_id

    async def beat(self) -> None:
        """Say that we are still here."""
        facts = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
        await self._server.command(
            "SET", self._keys.key(f"beat:{self._agent_id}"), facts, "PX", int(3e3 * self._beat_seconds)
        )
        await self._server.command("ZADD", self._keys.key("beats"), repr(await self._now()), self._agent_id)

    async def keep(self, runtime: Runtime) -> None:
        """Go on saying so; the runtime ends it."""
        while True:
            await runtime.sleep(self._beat_seconds)
            await self.beat()

    async def leave(self) -> None:
        """Say that we leave."""
        await self._server.command("DEL", self._keys.key(f"beat:{self._agent_id}"))
        await self._server.command("ZREM", self._keys.key("beats"), self._agent_id)

    async def agents(self) -> tuple[Heartbeat, ...]:
        """All who are here, or fell silent within the last hour, by id."""
        found = await self._server.command("ZRANGE", self._keys.key("beats"), 0, -1, "WITHSCORES")
        assert isinstance(found, list)
        now = await self._now()
        agents = []
        for name, score in _pairs(found):
            facts = await self._server.command("GET", self._keys.key(f"beat:{name}"))
            role = name.rpartition("-")[0]
            age = max(0.0, now - score)
            if facts is None:
                agents.append(Heartbeat(name, role, False, age))
            else:
                known = json.loads(str(facts))
                agents.append(Heartbeat(name, role, True, age, str(known["host"]), int(known["pid"])))
        return tuple(sorted(agents, key=lambda agent: (agent.role, int(agent.agent_id.rpartition("-")[2]))))

    async def _now(self) -> float:
        clock = await self._server.command("TIME")
        assert isinstance(clock, list | tuple)
        return float(clock[0]) + float(clock[1]) / 1e6


def _pairs(found: list[object]) -> list[tuple[str, float]]:
    """Members and scores, whether redis-py paired them already or not."""
    if found and isinstance(found[0], tuple | list):
        return [(str(one[0]), float(one[1])) for one in found if isinstance(one, tuple | list)]
    return [(str(found[at]), float(str(found[at + 1]))) for at in range(0, len(found), 2)]
