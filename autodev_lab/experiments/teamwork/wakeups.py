"""Wake-ups in virtual time: work wakes one idle agent of a role, as on Redis; news wake all who listen, at once.

A stage that is reached leaves an entry in its role's stream. Agents read an entry only when they found no work, so that
entries outlive the work they tell of: who has nothing to do reads them one by one, and looks in vain each time. News
wake as those of the in-memory bus do; an agent on Redis looks at news once a second, and so looks in vain less often.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from autodev_lab.records import Event, Role, Stage
from autodev_lab.workflow import ROLE_OF_STAGE

if TYPE_CHECKING:
    from autodev_lab.experiments.teamwork.server import Server
    from autodev_lab.kernel.hosts import Host

__all__ = ["GroupBus", "GroupSubscription", "SeatBus"]

WORK_LENGTH = 1_000
"""Entries that a role's stream keeps, as `RedisLedger` has it."""

READ_SECONDS = 1.0
"""How long one blocking read waits, as `RedisSubscription` has it; an idle agent reads again and again."""


class GroupBus:
    """Streams of all roles, and who listens.

    Parameters
    ----------
    server
        Where the streams are; reads count as its operations and keep it busy for no time.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.messages = 0
        self._streams: dict[Role, deque[Event]] = {role: deque(maxlen=WORK_LENGTH) for role in Role}
        self._idle: dict[Role, deque[GroupSubscription]] = {role: deque() for role in Role}
        self._news: dict[Stage, list[GroupSubscription]] = {}

    async def publish(self, event: Event) -> None:
        """See `EventBus`; the ledger's own step does it, so that it is no operation."""
        for subscription in self._news.get(event.stage, ()):
            if subscription.host.alive:
                self.messages += 1
                subscription.hear(event)
        role = ROLE_OF_STAGE.get(event.stage)
        if role is None:
            return
        idle = self._idle[role]
        while idle:
            first = idle.popleft()
            if first.waits and first.host.alive:
                first.hear(event)
                return
        self._streams[role].append(event)

    def subscribe(self, stages: Iterable[Stage]) -> GroupSubscription:
        """Refuse: a subscriber needs a host and roles; see `SeatBus`."""
        raise NotImplementedError("subscribe through a SeatBus")

    def listen(self, subscription: GroupSubscription, news: Iterable[Stage]) -> None:
        """Let a subscription hear news."""
        for stage in news:
            self._news.setdefault(stage, []).append(subscription)

    def drop(self, subscription: GroupSubscription) -> None:
        """Forget a subscription."""
        for listening in self._news.values():
            if subscription in listening:
                listening.remove(subscription)

    def take(self, roles: Iterable[Role]) -> Event | None:
        """The oldest entry of the first role that has one."""
        for role in roles:
            if self._streams[role]:
                return self._streams[role].popleft()
        return None

    def wait(self, subscription: GroupSubscription) -> None:
        """Note that somebody of these roles has nothing to do."""
        for role in subscription.roles:
            self._idle[role].append(subscription)

    def count_reads(self, seconds: float) -> None:
        """Count the reads of somebody who waited so long."""
        reads = max(1, math.ceil(seconds / READ_SECONDS))
        self.server.operations += reads
        self.messages += 2 * reads


class GroupSubscription:
    """What one agent hears; see `Subscription`."""

    def __init__(self, bus: GroupBus, host: Host, roles: tuple[Role, ...], news: frozenset[Stage]) -> None:
        self.host = host
        self.roles = roles
        self.waits = False
        self._bus = bus
        self._heard: deque[Event] = deque()
        self._signal = host.signal()
        bus.listen(self, news)

    def hear(self, event: Event) -> None:
        """Take an event, and stop waiting."""
        self._heard.append(event)
        self.waits = False
        self._signal.set()

    async def next(self, timeout: float | None = None) -> Event | None:
        """See `Subscription`; with a timeout of 0 it only looks, and takes no work from the stream."""
        if self._heard:
            return self._heard.popleft()
        if timeout is not None and timeout <= 0:
            return None
        bus, host, begun = self._bus, self.host, self.host.now()
        entry = bus.take(self.roles)
        if entry is not None:
            bus.count_reads(0.0)
            await host.sleep(2.0 * bus.server.one_way)
            return entry
        self._signal.clear()
        self.waits = True
        bus.wait(self)
        await self._signal.wait(timeout)
        self.waits = False
        bus.count_reads(host.now() - begun)
        if not self._heard:
            return None
        await host.sleep(bus.server.one_way)
        return self._heard.popleft()

    def close(self) -> None:
        """Stop listening."""
        self.waits = False
        self._bus.drop(self)


class SeatBus:
    """The bus as an agent with some roles has it; see `EventBus`."""

    def __init__(self, bus: GroupBus, host: Host, roles: tuple[Role, ...]) -> None:
        self._bus = bus
        self._host = host
        self._roles = roles

    async def publish(self, event: Event) -> None:
        """See `EventBus`."""
        await self._bus.publish(event)

    def subscribe(self, stages: Iterable[Stage]) -> GroupSubscription:
        """See `EventBus`: stages on which the agent's roles act are work, others are news."""
        news = frozenset(stage for stage in stages if ROLE_OF_STAGE.get(stage) not in self._roles)
        return GroupSubscription(self._bus, self._host, self._roles, news)
