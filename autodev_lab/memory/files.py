"""SQLite files of a memory: how they are opened, and what a user reads when one of them is broken or busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["connect", "told", "transaction"]

_WAIT_SECONDS = 30.0


def connect(path: Path) -> sqlite3.Connection:
    """Open a file in write-ahead mode: readers never wait, and a killed writer leaves only what was committed.

    A commit is safe from the end of the process, not from the loss of power, which may take the last commits but
    breaks nothing ("Write-Ahead Logging", SQLite documentation, §3.2).
    """
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool) -> Iterator[None]:
    """All of a block or nothing; a block that only reads sees one state."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a file into one sentence for the user."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such" in str(error):  # a table or a column that a memory has
            raise _broken(path, error) from error
        raise LabError(f"cannot use {path}: {error}; choose a writable place with room that nobody locks") from error
    except sqlite3.ProgrammingError as error:
        raise LabError(f"the memory in {path.parent} has been closed; open it again") from error
    except sqlite3.DatabaseError as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: sqlite3.Error) -> LabError:
    return LabError(f"{path} is damaged ({error}); rebuild_memory({str(path.parent)!r}) saves what can be read")
