"""`autodev-lab release` on a real Redis: it finds the task's shard, says what it did, and makes no ledger."""

from __future__ import annotations

import asyncio
import json

from typer.testing import CliRunner

from autodev_lab.chaos.team import task_of
from autodev_lab.cli.main import app
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.processes import Presence
from autodev_lab.records import RefusalReason, Role, Stage


def told(*arguments):
    return CliRunner().invoke(app, ["release", *arguments])


def test_a_task_of_an_agent_that_died_is_released(redis_server):
    async def hold():
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server, max_tries=4)
            await ledger.open()
            await ledger.submit(task_of("t1", 0.0, 0))
            agent_id = await Presence(server).join(Role.ARCHITECT)
            return await ledger.claim(Role.ARCHITECT, agent_id, 86_400.0)

    async def go_on(dead):
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server, max_tries=4)
            taken = await ledger.claim(Role.ARCHITECT, "architect-2", 60.0)
            return taken.task.id, await ledger.complete(dead, Stage.PLANNED, None)

    at = ("--redis", redis_server.url)
    dead = asyncio.run(hold())
    wrong = told("t2", *at)
    assert (wrong.exit_code, "has no task 't2'" in wrong.output) == (2, True)
    done = told("t1", *at)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("t1 was held by architect-1, which is alive; it was released as try 1 of 4.")
    again = told("t1", *at)
    assert (again.exit_code, "nobody holds t1" in again.output) == (2, True)
    name, refused = asyncio.run(go_on(dead))
    assert (name, refused.reason) == ("t1", RefusalReason.STALE_FENCE)


def test_a_task_is_found_in_its_shard_and_no_ledger_is_made(redis_server):
    none = told("t1", "--redis", redis_server.url, "--prefix", "nobody")
    assert (none.exit_code, "holds no ledger under the prefix 'nobody'" in none.output) == (2, True)
    assert redis_server.command("DBSIZE").strip() == ":0"

    async def hold():
        async with ShardedLedger(redis_server.url, {"a": redis_server.url, "b": redis_server.url}) as ledger:
            for number in range(6):
                await ledger.submit(task_of(f"t{number}", float(number), 0))
            return [await ledger.claim(Role.ARCHITECT, "architect-1", 60.0) for _ in range(6)]

    held = asyncio.run(hold())
    for claim in held:
        done = json.loads(told(claim.task.id, "--redis", redis_server.url, "--json").stdout)
        assert (done["task_id"], done["holder"], done["stage"]) == (claim.task.id, "architect-1", "fetched")
