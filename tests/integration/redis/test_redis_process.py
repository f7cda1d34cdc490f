"""A redis-server that the lab started ends with whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from autodev_lab.errors import LabError
from autodev_lab.integrations.redis_process import RedisProcess

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
