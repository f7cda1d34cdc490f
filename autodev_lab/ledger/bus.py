"""The in-memory event bus: wake-ups within one process, kept in a bounded queue per subscription."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from autodev_lab.protocols import Runtime
from autodev_lab.records import Event, Stage

__all__ = ["InMemoryEventBus", "InMemorySubscription"]


class InMemorySubscription:
    """One subscriber's queue; a full queue forgets its oldest event (events may be lost, the ledger is the truth)."""

    def __init__(self, bus: InMemoryEventBus, stages: tuple[Stage, ...], capacity: int) -> None:
        self._bus = bus
        self.stages = stages
        self._events: deque[Event] = deque(maxlen=capacity)
        self._signal = bus.runtime.signal()
        self._closed = False

    def deliver(self, event: Event) -> None:
        """Put an event in the queue and wake who waits."""
        self._events.append(event)
        self._signal.set()

    async def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, at most `timeout` seconds; None when the time ran out or the subscription closed.

        With a timeout of 0 it only looks, and nobody else runs in between.
        """
        if self._events:
            return self._events.popleft()
        if timeout is not None and timeout <= 0:
            return None
        now, signal = self._bus.runtime.now, self._signal
        deadline = None if timeout is None else now() + timeout
        while not self._closed:
            signal.clear()
            told = await signal.wait(None if deadline is None else max(0.0, deadline - now()))
            if self._events:
                return self._events.popleft()
            if not told:
                return None
        return None

    def close(self) -> None:
        """Stop receiving; what is queued is forgotten and who waits gets None."""
        self._closed = True
        self._events.clear()
        self._bus.drop(self)
        self._signal.set()


class InMemoryEventBus:
    """Wake-ups within one process.

    Parameters
    ----------
    runtime
        Gives the signals that subscribers wait for.
    capacity
        Events a subscription keeps before it forgets the oldest.
    """

    def __init__(self, runtime: Runtime, capacity: int = 1024) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity}")
        self.runtime = runtime
        self._capacity = capacity
        self._subscriptions: dict[Stage, list[InMemorySubscription]] = {}
        self._watchers: list[tuple[frozenset[Stage], Callable[[Event], None]]] = []

    async def publish(self, event: Event) -> None:
        """Tell every subscriber of the event's stage."""
        for subscription in self._subscriptions.get(event.stage, ()):
            subscription.deliver(event)
        for stages, told in self._watchers:
            if event.stage in stages:
                told(event)

    def watch(self, stages: Iterable[Stage], told: Callable[[Event], None]) -> None:
        """Call a function on every task that reaches one of `stages`: nobody is woken, so no schedule changes by it."""
        self._watchers.append((frozenset(stages), told))

    def subscribe(self, stages: Iterable[Stage]) -> InMemorySubscription:
        """Listen for tasks reaching any of `stages`."""
        subscription = InMemorySubscription(self, tuple(dict.fromkeys(stages)), self._capacity)
        for stage in subscription.stages:
            self._subscriptions.setdefault(stage, []).append(subscription)
        return subscription

    def drop(self, subscription: InMemorySubscription) -> None:
        """Forget a subscription; a second time does nothing."""
        for stage in subscription.stages:
            listening = self._subscriptions.get(stage, [])
            if subscription in listening:
                listening.remove(subscription)
