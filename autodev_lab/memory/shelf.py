"""One collection as arrays: words, vectors, facts and times by position, and the signals of a search over them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from autodev_lab.memory.item_vectors import item_vectors
from autodev_lab.memory.keyword import KeywordIndex
from autodev_lab.memory.vectors import VectorCache, VectorIndex
from autodev_lab.records import MemoryItem

__all__ = ["Query", "Shelf"]

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Scores = np.ndarray[tuple[int], np.dtype[np.floating]]


class Shelf:
    """Items by position, in the order they came; what was changed or deleted leaves a hole.

    Words are counted at the first search that needs words, vectors made at the first that needs vectors.
    """

    def __init__(self) -> None:
        self.items: list[MemoryItem | None] = []
        self.keyword = KeywordIndex()
        self.vectors = VectorIndex()
        self._times = {name: array("d") for name in ("at", "valid_from", "valid_until", "half_life")}
        self._living = bytearray()
        self._facts: dict[str, _FactIndex] = {}
        self._ages = False

    def append(self, item: MemoryItem) -> int:
        """Put an item at the next position; returns it."""
        self.items.append(item)
        self._living.append(1)
        for name, times in self._times.items():
            times.append(getattr(item, name))
        self._ages = self._ages or item.half_life < math.inf
        return len(self.items) - 1

    def remove(self, position: int) -> None:
        """Leave a hole at a position."""
        item = self.items[position]
        assert item is not None, "an item is removed once"
        if position < len(self.keyword):
            self.keyword.remove(item)
        self.items[position] = None
        self._living[position] = 0

    def count_words(self) -> KeywordIndex:
        """The words of all items, brought up to date."""
        for position in range(len(self.keyword), len(self.items)):
            self.keyword.append(self.items[position])
        return self.keyword

    def make_vectors(self, cache: VectorCache, head_weight: float) -> VectorIndex:
        """The vectors of all items, brought up to date."""
        new = self.items[len(self.vectors) :]
        if new:
            self.vectors.extend(item_vectors(new, cache.of, head_weight))
        return self.vectors

    def allowed(self, filters: Mapping[str, str], at: float | None) -> Mask:
        """Which positions a search may find."""
        mask: Mask = np.frombuffer(self._living, np.bool_).copy()
        if at is not None:
            mask &= self._time("valid_from") <= at
            mask &= at < self._time("valid_until")
        for key, value in filters.items():
            mask &= self._facts.setdefault(key, _FactIndex(key)).mask(self.items, value)
        return mask

    def decay(self, at: float | None) -> Scores | None:
        """What age takes from each position's score, as a factor; None when it takes nothing."""
        if at is None or not self._ages:
            return None
        return np.asarray(0.5 ** (np.maximum(0.0, at - self._time("at")) / self._time("half_life")))

    def _time(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.frombuffer(self._times[name], np.float64)


@dataclass(slots=True)
class _FactIndex:
    """Positions by the value of one fact; a key is indexed when it is first filtered by."""

    key: str
    seen: int = 0
    positions: dict[str, array[int]] = field(default_factory=dict)

    def mask(self, items: list[MemoryItem | None], value: str) -> Mask:
        for position in range(self.seen, len(items)):
            item = items[position]
            if item is not None and self.key in item.facts:
                self.positions.setdefault(str(item.facts[self.key]), array("I")).append(position)
        self.seen = len(items)
        mask: Mask = np.zeros(len(items), np.bool_)
        if value in self.positions:
            mask[np.frombuffer(self.positions[value], np.uint32)] = True
        return mask


class Query:
    """One query on one shelf; see `retrieval.Signals`.

    Parameters
    ----------
    shelf, text
        Where is searched, for what.
    filters, at
        Which facts an item must have, and the time of the search.
    vectors, query_vector
        Bring the shelf's vectors up to date, and make the query's.
    linked
        Relevance that reaches ids from ids, along links.
    place
        The position on this shelf of an id; None when it is elsewhere.
    """

    def __init__(
        self,
        shelf: Shelf,
        text: str,
        filters: Mapping[str, str],
        at: float | None,
        *,
        vectors: Callable[[Shelf], VectorIndex],
        query_vector: Callable[[str], np.ndarray[tuple[int], np.dtype[np.float32]]],
        spread: Callable[[Mapping[str, float]], Mapping[str, float]],
        place: Callable[[str], int | None],
    ) -> None:
        self._shelf = shelf
        self._text = text
        self._allowed = shelf.allowed(filters, at)
        self._age = shelf.decay(at)
        self._vectors = vectors
        self._query_vector = query_vector
        self._spread = spread
        self._place = place
        self._scores: dict[str, Scores] = {}

    def item(self, position: int) -> MemoryItem:
        """See `Signals`."""
        item = self._shelf.items[position]
        assert item is not None, "only living items are found"
        return item

    def _of(self, signal: str) -> Scores:
        """Scores of all positions by one signal, made when they are first asked for."""
        if signal not in self._scores:
            if signal == "keyword":
                self._scores[signal] = self._shelf.count_words().scores(self._text)
            else:
                self._scores[signal] = self._vectors(self._shelf).scores(self._query_vector(self._text))
        return self._scores[signal]

    def keyword(self, count: int) -> Mapping[int, float]:
        """See `Signals`."""
        scores = self._of("keyword")
        return self._best(scores, self._allowed & (scores > 0.0), count)

    def vector(self, count: int) -> Mapping[int, float]:
        """See `Signals`."""
        return self._best(self._of("vector"), self._allowed, count)

    def more(self, signal: str, positions: Collection[int]) -> Mapping[int, float]:
        """See `retrieve`."""
        scores = self._of(signal)
        return {position: float(scores[position]) for position in positions}

    def linked(self, relevance: Mapping[int, float]) -> Mapping[int, float]:
        """See `Signals`."""
        reached = self._spread({self.item(position).id: score for position, score in relevance.items()})
        places = ((self._place(end), amount) for end, amount in reached.items())
        return {position: amount for position, amount in places if position is not None and self._allowed[position]}

    def _best(self, scores: Scores, allowed: Mask, count: int) -> dict[int, float]:
        """The best positions; of equals, the first."""
        positions = np.flatnonzero(allowed)
        aged = scores[positions] if self._age is None else scores[positions] * self._age[positions]
        if len(positions) > count:
            least = np.partition(aged, len(aged) - count)[len(aged) - count]
            above = np.flatnonzero(aged > least)
            kept = np.concatenate([above, np.flatnonzero(aged == least)[: count - len(above)]])
            positions, aged = positions[kept], aged[kept]
        order = np.lexsort((positions, -aged))
        return {position: float(scores[position]) for position in positions[order].tolist()}
