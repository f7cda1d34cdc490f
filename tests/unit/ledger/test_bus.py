"""The bus wakes subscribers of a stage, forgets the oldest when full, and ends waits when closed."""

from __future__ import annotations

import pytest

from autodev_lab.kernel import AsyncioRuntime, VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus
from autodev_lab.records import Event, Stage


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_events_reach_every_subscriber_of_their_stage(make):
    runtime = make()
    bus = InMemoryEventBus(runtime)

    async def publishes():
        await runtime.sleep(0.001)
        await bus.publish(Event("t", Stage.TESTED, 0.0))

    async def main():
        one, two = bus.subscribe([Stage.TESTED, Stage.FETCHED]), bus.subscribe([Stage.TESTED])
        other = bus.subscribe([Stage.FETCHED])
        runtime.spawn(publishes(), "publishes")
        return await one.next(), await two.next(timeout=5.0), await other.next(timeout=0.002)

    first, second, third = runtime.run(main())
    assert first == second == Event("t", Stage.TESTED, 0.0)
    assert third is None


def test_a_full_queue_forgets_its_oldest_event():
    runtime = VirtualRuntime()
    bus = InMemoryEventBus(runtime, capacity=2)

    async def main():
        subscription = bus.subscribe([Stage.FETCHED])
        for name in "abc":
            await bus.publish(Event(name, Stage.FETCHED, 0.0))
        return [await subscription.next(0.0) for _ in range(3)]

    first, second, third = runtime.run(main())
    assert (first.task_id, second.task_id, third) == ("b", "c", None)


def test_closing_ends_a_wait_and_stops_delivery():
    runtime = VirtualRuntime()
    bus = InMemoryEventBus(runtime)
    seen = []

    async def listens(subscription):
        seen.append(await subscription.next())

    async def main():
        subscription = bus.subscribe([Stage.FETCHED])
        runtime.spawn(listens(subscription), "listens")
        await runtime.sleep(1.0)
        subscription.close()
        subscription.close()
        await bus.publish(Event("t", Stage.FETCHED, 0.0))
        await runtime.sleep(1.0)

    runtime.run(main())
    assert seen == [None]


def test_a_timeout_counts_from_the_call_whatever_wakes_in_between():
    runtime = VirtualRuntime()
    bus = InMemoryEventBus(runtime)
    seen = []

    async def listens(subscription):
        seen.append((await subscription.next(timeout=10.0), runtime.now()))

    async def main():
        subscription = bus.subscribe([Stage.FETCHED])
        runtime.spawn(listens(subscription), "one")
        runtime.spawn(listens(subscription), "two")
        await runtime.sleep(4.0)
        await bus.publish(Event("t", Stage.FETCHED, 4.0))
        await runtime.sleep(20.0)

    runtime.run(main())
    assert seen == [(Event("t", Stage.FETCHED, 4.0), 4.0), (None, 10.0)]


def test_a_queue_without_room_is_refused():
    with pytest.raises(ValueError, match="capacity"):
        InMemoryEventBus(VirtualRuntime(), capacity=0)
