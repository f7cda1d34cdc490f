"""Bring a memory's directory up to date, or save what can be read of a damaged one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.memory.collections import COLLECTIONS
from autodev_lab.memory.embedded import ITEMS, VECTORS, VERSIONS, writer_lock
from autodev_lab.memory.embedders import MiniLmEmbedder
from autodev_lab.memory.files import connect
from autodev_lab.memory.fusion import Weights
from autodev_lab.memory.keyword import TOKENIZER
from autodev_lab.memory.store import Store, read_item
from autodev_lab.memory.versions import Versions
from autodev_lab.protocols import Embedder
from autodev_lab.records import Link, MemoryItem

__all__ = ["Rebuilt", "rebuild_memory"]

_BESIDE = ("", "-wal", "-shm")
"""The files of one SQLite database."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild kept.

    Parameters
    ----------
    items, links
        How many are in the memory now.
    damaged
        Whether something could not be read; the old file is then kept beside the new one, as ``items.sqlite.broken``.
    """

    items: int
    links: int
    damaged: bool


def rebuild_memory(path: Path | str, *, embedder: Embedder | None = None, weights: Weights | None = None) -> Rebuilt:
    """Write a memory's directory anew from what can be read of its items and links.

    Ids and sequence numbers stay. Vectors are kept by their content: they are made anew only for another embedder, or
    where their file is damaged. No process may have the memory open.

    Parameters
    ----------
    path
        The memory's directory.
    embedder, weights
        What it will be searched with, as for `EmbeddedMemory`.

    Raises
    ------
    LabError
        If there is no memory, or another process writes it.
    """
    folder = Path(path).expanduser()
    if not (folder / ITEMS).exists():
        raise LabError(f"there is no memory in {folder} to rebuild; name the directory that holds {ITEMS}")
    with writer_lock(folder):
        fresh = folder / f"{ITEMS}.new"
        _remove(fresh)
        salvage = _Salvage(folder / ITEMS)
        items, links = salvage.items(), salvage.links()
        store = Store(fresh, writes=True)
        try:
            store.restore(items, links, salvage.last())
        finally:
            store.close()
        if salvage.damaged:
            _move(folder / ITEMS, folder / f"{ITEMS}.broken")
        _remove(folder / ITEMS)
        fresh.replace(folder / ITEMS)
        if not _sound(folder / VECTORS):
            _remove(folder / VECTORS)
        chosen = weights or _weights(folder / VERSIONS)
        Versions((embedder or MiniLmEmbedder()).name, TOKENIZER, chosen).write(folder / VERSIONS)
    return Rebuilt(len(items), len(links), salvage.damaged)


class _Salvage:
    """Reads a file that may be damaged: from its front until that fails, then from its back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = False

    def items(self) -> list[MemoryItem]:
        found = {}
        for row in self._rows("items", "rowid"):
            try:
                item = read_item(row)
            except (ValueError, TypeError):
                self.damaged = True
                continue
            if item.collection in COLLECTIONS and item.id:
                found[item.id] = item
        return sorted(found.values(), key=lambda item: item.sequence)

    def links(self) -> list[Link]:
        rows = self._rows("links", "source")
        found = {Link(str(row["source"]), str(row["relation"]), str(row["target"])): None for row in rows}
        return list(found)

    def last(self) -> int:
        return max((int(str(row["last"])) for row in self._rows("clock", "rowid")), default=-1)

    def _rows(self, table: str, key: str) -> Iterator[dict[str, object]]:
        for direction in ("ASC", "DESC"):
            try:
                connection = connect(self._path)
                try:
                    connection.row_factory = sqlite3.Row
                    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key} {direction}"):
                        yield dict(row)
                    return
                finally:
                    connection.close()
            except sqlite3.DatabaseError:
                self.damaged = True


def _weights(path: Path) -> Weights:
    try:
        found = Versions.read(path)
    except LabError:
        return Weights()
    return Weights() if found is None else found.weights


def _sound(path: Path) -> bool:
    if not path.exists():
        return True
    try:
        connection = connect(path)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


def _remove(path: Path) -> None:
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _move(path: Path, target: Path) -> None:
    for suffix in _BESIDE:
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.replace(target.with_name(target.name + suffix))
