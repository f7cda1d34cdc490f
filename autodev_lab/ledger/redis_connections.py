"""Commands sent over redis-py's connections, without its client in between: the way of most of an agent's commands.

redis-py's client takes a connection from its pool for each command, looks whether it is alive, counts it for metrics,
and gives the write and the read a time limit each; all that takes longer than the round trip itself. Here redis-py
connects, logs in and reads answers, connections stay ours, and one timer watches over all time limits.

The module needs redis-py; `autodev_lab.ledger.redis_server` says so where it is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

if TYPE_CHECKING:
    from redis.asyncio import Connection, ConnectionPool

try:
    import hiredis
except ImportError:
    _pack = None
else:
    _pack = cast(Callable[[tuple[str | int | float, ...]], bytes], hiredis.pack_command)

__all__ = ["PASSING", "REFUSED", "UNKNOWN_SCRIPT", "Connections"]

PASSING = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)
"""What a server may say, or fail with, that gets over it."""

REFUSED = RedisError
"""All else that it may say."""

UNKNOWN_SCRIPT = NoScriptError
"""What it says to the digest of a script that it was never sent."""


class Connections:
    """Connections to one Redis, made as they are needed; each carries one command at a time.

    Parameters
    ----------
    pool
        Makes them; it never sees them again.
    answer_seconds
        A connection whose answer takes longer is closed.
    """

    def __init__(self, pool: ConnectionPool, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._idle: list[Connection] = []
        self._asked: dict[Connection, float] = {}
        self._late: set[Connection] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def exchange(self, *parts: str | int | float) -> object:
        """Send a command and read its answer.

        Raises
        ------
        redis.exceptions.RedisError, OSError
            Whatever redis-py raises.
        """
        connection = await self._take()
        loop = asyncio.get_running_loop()
        self._asked[connection] = loop.time()
        if self._watch is None:
            self._watch = loop.call_later(self._answer_seconds, self._look)
        try:
            await connection.send_packed_command(
                connection.pack_command(*parts) if _pack is None else _pack(parts), check_health=False
            )
            return await connection.read_response()
        except ConnectionError as error:
            self._drop()  # those that wait here are as broken
            if connection in self._late:
                raise TimeoutError(f"no answer within {self._answer_seconds:g} seconds") from error
            raise
        finally:
            del self._asked[connection]
            self._late.discard(connection)
            if connection.is_connected:  # redis-py closes one that was left with its answer unread
                self._idle.append(connection)

    async def close(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._drop()
        for connection in tuple(self._asked):
            await connection.disconnect(nowait=True)
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _take(self) -> Connection:
        """A connection that nobody uses."""
        while self._idle:
            waiting = self._idle.pop()
            if waiting.is_connected:
                return waiting
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        connection.socket_timeout = None  # `_look` sees to it from here on
        return connection

    def _look(self) -> None:
        """Close the connections whose answers are late, and look again when the next one will be."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._watch = None
        for connection, since in self._asked.items():  # oldest first
            if now - since < self._answer_seconds:
                self._watch = loop.call_at(since + self._answer_seconds, self._look)
                return
            if connection not in self._late:
                self._late.add(connection)
                self._disconnect(connection)

    def _drop(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            self._disconnect(connection)

    def _disconnect(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.disconnect(nowait=True))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
