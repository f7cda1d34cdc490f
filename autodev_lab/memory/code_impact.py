"""Which tests a change of some definitions may be felt at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autodev_lab.errors import LabError
from autodev_lab.memory.code_facts import NodeKind
from autodev_lab.memory.code_links import DEFINES
from autodev_lab.memory.graph_index import GraphIndex
from autodev_lab.memory.graph_store import GraphStore

__all__ = ["ChangeImpact"]


class ChangeImpact:
    """Follows links back from what changed, and takes a class, or a function around it, for whatever is in it.

    A call whose receiver has an unknown type leaves no link to the method. But whoever made the receiver has one to its
    class, so a change of a method is also looked for where its class is used, at every step of the way. (The same
    thought as in the class firewall of Kung et al. 1995: all that uses or inherits from a changed class.)

    Parameters
    ----------
    store
        Kinds of nodes and what defines what are read from it, once.
    index
        Its links.
    relations
        By which a change of the target may be felt at the source.
    """

    def __init__(self, store: GraphStore, index: GraphIndex, relations: Iterable[str]) -> None:
        self._index = index
        self._relations = tuple(relations)
        self._tests = {node.id for node in store.nodes(NodeKind.TEST.value)}
        modules = {node.id for node in store.nodes(NodeKind.MODULE.value)}
        self._holders = {
            link.target: link.source
            for link in store.links(DEFINES)
            if link.source not in modules and link.target not in self._tests
        }

    def tests(self, changed: Iterable[str], hops: int) -> Mapping[str, int]:
        """Tests that may notice a change, with their distance in links, nearest first.

        Parameters
        ----------
        changed
            Ids of the definitions that are changed; a changed test notices at distance 0.
        hops
            Links to follow at most; the way from a definition to the class it is in does not count.

        Raises
        ------
        LabError
            If something is not in the graph.
        """
        distance: dict[str, int] = {}
        front: list[str] = []

        def reach(name: str, step: int) -> None:
            reached: str | None = name
            while reached is not None and reached not in distance:
                distance[reached] = step
                front.append(reached)
                reached = self._holders.get(reached)

        for name in changed:
            if name not in self._index:
                raise LabError(f"there is nothing called {name!r} in the code graph; ids are dotted names, or pytest's")
            reach(name, 0)
        for step in range(1, hops + 1):
            before, front = front, []
            for name in before:
                for source in self._index.leading_to(name, self._relations):
                    reach(source, step)
            if not front:
                break
        return {name: step for name, step in distance.items() if name in self._tests}
