"""What lies in the cache, and removing some of it without pulling anything from under a lab that is running.

Whoever obtains a subject holds the cache's lock, shared, until its process ends; pruning takes it alone or not at all.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["Entry", "alone", "contents", "remove", "to_go", "use"]

_LOCK = ".in-use"
_RESULTS = "results.sqlite"
_held: dict[Path, int] = {}
"""Descriptors that hold a cache; the system lets go of them when this process ends."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the cache.

    Parameters
    ----------
    kind
        ``subject`` (an unpacked package), ``archive`` (as fetched), ``mining`` (what is known of a repository's
        commits), ``results`` (the results database) or ``rest`` (what a killed process left behind).
    name
        Its name in the cache.
    path
        Where it lies.
    size
        In bytes.
    used
        Seconds since the epoch of its last use: of a subject when it was last loaded, else of its last change.
    """

    kind: str
    name: str
    path: Path
    size: int
    used: float


def use(cache: Path) -> None:
    """Say that this process uses the cache, until it ends; waits while another one prunes it.

    Where there are no locks (some network file systems) nothing is said, and pruning there is at the user's risk.
    """
    if cache in _held:
        return
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(cache / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _held[cache] = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache while nobody uses it.

    Raises
    ------
    LabError
        If a running lab uses it, or it cannot be written.
    """
    try:
        handle = (cache / _LOCK).open("ab")
    except OSError as error:
        raise LabError(f"cannot write the cache {cache}: {error.strerror}; set AUTODEV_CACHE to another") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabError(f"the cache {cache} is in use by a running lab; prune it when that has ended") from error
        yield


def contents(cache: Path) -> tuple[Entry, ...]:
    """What lies in the cache, longest unused first."""
    found = []
    folders = ("subject", "subjects"), ("archive", "archives"), ("mining", "mining")
    for kind, folder in ((kind, cache / name) for kind, name in folders):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.endswith(".lock"):
                continue  # removing a lock would let two processes hold it
            mark = path / "subject.json"
            known = mark.is_file() if kind == "subject" else not path.name.startswith(".")
            used = (mark if kind == "subject" and known else path).stat().st_mtime
            found.append(Entry(kind if known else "rest", path.name, path, _size(path), used))
    results = cache / _RESULTS
    if results.is_file():
        parts = [path for path in (results, *(cache / f"{_RESULTS}-{end}" for end in ("wal", "shm"))) if path.is_file()]
        found.append(
            Entry(
                "results",
                _RESULTS,
                results,
                sum(path.stat().st_size for path in parts),
                max(path.stat().st_mtime for path in parts),
            )
        )
    return tuple(sorted(found, key=lambda entry: (entry.used, entry.kind, entry.name)))


def to_go(
    entries: Sequence[Entry], *, older_than: float | None, max_size: float | None, now: float | None = None
) -> tuple[Entry, ...]:
    """What pruning removes: remains, what was not used for long, then the longest unused until the rest fits.

    Parameters
    ----------
    older_than
        Days since the last use.
    max_size
        Gigabytes (10^9 bytes) that may stay.
    now
        Seconds since the epoch.

    Examples
    --------
    >>> entries = [Entry("archive", name, Path(name), 600_000_000, used) for name, used in (("a", 0), ("b", 9e4))]
    >>> [entry.name for entry in to_go(entries, older_than=None, max_size=1.0)]
    ['a']
    >>> [entry.name for entry in to_go(entries, older_than=1, max_size=None, now=1e5)]
    ['a']
    """
    today = time.time() if now is None else now
    going = [entry for entry in entries if entry.kind == "rest"]
    if older_than is not None:
        going += [entry for entry in entries if entry not in going and today - entry.used > older_than * 86_400]
    if max_size is not None:
        staying = [entry for entry in entries if entry not in going]
        left = sum(entry.size for entry in staying)
        for entry in sorted(staying, key=lambda entry: entry.used):
            if left <= max_size * 1e9:
                break
            going.append(entry)
            left -= entry.size
    return tuple(entry for entry in entries if entry in going)


def remove(entry: Entry) -> None:
    """Remove an entry, which is there in full or not at all whatever happens; call it while `alone`.

    Raises
    ------
    LabError
        If it cannot be removed.
    """
    try:
        if entry.kind == "results":
            # the database must not be newer than its log: let SQLite put the two together first
            with suppress(sqlite3.Error), closing(sqlite3.connect(entry.path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            entry.path.unlink()
            for end in ("wal", "shm"):
                entry.path.with_name(f"{entry.path.name}-{end}").unlink(missing_ok=True)
        elif entry.path.is_dir():
            aside = entry.path.with_name(f".going-{entry.path.name}")
            entry.path.rename(aside)
            shutil.rmtree(aside)
        else:
            entry.path.unlink()
    except OSError as error:
        raise LabError(
            f"cannot remove {entry.path}: {error.strerror or error}; the rest of the cache is whole"
        ) from error


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file() and not found.is_symlink())
