"""Several shards on a real Redis: each task in one of them, while shards come and go under load."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from autodev_lab.errors import LabError
from autodev_lab.kernel import AsyncioRuntime
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.records import Attempt, Plan, RefusalReason, Role, Stage, Task, TaskKind

PREFIXES = itertools.count()


def task(name):
    return Task(name, "p", TaskKind.LIVE, name)


def shards(url, count):
    return {str(number): url for number in range(count)}


def run(main):
    return AsyncioRuntime().run(main)


async def abandon(ledger, agent_id):
    """Work one task to its end, as far as there is one."""
    claim = await ledger.claim(Role.ARCHITECT, agent_id, 60.0)
    if claim is not None:
        assert await ledger.complete(claim, Stage.PLANNED, Plan(claim.task.id, (), 0.0, 1)) is None
    claim = await ledger.claim(Role.DEVELOPER, agent_id, 60.0)
    if claim is not None:
        assert await ledger.complete(claim, Stage.ABANDONED, Attempt(claim.task.id, None)) is None


def test_tasks_are_spread_and_found(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 3)) as ledger:
            for number in range(60):
                assert await ledger.submit(task(f"t{number}")) is None
            again = await ledger.submit(task("t7"))
            spread = [await one.open_count() for one in ledger._ledgers.values()]
            claims = [await ledger.claim(Role.ARCHITECT, "a", 60.0) for _ in range(60)]
            none = await ledger.claim(Role.ARCHITECT, "a", 60.0)
            return again, spread, claims, none, await ledger.open_count(), await ledger.state("t7")

    again, spread, claims, none, count, state = run(main())
    assert again.reason is RefusalReason.DUPLICATE_TASK
    assert min(spread) > 5 and sum(spread) == count == 60
    assert sorted(claim.task.id for claim in claims) == sorted(f"t{number}" for number in range(60))
    assert none is None
    assert state.lease.agent_id == "a"


def test_a_second_client_reads_the_map_that_is_there(redis_server):
    async def main():
        begun = ShardedLedger(redis_server.url, shards(redis_server.url, 2))
        async with begun as first, ShardedLedger(redis_server.url) as second:
            return first.map, second.map

    first, second = run(main())
    assert first == second and list(first.shards) == ["0", "1"]


def test_a_ledger_without_a_map_is_one_shard_and_grows_with_its_tasks(redis_server):
    async def main():
        async with RedisServer(redis_server.url) as server, ShardedLedger(redis_server.url) as alone:
            plain = RedisLedger(server)
            await plain.open()
            for number in range(20):
                await plain.submit(task(f"t{number}"))
            seen = alone.map, await alone.open_count()
            async with ShardedLedger(redis_server.url, {"0": "", "1": ""}) as grown:
                assert await alone.submit(task("t20")) is None, "it goes by the new map once the old one is refused"
                with pytest.raises(LabError, match="newer shard map"):
                    await plain.submit(task("t21"))
                spread = [await one.open_count() for one in grown._ledgers.values()]
                return seen, spread, alone.map == grown.map, grown.addresses()

    (first, count), spread, same, addresses = run(main())
    assert (first.version, dict(first.shards), count) == (0, {"0": ""}, 20)
    assert sum(spread) == 21 and min(spread) > 3
    assert same and set(addresses.values()) == {redis_server.url}


def test_a_shard_cannot_become_another_server(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 2)) as ledger:
            await ledger.change_shards({"0": "", "1": "redis://127.0.0.1:1/0"})

    with pytest.raises(LabError, match="cannot become another server"):
        run(main())


def test_a_limit_of_open_tasks_is_shared_out(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, {"0": "", "1": ""}, max_open=6) as ledger:
            answers = [await ledger.submit(task(f"t{number}")) for number in range(40)]
            return [answer.reason for answer in answers if answer is not None], await ledger.counts()

    refused, counts = run(main())
    assert set(refused) == {RefusalReason.FULL}
    assert counts["open"] == 6


def test_a_task_waits_for_one_of_another_shard(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 4)) as ledger:
            names = [f"t{number}" for number in range(12)]
            for name in names:
                await ledger.submit(task(name))
            for name in names:
                await ledger.submit(task(f"{name}-next"), [name])
            across = sum(ledger.map.owner(name) != ledger.map.owner(f"{name}-next") for name in names)
            unknown = await ledger.submit(task("x"), ["nobody"])
            for _ in names:
                await abandon(ledger, "a")
            await ledger.expire()
            return across, unknown, await ledger.open_count(), [await ledger.state(f"{name}-next") for name in names]

    across, unknown, count, states = run(main())
    assert across > 3, "dependencies across shards must happen here"
    assert unknown.reason is RefusalReason.UNKNOWN_DEPENDENCY
    assert count == 0
    assert {state.stage for state in states} == {Stage.ABANDONED}


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 1), (1, 4)])
def test_shards_come_and_go_under_load_and_nothing_is_lost(redis_server, before, after):
    async def work(ledger, name, ended):
        while not ended.is_set():
            await abandon(ledger, name)

    async def submit(ledger, first, count):
        for number in range(first, first + count):
            assert await ledger.submit(task(f"t{number}")) is None
            if number % 3 == 0:
                assert await ledger.submit(task(f"d{number}"), [f"t{number}"]) is None

    async def main():
        ended = asyncio.Event()
        async with (
            ShardedLedger(redis_server.url, shards(redis_server.url, before)) as ledger,
            ShardedLedger(redis_server.url, log_length=100_000) as worker,
            ShardedLedger(redis_server.url) as changing,
        ):
            await submit(ledger, 0, 120)
            workers = [asyncio.create_task(work(worker, f"a{number}", ended)) for number in range(3)]
            submitting = asyncio.create_task(submit(ledger, 120, 120))
            moved = await changing.change_shards(shards(redis_server.url, after))
            await submitting
            deadline = asyncio.get_running_loop().time() + 60.0
            while await ledger.open_count() and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
                await ledger.expire()
            ended.set()
            await asyncio.gather(*workers)
            await ledger.refresh()
            places = {name: [state.task.id for state in await one.states()] for name, one in ledger._ledgers.items()}
            return moved, ledger.map, places, await ledger.states(), await ledger.open_count()

    moved, shard_map, places, states, still_open = run(main())
    wanted = {f"t{number}" for number in range(240)} | {f"d{number}" for number in range(0, 240, 3)}
    assert sorted(state.task.id for state in states) == sorted(wanted), "each task once"
    assert still_open == 0
    assert all(state.stage is Stage.ABANDONED for state in states)
    assert all([entry.stage for entry in state.history].count(Stage.ABANDONED) == 1 for state in states)
    assert not shard_map.moving and len(shard_map.shards) == after and not shard_map.leaving
    for name, ids in places.items():
        assert all(shard_map.owner(one) == name for one in ids)
    assert 0 < moved < len(wanted)


def test_only_the_share_of_a_new_shard_moves(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 3)) as ledger:
            for number in range(300):
                await ledger.submit(task(f"t{number}"))
            old = ledger.map
            moved = await ledger.change_shards(shards(redis_server.url, 4))
            return moved, [
                f"t{number}" for number in range(300) if old.owner(f"t{number}") != ledger.map.owner(f"t{number}")
            ]

    moved, wanted = run(main())
    assert moved == len(wanted)
    assert 40 < moved < 115  # a quarter of 300, give or take four standard deviations of 7.5


def test_a_move_that_was_cut_short_is_gone_on_with(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 1)) as ledger:
            for number in range(30):
                await ledger.submit(task(f"t{number}"))
            (only,) = ledger._ledgers.values()
            await only._run("depart", "", "t3")  # killed after this
            seen = await ledger.open_count()
            hidden = await ledger.state("t3")
            await ledger.change_shards(shards(redis_server.url, 2))
            return seen, hidden, await ledger.open_count(), await ledger.state("t3"), ledger.map.owner("t3")

    seen, hidden, count, state, _ = run(main())
    assert seen == count == 30, "a task on its way counts as open"
    assert hidden is None
    assert state.stage is Stage.FETCHED


def test_who_goes_by_an_old_map_cannot_submit(redis_server):
    async def main():
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server)
            await ledger.open()
            await ledger.follow(2)
            with pytest.raises(LabError, match="newer shard map"):
                await ledger.submit(task("t"))
            ledger.map_version = 2
            return await ledger.submit(task("t"))

    assert run(main()) is None


def test_two_who_change_the_shards_are_told_apart(redis_server):
    async def main():
        async with ShardedLedger(redis_server.url, shards(redis_server.url, 2)) as ledger:
            await ledger.submit(task("t"))
            await ledger.claim(Role.ARCHITECT, "a", 5.0)  # held: the change waits for it
            other = "1" if ledger.map.owner("t") == "0" else "0"
            first = asyncio.create_task(ledger.change_shards({other: redis_server.url}))
            await asyncio.sleep(0.3)
            async with ShardedLedger(redis_server.url) as second:
                with pytest.raises(LabError, match="are being changed already"):
                    await second.change_shards(shards(redis_server.url, 3))
                while await second.expire() == 0:
                    await asyncio.sleep(0.2)
            return await first

    assert run(main()) == 1
