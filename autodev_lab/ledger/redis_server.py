"""A connection to one Redis: opened, checked, retried while it is away, and every failure told in one sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.cluster import RedisCluster

    from autodev_lab.ledger.redis_connections import Connections

__all__ = ["MINIMUM_VERSION", "RedisServer", "without_password"]

T = TypeVar("T")
_log = logging.getLogger(__name__)

MINIMUM_VERSION = (6, 2)
"""Oldest Redis the ledger was run on: its script tells the time and then writes, which needs effects replication."""

_BACKOFF_LIMIT = 1.0
_ANSWER_SECONDS = 5.0
_TELL_AFTER_SECONDS = 1.0


class _Client(Protocol):
    """What is used of redis-py's two clients."""

    async def execute_command(self, *parts: str | int | float) -> object: ...

    async def aclose(self) -> None: ...


def without_password(url: str) -> str:
    """A URL that may be shown: without the user's name and password.

    Examples
    --------
    >>> without_password("redis://lab:secret@db.example:6380/2")
    'redis://db.example:6380/2'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class RedisServer:
    """A Redis, or a Redis Cluster, reached by URL.

    Parameters
    ----------
    url
        ``redis://``, ``rediss://`` (TLS) or ``unix://`` as redis-py reads them, user and password included;
        ``redis+cluster://`` and ``rediss+cluster://`` for a cluster.
    patience
        Seconds for which a command is sent again while the server cannot be reached or is loading its data.

    Raises
    ------
    LabError
        If redis-py is not installed or the URL is none.
    """

    def __init__(self, url: str, *, patience: float = 30.0) -> None:
        try:
            from autodev_lab.ledger.redis_connections import PASSING, REFUSED, UNKNOWN_SCRIPT
        except ImportError as error:
            raise LabError(
                "the Redis ledger needs redis-py; install it with `pip install 'autodev-lab[redis]'`"
            ) from error
        self.url = url
        self.shown = without_password(url)
        self.patience = patience
        self._passing, self._refused, self._unknown_script = PASSING, REFUSED, UNKNOWN_SCRIPT
        self._client: Redis | RedisCluster | None = None
        self._connections: Connections | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connect()  # a wrong URL is told at once
        self._client = None

    async def __aenter__(self) -> RedisServer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next command opens new ones."""
        client, self._client = self._client, None
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()
        if client is not None:
            await cast(_Client, client).aclose()

    # ------------------------------------------------------------------------------------------------- commands

    async def command(self, *parts: str | int | float) -> object:
        """Send one command that may be carried out twice; sent again while the server is away.

        Raises
        ------
        LabError
            That says what is wrong with the server, when it stays wrong.
        """
        return await self.attempt(lambda client: client.execute_command(*parts))

    async def script(self, text: str, sha: str, keys: Sequence[str], arguments: Sequence[str | int | float]) -> object:
        """Run a script by its digest, or by its text where the server does not know it yet."""

        async def run(client: _Client) -> object:
            try:
                return await self._send(client, "EVALSHA", sha, len(keys), *keys, *arguments)
            except self._unknown_script:
                return await self._send(client, "EVAL", text, len(keys), *keys, *arguments)

        return await self.attempt(run)

    async def ping(self) -> None:
        """Ask whether it is there, the way a script is run."""
        await self.attempt(lambda client: self._send(client, "PING"))

    def _send(self, client: _Client, *parts: str | int | float) -> Awaitable[object]:
        """Send a command over connections of our own; a cluster's client knows to which node one goes."""
        return client.execute_command(*parts) if self._connections is None else self._connections.exchange(*parts)

    async def attempt(self, action: Callable[[_Client], Awaitable[T]]) -> T:
        """Do something with the client, again and again while the server cannot be reached, for `patience` seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        deadline = begun + self.patience
        pause = 0.01
        told = False
        while True:
            try:
                result = await action(cast(_Client, self._here()))
            except self._passing as error:
                if _is_final(error) or loop.time() + pause > deadline:
                    raise LabError(self._sentence(error)) from error
                if not told and loop.time() - begun >= _TELL_AFTER_SECONDS:
                    told = True
                    reason = " ".join(str(error).split()) or type(error).__name__
                    _log.warning("%s is away (%s); trying again for %g s", self.shown, reason, self.patience)
                await asyncio.sleep(pause)
                pause = min(_BACKOFF_LIMIT, 2.0 * pause)
            except self._refused as error:
                raise LabError(self._sentence(error)) from error
            else:
                if told:
                    _log.warning("%s is back after %.1f s", self.shown, loop.time() - begun)
                return result

    async def check(self) -> None:
        """Refuse a server that is too old.

        Raises
        ------
        LabError
            If it cannot be reached, refuses us, or is older than `MINIMUM_VERSION`.
        """
        version = await self._version()
        if tuple(int(part) for part in version.split(".")[:2]) < MINIMUM_VERSION:
            wanted = ".".join(str(part) for part in MINIMUM_VERSION)
            raise LabError(f"{self.shown} is Redis {version}; the ledger needs {wanted} or newer")

    @property
    def clustered(self) -> bool:
        """Whether it is a Redis Cluster, where one command reads the keys of one shard only."""
        return self.url.partition("://")[0].endswith("+cluster")

    def pubsub(self) -> PubSub:
        """A subscriber's connection of its own."""
        return self._here().pubsub()

    # ------------------------------------------------------------------------------------------------ machinery

    async def _version(self) -> str:
        answer = await self.command("INFO", "server")
        if isinstance(answer, dict):
            facts = answer if "redis_version" in answer else next(iter(answer.values()), {})  # a cluster: by node
            if "redis_version" in facts:
                return str(facts["redis_version"])
        raise LabError(f"{self.shown} does not say which Redis it is; give the address of a Redis server")

    def _here(self) -> Redis | RedisCluster:
        """The client of the running loop: connections do not outlive the loop that opened them."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self._connect(), loop
            self._connections = self._connections_of(self._client)
        return self._client

    def _connections_of(self, client: Redis | RedisCluster) -> Connections | None:
        from redis.asyncio import Redis

        from autodev_lab.ledger.redis_connections import Connections

        return Connections(client.connection_pool, _ANSWER_SECONDS) if isinstance(client, Redis) else None

    def _connect(self) -> Redis | RedisCluster:
        from redis.asyncio import Redis
        from redis.asyncio.cluster import RedisCluster
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        retry = Retry(NoBackoff(), 0)  # `attempt` tries again, as long as its patience lasts
        scheme, _, rest = self.url.partition("://")
        try:
            if scheme.endswith("+cluster"):
                return RedisCluster.from_url(
                    f"{scheme.removesuffix('+cluster')}://{rest}",
                    decode_responses=True,
                    protocol=2,  # one form of answers, whatever the server
                    socket_timeout=_ANSWER_SECONDS,
                    socket_connect_timeout=_ANSWER_SECONDS,
                    retry=retry,
                )
            return Redis.from_url(
                self.url,
                decode_responses=True,
                protocol=2,
                socket_timeout=_ANSWER_SECONDS,
                socket_connect_timeout=_ANSWER_SECONDS,
                retry=retry,
            )
        except ValueError as error:
            raise LabError(
                f"{self.shown!r} is no address of a Redis; give one like redis://localhost:6379/0"
            ) from error

    def _sentence(self, error: Exception) -> str:
        """One sentence that says what is wrong, and what to do."""
        text = " ".join(str(error).split()) or type(error).__name__
        if self.url != self.shown:
            for secret in filter(None, (urlsplit(self.url).password,)):
                text = text.replace(secret, "***")
        for sign, advice in _ADVICE:
            if sign in text:
                return f"{self.shown} {advice} ({text})"
        return (
            f"cannot reach Redis at {self.shown} for {self.patience:g} seconds ({text}); "
            "start it, or give the address of another"
        )


_ADVICE = (
    ("WRONGPASS", "refuses the user or password; give the right one in the address"),
    ("invalid username-password", "refuses the user or password; give the right one in the address"),
    ("NOAUTH", "asks for a password; give it in the address, as in redis://:PASSWORD@host:6379/0"),
    ("Authentication required", "asks for a password; give it in the address, as in redis://:PASSWORD@host:6379/0"),
    ("without any password configured", "has no password; leave it out of the address"),
    (
        "NOPERM",
        "does not let this user do that; allow it what docs/redis.md names",
    ),
    ("No permissions", "does not let this user do that; allow it what docs/redis.md names"),
    ("no permissions", "does not let this user do that; allow it what docs/redis.md names"),
    ("OOM", "is full; give it more memory or archive closed tasks, nothing was written"),
    ("used memory >", "is full; give it more memory or archive closed tasks, nothing was written"),
    ("MISCONF", "cannot write to its disk and so accepts no writes; free its disk or mend its configuration"),
    ("read only replica", "is a read-only replica; give the address of the primary"),
    ("READONLY", "is a read-only replica; give the address of the primary"),
    ("WRONGTYPE", "has keys of something else under our prefix; give another prefix"),
    ("unknown command", "lacks a command the ledger needs; give a Redis of version 6.2 or newer"),
    ("Error running script", "ran into an error in the ledger's script; report it"),
)


def _is_final(error: Exception) -> bool:
    """Whether waiting cannot help."""
    from redis.exceptions import AuthenticationError, AuthorizationError, MaxConnectionsError

    return isinstance(error, AuthenticationError | AuthorizationError | MaxConnectionsError)
