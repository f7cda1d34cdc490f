"""Wake-ups of a ledger of several shards: an idle agent waits for all at a time, and hands on what it cannot use."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from autodev_lab.ledger.redis_bus import RedisEventBus, RedisSubscription
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.records import Event, Role, Stage
from autodev_lab.workflow import stages_of

__all__ = ["ShardedEventBus", "ShardedSubscription"]

_SLICE = 1.0
"""Longest wait before it is seen that shards came or went, in seconds."""

_Place = tuple[RedisServer, tuple[ShardKeys, ...]]


class ShardedSubscription:
    """What one agent hears from all shards; see `autodev_lab.protocols.Subscription`.

    Parameters
    ----------
    bus
        Where it listens.
    stages
        See `autodev_lab.ledger.redis_bus.RedisSubscription`.
    """

    def __init__(self, bus: ShardedEventBus, stages: tuple[Stage, ...]) -> None:
        self._bus = bus
        self._stages = stages
        self._parts: dict[_Place, tuple[RedisEventBus, RedisSubscription]] = {}
        self._reading: dict[_Place, asyncio.Task[None]] = {}
        self._heard: deque[Event] = deque(maxlen=1024)
        self._woken = asyncio.Event()
        self._waiting = False
        self._closed = False

    async def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, at most `timeout` seconds; None when the time ran out or the subscription closed.

        With a timeout of 0 it only looks, and takes no work from the streams that an idle agent could have.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while not self._closed:
            self._follow()
            for place, (_, part) in tuple(self._parts.items()):
                task = self._reading.get(place)
                at_rest = task is None or task.done()  # else what it hears is put into `_heard` within a slice
                if at_rest and not self._heard and (event := await part.next(0.0)) is not None:
                    self._heard.append(event)
            if self._heard:
                return self._use(self._heard.popleft())
            left = _SLICE if deadline is None else min(_SLICE, deadline - loop.time())
            if left <= 0:
                return None
            if len(self._parts) == 1:
                ((_, part),) = self._parts.values()
                if (event := await part.next(left)) is not None:
                    return self._use(event)
            else:
                await self._wait(left)
        return None

    def close(self) -> None:
        """Stop receiving; what was heard is forgotten."""
        self._closed = True
        self._heard.clear()
        for task in self._reading.values():
            task.cancel()
            self._bus.remember(task)
        for _, part in self._parts.values():
            part.close()
        self._woken.set()

    async def _wait(self, seconds: float) -> None:
        """Wait until one of several servers has something to tell."""
        self._woken.clear()
        self._waiting = True
        for place, (bus, part) in self._parts.items():
            task = self._reading.get(place)
            if task is not None and task.done():
                task.result()  # it may have ended with an error
                task = None
            if task is None:
                self._reading[place] = asyncio.get_running_loop().create_task(self._read(bus, part, seconds))
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting = False

    async def _read(self, bus: RedisEventBus, part: RedisSubscription, seconds: float) -> None:
        try:
            event = await part.next(seconds)
        finally:
            self._woken.set()
        if event is None:
            return
        if not self._waiting and event.stage in self._bus.work:
            owner = self._bus.ledger.map.owner(event.task_id)
            shard = next((keys for keys in bus.shards if keys.shard == owner), bus.shards[0])
            await bus.hand_on(event, shard)  # another server was quicker, and we are at work
        else:
            self._waiting = False
            self._heard.append(event)

    def _use(self, event: Event) -> Event:
        if event.stage in self._bus.work:
            self._bus.ledger.look_first(event.task_id)
        return event

    def _follow(self) -> None:
        """Listen where the shards are by now."""
        places = self._bus.ledger.places()
        for gone in self._parts.keys() - set(places):
            bus, part = self._parts.pop(gone)
            part.close()
            self._bus.forget(bus)
            task = self._reading.pop(gone, None)
            if task is not None:
                self._bus.remember(task)
        for place in places:
            if place not in self._parts:
                bus = self._bus.at(place)
                self._parts[place] = (bus, bus.subscribe(self._stages))


class ShardedEventBus:
    """The bus of one agent over all shards of a ledger, as they come and go.

    Parameters
    ----------
    ledger
        Says where shards are, and is told where a wake-up came from, so that a claim looks there first.
    role, agent_id
        See `autodev_lab.ledger.redis_bus.RedisEventBus`.
    """

    def __init__(self, ledger: ShardedLedger, *, role: Role | None = None, agent_id: str = "observer") -> None:
        self.ledger = ledger
        self.work = frozenset(() if role is None else stages_of(role))
        self._role = role
        self._agent_id = agent_id
        self._buses: list[RedisEventBus] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def publish(self, event: Event) -> None:
        """Tell every subscriber of the event's stage."""
        server, shards = self.ledger.places()[0]
        await RedisEventBus(server, *shards).publish(event)

    def subscribe(self, stages: Iterable[Stage]) -> ShardedSubscription:
        """Listen for tasks reaching any of `stages`."""
        return ShardedSubscription(self, tuple(dict.fromkeys(stages)))

    def at(self, place: _Place) -> RedisEventBus:
        """A bus on the shards of one server."""
        server, shards = place
        bus = RedisEventBus(server, *shards, role=self._role, agent_id=self._agent_id)
        self._buses.append(bus)
        return bus

    def forget(self, bus: RedisEventBus) -> None:
        """Listen there no more. Its groups are not left: the server may be gone, and a silent consumer harms nobody."""
        self._buses.remove(bus)

    def remember(self, task: asyncio.Task[None]) -> None:
        """Wait for the end of a task in `leave`."""
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def leave(self) -> None:
        """Take this agent out of its role's groups."""
        while self._ending:  # a cancellation may get lost in redis-py, but no read takes longer than a slice
            await asyncio.gather(*self._ending, return_exceptions=True)
        for bus in self._buses:
            await bus.leave()
