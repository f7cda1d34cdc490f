"""A memory's items and links, and a graph of code beside them, as one graph that openCypher queries run over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from autodev_lab.memory.code_facts import NodeKind
from autodev_lab.memory.cypher import CypherIndex
from autodev_lab.memory.graph_store import GraphNode, GraphStore
from autodev_lab.records import Link, MemoryItem

__all__ = ["LABELS", "ItemGraph"]

LABELS: Mapping[str, str] = {"codebase": "Code", "tasks": "Report", "patterns": "Pattern", "decisions": "Decision"}
"""Labels of items by collection. A task itself, whatever items are of it, is a ``Task``."""

_TASK, _FILE, _OF, _LIES_IN = "Task", "File", "OF", "LIES_IN"

_ALWAYS = (
    *((label, _OF, _TASK) for label in LABELS.values()),
    (NodeKind.MODULE.value, _LIES_IN, _FILE),
    (NodeKind.MODULE.value, "DEPENDS_ON", NodeKind.MODULE.value),
    (NodeKind.MODULE.value, "DEFINES", NodeKind.FUNCTION.value),
    (NodeKind.FUNCTION.value, "CALLS", NodeKind.FUNCTION.value),
    (NodeKind.TEST.value, "TESTS", NodeKind.FUNCTION.value),
    (_TASK, "SUSPECTS", _FILE),
    ("Decision", "DECIDES", _TASK),
    ("Decision", "CHANGES", _FILE),
)
"""What queries may ask for when there is none of it yet."""


class ItemGraph:
    """Answers queries over what it was last filled with.

    Every node has an ``id``, and one of code a ``path``, ``first`` and ``last``; what an item says is looked up by its
    id. Beside the memory's own links an item has one ``OF`` the task it was remembered of. Of code there are the nodes
    and links of `CodeGraph`, a ``File`` for each of its paths, and a link ``LIES_IN`` from a module to its file.

    Parameters
    ----------
    code
        Of a `CodeGraph`; None for items alone.

    Raises
    ------
    LabError
        If ladybug is not installed.
    """

    def __init__(self, code: GraphStore | None = None) -> None:
        self._code = code
        self._store = GraphStore()
        self._index = CypherIndex(self._store, _ALWAYS)
        self._filled: tuple[int, str] | None = None

    def is_filled(self, state: int) -> bool:
        """Whether it holds this state of the memory, and the code graph as it is now."""
        return self._filled == (state, self._generation())

    def fill(self, state: int, items: Iterable[MemoryItem], links: Iterable[Link]) -> None:
        """Take items and links of a state of the memory in the place of what was there."""
        nodes: dict[str, GraphNode] = {}
        joined: list[Link] = list(links)
        for item in items:
            nodes[item.id] = GraphNode(item.id, LABELS[item.collection], "", 0, 0)
            if item.task_id:
                joined.append(Link(item.id, _OF, item.task_id))
        for task_id in {link.target for link in joined if link.relation == _OF}:
            nodes.setdefault(task_id, GraphNode(task_id, _TASK, "", 0, 0))
        generation = self._generation()
        if self._code is not None:
            code = list(self._code.nodes())
            nodes |= {node.path: GraphNode(node.path, _FILE, node.path, 0, 0) for node in code if node.path}
            # a function that is an item as well is a function
            nodes |= {node.id: node for node in code}
            joined += [*self._code.links(), *_modules_in_files(code)]
        with self._store.writing():
            self._store.replace("memory", nodes.values(), joined)
        self._filled = (state, generation)

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """See `CypherMemory`."""
        return self._index.query(cypher, parameters)

    def close(self) -> None:
        """Let go of the index and the store."""
        self._index.close()
        self._store.close()

    def _generation(self) -> str:
        return "" if self._code is None else self._code.generation


def _modules_in_files(code: Iterable[GraphNode]) -> Iterator[Link]:
    return (Link(node.id, _LIES_IN, node.path) for node in code if node.kind == NodeKind.MODULE.value and node.path)
