"""The truth of an embedded memory: items and links in one SQLite file, each change one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.memory.files import connect, told, transaction
from autodev_lab.records import Link, MemoryItem

__all__ = ["FORMAT", "Changes", "Store", "read_item"]

FORMAT = 1
"""Version of the tables below; a file of another version is not read."""

_TABLES = """
CREATE TABLE clock (last INTEGER NOT NULL);
INSERT INTO clock VALUES (-1);
CREATE TABLE items (
    id TEXT PRIMARY KEY, collection TEXT NOT NULL, sequence INTEGER NOT NULL, text TEXT NOT NULL, facts TEXT NOT NULL,
    task_id TEXT NOT NULL, agent_id TEXT NOT NULL, decision_id TEXT NOT NULL, run_id TEXT NOT NULL,
    at REAL NOT NULL, valid_from REAL NOT NULL, valid_until REAL NOT NULL, half_life REAL NOT NULL
);
CREATE UNIQUE INDEX items_by_sequence ON items (collection, sequence);
CREATE INDEX items_by_time ON items (sequence);
CREATE TABLE deletions (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE links (
    source TEXT NOT NULL, relation TEXT NOT NULL, target TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (source, relation, target)
) WITHOUT ROWID;
CREATE INDEX links_by_target ON links (target);
CREATE INDEX links_by_time ON links (sequence);
"""

_COLUMNS = tuple(field.name for field in fields(MemoryItem))
_PUT = f"INSERT OR REPLACE INTO items ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened after some moment: to be applied in the order of the fields.

    Parameters
    ----------
    last
        The moment up to which this tells.
    deleted
        Ids of items deleted; some may be back among `items`.
    items
        Items added or changed, oldest first.
    links
        Links added, oldest first.
    """

    last: int
    deleted: tuple[str, ...]
    items: tuple[MemoryItem, ...]
    links: tuple[Link, ...]


class Store:
    """One SQLite file. A change of any kind moves the clock by one; an item's sequence number is its time on it.

    Parameters
    ----------
    path
        The file; made if it does not exist and `writes`.
    writes
        Whether this process may write; the caller makes sure that it is the only one.

    Raises
    ------
    LabError
        If the file is damaged, of another format, or absent for a reader.
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path = path
        if not writes and not path.exists():
            raise self._absent()
        with told(path):
            self._connection = connect(path)
            try:
                self._prepare(writes)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, writes: bool) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found == FORMAT:
            return
        tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if found > FORMAT:
            raise LabError(f"{self._path} has format {found} and this lab reads {FORMAT}; use a newer autodev_lab")
        if not tables and not writes:  # its writer is just making it
            raise self._absent()
        if tables:
            raise LabError(
                f"{self._path} has format {found} and this lab reads {FORMAT}; "
                f"rebuild_memory({str(self._path.parent)!r}) brings it up to date"
            )
        with transaction(self._connection, writes=True):
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _absent(self) -> LabError:
        folder = self._path.parent
        return LabError(f"there is no memory in {folder}; open it for writing once, or name another directory")

    def add(self, items: Iterable[MemoryItem]) -> tuple[MemoryItem, ...]:
        """Keep new items, all or none; returns them with sequence numbers and ids."""
        with told(self._path), transaction(self._connection, writes=True):
            return tuple(self._add(item) for item in items)

    def _add(self, item: MemoryItem) -> MemoryItem:
        sequence = self._tick()
        item_id = item.id
        if item_id and self._home(item_id) is not None:
            raise LabError(f"the memory has an item {item_id!r} already; change it, or add this one under another id")
        if not item_id:
            item_id = f"{item.collection}:{sequence}"
            while self._home(item_id) is not None:  # somebody gave this name to an item of theirs
                item_id += "'"
        return self._put(replace(item, sequence=sequence, id=item_id))

    def change(self, item: MemoryItem) -> MemoryItem:
        """Keep an item in the place of the one with its id."""
        with told(self._path), transaction(self._connection, writes=True):
            self._require(item.collection, item.id)
            return self._put(replace(item, sequence=self._tick()))

    def delete(self, collection: str, item_id: str) -> None:
        """Forget an item and the links from and to it."""
        with told(self._path), transaction(self._connection, writes=True):
            self._require(collection, item_id)
            self._connection.execute("DELETE FROM items WHERE id = ?", (item_id,))
            self._connection.execute("DELETE FROM links WHERE source = ?", (item_id,))
            self._connection.execute("DELETE FROM links WHERE target = ?", (item_id,))
            self._connection.execute("INSERT INTO deletions VALUES (?, ?)", (self._tick(), item_id))

    def link(self, links: Iterable[Link]) -> None:
        """Keep links, all or none; those that exist already stay as they are."""
        with told(self._path), transaction(self._connection, writes=True):
            self._link(links)

    def restore(self, items: Iterable[MemoryItem], links: Iterable[Link], last: int) -> None:
        """Fill an empty file with what another held: items keep their numbers, and the clock goes on from `last`."""
        with told(self._path), transaction(self._connection, writes=True):
            for item in items:
                last = max(last, self._put(item).sequence)
            self._connection.execute("UPDATE clock SET last = ?", (last,))
            self._link(links)

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """Living items of a collection after a sequence number, oldest first."""
        with told(self._path):
            rows = self._items("WHERE collection = ? AND sequence > ? ORDER BY sequence", (collection, sequence))
            return tuple(rows)

    def last(self) -> int:
        """The clock: it moves with every change, whichever process makes it."""
        with told(self._path):
            return int(self._connection.execute("SELECT last FROM clock").fetchone()[0])

    def changes(self, after: int) -> Changes:
        """What happened after a moment, of one state of the file."""
        with told(self._path), transaction(self._connection, writes=False):
            run = self._connection.execute
            last = int(run("SELECT last FROM clock").fetchone()[0])
            deleted = run("SELECT id FROM deletions WHERE sequence > ? ORDER BY sequence", (after,))
            links = run(
                "SELECT source, relation, target FROM links WHERE sequence > ? "
                "ORDER BY sequence, source, relation, target",
                (after,),
            )
            return Changes(
                last,
                tuple(one for (one,) in deleted),
                tuple(self._items("WHERE sequence > ? ORDER BY sequence", (after,))),
                tuple(Link(*row) for row in links),
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _items(self, condition: str, values: tuple[str | int, ...]) -> Iterator[MemoryItem]:
        rows = self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM items {condition}", values)
        return (read_item(dict(zip(_COLUMNS, row, strict=True))) for row in rows)

    def _link(self, links: Iterable[Link]) -> None:
        sequence = self._tick()
        self._connection.executemany(
            "INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?)",
            ((link.source, link.relation, link.target, sequence) for link in links),
        )

    def _put(self, item: MemoryItem) -> MemoryItem:
        row = [getattr(item, column) for column in _COLUMNS]
        try:
            row[_COLUMNS.index("facts")] = json.dumps(dict(item.facts), ensure_ascii=False)
            self._connection.execute(_PUT, row)
        except (TypeError, ValueError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError) as why:
            raise LabError(
                f"item {item.id!r} cannot be kept ({why}); text must be valid Unicode, times numbers, and facts texts, "
                "numbers or truth values"
            ) from why
        return item

    def _home(self, item_id: str) -> str | None:
        row = self._connection.execute("SELECT collection FROM items WHERE id = ?", (item_id,)).fetchone()
        return None if row is None else str(row[0])

    def _require(self, collection: str, item_id: str) -> None:
        if self._home(item_id) != collection:
            raise LabError(f"there is no item {item_id!r} in the memory collection {collection!r}; add it first")

    def _tick(self) -> int:
        return int(self._connection.execute("UPDATE clock SET last = last + 1 RETURNING last").fetchone()[0])


def read_item(row: dict[str, object]) -> MemoryItem:
    """An item from its columns; those that an older file does not have get their defaults."""
    known = {name: value for name, value in row.items() if name in _COLUMNS}
    known["facts"] = json.loads(str(row.get("facts", "{}")))
    return MemoryItem(**known)  # type: ignore[arg-type]
