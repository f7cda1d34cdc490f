"""Wake-ups over a real Redis: work wakes one agent of a role, news reach all, and losing either harms nobody."""

from __future__ import annotations

import asyncio

from autodev_lab.ledger.redis_bus import RedisEventBus
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Attempt, Event, Plan, Role, Stage, Task, TaskKind
from autodev_lab.workflow import TERMINAL_STAGES, stages_of


def task(name="t"):
    return Task(name, "p", TaskKind.LIVE, name)


def with_ledger(url, use):
    async def main():
        async with RedisServer(url, patience=20.0) as server:
            ledger = RedisLedger(server, work_length=10)
            await ledger.open()
            return await use(server, ledger)

    return asyncio.run(main())


def bus_of(server, ledger, role, name):
    return RedisEventBus(server, ledger.keys, role=role, agent_id=name)


def test_work_wakes_one_idle_agent_of_its_role(redis_server):
    async def use(server, ledger):
        buses = [bus_of(server, ledger, Role.ARCHITECT, f"architect-{number}") for number in range(3)]
        other = bus_of(server, ledger, Role.TESTER, "tester-1")
        waiting = [bus.subscribe(stages_of(Role.ARCHITECT)).next(1.5) for bus in buses]
        waiting.append(other.subscribe(stages_of(Role.TESTER)).next(1.5))
        later = asyncio.gather(*waiting)
        await asyncio.sleep(0.2)
        await ledger.submit(task())
        heard = await later
        for bus in (*buses, other):
            await bus.leave()
        return heard

    heard = with_ledger(redis_server.url, use)
    assert [(event.task_id, event.stage) for event in heard if event is not None] == [("t", Stage.FETCHED)]
    assert heard[3] is None


def test_an_agent_that_only_looks_leaves_work_to_the_idle(redis_server):
    async def use(server, ledger):
        busy, idle = (bus_of(server, ledger, Role.ARCHITECT, name) for name in ("busy", "idle"))
        first, second = busy.subscribe(stages_of(Role.ARCHITECT)), idle.subscribe(stages_of(Role.ARCHITECT))
        await ledger.submit(task())
        return await first.next(0.0), await second.next(5.0)

    looked, woken = with_ledger(redis_server.url, use)
    assert looked is None
    assert woken.task_id == "t"


def test_nobody_is_woken_for_tasks_that_were_taken_meanwhile(redis_server):
    async def use(server, ledger):
        subscription = bus_of(server, ledger, Role.ARCHITECT, "a").subscribe(stages_of(Role.ARCHITECT))
        first = await subscription.next(0.01)  # there is a group from here on
        for number in range(5):
            await ledger.submit(task(f"t{number}"))
        while await ledger.claim(Role.ARCHITECT, "b", 60.0) is not None:
            pass
        stale = await subscription.next(0.1)
        await ledger.submit(task("new"))
        return first, stale, await subscription.next(5.0)

    first, stale, new = with_ledger(redis_server.url, use)
    assert (first, stale) == (None, None)
    assert new.task_id == "new"


def test_news_reach_everybody_who_listens(redis_server):
    async def use(server, ledger):
        heard = [bus_of(server, ledger, Role.DEVELOPER, f"developer-{number}") for number in range(2)]
        news = [bus.subscribe(sorted(TERMINAL_STAGES)) for bus in heard]
        assert [await one.next(0.0) for one in news] == [None, None]  # subscribes
        await ledger.submit(task())
        claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
        await ledger.complete(claim, Stage.PLANNED, Plan("t", (), 0.0, 1))
        claim = await ledger.claim(Role.DEVELOPER, "d", 60.0)
        await ledger.complete(claim, Stage.ABANDONED, Attempt("t", None))
        got = [await one.next(5.0) for one in news]
        for one in news:
            one.close()
        for bus in heard:
            await bus.leave()
        return got, await news[0].next(1.0)

    got, closed = with_ledger(redis_server.url, use)
    assert [(event.task_id, event.stage) for event in got] == [("t", Stage.ABANDONED)] * 2
    assert closed is None


def test_wake_ups_are_kept_in_a_bounded_stream(redis_server):
    async def use(server, ledger):
        for number in range(500):
            await ledger.submit(task(f"t{number}"))
        return await server.command("XLEN", ledger.keys.work(Role.ARCHITECT))

    # trimming is by whole nodes of the stream, which hold a hundred entries
    assert with_ledger(redis_server.url, use) <= 10 + 100


def test_an_agent_goes_on_listening_when_the_server_was_emptied_and_restarted(own_redis):
    async def use(server, ledger):
        subscription = bus_of(server, ledger, Role.ARCHITECT, "a").subscribe(
            (*stages_of(Role.ARCHITECT), *sorted(TERMINAL_STAGES))
        )
        before = await subscription.next(0.2)
        own_redis.kill()
        await asyncio.get_running_loop().run_in_executor(None, own_redis.start)
        await ledger.open()
        await ledger.submit(task())
        heard = None
        while heard is None:
            heard = await subscription.next(5.0)
        subscription.close()
        return before, heard

    before, heard = with_ledger(own_redis.url, use)
    assert before is None
    assert heard.task_id == "t"


def test_an_event_of_ones_own_making_is_news(redis_server):
    async def use(server, ledger):
        listening = bus_of(server, ledger, None, "observer").subscribe([Stage.HEALTHY])
        await listening.next(0.0)
        await bus_of(server, ledger, None, "other").publish(Event("a b", Stage.HEALTHY, 1.5))
        return await listening.next(5.0)

    assert with_ledger(redis_server.url, use) == Event("a b", Stage.HEALTHY, 1.5)
