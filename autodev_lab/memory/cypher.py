"""openCypher over a stored graph: queries that only read, answered by an index that can be thrown away and rebuilt."""

from __future__ import annotations

import csv
import importlib
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from autodev_lab.errors import LabError
from autodev_lab.memory.graph_store import GraphStore

__all__ = ["CypherIndex", "check_reads_only"]

_READING = frozenset(("MATCH", "OPTIONAL", "UNWIND", "WITH", "RETURN"))
_NOT_READING = frozenset((
    "ALTER", "ANALYZE", "ATTACH", "BEGIN", "CALL", "CHECKPOINT", "COMMENT", "COMMIT", "COPY", "CREATE", "DELETE",
    "DETACH", "DROP", "EXPORT", "FORCE", "FOREACH", "IMPORT", "INSTALL", "LOAD", "MACRO", "MERGE", "REMOVE",
    "ROLLBACK", "SET", "UNINSTALL", "UPDATE", "USE",
))  # fmt: skip
_TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?\*/|\s+)|(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`)"""
    r"""|(?P<word>[^\W\d]\w*)|(?P<parameter>\$\w+)|(?P<other>.)""",
    re.DOTALL,
)
_INTERNAL = frozenset(("_ID", "_SRC", "_DST"))
_LEFT_BEHIND_SECONDS = 24 * 3600.0
_BUFFER_BYTES = 256 * 2**20
_MEMORY = "Unable to allocate memory"
_OTHER = "Thing"


class _Result(Protocol):
    def get_column_names(self) -> list[str]: ...
    def get_all(self) -> list[list[object]]: ...
    def close(self) -> None: ...


class _Database(Protocol):
    def close(self) -> None: ...


class _Connection(Protocol):
    def execute(self, query: str, parameters: dict[str, object] | None = None) -> _Result: ...
    def set_query_timeout(self, timeout_in_ms: int) -> None: ...
    def close(self) -> None: ...


def check_reads_only(cypher: str) -> tuple[str, ...]:
    """Refuse a query that could change or write anything; returns the names of its parameters.

    Parameters
    ----------
    cypher
        One query.

    Raises
    ------
    LabError
        If it has a clause that is not for reading, or is not one query.

    Examples
    --------
    >>> check_reads_only("MATCH (m:Module {id: $module_id}) RETURN m.path AS created // CREATE")
    ('module_id',)
    >>> check_reads_only("MATCH (m) SET m.id = 'x'")
    Traceback (most recent call last):
        ...
    autodev_lab.errors.LabError: the query has SET, but queries only read; use MATCH, WHERE, WITH, UNWIND and RETURN
    """
    before, first = "", ""
    parameters: dict[str, None] = {}
    ended = False
    for token in _TOKEN.finditer(cypher):
        if token.lastgroup == "skip":
            continue
        if ended:
            raise LabError("the query has something after its semicolon; give one query at a time")
        text = token.group()
        if token.lastgroup == "parameter":
            parameters[text[1:]] = None
        elif token.lastgroup == "word" and before not in (".", ":"):  # after these it is a property or a label
            word = text.upper()
            if word in _NOT_READING:
                raise LabError(
                    f"the query has {word}, but queries only read; use MATCH, WHERE, WITH, UNWIND and RETURN"
                )
            first = first or word
        elif text == ";":
            ended = True
        first = first or text
        before = text
    if first not in _READING:
        raise LabError("a query starts with MATCH, OPTIONAL MATCH, UNWIND, WITH or RETURN; this one does not")
    return tuple(parameters)


class CypherIndex:
    """Answers openCypher queries over a `GraphStore` by ladybug (extra ``memory``).

    Node labels are the kinds of nodes, relationship types the relations; a node has the properties ``id``, ``path``,
    ``first`` and ``last``. What links meet without being a node has the label ``Thing`` and an id. The index is a file
    beside the store (in a temporary folder for a store in memory), written whole, then only read, so that any number
    of processes may ask; after a write to the store the next query makes it anew. Several paths to a node give several
    rows unless the query says ``DISTINCT``.

    Parameters
    ----------
    store
        The truth.
    always
        Label, relation and label of links that may be asked for even when there are none of them.
    timeout
        Seconds a query may take.

    Raises
    ------
    LabError
        If ladybug is not installed.
    """

    def __init__(
        self, store: GraphStore, always: Sequence[tuple[str, str, str]] = (), *, timeout: float = 60.0
    ) -> None:
        try:
            self._ladybug = importlib.import_module("ladybug")
        except ImportError as error:
            raise LabError(
                "openCypher queries need ladybug; install it: python -m pip install 'autodev-lab[memory]'"
            ) from error
        self._store = store
        self._always = tuple(always)
        self.timeout = timeout
        if store.path is None:
            self._folder = Path(tempfile.mkdtemp(prefix="autodev-graph-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        else:
            self._folder = store.path.with_name(f"{store.path.name}.cypher")
        self._generation = ""
        self._open: tuple[_Database, _Connection] | None = None

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """Rows by column name; nodes are mappings of their properties and their ``label``.

        Raises
        ------
        LabError
            If the query writes, is malformed, names a parameter that is not given, or takes too long.
        """
        wanted = check_reads_only(cypher)
        given = dict(parameters or {})
        missing = [name for name in wanted if name not in given]
        if missing:
            raise LabError(f"the query has ${missing[0]}, but no parameter of this name was given; give it a value")
        names, rows = self._execute(cypher, {name: given[name] for name in wanted})
        return tuple(dict(zip(names, (_plain(value) for value in row), strict=True)) for row in rows)

    def _execute(self, cypher: str, given: dict[str, object]) -> tuple[list[str], list[list[object]]]:
        """Columns and rows; once more on a new connection when memory ran out.

        A connection keeps a plan for every text it was ever given, and some hundreds of different ones fill its memory.
        """
        try:
            return self._once(cypher, given)
        except RuntimeError as error:
            if _MEMORY not in str(error):
                raise LabError(self._one_sentence(error)) from error
        self.close()
        try:
            return self._once(cypher, given)
        except RuntimeError as error:
            raise LabError(self._one_sentence(error)) from error

    def _once(self, cypher: str, given: dict[str, object]) -> tuple[list[str], list[list[object]]]:
        result = self._connection().execute(cypher, given)
        names, rows = result.get_column_names(), result.get_all()
        result.close()
        return names, rows

    def _one_sentence(self, error: RuntimeError) -> str:
        text = str(error).partition("\n")[0].strip().rstrip(".")
        if "Interrupted" in text:
            return f"the query took longer than {self.timeout:g} s; ask for fewer hops, or for DISTINCT ids only"
        if _MEMORY in text:
            return (
                f"the query takes more than {_BUFFER_BYTES // 2**20} MB; ask for fewer hops, or for DISTINCT ids only"
            )
        return f"the query cannot be answered ({text}); correct the query"

    def close(self) -> None:
        """Let go of the index."""
        if self._open is not None:
            database, connection = self._open
            connection.close()
            database.close()
            self._open = None

    def _connection(self) -> _Connection:
        generation = self._store.generation
        if self._open is None or generation != self._generation:
            self.close()
            path = self._folder / f"{generation}.lbug"
            if not path.exists():
                self._build(path)
            try:
                database = self._database(path, read_only=True)
            except LabError:
                if self._store.generation == generation:
                    raise
                return self._connection()  # another process wrote, and took this index away, since we looked
            connection = self._connect(database)
            connection.set_query_timeout(int(1000 * self.timeout))
            self._open, self._generation = (database, connection), generation
        return self._open[1]

    def _database(self, path: Path, *, read_only: bool) -> _Database:
        try:
            return cast(
                "_Database", self._ladybug.Database(str(path), buffer_pool_size=_BUFFER_BYTES, read_only=read_only)
            )
        except RuntimeError as error:
            raise LabError(f"the index {path} cannot be opened ({error}); delete it, it is made again") from error

    def _connect(self, database: _Database) -> _Connection:
        return cast("_Connection", self._ladybug.Connection(database, num_threads=1))

    # ------------------------------------------------------------------------------------------- building

    def _build(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as name:
            folder = Path(name)
            database = self._database(folder / "graph.lbug", read_only=False)
            connection = self._connect(database)
            self._fill(connection, folder)
            connection.close()
            database.close()
            (folder / "graph.lbug").replace(path)
        for old in path.parent.glob("*.lbug"):
            if old != path:  # a reader that has it open keeps it until it closes
                old.unlink(missing_ok=True)
        for left in path.parent.glob(".building-*"):  # by a process that was killed
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def _fill(self, connection: _Connection, folder: Path) -> None:
        labels: dict[str, str] = {}
        tables: dict[str, list[tuple[object, ...]]] = {label: [] for one in self._always for label in (one[0], one[2])}
        for node in self._store.nodes():
            labels[node.id] = node.kind
            tables.setdefault(node.kind, []).append((node.id, node.path, node.first, node.last))
        relations: dict[str, dict[tuple[str, str], list[tuple[object, ...]]]] = {}
        for source, relation, target in self._always:
            relations.setdefault(relation, {})[source, target] = []
        for link in self._store.links():
            for end in (link.source, link.target):
                if end not in labels:
                    labels[end] = _OTHER
                    tables.setdefault(_OTHER, []).append((end, "", 0, 0))
            ends = (labels[link.source], labels[link.target])
            relations.setdefault(link.relation, {}).setdefault(ends, []).append((link.source, link.target))
        for label, rows in tables.items():
            connection.execute(
                f"CREATE NODE TABLE `{label}` (id STRING PRIMARY KEY, path STRING, first INT64, last INT64)"
            )
            self._copy(connection, folder, label, rows, "")
        for relation, pairs in relations.items():
            froms = ", ".join(f"FROM `{source}` TO `{target}`" for source, target in pairs)
            connection.execute(f"CREATE REL TABLE `{relation}` ({froms})")
            for (source, target), rows in pairs.items():
                self._copy(connection, folder, relation, rows, f", from='{source}', to='{target}'")

    @staticmethod
    def _copy(connection: _Connection, folder: Path, table: str, rows: Sequence[tuple[object, ...]], more: str) -> None:
        if not rows:
            return
        path = folder / "rows.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
        connection.execute(f"COPY `{table}` FROM '{path}' (HEADER=false, PARALLEL=false{more})")


def _plain(value: object) -> object:
    """A value without the engine's own numbers."""
    if isinstance(value, dict):
        return {
            "label" if key == "_LABEL" else key.strip("_").lower() if key in ("_NODES", "_RELS") else key: _plain(inner)
            for key, inner in value.items()
            if key not in _INTERNAL
        }
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
