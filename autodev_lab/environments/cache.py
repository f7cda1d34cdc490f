"""A cache on disk of what was seen, by content: one SQLite file that many processes may share.

A key is a hash of everything a result depends on, so an entry never grows stale, and a result read from the cache is
the same bytes as a fresh one. SQLite's write-ahead log keeps the file valid when a process is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeAlias

from autodev_lab.errors import LabError

__all__ = ["Json", "ResultCache", "key_of"]

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_BUSY_SECONDS = 60.0


def key_of(kind: str, *parts: Json) -> str:
    """Hash of a kind of result and all it depends on.

    Examples
    --------
    >>> key_of("test", ["a", "b"]) == key_of("test", ("a", "b")) != key_of("test", ["a"], ["b"])
    True
    """
    text = json.dumps([kind, *parts], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class ResultCache:
    """Results by key.

    Parameters
    ----------
    path
        The SQLite file; it and its directory are made when missing.

    Raises
    ------
    LabError
        If the file cannot be opened or is no SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._process = -1
        self._lock: IO[bytes] | None = None
        self._open()

    def get(self, key: str) -> Json | None:
        """What was kept under a key, or None."""
        try:
            row = self._open().execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise LabError(f"cannot read the cache {self._path}: {error}; remove the file") from error
        if row is None:
            return None
        value: Json = json.loads(row[0])
        return value

    def put(self, key: str, value: Json) -> None:
        """Keep a result; the first one kept under a key stays."""
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
        try:
            self._open().execute("INSERT OR IGNORE INTO results (key, value) VALUES (?, ?)", (key, text))
        except sqlite3.Error as error:
            raise LabError(
                f"cannot write the cache {self._path}: {error}; choose a writable place with room"
            ) from error

    def remember(self, key: str, make: Callable[[], Json]) -> Json:
        """What was kept under a key, else what `make` returns, which is kept.

        While one process makes a result, others that ask for it wait instead of making it too.
        """
        known = self.get(key)
        if known is not None:
            return known
        with self._making(key):
            known = self.get(key)
            if known is None:
                self.put(key, make())
                known = self.get(key)
        assert known is not None
        return known

    @contextlib.contextmanager
    def _making(self, key: str) -> Iterator[None]:
        """Hold the byte of a file that stands for a key; the system lets go of it when this process ends.

        Where that is not possible (some network file systems), a result may be made twice, which only takes time.
        """
        place = int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:7], "big")
        held: IO[bytes] | None = None
        # OSError: no locks or no room here, or the system sees that two processes wait for one another
        with contextlib.suppress(OSError):
            lock = self._lock_file()
            fcntl.lockf(lock, fcntl.LOCK_EX, 1, place)
            held = lock
        try:
            yield
        finally:
            if held is not None:
                fcntl.lockf(held, fcntl.LOCK_UN, 1, place)

    def _lock_file(self) -> IO[bytes]:
        self._open()
        if self._lock is None:
            self._lock = self._path.with_name(f"{self._path.name}-lock").open("ab")
        return self._lock

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> ResultCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        """This process's own connection (one must not be carried through a fork)."""
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        connection: sqlite3.Connection | None = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            raise LabError(
                f"cannot open the cache {self._path}: {error}; choose a writable place, or remove the file"
            ) from error
        self._connection, self._process = connection, os.getpid()
        return connection
