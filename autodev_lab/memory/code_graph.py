"""A graph of code: modules, classes, functions and tests, brought up to date by reading only what must be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.memory.code_facts import NodeKind
from autodev_lab.memory.code_files import find_source_files
from autodev_lab.memory.code_impact import ChangeImpact
from autodev_lab.memory.code_links import (
    CALLS,
    DEFINES,
    DEPENDS_ON,
    INHERITS,
    OVERRIDDEN_BY,
    TESTS,
    USES,
    ReferenceCounts,
)
from autodev_lab.memory.code_update import CodeReading, bring_up_to_date, prepare
from autodev_lab.memory.cypher import CypherIndex
from autodev_lab.memory.graph_index import GraphIndex
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link

__all__ = ["CodeGraph", "CodeGraphSummary", "CodeReading"]

DEPENDENCIES = (DEPENDS_ON, USES, CALLS, INHERITS, OVERRIDDEN_BY, TESTS)
"""Relations by which a change of the target may be felt at the source. DEFINES is not among them: a module would
otherwise be touched by any change in it, and then all that import it."""

_ALWAYS = (
    ("Module", DEFINES, "Class"),
    ("Module", DEFINES, "Function"),
    ("Module", DEFINES, "Test"),
    ("Module", DEPENDS_ON, "Module"),
    ("Function", USES, "Function"),
    ("Function", CALLS, "Function"),
    ("Class", INHERITS, "Class"),
    ("Function", OVERRIDDEN_BY, "Function"),
    ("Test", TESTS, "Function"),
)
"""Links that queries may ask for in any code graph."""


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
    >>> _ = (folder / "shapes.py").write_text("def area(r): return square(r)\\ndef square(x): return x * x\\n")
    >>> graph = CodeGraph()
    >>> graph.update([folder]).added
    ('shapes.py',)
    >>> dict(graph.impact("shapes.square", 1))
    {'shapes.area': 1}
    """

    def __init__(self, store: GraphStore | None = None) -> None:
        self.store = store or GraphStore()
        prepare(self.store)
        self._index: GraphIndex | None = None
        self._change_impact: tuple[str, ChangeImpact] | None = None
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
        return bring_up_to_date(self.store, find_source_files(folders))

    # --------------------------------------------------------------------------------------------- asking

    def node(self, node_id: str) -> GraphNode:
        """A node by its id."""
        found = self.store.node(node_id)
        if found is None:
            raise LabError(
                f"there is nothing called {node_id!r} in the code graph; ids are dotted names, tests' ids pytest's"
            )
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

    def affected_tests(self, changed: Iterable[str], hops: int) -> Mapping[str, int]:
        """Tests that may notice a change of these definitions, with their distance, nearest first; see `ChangeImpact`.

        It finds more than `impact`, which follows calls that are certain, and names more tests in vain.
        """
        index = self._fresh_index()
        if self._change_impact is None or self._change_impact[0] != index.generation:
            self._change_impact = (index.generation, ChangeImpact(self.store, index, DEPENDENCIES))
        return self._change_impact[1].tests(changed, hops)

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """Rows of an openCypher query that only reads; see `CypherIndex`."""
        if self._cypher is None:
            self._cypher = CypherIndex(self.store, _ALWAYS)
        return self._cypher.query(cypher, parameters)

    def summary(self) -> CodeGraphSummary:
        """Sizes, what became of references, and files that could not be parsed."""
        ask = self.store.connection.execute
        counts = ask(
            "SELECT COUNT(*), SUM(resolved), SUM(external), SUM(missing), SUM(unknown) FROM code_files"
        ).fetchone()
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
