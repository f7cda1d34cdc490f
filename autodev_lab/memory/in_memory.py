"""A memory held in this process: the twin that embedded and remote memories are compared with."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.memory.ageing import decay, matches
from autodev_lab.memory.collections import COLLECTIONS, collection_named
from autodev_lab.memory.fusion import Weights
from autodev_lab.memory.hashed_embedder import HashedEmbedder
from autodev_lab.memory.item_vectors import item_vectors, query_vector
from autodev_lab.memory.links import Links
from autodev_lab.memory.retrieval import retrieve
from autodev_lab.memory.words import name_of, tokenize
from autodev_lab.protocols import Embedder
from autodev_lab.records import Link, MemoryHit, MemoryItem, SearchMode

__all__ = ["InMemoryMemory"]

_ALWAYS_SCORED = 100
_NAME_WEIGHT = 3


@dataclass(slots=True)
class _Collection:
    # A sequence number is a position here; what was changed or deleted leaves a hole.
    items: list[MemoryItem | None] = field(default_factory=list)
    holes: int = 0
    postings: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    lengths: list[int] = field(default_factory=list)
    indexed: int = 0
    total_length: int = 0
    vectors: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = field(default_factory=list)


class InMemoryMemory:
    """Collections of items, their links, and search in every mode.

    Words are scored by Okapi BM25 with k1 = 1.2 and b = .75 (Robertson and Zaragoza 2009, "The probabilistic relevance
    framework: BM25 and beyond", §3.5). Adding only appends: what an agent believes is a fold over the items, so two
    agents with the same memory believe the same. Indexing waits for the first search, embedding for the first that
    needs vectors.

    Parameters
    ----------
    embedder
        Makes the vectors; by default one without weights, which knows spellings and no meaning.
    weights
        How the signals of a search are weighed.

    Examples
    --------
    >>> memory = InMemoryMemory()
    >>> item = memory.add(MemoryItem("tasks", "parse_date fails on empty text", {}))
    >>> [hit.item.text for hit in memory.search("parse empty date", collection="tasks")]
    ['parse_date fails on empty text']
    """

    def __init__(self, embedder: Embedder | None = None, *, weights: Weights | None = None) -> None:
        self._collections = {name: _Collection() for name in COLLECTIONS}
        self._places: dict[str, tuple[str, int]] = {}
        self._links = Links()
        self._embedder = embedder or HashedEmbedder()
        self._weights = weights or Weights()

    def _collection(self, name: str) -> _Collection:
        return collection_named(name, self._collections)

    def add(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`; sequence numbers count from 0 within the collection."""
        collection = self._collection(item.collection)
        if item.id in self._places:
            raise LabError(f"the memory has an item {item.id!r} already; change it, or add this one under another id")
        return self._append(collection, item, item.id or self._free_id(item.collection, len(collection.items)))

    def _append(self, collection: _Collection, item: MemoryItem, item_id: str) -> MemoryItem:
        sequence = len(collection.items)
        stored = replace(item, sequence=sequence, id=item_id)
        collection.items.append(stored)
        self._places[item_id] = (item.collection, sequence)
        return stored

    def _free_id(self, collection: str, sequence: int) -> str:
        chosen = f"{collection}:{sequence}"
        while chosen in self._places:  # somebody gave this name to an item of theirs
            chosen += "'"
        return chosen

    def change(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`."""
        collection = self._collection(item.collection)
        self._dig(item.collection, item.id)
        return self._append(collection, item, item.id)

    def delete(self, collection: str, item_id: str) -> None:
        """See `Memory`."""
        self._dig(collection, item_id)
        del self._places[item_id]
        self._links.forget(item_id)

    def _dig(self, name: str, item_id: str) -> None:
        """Take an item out of its collection; a hole stays."""
        collection = self._collection(name)
        held_by, position = self._places.get(item_id, ("", -1))
        item = collection.items[position] if held_by == name else None
        if item is None:
            raise LabError(f"there is no item {item_id!r} in the memory collection {name!r}; add it first")
        collection.items[position] = None
        collection.holes += 1
        if position < collection.indexed:
            words = _weighted_words(item)
            collection.total_length -= len(words)
            for word in dict.fromkeys(words):
                posting = collection.postings[word]
                del posting[position]
                if not posting:
                    del collection.postings[word]

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """Living items with a sequence number greater than `sequence` (-1 for all), oldest first."""
        return tuple(item for item in self._collection(collection).items[max(0, sequence + 1) :] if item is not None)

    def link(self, links: Iterable[Link]) -> None:
        """See `LinkedMemory`."""
        self._links.add(links)

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """See `LinkedMemory`."""
        return self._links.neighbours(item_id, relation=relation, incoming=incoming)

    def impact(self, item_id: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """See `LinkedMemory`."""
        return self._links.impact(item_id, hops, relations=relations)

    def search(
        self,
        query: str,
        *,
        collection: str,
        mode: SearchMode = SearchMode.KEYWORD,
        k: int = 10,
        filters: Mapping[str, str] | None = None,
        at: float | None = None,
    ) -> tuple[MemoryHit, ...]:
        """See `Memory`; of equal items the one added first comes first."""
        stored = self._collection(collection)
        if not query.strip():
            return ()
        return retrieve(_Search(self, collection, stored, query, filters or {}, at), mode, k, at, self._weights)


@dataclass(frozen=True, slots=True)
class _Search:
    """The signals of one search; see `retrieval.Signals`."""

    memory: InMemoryMemory
    name: str
    stored: _Collection
    query: str
    filters: Mapping[str, str]
    at: float | None

    def item(self, position: int) -> MemoryItem:
        item = self.stored.items[position]
        assert item is not None, "only living items are found"
        return item

    def _may_find(self, position: int) -> bool:
        item = self.stored.items[position]
        if item is None:
            return False
        # most searches ask for nothing here, and this is asked of every item that shares a word
        return not (self.filters or self.at is not None) or matches(item, self.filters, self.at)

    def _best(self, count: int, scores: Mapping[int, float]) -> dict[int, float]:
        allowed = (position for position in scores if self._may_find(position))
        if self.at is None:
            ranked = ((-scores[position], position) for position in allowed)
        else:
            ranked = ((-scores[position] * decay(self.item(position), self.at), position) for position in allowed)
        return {position: scores[position] for _, position in heapq.nsmallest(count, ranked)}

    def keyword(self, count: int) -> dict[int, float]:
        stored = self.stored
        _index(stored)
        living = len(stored.items) - stored.holes
        if not living:
            return {}
        mean_length = stored.total_length / living or 1.0
        scores: dict[int, float] = defaultdict(float)
        for posting in _telling(
            [stored.postings.get(word, {}) for word in dict.fromkeys(tokenize(self.query))], living
        ):
            rarity = math.log(1.0 + (living - len(posting) + 0.5) / (len(posting) + 0.5))
            for position, frequency in posting.items():
                norm = 1.2 * (0.25 + 0.75 * stored.lengths[position] / mean_length)
                scores[position] += rarity * frequency * 2.2 / (frequency + norm)
        return self._best(count, scores)

    def vector(self, count: int) -> dict[int, float]:
        embedder = self.memory._embedder
        new = self.stored.items[len(self.stored.vectors) :]
        self.stored.vectors.extend(item_vectors(new, embedder.embed, self.memory._weights.head))
        if not self.stored.vectors:
            return {}
        closeness = np.stack(self.stored.vectors) @ query_vector(
            self.query, embedder.embed, self.memory._weights.content
        )
        return self._best(count, dict(enumerate(np.maximum(closeness, 0.0).tolist())))

    def linked(self, relevance: Mapping[int, float]) -> dict[int, float]:
        reached = self.memory._links.spread({self.item(position).id: score for position, score in relevance.items()})
        places = ((self.memory._places.get(end, ("", -1)), amount) for end, amount in reached.items())
        return {
            position: amount for (name, position), amount in places if name == self.name and self._may_find(position)
        }


def _weighted_words(item: MemoryItem) -> tuple[str, ...]:
    return tokenize(item.text) + _NAME_WEIGHT * tokenize(name_of(item))


def _index(collection: _Collection) -> None:
    # Indexing waits for the first search: most runs only fold the log and never search it.
    for position in range(collection.indexed, len(collection.items)):
        item = collection.items[position]
        words = () if item is None else _weighted_words(item)
        collection.lengths.append(len(words))
        collection.total_length += len(words)
        for word in words:
            posting = collection.postings[word]
            posting[position] = posting.get(position, 0) + 1
    collection.indexed = len(collection.items)


def _telling(postings: list[dict[int, int]], count: int) -> list[dict[int, int]]:
    """Posting lists worth scoring: those of words that say something, or the newest items when none does.

    A word in more than a tenth of a large collection moves no ranking but costs a pass over all its items.
    """
    found = sorted((posting for posting in postings if posting), key=len)
    limit = max(_ALWAYS_SCORED, count // 10)
    rare = [posting for posting in found if len(posting) <= limit]
    if rare or not found:
        return rare
    return [dict(itertools.islice(reversed(found[0].items()), _ALWAYS_SCORED))]
