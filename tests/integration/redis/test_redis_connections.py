"""Commands over connections of our own: each gets its own answer, whatever happens to others."""

from __future__ import annotations

import asyncio
import signal

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from autodev_lab.ledger import redis_connections
from autodev_lab.ledger.redis_connections import Connections


def with_connections(redis, use, answer_seconds=5.0):
    async def main():
        pool = ConnectionPool.from_url(redis.url, decode_responses=True, protocol=2, socket_timeout=5.0)
        connections = Connections(pool, answer_seconds)
        try:
            return await use(connections)
        finally:
            await connections.close()
            await pool.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("packed_by", ["hiredis", "redis-py"])
def test_commands_at_a_time_get_their_own_answers(redis_server, monkeypatch, packed_by):
    if packed_by == "redis-py":
        monkeypatch.setattr(redis_connections, "_pack", None)

    async def use(connections):
        texts = [f"é\r\n{number}" for number in range(30)]
        answers = await asyncio.gather(*(connections.exchange("ECHO", text) for text in texts))
        with pytest.raises(ResponseError):
            await connections.exchange("ECHO")
        return answers == texts, await connections.exchange("ECHO", 7)

    assert with_connections(redis_server, use) == (True, "7")


def test_a_cancelled_command_leaves_no_answer_behind_for_the_next(redis_server):
    async def use(connections):
        await connections.exchange("PING")
        waiting = asyncio.create_task(connections.exchange("BLPOP", "nothing", 10))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        redis_server.command("RPUSH", "nothing", "late")
        return await connections.exchange("ECHO", "mine")

    assert with_connections(redis_server, use) == "mine"


def test_a_late_answer_is_not_waited_for(own_redis):
    async def use(connections):
        await connections.exchange("PING")
        own_redis.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError, match=r"no answer within 0\.2 seconds"):
            await connections.exchange("ECHO", "late")
        own_redis.send_signal(signal.SIGCONT)
        return await connections.exchange("ECHO", "again")

    assert with_connections(own_redis, use, answer_seconds=0.2) == "again"


def test_connections_to_a_server_that_was_restarted_are_forgotten_at_once(own_redis):
    async def use(connections):
        await asyncio.gather(*(connections.exchange("PING") for _ in range(5)))
        own_redis.kill()
        await asyncio.to_thread(own_redis.start)
        with pytest.raises((ConnectionError, OSError)):
            await connections.exchange("PING")
        return await connections.exchange("PING")

    assert with_connections(own_redis, use) == "PONG"
