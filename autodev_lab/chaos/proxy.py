"""A network that breaks: a TCP proxy in front of a server, whose connections can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

__all__ = ["Proxy"]

_CHUNK = 65_536


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.mute = False

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class Proxy:
    """Passes bytes on between clients and a server on this machine or another.

    Parameters
    ----------
    host, port
        Of the server.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None
        self._shut_until = 0.0
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._listening = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        self._listening.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, shut_seconds: float = 0.0) -> int:
        """Cut every connection, and take no new ones for so long; returns how many were cut."""
        self._shut_until = asyncio.get_running_loop().time() + shut_seconds
        links, self._links = self._links, set()
        for link in links:
            link.cut()
        return len(links)

    async def cut_answers(self, seconds: float) -> int:
        """For so long let commands through and keep answers back, then cut: what was asked is done, nobody knows."""
        links = set(self._links)
        for link in links:
            link.mute = True
        await asyncio.sleep(seconds)
        for link in links & self._links:
            link.cut()
        self._links -= links
        return len(links)

    # ------------------------------------------------------------------------------------------------ machinery

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if asyncio.get_running_loop().time() < self._shut_until:
                raise ConnectionRefusedError
            answers, server = await asyncio.open_connection(*self._target)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        link = _Link(writer, server)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(link, reader, server, asked=True))
                both.create_task(self._pass(link, answers, writer, asked=False))
        finally:
            self._links.discard(link)
            link.cut()

    async def _pass(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if asked or not link.mute:
                    writer.write(data)
                    await writer.drain()
        link.cut()  # the other way ends with it
