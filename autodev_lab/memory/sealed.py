"""A view of a memory that takes nothing up, and may leave items out: what frozen knowledge, and none, look like."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from autodev_lab.protocols import LinkedMemory
from autodev_lab.records import Link, MemoryHit, MemoryItem, SearchMode

__all__ = ["SealedMemory"]

_FORGOTTEN = "forgotten"


class SealedMemory:
    """Reads a memory and forgets at once what is added, changed, deleted or linked through it.

    It therefore breaks the promise of every memory that what was added is found. Over an empty memory an agent
    remembers nothing at all.

    Items left out are not found, and everything else is found as it is with them: they still count in how rare a word
    is. So an item that a search does not return anyway changes nothing of it when it is left out.

    Parameters
    ----------
    memory
        What is read.
    without
        Ids of items that are not to be found.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> memory = InMemoryMemory()
    >>> first = memory.add(MemoryItem("tasks", "parse_date fails", {}))
    >>> second = memory.add(MemoryItem("tasks", "parse_date is slow and fails", {}))
    >>> sealed = SealedMemory(memory, without=[first.id])
    >>> _ = sealed.add(MemoryItem("tasks", "parse_date fails again", {}))
    >>> [hit.item.text for hit in sealed.search("parse_date fails", collection="tasks", k=1)]
    ['parse_date is slow and fails']
    """

    def __init__(self, memory: LinkedMemory, without: Collection[str] = ()) -> None:
        self._memory = memory
        self._without = frozenset(without)

    def add(self, item: MemoryItem) -> MemoryItem:
        """Nothing is remembered; the item comes back with an id that names nothing."""
        return replace(item, id=item.id or _FORGOTTEN)

    def change(self, item: MemoryItem) -> MemoryItem:
        """Nothing is changed."""
        return item

    def delete(self, collection: str, item_id: str) -> None:
        """Nothing is deleted."""

    def link(self, links: Iterable[Link]) -> None:
        """Nothing is linked."""

    def since(self, collection: str, sequence: int) -> tuple[MemoryItem, ...]:
        """See `Memory`."""
        return tuple(item for item in self._memory.since(collection, sequence) if item.id not in self._without)

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """See `LinkedMemory`."""
        found = self._memory.neighbours(item_id, relation=relation, incoming=incoming)
        return tuple(link for link in found if not {link.source, link.target} & self._without)

    def impact(self, item_id: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """See `LinkedMemory`; what is left out is passed through and not named."""
        found = self._memory.impact(item_id, hops, relations=relations)
        return {end: distance for end, distance in found.items() if end not in self._without}

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
        """See `Memory`; the next best come up in the place of what is left out."""
        if k < 1:
            return ()
        most = k + len(self._without)
        hits = self._memory.search(query, collection=collection, mode=mode, k=most, filters=filters, at=at)
        return tuple(hit for hit in hits if hit.item.id not in self._without)[:k]
