"""A graph of code: modules, classes, functions and tests, brought up to date by reading only what must be read."""

from __future__ import annotations

import gc
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.memory.code_facts import FileFacts, NodeKind
from autodev_lab.memory.code_files import SourceFile, find_source_files, is_test_file
from autodev_lab.memory.code_links import CALLS, DEPENDS_ON, INHERITS, OVERRIDDEN_BY, TESTS, USES, ReferenceCounts, links_of, tests_of
from autodev_lab.memory.code_names import ModuleTable, Names
from autodev_lab.memory.code_parsing import parse_source
from autodev_lab.memory.cypher import CypherIndex
from autodev_lab.memory.graph_index import GraphIndex
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link

__all__ = ["CodeGraph", "CodeGraphSummary", "CodeReading"]

DEPENDENCIES = (DEPENDS_ON, USES, CALLS, INHERITS, OVERRIDDEN_BY, TESTS)
"""Relations by which a change of the target may be felt at the source. DEFINES is not among them: a module would
otherwise be touched by any change in it, and then all that import it."""

_FILES_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS code_files (
    path TEXT PRIMARY KEY, digest TEXT NOT NULL, module TEXT NOT NULL UNIQUE, interface TEXT NOT NULL, body TEXT NOT NULL,
    problem TEXT NOT NULL, consulted TEXT NOT NULL DEFAULT '[]', passed TEXT NOT NULL DEFAULT '[]',
    resolved INTEGER NOT NULL DEFAULT 0, external INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class CodeReading:
    """What bringing a graph up to date did: paths added, changed and deleted, and all whose links were made anew."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    linked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeGraphSummary:
    """How big a graph is and how much of the code it understood.

    Parameters
    ----------
    files
        Files read.
    nodes, links
        How many of each kind and relation.
    references
        What became of references.
    problems
        Files that could not be parsed, with the reason.
    """

    files: int
    nodes: Mapping[str, int]
    links: Mapping[str, int]
    references: ReferenceCounts
    problems: Mapping[str, str]


class CodeGraph:
    """Modules, classes, functions and tests of some folders, and how they depend on one another.

    ======================  ===================================================================================
    DEFINES                 a module or class has this class, function or test in it
    DEPENDS_ON              a module imports a module
    USES                    names a class or function without calling it, a module's variable, a module it imports
    CALLS                   calls a function; makes an instance of a class; a test asks for a fixture
    INHERITS                a class has this base
    OVERRIDDEN_BY           a method has this one in its place in a class that inherits it; a call may reach either
    TESTS                   a test reaches this definition outside the tests, by itself, its fixtures or helpers
    ======================  ===================================================================================

    A module's id is its dotted name, that of a class or function has its own name after it, and a test's id is
    pytest's: ``tests/test_a.py::TestB::test_c``.

    Parameters
    ----------
    store
        Where the graph is kept; in this process's memory unless given.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "shapes.py").write_text("def area(r):\\n    return square(r)\\n\\ndef square(x):\\n    return x * x\\n")
    >>> graph = CodeGraph()
    >>> graph.update([folder]).added
    ('shapes.py',)
    >>> dict(graph.impact("shapes.square", 1))
    {'shapes.area': 1}
    """

    def __init__(self, store: GraphStore | None = None) -> None:
        self.store = store or GraphStore()
        self.store.connection.execute(_SCHEMA)
        self._index: GraphIndex | None = None
        self._cypher: CypherIndex | None = None

    # ------------------------------------------------------------------------------------------- updating

    def update(self, folders: Sequence[Path]) -> CodeReading:
        """Make the graph that of the Python files below the folders; only what must be is read and linked again.

        Parameters
        ----------
        folders
            Packages, repositories, or folders of packages.

        Raises
        ------
        LabError
            If a folder is missing, a file cannot be read, or another process is writing.
        """
        files = find_source_files(folders)
        with _without_collector(), self.store.writing():
            return _Update(self.store, files).run()

    # --------------------------------------------------------------------------------------------- asking

    def node(self, node_id: str) -> GraphNode:
        """A node by its id."""
        found = self.store.node(node_id)
        if found is None:
            raise LabError(f"there is nothing called {node_id!r} in the code graph; ids are dotted names, tests' ids pytest's")
        return found

    def node_at(self, path: str, line: int) -> GraphNode | None:
        """The innermost definition (or the module) that a line of a file belongs to; None for an unknown file."""
        return self.store.node_at(path, line)

    def nodes(self, kind: NodeKind | None = None) -> Iterator[GraphNode]:
        """All nodes, or those of a kind, by id."""
        return self.store.nodes(None if kind is None else kind.value)

    def links(self) -> Iterator[Link]:
        """All links, by source, relation and target."""
        return self.store.links()

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """Links from an id (or to it, if `incoming`), of one relation or of all, in a fixed order."""
        self.node(item_id)
        found = self.store.links_to(item_id) if incoming else self.store.links_from(item_id)
        return tuple(link for link in found if relation in (None, link.relation))

    def impact(self, item_id: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """Ids that a change of `item_id` may be felt at: what leads to it in at most `hops` steps, with the distance.

        By all relations but DEFINES unless `relations` names others.
        """
        index = self._fresh_index()
        if item_id not in index:
            self.node(item_id)
        return index.impact(item_id, hops, DEPENDENCIES if relations is None else relations)

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """Rows of an openCypher query that only reads; see `CypherIndex`."""
        if self._cypher is None:
            self._cypher = CypherIndex(self.store)
        return self._cypher.query(cypher, parameters)

    def summary(self) -> CodeGraphSummary:
        """Sizes, what became of references, and files that could not be parsed."""
        ask = self.store.connection.execute
        counts = ask("SELECT COUNT(*), SUM(resolved), SUM(external), SUM(missing), SUM(unknown) FROM code_files").fetchone()
        return CodeGraphSummary(
            files=counts[0],
            nodes=dict(ask("SELECT kind, COUNT(*) FROM graph_nodes GROUP BY kind ORDER BY kind")),
            links=dict(ask("SELECT relation, COUNT(*) FROM graph_links GROUP BY relation ORDER BY relation")),
            references=ReferenceCounts(*(count or 0 for count in counts[1:])),
            problems=dict(ask("SELECT path, problem FROM code_files WHERE problem <> '' ORDER BY path")),
        )

    def _fresh_index(self) -> GraphIndex:
        if self._index is None or self._index.generation != self.store.generation:
            self._index = GraphIndex(self.store)
        return self._index


class _Update:
    """One bringing up to date, within one transaction."""

    def __init__(self, store: GraphStore, files: Sequence[SourceFile]) -> None:
        self._store = store
        self._ask = store.connection.execute
        self._files = {file.path: file for file in files}
        self._table = ModuleTable(files)
        self._facts: dict[str, FileFacts] = {}
        self._names = Names(self._table, self._facts_of)

    def run(self) -> CodeReading:
        known = {
            path: (digest, module)
            for path, digest, module in self._ask("SELECT path, digest, module FROM code_files").fetchall()
        }
        deleted = sorted(known.keys() - self._files.keys())
        stirred: set[str] = set()  # names of modules that look different from outside than before
        for path in deleted:
            stirred |= _names_of(known[path][1])
            self._forget(path)
        moved = [path for path in known.keys() & self._files.keys() if known[path][1] != self._files[path].module]
        for path in moved:  # first of all, for two files may have changed names with one another
            stirred |= _names_of(known[path][1])
            self._ask("UPDATE code_files SET module = ? WHERE path = ?", (f"\n{path}", path))
        added, changed = [], []
        for path, file in self._files.items():
            data = _read(file)
            digest = hashlib.blake2b(data, digest_size=16).hexdigest()
            if path in known and known[path] == (digest, file.module):
                continue
            (changed if path in known else added).append(path)
            if self._parse(file, data, digest) or path in moved:
                stirred |= _names_of(file.module) if path in added or path in moved else {file.module}
        anew = {*added, *changed, *self._consulting(stirred)}
        linked = sorted(anew)
        for number, path in enumerate(linked, start=1):
            self._link(self._files[path])
            if number % _FILES_AT_ONCE == 0:  # paths are sorted, so what comes next asks for other things
                self._forget_answers()
        self._forget_answers()
        self._tests(anew)
        return CodeReading(tuple(added), tuple(changed), tuple(deleted), tuple(linked))

    def _forget_answers(self) -> None:
        self._names.forget()
        self._facts.clear()

    def _forget(self, path: str) -> None:
        self._store.remove(path)
        self._store.remove(_tests_owner(path))
        self._ask("DELETE FROM code_files WHERE path = ?", (path,))

    def _parse(self, file: SourceFile, data: bytes, digest: str) -> bool:
        """Keep a file's facts; tells whether other files see a difference."""
        facts = parse_source(data, is_test=is_test_file(file.path))
        interface = facts.interface()
        before = self._ask("SELECT interface FROM code_files WHERE path = ?", (file.path,)).fetchone()
        self._ask(
            "INSERT INTO code_files (path, digest, module, interface, body, problem) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, module = excluded.module,"
            " interface = excluded.interface, body = excluded.body, problem = excluded.problem",
            (file.path, digest, file.module, interface, facts.body(), facts.problem),
        )
        return before is None or before[0] != interface

    def _consulting(self, stirred: set[str]) -> list[str]:
        if not stirred:
            return []
        rows = self._ask("SELECT path, consulted FROM code_files")
        return [path for path, consulted in rows if not stirred.isdisjoint(json.loads(consulted))]

    def _facts_of(self, module: str) -> FileFacts:
        facts = self._facts.get(module)
        if facts is None:
            (interface,) = self._ask("SELECT interface FROM code_files WHERE module = ?", (module,)).fetchone()
            self._facts[module] = facts = FileFacts.from_interface(interface)
        return facts

    def _link(self, file: SourceFile) -> None:
        (body,) = self._ask("SELECT body FROM code_files WHERE path = ?", (file.path,)).fetchone()
        known = self._facts_of(file.module)
        found = links_of(file, known.with_body(body), self._names, self._table)
        self._store.replace(file.path, found.nodes, found.links)
        counts = found.counts
        self._ask(
            "UPDATE code_files SET consulted = ?, resolved = ?, external = ?, missing = ?, unknown = ? WHERE path = ?",
            (
                json.dumps(sorted(found.consulted)),
                counts.resolved,
                counts.external,
                counts.missing,
                counts.unknown,
                file.path,
            ),
        )

    def _tests(self, anew: set[str]) -> None:
        """Make the links TESTS again of each test that is, or passes through, something linked anew."""
        nodes: dict[str, GraphNode | None] = {}
        links: dict[str, tuple[Link, ...]] = {}

        def node(node_id: str) -> GraphNode | None:
            if node_id not in nodes:
                nodes[node_id] = self._store.node(node_id)
            return nodes[node_id]

        def links_from(node_id: str) -> tuple[Link, ...]:
            if node_id not in links:
                links[node_id] = self._store.links_from(node_id)
            return links[node_id]

        rows = self._ask("SELECT path, passed FROM code_files").fetchall()
        for path in sorted(path for path, passed in rows if path in anew or not anew.isdisjoint(json.loads(passed))):
            tests = self._ask(
                "SELECT id FROM graph_nodes JOIN graph_ids USING (number) WHERE path = ? AND kind = ? ORDER BY id",
                (path, NodeKind.TEST.value),
            ).fetchall()
            found: list[Link] = []
            passed: set[str] = set()
            for (test,) in tests:
                told, through = tests_of(test, node, links_from)
                found += told
                passed |= through
            if tests or is_test_file(path):
                self._store.replace(_tests_owner(path), (), found)
                self._ask("UPDATE code_files SET passed = ? WHERE path = ?", (json.dumps(sorted(passed)), path))


def _names_of(module: str) -> set[str]:
    """All names under which it shows that a module is there or not: its own, and those of the packages above it."""
    plain = module.partition("@")[0]
    parts = plain.split(".")
    return {module, *(".".join(parts[:length]) for length in range(1, len(parts) + 1))}


def _tests_owner(path: str) -> str:
    return f"{path}#tests"


def _read(file: SourceFile) -> bytes:
    try:
        return file.location.read_bytes()
    except OSError as error:
        raise LabError(f"cannot read {file.location}: {error.strerror or error}; make it readable or move it away") from error


@contextmanager
def _without_collector() -> Iterator[None]:
    """Syntax trees have no cycles, and looking for some takes longer than parsing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
