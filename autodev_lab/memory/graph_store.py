"""Nodes and links on disk: one SQLite file that survives a kill, is written by one process and read by many."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.records import Link

__all__ = ["GraphNode", "GraphStore"]

_VERSION = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS graph_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS graph_ids (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS graph_nodes (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, owner INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS graph_nodes_owner ON graph_nodes (owner);
CREATE INDEX IF NOT EXISTS graph_nodes_path ON graph_nodes (path);
CREATE TABLE IF NOT EXISTS graph_links (
    source INTEGER NOT NULL, relation TEXT NOT NULL, target INTEGER NOT NULL, owner INTEGER NOT NULL,
    PRIMARY KEY (source, relation, target)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS graph_links_target ON graph_links (target);
CREATE INDEX IF NOT EXISTS graph_links_owner ON graph_links (owner);
"""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node: its id and kind, the file it is in and its first and last line there (1-based)."""

    id: str
    kind: str
    path: str
    first: int
    last: int


class GraphStore:
    """The truth about a graph; what is faster to ask is derived from it.

    Nodes and links have an *owner*, the thing they came from (of code, its file), with which they are replaced.

    Parameters
    ----------
    path
        The SQLite file; made if it does not exist. None keeps everything in this process's memory.

    Raises
    ------
    LabError
        If the file is not a store, or was made by another version.

    Examples
    --------
    >>> store = GraphStore()
    >>> with store.writing():
    ...     store.replace("a.py", [GraphNode("a.f", "Function", "a.py", 1, 2)], [Link("a", "DEFINES", "a.f")])
    >>> store.node("a.f").kind, [link.source for link in store.links_to("a.f")]
    ('Function', ['a'])
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._numbers: dict[str, int] = {}
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=30.0)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            found = self._fact("version") if self._has_table() else None
            if found not in (None, _VERSION):
                raise LabError(
                    f"the graph in {path} was made by another version of the lab; delete it and build it anew"
                )
            if found is None:
                self.connection.executescript(_SCHEMA)
                with self.writing():
                    self._remember("version", _VERSION)
        except (sqlite3.Error, OSError) as error:
            raise LabError(f"{path} cannot be used as a graph ({error}); delete it and build the graph anew") from error

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    # -------------------------------------------------------------------------------------------- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Everything within happens at once or, after an exception or a kill, not at all."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise LabError(f"the graph in {self.path} is being written by another process; try again later") from error
        try:
            yield
            self._remember("generation", uuid.uuid4().hex)
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise LabError(
                    f"the graph in {self.path} cannot be written ({error}); delete it and build it anew"
                ) from error
            raise
        else:
            self.connection.execute("COMMIT")
        finally:
            self._numbers.clear()  # another process may give numbers from now on

    def replace(self, owner: str, nodes: Iterable[GraphNode], links: Iterable[Link]) -> None:
        """Put nodes and links in the place of those of an owner; a link that another owner has already stays its."""
        self.remove(owner)
        owned_by = self._number(owner)
        self.connection.executemany(
            "INSERT OR REPLACE INTO graph_nodes VALUES (?, ?, ?, ?, ?, ?)",
            [(self._number(node.id), node.kind, node.path, node.first, node.last, owned_by) for node in nodes],
        )
        self.connection.executemany(
            "INSERT OR IGNORE INTO graph_links VALUES (?, ?, ?, ?)",
            [(self._number(link.source), link.relation, self._number(link.target), owned_by) for link in links],
        )

    def remove(self, owner: str) -> None:
        """Forget an owner's nodes and links."""
        row = self.connection.execute("SELECT number FROM graph_ids WHERE id = ?", (owner,)).fetchone()
        if row is not None:
            self.connection.execute("DELETE FROM graph_nodes WHERE owner = ?", row)
            self.connection.execute("DELETE FROM graph_links WHERE owner = ?", row)

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            row = self.connection.execute("SELECT number FROM graph_ids WHERE id = ?", (name,)).fetchone()
            if row is None:
                row = (self.connection.execute("INSERT INTO graph_ids (id) VALUES (?)", (name,)).lastrowid,)
            self._numbers[name] = number = int(row[0])
        return number

    def _remember(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO graph_facts VALUES (?, ?)", (name, value))

    # -------------------------------------------------------------------------------------------- reading

    def _has_table(self) -> bool:
        found = self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'graph_facts'").fetchone()
        return found is not None

    def _fact(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM graph_facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def generation(self) -> str:
        """Changes with every write, whoever wrote; what is derived notes the generation it was derived from."""
        return self._fact("generation") or ""

    def node(self, node_id: str) -> GraphNode | None:
        """A node by its id, or None."""
        row = self.connection.execute(
            "SELECT id, kind, path, first, last FROM graph_ids JOIN graph_nodes USING (number) WHERE id = ?", (node_id,)
        ).fetchone()
        return None if row is None else GraphNode(*row)

    def node_at(self, path: str, line: int) -> GraphNode | None:
        """The innermost node of a file that a line belongs to, or None."""
        row = self.connection.execute(
            "SELECT id, kind, path, first, last FROM graph_nodes JOIN graph_ids USING (number)"
            " WHERE path = ? AND first <= ? AND last >= ? ORDER BY last - first, kind <> 'Class', id LIMIT 1",
            (path, line, line),
        ).fetchone()
        return None if row is None else GraphNode(*row)

    def nodes(self, kind: str | None = None) -> Iterator[GraphNode]:
        """All nodes, or those of a kind, by id."""
        condition, arguments = ("", ()) if kind is None else (" WHERE kind = ?", (kind,))
        rows = self.connection.execute(
            f"SELECT id, kind, path, first, last FROM graph_nodes JOIN graph_ids USING (number){condition} ORDER BY id",
            arguments,
        )
        return (GraphNode(*row) for row in rows)

    def links(self, relation: str | None = None) -> Iterator[Link]:
        """All links, or those of a relation, by source, relation and target."""
        return self._links("1 = 1", ()) if relation is None else self._links("relation = ?", (relation,))

    def links_from(self, node_id: str) -> tuple[Link, ...]:
        """Links from an id, by relation and target."""
        return tuple(self._links("source = (SELECT number FROM graph_ids WHERE id = ?)", (node_id,)))

    def links_to(self, node_id: str) -> tuple[Link, ...]:
        """Links to an id, by source and relation."""
        return tuple(self._links("target = (SELECT number FROM graph_ids WHERE id = ?)", (node_id,)))

    def _links(self, condition: str, arguments: tuple[str, ...]) -> Iterator[Link]:
        rows = self.connection.execute(
            "SELECT a.id, relation, b.id FROM graph_links JOIN graph_ids a ON a.number = source"
            f" JOIN graph_ids b ON b.number = target WHERE {condition} ORDER BY a.id, relation, b.id",
            arguments,
        )
        return (Link(*row) for row in rows)

    def numbered(self) -> tuple[list[str], list[tuple[int, str, int]]]:
        """Ids of everything that links meet or that is a node, and the links by positions in that list."""
        rows = self.connection.execute(
            "SELECT number, id FROM graph_ids WHERE number IN (SELECT number FROM graph_nodes)"
            " OR number IN (SELECT source FROM graph_links) OR number IN (SELECT target FROM graph_links) ORDER BY id"
        ).fetchall()
        position = {number: index for index, (number, _) in enumerate(rows)}
        links = self.connection.execute("SELECT source, relation, target FROM graph_links")
        return [name for _, name in rows], [
            (position[source], relation, position[target]) for source, relation, target in links
        ]
