"""A redis-server that the lab started ends with whoever started it, and starts again with whole steps alone."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from autodev_lab.chaos.team import task_of
from autodev_lab.errors import LabError
from autodev_lab.integrations.redis_process import RedisProcess
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Plan, Role, Stage

STARTER = """
import sys
from pathlib import Path
from autodev_lab.integrations.redis_process import RedisProcess

redis = RedisProcess(sys.argv[1], Path(sys.argv[2]))
redis.start()
print(redis.port, flush=True)
sys.stdin.read()
"""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_ends_though_its_starter_is_killed(redis_binary, tmp_path):
    command = [sys.executable, "-c", STARTER, redis_binary, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        port = int(starter.stdout.readline())
        assert listens(port)
        os.kill(starter.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20.0
    while listens(port):
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.02)


def test_it_can_be_stopped_and_started_again_and_a_wrong_option_is_told(redis_binary, tmp_path):
    with RedisProcess(redis_binary, tmp_path) as redis:
        redis.kill()
        redis.start()
        assert redis.command("PING") == "+PONG\r\n"
    assert not listens(redis.port)
    with pytest.raises(LabError, match="did not start"):
        RedisProcess(redis_binary, tmp_path, "--no-such-option", "1").start()


def test_a_step_of_which_a_kill_left_the_beginning_is_not_carried_out_by_half(redis_binary, tmp_path):
    """Redis itself would cut the file inside the step, and carry the half out at the start after the next."""

    async def main(work):
        async with RedisServer(redis.url) as server:
            ledger = RedisLedger(server, log_length=100)
            await ledger.open()
            if work == "all":
                await ledger.submit(task_of("t1", 0.0, 0))
                claim = await ledger.claim(Role.ARCHITECT, "a", 60.0)
                assert await ledger.complete(claim, Stage.PLANNED, Plan("t1", (), 0.0, 1)) is None
            elif work:
                await ledger.submit(task_of(work, 0.0, 0))
            told = await server.command("XRANGE", ledger.keys.log, "-", "+")
            return (await ledger.state("t1")).stage, [(note["command"], note["task"]) for _, note in told]

    with RedisProcess(redis_binary, tmp_path, "--appendonly", "yes", "--appendfsync", "always") as redis:
        assert asyncio.run(main("all")) == (Stage.PLANNED, [("submit", "t1"), ("claim", "t1"), ("complete", "t1")])
        redis.kill()
        (file,) = tmp_path.rglob("*.aof")
        written = file.read_bytes()
        file.write_bytes(written[: written.rindex(b'planned","a"') + 5])
        redis.start()
        before = (Stage.FETCHED, [("submit", "t1"), ("claim", "t1"), ("submit", "t2")])
        assert asyncio.run(main("t2")) == before
        redis.kill()
        redis.start()
        assert asyncio.run(main("")) == before
