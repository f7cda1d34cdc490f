"""An append-only memory held in this process: the twin that embedded and remote memories are compared with."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autodev_lab.errors import LabError
from autodev_lab.records import MemoryHit, MemoryItem

__all__ = ["COLLECTIONS", "InMemoryMemory", "tokenize"]

COLLECTIONS = ("codebase", "tasks", "patterns", "decisions")
"""The collections of the specification."""

_ALWAYS_SCORED = 100
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def tokenize(text: str) -> tuple[str, ...]:
    """Split text and identifiers into lower-case words: ``getHTTPHeader`` and ``get_http_header`` agree.

    Examples
    --------
    >>> tokenize("getHTTPHeader(x_2)")
    ('get', 'http', 'header', 'x', '2')
    """
    return tuple(word.lower() for word in _WORD.findall(text))


@dataclass(slots=True)
class _Collection:
    items: list[MemoryItem] = field(default_factory=list)
    postings: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    lengths: list[int] = field(default_factory=list)
    indexed: int = 0
    total_length: int = 0


class InMemoryMemory:
    """Collections of items with keyword search (Okapi BM25, k1 = 1.2, b = .75; Robertson & Zaragoza 2009, §3.5).

    Nothing is ever changed or lost: an item that revises another is a new item. What an agent believes is a fold over
    the items, so two agents with the same memory believe the same.

    Examples
    --------
    >>> memory = InMemoryMemory()
    >>> item = memory.add(MemoryItem("tasks", "parse_date fails on empty text", {}))
    >>> [hit.item.text for hit in memory.search("parse empty date", collection="tasks")]
    ['parse_date fails on empty text']
    """

    def __init__(self) -> None:
        self._collections = {name: _Collection() for name in COLLECTIONS}

    def _collection(self, name: str) -> _Collection:
        try:
            return self._collections[name]
        except KeyError:
            raise LabError(f"there is no memory collection {name!r}; choose one of {', '.join(COLLECTIONS)}") from None

    def add(self, item: MemoryItem) -> MemoryItem:
        """Remember an item; returns it with its sequence number, counted from 0 within the collection."""
        collection = self._collection(item.collection)
        stored = replace(item, sequence=len(collection.items))
        collection.items.append(stored)
        return stored

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """Items with a sequence number greater than `sequence` (-1 for all), oldest first."""
        return tuple(self._collection(collection).items[sequence + 1 :])

    def search(
        self, query: str, *, collection: str, k: int = 10, filters: Mapping[str, str] | None = None
    ) -> tuple[MemoryHit, ...]:
        """Best `k` items by BM25 among those whose facts equal `filters`; ties go to the older item."""
        stored = self._collection(collection)
        self._index(stored)
        count = len(stored.items)
        if not count or k < 1:
            return ()
        mean_length = stored.total_length / count or 1.0
        scores: dict[int, float] = defaultdict(float)
        for posting in _telling([stored.postings.get(word, {}) for word in dict.fromkeys(tokenize(query))], count):
            rarity = math.log(1.0 + (count - len(posting) + 0.5) / (len(posting) + 0.5))
            for position, frequency in posting.items():
                norm = 1.2 * (0.25 + 0.75 * stored.lengths[position] / mean_length)
                scores[position] += rarity * frequency * 2.2 / (frequency + norm)
        wanted = dict(filters or {})
        allowed = (
            position
            for position in scores
            if all(str(stored.items[position].facts.get(key)) == value for key, value in wanted.items())
        )
        best = heapq.nsmallest(k, allowed, key=lambda position: (-scores[position], position))
        return tuple(
            MemoryHit(stored.items[position], scores[position], {"keyword": scores[position]}) for position in best
        )

    @staticmethod
    def _index(collection: _Collection) -> None:
        # Indexing waits for the first search: most runs only fold the log and never search it.
        for position in range(collection.indexed, len(collection.items)):
            words = tokenize(collection.items[position].text)
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
