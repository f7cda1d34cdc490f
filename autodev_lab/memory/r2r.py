"""A memory on an R2R server: items are documents, links a graph, and what R2R cannot do is done on this side."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from pydantic import JsonValue

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import PAGE, Chunk, R2RClient
from autodev_lab.memory.ageing import decay, matches
from autodev_lab.memory.collections import COLLECTIONS, collection_named
from autodev_lab.memory.fusion import Weights
from autodev_lab.memory.r2r_items import (
    EVERYTHING,
    document_id,
    filters_for,
    id_filter,
    item_of,
    metadata_of,
    newer_than,
    text_of,
    text_query,
    write_of,
)
from autodev_lab.memory.r2r_links import AT_ONCE, R2RLinks
from autodev_lab.memory.retrieval import retrieve
from autodev_lab.records import Link, MemoryHit, MemoryItem, SearchMode

__all__ = ["R2RMemory", "prepare_collections", "remove_collections"]

_TRIES = 3
_SETTLING = 5.0
_IDS_AT_ONCE = 100


def prepare_collections(client: R2RClient, prefix: str = "") -> tuple[str, ...]:
    """Make those of the memory's collections that R2R does not have yet; asking again changes nothing.

    Parameters
    ----------
    prefix
        Stands before each name, so that several memories can share a server.

    Returns
    -------
    tuple
        Names of the collections that were made.
    """
    client.check()
    found = _by_name(client)
    missing = tuple(prefix + name for name in COLLECTIONS if prefix + name not in found)
    for name in missing:
        client.create_collection(name, "a memory of autodev_lab")
    return missing


def remove_collections(client: R2RClient, prefix: str) -> None:
    """Delete a memory's collections with all that is in them; those that are not there are passed over.

    Parameters
    ----------
    prefix
        Stands before each name.

    Raises
    ------
    LabError
        If R2R cannot be reached; whatever was deleted until then is gone.
    """
    found = _by_name(client)
    for collection in (found[prefix + name] for name in COLLECTIONS if prefix + name in found):
        filters = filters_for(collection, {}, None)
        while chunks := client.search_text(EVERYTHING, filters, PAGE):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for _ in pool.map(client.delete_document, {chunk.document_id for chunk in chunks}):
                    pass
        client.delete_collection(collection)


def _by_name(client: R2RClient) -> dict[str, UUID]:
    """The user's collections; R2R sees to it that no two have the same name."""
    return {collection.name: collection.id for collection in client.collections()}


