"""Wake-ups over Redis: work wakes one idle agent of a role through a stream, news reach every subscriber or nobody.

Both may be lost without harm: the ledger is the truth, and whoever waits looks for itself now and then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Event, Role, Stage
from autodev_lab.workflow import stages_of

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

__all__ = ["RedisEventBus", "RedisSubscription"]

_SLICE = 1.0
"""Longest wait for work before news are looked at, in seconds: news are never urgent."""


class RedisSubscription:
    """What one agent hears; see `autodev_lab.protocols.Subscription`.

    Parameters
    ----------
    bus
        Where it listens.
    stages
        Stages to hear of. Those on which the bus' own role acts come through the role's stream, where each wake-up
        reaches one agent; the others are news, which reach all.
    """

    def __init__(self, bus: RedisEventBus, stages: tuple[Stage, ...]) -> None:
        self._bus = bus
        self._work = frozenset(() if bus.role is None else set(stages) & set(stages_of(bus.role)))
        self._news = frozenset(stages) - self._work
        self._heard: deque[Event] = deque(maxlen=1024)
        self._channel: PubSub | None = None
        self._closed = False

    async def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, at most `timeout` seconds; None when the time ran out or the subscription closed.

        With a timeout of 0 it only looks, and takes no work from the stream that an idle agent could have.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while not self._closed:
            await self._listen(0.0)
            if self._heard:
                return self._heard.popleft()
            left = _SLICE if deadline is None else min(_SLICE, deadline - loop.time())
            if left <= 0:
                return None
            if self._work:
                self._heard.extend(await self._bus.take_work(left))
            else:
                await self._listen(left)
            if self._heard:
                return self._heard.popleft()
        return None

    def close(self) -> None:
        """Stop receiving; what was heard is forgotten."""
        self._closed = True
        self._heard.clear()
        channel, self._channel = self._channel, None
        if channel is not None:
            self._bus.release(channel)

    async def _listen(self, seconds: float) -> None:
        """Collect news for at most so long; a broken connection loses them and is opened anew."""
        if not self._news:
            return
        from redis.exceptions import ConnectionError, TimeoutError

        try:
            if self._channel is None:
                self._channel = self._bus.server.pubsub()
                await self._channel.subscribe(*(keys.news for keys in self._bus.shards))
            while (message := await self._channel.get_message(timeout=seconds)) is not None:
                seconds = 0.0
                if message["type"] == "message":
                    event = _read(str(message["data"]))
                    if event.stage in self._news:
                        self._heard.append(event)
        except (ConnectionError, TimeoutError, OSError):
            channel, self._channel = self._channel, None
            if channel is not None:
                self._bus.release(channel)
            await asyncio.sleep(min(seconds, _SLICE))


class RedisEventBus:
    """The bus of one agent, on the keys of one shard, or of several on one server.

    The ledger's script tells of a stage in the step that reaches it, so `publish` is for events of one's own making.

    Parameters
    ----------
    server, shards
        Where the shards are. Those of a Redis Cluster cannot be read in one command: give one.
    role
        The agent's role: its wake-ups come from the role's stream. None hears news alone.
    agent_id
        Name of the consumer in the role's group.
    """

    def __init__(
        self, server: RedisServer, *shards: ShardKeys, role: Role | None = None, agent_id: str = "observer"
    ) -> None:
        self.server = server
        self.shards = shards
        self.role = role
        self.agent_id = agent_id
        self._grouped: set[str] = set()
        self._turn = 0
        self._leaving: set[asyncio.Task[None]] = set()

    async def publish(self, event: Event) -> None:
        """Tell every subscriber of the event's stage."""
        await self.server.command("PUBLISH", self.shards[0].news, f"{event.stage.value} {event.at!r} {event.task_id}")

    def subscribe(self, stages: Iterable[Stage]) -> RedisSubscription:
        """Listen for tasks reaching any of `stages`."""
        return RedisSubscription(self, tuple(dict.fromkeys(stages)))

    async def take_work(self, seconds: float) -> list[Event]:
        """A wake-up of the role that no other agent took, waiting at most so many seconds for it; at most one."""
        self._turn += 1
        at = self._turn % len(self.shards)
        streams = {keys.work(self._acting): keys for keys in (*self.shards[at:], *self.shards[:at])}
        for stream in streams:
            await self._make_group(stream)
        # NOACK: a wake-up that dies with its agent is found by whoever looks next, and nothing piles up
        read = ("XREADGROUP", "GROUP", self._acting.value, self.agent_id, "COUNT", 1)
        block = ("BLOCK", max(1, int(1e3 * seconds)), "NOACK")
        try:
            answer = await self.server.command(*read, *block, "STREAMS", *streams, *(">" for _ in streams))
        except LabError as error:
            if "NOGROUP" not in str(error):
                raise
            self._grouped.clear()  # the server was emptied
            return []
        assert isinstance(answer, list)
        found = [
            (Event(fields["task"], Stage(fields["stage"]), float(fields["at"])), streams[name])
            for name, entries in answer
            for _, fields in entries
        ]
        for event, shard in found[1:]:  # COUNT is for each stream
            await self.hand_on(event, shard)
        return [event for event, _ in found[:1]]

    async def hand_on(self, event: Event, shard: ShardKeys) -> None:
        """Give a wake-up back to the shard that it came from, for another agent of the role."""
        stream = shard.work(self._acting)
        await self.server.command(
            "XADD", stream, "*", "task", event.task_id, "stage", event.stage.value, "at", repr(event.at)
        )

    async def leave(self) -> None:
        """Take this agent out of its role's group."""
        for stream in self._grouped:
            await self.server.command("XGROUP", "DELCONSUMER", stream, self._acting.value, self.agent_id)
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    def release(self, channel: PubSub) -> None:
        """Close a subscriber's connection in the background."""
        task = asyncio.get_running_loop().create_task(channel.aclose())  # type: ignore[no-untyped-call]
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    @property
    def _acting(self) -> Role:
        assert self.role is not None
        return self.role

    async def _make_group(self, stream: str) -> None:
        if stream in self._grouped:
            return
        try:
            await self.server.command("XGROUP", "CREATE", stream, self._acting.value, "0", "MKSTREAM")
        except LabError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._grouped.add(stream)


def _read(text: str) -> Event:
    stage, at, task_id = text.split(" ", 2)
    return Event(task_id, Stage(stage), float(at))
