"""A memory in one directory, without a server: one process writes, any number read, and a kill loses nothing."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.memory.collections import COLLECTIONS, collection_named
from autodev_lab.memory.embedders import MiniLmEmbedder
from autodev_lab.memory.fusion import Weights
from autodev_lab.memory.graph_store import GraphStore
from autodev_lab.memory.item_graph import ItemGraph
from autodev_lab.memory.item_vectors import query_vector
from autodev_lab.memory.keyword import TOKENIZER
from autodev_lab.memory.links import Links
from autodev_lab.memory.retrieval import retrieve
from autodev_lab.memory.shelf import Query, Shelf
from autodev_lab.memory.store import Store
from autodev_lab.memory.vectors import VectorCache, VectorIndex
from autodev_lab.memory.versions import Versions
from autodev_lab.protocols import Embedder
from autodev_lab.records import Link, MemoryHit, MemoryItem, SearchMode

__all__ = ["ITEMS", "VECTORS", "VERSIONS", "EmbeddedMemory", "writer_lock"]

ITEMS, VECTORS, VERSIONS = "items.sqlite", "vectors.sqlite", "index.json"
"""The files of a memory's directory: the truth, and two that can be made from it anew."""


class EmbeddedMemory:
    """Items and links in SQLite, searched by words, by meaning and along links.

    What `add` has returned is there after a kill; a change is there whole or not at all. Searches run over arrays in
    this process, which are made from the file at the first search and follow it from then on. Vectors are made when a
    search needs them, or by `index`, and kept by their content; a reader makes those it misses for itself.

    Parameters
    ----------
    path
        Directory; made if needed.
    embedder
        Makes the vectors; by default a small trained model (`MiniLmEmbedder`).
    weights
        How the signals of a search are weighed; kept with the index, so that every process weighs alike.
    vectors
        SQLite file that keeps the vectors, for memories that share texts; by default one in the directory.
    read_only
        Open beside the one process that writes; searches see what it adds.
    code
        The store of a `CodeGraph`, for queries that go through the memory and code alike.

    Raises
    ------
    LabError
        If another process writes already, if a reader finds nothing to read, or if a file is damaged, of another
        format, or made with another embedder or tokenizer.

    Examples
    --------
    >>> import tempfile
    >>> from autodev_lab.memory import HashedEmbedder
    >>> with tempfile.TemporaryDirectory() as folder, EmbeddedMemory(folder, embedder=HashedEmbedder()) as memory:
    ...     item = memory.add(MemoryItem("tasks", "parse_date fails on empty text", {}))
    ...     [hit.item.text for hit in memory.search("parser of dates", collection="tasks", mode=SearchMode.HYBRID)]
    ['parse_date fails on empty text']
    """

    def __init__(
        self,
        path: Path | str,
        *,
        embedder: Embedder | None = None,
        weights: Weights | None = None,
        vectors: Path | None = None,
        read_only: bool = False,
        code: GraphStore | None = None,
    ) -> None:
        self._path = Path(path).expanduser()
        self._writes = not read_only
        embedder = embedder or MiniLmEmbedder()
        self._lock = threading.RLock()
        self._writer = writer_lock(self._path) if self._writes else None
        try:
            self._weights = self._versions(embedder, weights).weights
            self._store = Store(self._path / ITEMS, writes=self._writes)
        except BaseException:
            self._unlock()
            raise
        self._cache = VectorCache(vectors or self._path / VECTORS, embedder, keeps=self._writes)
        self._shelves = {name: Shelf() for name in COLLECTIONS}
        self._places: dict[str, tuple[str, int]] = {}
        self._links = Links()
        self._seen = -1
        self._code = code
        self._graph: ItemGraph | None = None

    def _versions(self, embedder: Embedder, weights: Weights | None) -> Versions:
        path = self._path / VERSIONS
        found = Versions.read(path)
        if found is not None:
            found.require(embedder.name, TOKENIZER, path)
        kept = found.weights if found is not None else Weights()
        now = Versions(embedder.name, TOKENIZER, weights or kept)
        if self._writes and now != found:
            now.write(path)
        return now

    def add(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`."""
        (added,) = self.add_all([item])
        return added

    def add_all(self, items: Iterable[MemoryItem]) -> tuple[MemoryItem, ...]:
        """Remember several items in one step: all of them, or none when one is refused."""
        items = list(items)
        for item in items:
            self._shelf(item.collection)
        with self._lock:
            return self._writable().add(items)

    def change(self, item: MemoryItem) -> MemoryItem:
        """See `Memory`."""
        self._shelf(item.collection)
        with self._lock:
            return self._writable().change(item)

    def delete(self, collection: str, item_id: str) -> None:
        """See `Memory`."""
        self._shelf(collection)
        with self._lock:
            self._writable().delete(collection, item_id)

    def link(self, links: Iterable[Link]) -> None:
        """See `LinkedMemory`."""
        links = list(links)
        with self._lock:
            self._writable().link(links)

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """See `Memory`."""
        self._shelf(collection)
        with self._lock:
            return self._store.since(collection, sequence)

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """See `LinkedMemory`."""
        with self._lock:
            self._follow()
            return self._links.neighbours(item_id, relation=relation, incoming=incoming)

    def impact(self, item_id: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """See `LinkedMemory`."""
        with self._lock:
            self._follow()
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
        """See `Memory`; of equal items the one that came first comes first."""
        shelf = self._shelf(collection)
        if not query.strip():
            return ()
        with self._lock:
            self._follow()

            def place(item_id: str) -> int | None:
                name, position = self._places.get(item_id, ("", -1))
                return position if name == collection else None

            signals = Query(
                shelf,
                query,
                filters or {},
                at,
                vectors=self._vectors,
                query_vector=self._query_vector,
                spread=self._links.spread,
                place=place,
            )
            return retrieve(signals, mode, k, at, self._weights, signals.more)

    def query(
        self, cypher: str, parameters: Mapping[str, str | float | int | bool] | None = None
    ) -> tuple[Mapping[str, object], ...]:
        """See `CypherMemory`, and `ItemGraph` for labels and links; after a change the next query takes all items anew.

        Raises
        ------
        LabError
            If ladybug is not installed, or the query writes, is malformed, lacks a parameter, or takes too long.
        """
        with self._lock:
            if self._graph is None:
                self._graph = ItemGraph(self._code)
            if not self._graph.is_filled(self._store.last()):
                now = self._store.changes(-1)
                self._graph.fill(now.last, now.items, now.links)
            return self._graph.query(cypher, parameters)

    def index(self) -> None:
        """Make now what the first searches would wait for: the words and vectors of all items."""
        with self._lock:
            self._follow()
            for shelf in self._shelves.values():
                shelf.count_words()
                self._vectors(shelf)

    def close(self) -> None:
        """Close the files and let another process write."""
        with self._lock:
            if self._graph is not None:
                self._graph.close()
            self._store.close()
            self._cache.close()
            self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shelf(self, collection: str) -> Shelf:
        return collection_named(collection, self._shelves)

    def _vectors(self, shelf: Shelf) -> VectorIndex:
        return shelf.make_vectors(self._cache, self._weights.head)

    def _query_vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return query_vector(text, self._cache.made, self._weights.content)

    def _writable(self) -> Store:
        if not self._writes:
            raise LabError(f"the memory in {self._path} was opened for reading; open it without read_only to change it")
        return self._store

    def _unlock(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _follow(self) -> None:
        """Bring the arrays to the state of the file."""
        if self._store.last() == self._seen:
            return
        changes = self._store.changes(self._seen)
        for item_id in changes.deleted:
            self._drop(item_id)
            self._links.forget(item_id)
        for item in changes.items:
            self._drop(item.id)
            self._places[item.id] = (item.collection, self._shelves[item.collection].append(item))
        self._links.add(changes.links)
        self._seen = changes.last

    def _drop(self, item_id: str) -> None:
        if item_id in self._places:
            collection, position = self._places.pop(item_id)
            self._shelves[collection].remove(position)


def writer_lock(path: Path) -> IO[bytes]:
    """The right to write in a directory, held until the returned file is closed or the process ends.

    Raises
    ------
    LabError
        If another process has it, or the directory cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        stream = (path / "writer.lock").open("ab")
    except OSError as error:
        raise LabError(f"cannot write in {path}: {error.strerror or error}; choose a writable directory") from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise LabError(
            f"another process writes the memory in {path}; close it there, or open it with read_only=True"
        ) from error
    return stream