class R2RMemory:
    """A memory on an R2R server; many processes may use it at the same time.

    Sequence numbers are microseconds since 1970 by this machine's clock, so writers on several machines need clocks
    that agree. One memory writes one item after the other. Of two memories one may take longer to store an item than
    the other takes to store a later one: `since` from that later one does not return the first.

    Parameters
    ----------
    client
        The server, whose collections `prepare_collections` has made.
    prefix
        Stands before each collection's name.
    weights
        How the signals of a search are weighed.

    Raises
    ------
    LabError
        If R2R cannot be reached, or does not have the collections.
    """

    def __init__(self, client: R2RClient, *, prefix: str = "", weights: Weights | None = None) -> None:
        client.check()
        found = _by_name(client)
        missing = [prefix + name for name in COLLECTIONS if prefix + name not in found]
        if missing:
            options = f"--url {client.url}" + (f" --prefix {prefix}" if prefix else "")
            raise LabError(
                f"R2R at {client.url} has no collection {', '.join(missing)}; run: autodev-lab init-r2r {options}"
            )
        self._client = client
        self._weights = weights
        self._ids = {name: found[prefix + name] for name in COLLECTIONS}
        self._memory = self._ids[COLLECTIONS[0]]
        self._links = R2RLinks(client, self._memory)
        self._writing = threading.RLock()
        self._last: dict[str, int] = {}

    def add(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`."""
        (stored,) = self.add_all([item])
        return stored

    def add_all(self, items: Iterable[MemoryItem]) -> tuple[MemoryItem, ...]:
        """Remember several items, some at a time, which is faster than one after the other.

        When one is refused, those before it, and some after it, are there.
        """
        items = tuple(items)
        for name, count in Counter(item.id for item in items).items():
            if name and count > 1:
                raise LabError(f"{count} items have the id {name!r}; give each an id of its own")
        collections = [self._collection(item.collection) for item in items]
        with self._writing, ThreadPoolExecutor(AT_ONCE) as pool:
            stored = tuple(
                replace(item, sequence=self._next(item.collection), id=item.id or uuid4().hex) for item in items
            )
            for _ in pool.map(self._store, stored, collections):
                pass
        return stored

    def change(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`. Who searches meanwhile finds the old item or the new one, and never both or neither."""
        collection = self._collection(item.collection)
        with self._writing:
            chunk = self._chunk(item.collection, item.id)
            stored = replace(item, sequence=self._next(item.collection))
            write = uuid4().hex
            for _ in range(_TRIES):
                self._client.update_chunk(chunk.id, text_of(stored), metadata_of(stored, collection, write))
                if any(write_of(one) == write for one in self._client.document_chunks(chunk.document_id)):
                    self._client.add_to_collection(collection, chunk.document_id)
                    return stored
        raise LabError(f"R2R at {self._client.url} did not store the change of item {item.id!r}; its log says why")

    def delete(self, collection: str, item_id: str) -> None:
        """See `Memory`."""
        self._collection(collection)
        with self._writing:
            chunk = self._chunk(collection, item_id)
            self._links.forget(item_id)  # first, or links would be left behind when this is broken off in between
            self._client.delete_document(chunk.document_id)

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """See `Memory`."""
        return tuple(sorted(self._between(self._collection(collection), sequence), key=lambda item: item.sequence))

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
        """See `Memory`. R2R finds items by words and by meaning; links, age and the fusion are looked after here."""
        known = self._collection(collection)
        if not query.strip():
            return ()
        signals = _Search(self._client, self._links, known, query, filters or {}, at, k)
        return retrieve(signals, mode, k, at, self._weights)

    def search_own(self, query: str, *, collection: str, k: int = 10) -> tuple[MemoryHit, ...]:
        """Search by R2R's own fusion of words and meaning, which the lab's hybrid mode replaces; for comparisons.

        It asks for all words of a query, and adds reciprocal ranks. Scores are R2R's.

        Parameters
        ----------
        query
            Words to search for.
        collection
            One of the memory's.
        k
            Most hits to return.
        """
        filters = filters_for(self._collection(collection), {}, None)
        chunks = self._client.search_hybrid(query, filters, k) if query.strip() else ()
        return tuple(MemoryHit(item_of(chunk), chunk.score, {"r2r": chunk.score}) for chunk in chunks)

    def _collection(self, name: str) -> UUID:
        return collection_named(name, self._ids)

    def _next(self, collection: str) -> int:
        """A sequence number above all there are: the clock's, or the next to that of a writer whose clock is ahead."""
        now = time.time_ns() // 1000
        if collection not in self._last:
            ahead = self._between(self._ids[collection], now)
            self._last[collection] = max((item.sequence for item in ahead), default=0)
        self._last[collection] = max(now, self._last[collection] + 1)
        return self._last[collection]

    def _store(self, item: MemoryItem, collection: UUID) -> None:
        """Store a new item. Whatever breaks off in between, it is there once in the end or an error says it is not."""
        document, write = document_id(self._memory, item.id), uuid4().hex
        text, metadata = text_of(item), metadata_of(item, collection, write)
        for _ in range(_TRIES):
            created = self._client.create_document(document, text, collection=collection, metadata=metadata)
            chunks = self._settled(document)
            if any(write_of(chunk) == write for chunk in chunks):
                if not created:  # an earlier try got through after all, perhaps not to the end
                    self._client.add_to_collection(collection, document)
                return
            if chunks:
                raise LabError(
                    f"the memory has an item {item.id!r} already; change it, or add this one under another id"
                )
            self._client.delete_document(document)  # what was broken off, or stored without its text
        raise LabError(f"R2R at {self._client.url} did not store item {item.id!r}; its log says why")

    def _settled(self, document: UUID) -> tuple[Chunk, ...]:
        """The chunks of a document once R2R is done with it, or seems to have been stopped in the middle of it."""
        end = time.monotonic() + _SETTLING
        while True:
            chunks = self._client.document_chunks(document)
            if chunks or time.monotonic() > end:
                return chunks
            if self._client.document_status(document) in (None, "success", "failed"):
                return self._client.document_chunks(document)
            time.sleep(_SETTLING / 20)

    def _chunk(self, collection: str, item_id: str) -> Chunk:
        for chunk in self._client.document_chunks(document_id(self._memory, item_id)):
            if chunk.metadata.get("autodev_collection") == str(self._ids[collection]):
                return chunk
        raise LabError(f"there is no item {item_id!r} in the memory collection {collection!r}; add it first")

    def _between(self, collection: UUID, low: int, high: int | None = None) -> list[MemoryItem]:
        """Items with sequence numbers above `low`, up to `high`, in any order."""
        filters = {**filters_for(collection, {}, None), **newer_than(low, high)}
        items = [item_of(chunk) for chunk in self._client.search_text(EVERYTHING, filters, PAGE)]
        if len(items) < PAGE:
            return items
        # R2R gives no order to page by, so what is too much for one answer is asked for in halves
        middle = sorted(item.sequence for item in items)[PAGE // 2 - 1]
        return self._between(collection, low, middle) + self._between(collection, middle, high)


@dataclass(frozen=True, slots=True)
class _Search:
    """The signals of one search; see `retrieval.Signals`. A position is a sequence number."""

    client: R2RClient
    links: R2RLinks
    collection: UUID
    query: str
    filters: Mapping[str, str]
    at: float | None
    k: int
    found: dict[int, MemoryItem] = field(default_factory=dict)

    def item(self, position: int) -> MemoryItem:
        return self.found[position]

    def keyword(self, count: int) -> dict[int, float]:
        words = text_query(self.query)
        return self._best(count, lambda limit: self.client.search_text(words, self._filters(), limit)) if words else {}

    def vector(self, count: int) -> dict[int, float]:
        return self._best(count, lambda limit: self.client.search_vectors(self.query, self._filters(), limit))

    def linked(self, relevance: Mapping[int, float]) -> dict[int, float]:
        reached = self.links.spread({self.found[position].id: score for position, score in relevance.items()})
        known = {item.id for item in self.found.values()}
        asked = heapq.nlargest(PAGE, reached.keys() - known, key=lambda end: (reached[end], end))
        before = len(self.found)
        for start in range(0, len(asked), _IDS_AT_ONCE):
            filters = {**self._filters(), **id_filter(tuple(asked[start : start + _IDS_AT_ONCE]))}
            items = map(item_of, self.client.search_text(EVERYTHING, filters, PAGE))
            self.found.update((item.sequence, item) for item in items if matches(item, self.filters, self.at))
            if self.at is None and len(self.found) - before >= self.k:
                break  # what links alone found ranks by how much reached it, so k of them are enough; unless age counts
        return {position: reached[item.id] for position, item in self.found.items() if item.id in reached}

    def _filters(self) -> dict[str, JsonValue]:
        return filters_for(self.collection, self.filters, self.at)

    def _best(self, count: int, search: Callable[[int], tuple[Chunk, ...]]) -> dict[int, float]:
        """The best items, age counted. R2R ranks without age: more is asked for until none behind could be better."""
        limit = min(PAGE, count if self.at is None else 4 * count)
        while True:
            chunks = search(limit)
            scores: dict[int, float] = {}
            for chunk in chunks:
                item = item_of(chunk)
                if matches(item, self.filters, self.at):
                    self.found[item.sequence] = item
                    scores[item.sequence] = max(0.0, chunk.score)
            aged = {position: score * decay(self.found[position], self.at) for position, score in scores.items()}
            best = heapq.nsmallest(count, aged, key=lambda position: (-aged[position], position))
            least = min((chunk.score for chunk in chunks), default=0.0)
            enough = len(best) == count and aged[best[-1]] >= least
            if len(chunks) < limit or limit >= PAGE or enough:
                return {position: scores[position] for position in best}
            limit = min(PAGE, 4 * limit)
