"""Agents over several shards on real Redis servers: work is done, wake-ups arrive, and shards are added under load."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from typer.testing import CliRunner

from autodev_lab.chaos.team import task_of
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.experiments.process_shards import wanted_shards
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.ledger.sharded_bus import ShardedEventBus
from autodev_lab.records import Attempt, Event, Plan, Role, Stage
from autodev_lab.workflow import TERMINAL_STAGES, stages_of


def run(*arguments):
    ran = CliRunner().invoke(app, [*arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def closed(redis, shards):
    return sum("closed" in redis.command("HGETALL", f"autodev:{{{name}}}:counts") for name in shards)


def test_agents_work_over_two_servers_while_shards_are_added(redis_server, own_redis):
    servers = ("--redis", redis_server.url, "--redis", own_redis.url)
    changed = {}

    def add():
        while not closed(redis_server, "0") and not closed(own_redis, "1"):
            time.sleep(0.02)
        changed.update(run("shards", *servers, "--shards", "4"))

    adding = threading.Thread(target=add)
    adding.start()
    agents = ("--agents", "developer=2,tester=2", "--scripted", "--count", "12", "--lease", "5")
    found = run("up", *servers, *agents, "--until-done")
    adding.join()
    assert (found["submitted"], found["open"], found["killed"]) == (12, 0, 0)
    assert list(changed["before"]) == ["0", "1"]
    assert changed["after"] == {
        "0": redis_server.url, "1": own_redis.url, "2": redis_server.url, "3": own_redis.url
    }  # fmt: skip
    assert changed["moved"] > 0
    seen = run("status", "--redis", redis_server.url)
    assert [shard["name"] for shard in seen["shards"]] == ["0", "1", "2", "3"]
    assert sum(shard["counts"]["closed"] for shard in seen["shards"]) >= 12
    assert sum(shard["counts"]["open"] for shard in seen["shards"]) == 0
    again = CliRunner().invoke(app, ["up", "--redis", redis_server.url, "--shards", "2", "--scripted"])
    assert again.exit_code == 2
    assert "change them with `autodev-lab shards`" in again.output


def test_who_goes_by_an_old_map_misses_no_open_task(redis_server, own_redis):
    async def main():
        urls = [redis_server.url, own_redis.url]
        async with ShardedLedger(urls[0]) as old, ShardedLedger(urls[0]) as changing:
            for number in range(8):
                await old.submit(task_of(f"t{number}", 0.0, 0))
            await changing.change_shards({"1": urls[1]})  # all of them move
            return await old.open_count(), (await old.counts())["open"], (await old.state("t1")).task.id

    assert asyncio.run(main()) == (8, 8, "t1")


def over(urls, use):
    async def main():
        async with ShardedLedger(urls[0], wanted_shards(urls, 4)) as ledger:
            return await use(ledger)

    return asyncio.run(main())


def named(ledger, shard):
    """A task of a shard."""
    return next(name for number in range(1000) if ledger.map.owner(name := f"t{number}") == shard)


@pytest.mark.parametrize("servers", [1, 2])
def test_every_shard_wakes_one_idle_agent_and_it_looks_there_first(redis_server, own_redis, servers):
    async def use(ledger):
        buses = [ShardedEventBus(ledger, role=Role.ARCHITECT, agent_id=f"architect-{number}") for number in range(4)]
        subscriptions = [bus.subscribe(stages_of(Role.ARCHITECT)) for bus in buses]
        waiting = [asyncio.create_task(one.next(4.0)) for one in subscriptions]
        await asyncio.sleep(0.3)
        heard, claimed = [], []
        for shard in ("3", "0", "2"):
            name = named(ledger, shard)
            await ledger.submit(task_of(name, 0.0, 0))
            over, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            (woken,) = over
            waiting = list(left)
            heard.append((await woken).task_id == name)
            claimed.append((await ledger.claim(Role.ARCHITECT, "a", 60.0)).task.id == name)
        last = [await one for one in waiting]
        for one in subscriptions:
            one.close()
        for bus in buses:
            await bus.leave()
        return heard, claimed, last

    urls = [redis_server.url, own_redis.url][:servers]
    assert over(urls, use) == ([True] * 3, [True] * 3, [None])


def test_what_a_busy_agent_is_woken_for_is_handed_on(redis_server, own_redis):
    async def use(ledger):
        busy, idle = (ShardedEventBus(ledger, role=Role.ARCHITECT, agent_id=name) for name in ("busy", "idle"))
        subscription = busy.subscribe(stages_of(Role.ARCHITECT))
        waiting = asyncio.create_task(subscription.next(5.0))
        await asyncio.sleep(0.2)
        names = [named(ledger, shard) for shard in ("0", "1")]  # one on each server, and only `busy` listens
        await asyncio.gather(*(ledger.submit(task_of(name, 0.0, 0)) for name in names))
        first = await waiting
        listening = idle.subscribe(stages_of(Role.ARCHITECT))
        second = await listening.next(5.0)
        for one in (subscription, listening):
            one.close()
        for bus in (busy, idle):
            await bus.leave()
        return {first.task_id, second.task_id} == set(names)

    assert over([redis_server.url, own_redis.url], use)


def test_news_come_from_every_shard_also_from_one_that_is_new(redis_server, own_redis):
    async def close(ledger, name):
        await ledger.submit(task_of(name, 0.0, 0))
        claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
        await ledger.complete(claim, Stage.PLANNED, Plan(name, (), 0.0, 1))
        claim = await ledger.claim(Role.DEVELOPER, "d", 60.0)
        await ledger.complete(claim, Stage.ABANDONED, Attempt(name, None))

    async def main():
        urls = [redis_server.url, own_redis.url]
        async with ShardedLedger(redis_server.url) as ledger:
            bus = ShardedEventBus(ledger, agent_id="observer")
            news = bus.subscribe(sorted(TERMINAL_STAGES))
            await news.next(0.0)
            await close(ledger, "t0")
            before = await news.next(2.0)
            await ledger.change_shards(wanted_shards(urls, 2))
            await news.next(0.2)  # listens on both
            name = named(ledger, "1")
            await close(ledger, name)
            after = await news.next(3.0)
            await bus.publish(Event("own", Stage.HEALTHY, 1.0))
            own = await news.next(3.0)
            news.close()
            await bus.leave()
            return before.task_id, after.task_id == name, own

    assert asyncio.run(main()) == ("t0", True, Event("own", Stage.HEALTHY, 1.0))


@pytest.mark.parametrize(
    ("urls", "count", "sentence"),
    [
        ([], None, "an address of Redis is needed"),
        (["redis://a/0", "redis://x:y@a/0"], None, "names a server twice"),
        (["redis://a/0", "redis://x:y@b/0"], None, "the user and password of the first"),
        (["redis://a/0", "redis://b/0"], 1, "names 2 servers for 1 shards"),
    ],
)
def test_servers_that_make_no_shards_are_told(urls, count, sentence):
    with pytest.raises(LabError, match=sentence):
        wanted_shards(urls, count)
