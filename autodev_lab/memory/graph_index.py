"""Links held in this process for questions that must be answered fast: what leads to a thing, and what it leads to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from autodev_lab.memory.graph_store import GraphStore

__all__ = ["GraphIndex"]


class GraphIndex:
    """A store's links as adjacency lists, one for each relation; it does not follow the store's changes.

    Parameters
    ----------
    store
        Read once, here.
    """

    def __init__(self, store: GraphStore) -> None:
        self.generation = store.generation
        self._ids, links = store.numbered()
        self._positions = {name: position for position, name in enumerate(self._ids)}
        self._incoming: dict[str, dict[int, list[int]]] = defaultdict(dict)
        for source, relation, target in links:
            self._incoming[relation].setdefault(target, []).append(source)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, name: str) -> bool:
        return name in self._positions

    def leading_to(self, name: str, relations: Iterable[str]) -> Iterator[str]:
        """Ids that links of these relations lead from to a thing."""
        position = self._positions[name]
        for relation in relations:
            if relation in self._incoming:
                for source in self._incoming[relation].get(position, ()):
                    yield self._ids[source]

    def impact(self, name: str, hops: int, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """Ids from which links lead to a thing in at most `hops` steps, with their distance, nearest first."""
        start = self._positions[name]
        lists = [
            self._incoming[one] for one in (self._incoming if relations is None else relations) if one in self._incoming
        ]
        distance = {start: 0}
        front = [start]
        for step in range(1, hops + 1):
            reached = []
            for position in front:
                for incoming in lists:
                    for source in incoming.get(position, ()):
                        if source not in distance:
                            distance[source] = step
                            reached.append(source)
            if not reached:
                break
            front = reached
        del distance[start]
        ids = self._ids
        return {ids[position]: step for position, step in distance.items()}
