"""Bringing a stored code graph up to date: what is read again, what is linked again, and in which order."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.memory.code_facts import FileFacts, NodeKind
from autodev_lab.memory.code_files import SourceFile, is_test_file
from autodev_lab.memory.code_links import links_of, tests_of
from autodev_lab.memory.code_modules import ModuleTable
from autodev_lab.memory.code_names import Names
from autodev_lab.memory.code_parsing import parse_source
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link

__all__ = ["CodeReading", "bring_up_to_date", "prepare"]

_FILES_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS code_files (
    path TEXT PRIMARY KEY, digest TEXT NOT NULL, module TEXT NOT NULL UNIQUE,
    interface TEXT NOT NULL, body TEXT NOT NULL, problem TEXT NOT NULL,
    consulted TEXT NOT NULL DEFAULT '[]', passed TEXT NOT NULL DEFAULT '[]',
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


def prepare(store: GraphStore) -> None:
    """Make room in a store for what is known of files."""
    store.connection.execute(_SCHEMA)


def bring_up_to_date(store: GraphStore, files: Sequence[SourceFile]) -> CodeReading:
    """Make the graph in a store that of these files, all at once or not at all.

    A file is read when its content changed. It is linked again when it was read, or when a module that its links were
    found through (or looked for in vain) looks different from outside: has other names, bases, imports or results. A
    change within a function's body does not show outside.

    Parameters
    ----------
    store
        Prepared by `prepare`.
    files
        All files of the graph.

    Raises
    ------
    LabError
        If a file cannot be read, or another process is writing.
    """
    with _without_collector(), store.writing():
        return _Update(store, files).run()


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
        added: list[str] = []
        changed: list[str] = []
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
        for path in linked:  # all of them first: a link that moves from one file to another must not meet itself
            self._store.remove(path)
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
        raise LabError(
            f"cannot read {file.location}: {error.strerror or error}; make it readable or move it away"
        ) from error


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
