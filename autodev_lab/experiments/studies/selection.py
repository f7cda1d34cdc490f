"""Ways to choose the tests to run after a change: by the code graph, by what tests executed, by testmon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from autodev_lab.experiments.studies.changes import Numbers, ObservedChange, changed_lines
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Edit

__all__ = ["GRAPH_WAYS", "GraphSelection", "Way", "select"]


class Way(StrEnum):
    """What a choice of tests goes by."""

    ALL = "all"
    TESTMON = "testmon"
    LINE = "line"
    FUNCTION = "function"
    FILE = "file"
    MODULES = "modules"
    IMPACT = "impact"
    AFFECTED = "affected"
    COMBINED = "combined"


GRAPH_WAYS = (Way.MODULES, Way.IMPACT, Way.AFFECTED, Way.COMBINED)
"""Ways that follow links of the code graph for some hops."""


class GraphSelection:
    """Tests that a package's code graph names for a change.

    Tests that the graph does not know (made while pytest collects) are always among them: nothing is known of what they
    reach.

    Parameters
    ----------
    root
        The tree with the package and its tests.
    tests
        Node ids; the answers are places among them.
    """

    def __init__(self, root: Path, tests: Sequence[str]) -> None:
        self._graph = CodeGraph()
        self._graph.update([root])
        self._numbers: dict[str, list[int]] = {}
        for number, test in enumerate(tests):
            self._numbers.setdefault(test.partition("[")[0], []).append(number)
        nodes = tuple(self._graph.nodes())
        known = {node.id for node in nodes if node.kind == "Test"}
        self._run_at_import = {node.id for node in nodes if node.kind in ("Module", "Class")}
        self.unknown = frozenset(n for name, numbers in self._numbers.items() if name not in known for n in numbers)
        self._module = {node.path: node.id for node in nodes if node.kind == "Module"}

    def definitions(self, edits: Iterable[Edit]) -> tuple[str, ...]:
        """Ids of the definitions that the lines which edits change belong to."""
        nodes = (self._graph.node_at(path, line) for path, line in changed_lines(edits))
        return tuple(dict.fromkeys(node.id for node in nodes if node is not None))

    def impact(self, edits: Sequence[Edit], hops: int) -> frozenset[int]:
        """Tests from which links that are certain lead to what changed."""
        reached = (name for one in self.definitions(edits) for name in (one, *self._graph.impact(one, hops)))
        return self._of(reached)

    def affected(self, edits: Sequence[Edit], hops: int) -> frozenset[int]:
        """Tests that may notice the change; see `CodeGraph.affected_tests`."""
        return self._of(self._graph.affected_tests(self.definitions(edits), hops))

    def imported(self, edits: Sequence[Edit], hops: int) -> frozenset[int]:
        """Tests that may notice what changed if calls lead to it from the level of a module or a class, else none.

        Such code runs while modules are imported, and what tests execute later says nothing of who depends on it.
        """
        for name in self.definitions(edits):
            callers = (name, *self._graph.impact(name, hops, relations=("CALLS",)))
            if not self._run_at_import.isdisjoint(callers):
                return self.affected(edits, hops)
        return self.unknown

    def modules(self, edits: Iterable[Edit], hops: int) -> frozenset[int]:
        """All tests of the files that import a changed file in some steps, as a build system chooses them."""
        changed = [self._module[path] for path in {edit.path for edit in edits} if path in self._module]
        reached = {name for one in changed for name in (one, *self._graph.impact(one, hops, relations=("DEPENDS_ON",)))}
        files = {path for path, name in self._module.items() if name in reached}
        return self.unknown | {
            number for name, numbers in self._numbers.items() if name.partition("::")[0] in files for number in numbers
        }

    def _of(self, names: Iterable[str]) -> frozenset[int]:
        return self.unknown | {number for name in names for number in self._numbers.get(name, ())}


def select(way: Way, hops: int, change: ObservedChange, tests: int, graph: GraphSelection | None) -> frozenset[int]:
    """The tests to run after a change, as numbers.

    Parameters
    ----------
    way, hops
        What to go by; hops are for the ways of the graph.
    change
        The change, with what was seen of it; its failing tests are not looked at.
    tests
        How many tests there are.
    graph
        The package's, for the ways that need it.
    """
    seen: Mapping[Way, Callable[[], Iterable[int]]] = {
        Way.ALL: lambda: range(tests),
        Way.TESTMON: lambda: _asked(change.testmon),
        Way.LINE: lambda: change.line,
        Way.FUNCTION: lambda: change.function,
        Way.FILE: lambda: change.file,
    }
    if way in seen:
        return frozenset(seen[way]())
    if graph is None:
        raise ValueError(f"{way} needs a graph")
    if way is Way.MODULES:
        return graph.modules(change.edits, hops)
    if way is Way.IMPACT:
        return graph.impact(change.edits, hops)
    if way is Way.AFFECTED:
        return graph.affected(change.edits, hops)
    return frozenset(change.function) | graph.imported(change.edits, hops)


def _asked(answer: Numbers | None) -> Numbers:
    if answer is None:
        raise ValueError("testmon was not asked about this change")
    return answer
