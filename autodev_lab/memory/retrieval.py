"""One search in any mode: ask the signals that the mode needs, fuse them, let age count, keep the best."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from autodev_lab.errors import LabError
from autodev_lab.memory.ageing import decay
from autodev_lab.memory.fusion import Weights, min_max, weighted_sum
from autodev_lab.records import MemoryHit, MemoryItem, SearchMode

__all__ = ["Signals", "retrieve"]


class Signals(Protocol):
    """What a memory knows of one query, by the positions of the items that the search may find.

    Of each signal the `count` best items are asked for, age counted, with their scores before it.
    """

    def keyword(self, count: int) -> Mapping[int, float]:
        """Items that share words with the query."""
        ...

    def vector(self, count: int) -> Mapping[int, float]:
        """Items close to the query in meaning: inner products, 0 at least."""
        ...

    def linked(self, relevance: Mapping[int, float]) -> Mapping[int, float]:
        """Relevance that reaches items from those that have some, along links."""
        ...

    def item(self, position: int) -> MemoryItem:
        """The item at a position."""
        ...


def retrieve(
    signals: Signals,
    mode: SearchMode,
    k: int,
    at: float | None,
    weights: Weights | None = None,
    more: Callable[[str, Collection[int]], Mapping[int, float]] | None = None,
) -> tuple[MemoryHit, ...]:
    """Best `k` items, best first; of equals the one at the lower position.

    A mode of one signal has that signal's scores. A fused score is at most the sum of the weights used. Without links
    the graph modes rank as the modes without it do.

    Parameters
    ----------
    at
        Time of the search, in seconds; None when age does not count.
    weights
        How signals are weighed.
    more
        Scores by one signal of items that only the other found, from a memory that can tell; else they count as lowest.

    Raises
    ------
    LabError
        If there is no such mode.
    """
    if mode not in tuple(SearchMode):
        raise LabError(f"there is no search mode {mode!r}; choose one of {', '.join(SearchMode)}")
    mode = SearchMode(mode)  # who types it in a notebook writes a plain string
    if k < 1:
        return ()
    weights = weights or Weights()
    graph = mode in (SearchMode.GRAPH, SearchMode.HYBRID_GRAPH)
    hybrid = mode in (SearchMode.HYBRID, SearchMode.HYBRID_GRAPH)
    count = max(k, weights.pool) if graph or hybrid else k
    found: dict[str, Mapping[int, float]] = {}
    if mode is not SearchMode.VECTOR:
        found["keyword"] = signals.keyword(count)
    if mode is SearchMode.VECTOR or hybrid:
        found["vector"] = signals.vector(count)
    if hybrid:
        if more is not None:
            known = set().union(*found.values())
            found = {name: {**scores, **more(name, known - scores.keys())} for name, scores in found.items()}
        scores = weighted_sum(found, {"keyword": weights.keyword, "vector": weights.vector})
    else:
        (scores,) = (min_max(one) if graph else dict(one) for one in found.values())
    if graph:
        found["graph"] = linked = signals.linked(scores)
        for position, amount in linked.items():
            scores[position] = scores.get(position, 0.0) + weights.graph * amount
    age = {position: decay(signals.item(position), at) for position in scores}
    best = heapq.nsmallest(k, scores, key=lambda position: (-scores[position] * age[position], position))
    return tuple(_hit(signals.item(position), scores[position], age[position], found, position) for position in best)


def _hit(
    item: MemoryItem, score: float, age: float, found: Mapping[str, Mapping[int, float]], position: int
) -> MemoryHit:
    why = {name: scores[position] for name, scores in found.items() if position in scores}
    if age < 1.0:
        why["decay"] = age
    return MemoryHit(item, score * age, why)
