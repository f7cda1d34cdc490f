"""Links in an R2R graph, walked on the client: R2R has no call that follows them.

The relationships of the graph are read page by page into this process, and read on before every use. R2R lists them
oldest first and says how many there are, so that one short request tells whether anything was added or deleted since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import NAMESPACE_OID, UUID, uuid5

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import OutcomeUnknown, R2RClient, Relationship
from autodev_lab.memory.links import Links
from autodev_lab.records import Link

__all__ = ["AT_ONCE", "R2RLinks"]

AT_ONCE = 8
"""Requests that R2R is sent at the same time when there is much to write."""

_TRIES = 10


class R2RLinks:
    """The links of one memory, as they are in R2R at each call.

    Parameters
    ----------
    client
        The server.
    graph
        The graph (of the collection of the same id) that holds the relationships.
    """

    def __init__(self, client: R2RClient, graph: UUID) -> None:
        self._client = client
        self._graph = graph
        self._lock = threading.RLock()
        self._rows: list[Relationship] = []
        self._known: set[Link] = set()
        self._links = Links()

    def add(self, links: Iterable[Link]) -> None:
        """See `LinkedMemory.link`.

        A link whose request broke off is looked for before it is sent again, so that none is doubled.

        Raises
        ------
        LabError
            If a link has a NUL character in it, which PostgreSQL does not store, or R2R does not take the links.
        """
        wanted = tuple(dict.fromkeys(links))
        for link in wanted:
            if "\0" in link.source + link.relation + link.target:
                raise LabError(f"R2R stores no NUL characters; take them out of the link {link}")
        with self._lock:
            for _ in range(_TRIES):
                try:
                    self._read_on()
                    with ThreadPoolExecutor(AT_ONCE) as pool:
                        for _ in pool.map(self._create, [link for link in wanted if link not in self._known]):
                            pass
                    return
                except OutcomeUnknown as error:
                    failure = error
            raise failure

    def _create(self, link: Link) -> None:
        source = (link.source, uuid5(NAMESPACE_OID, link.source))
        target = (link.target, uuid5(NAMESPACE_OID, link.target))
        self._client.create_relationship(self._graph, source, link.relation, target)

    def forget(self, end: str) -> None:
        """Take away all links from and to an id."""
        with self._lock:
            self._read_on()
            touching = [row for row in self._rows if end in (row.subject, row.object)]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for _ in pool.map(lambda row: self._client.delete_relationship(self._graph, row.id), touching):
                    pass
            self._links.forget(end)
            self._known.difference_update(map(_link, touching))
            self._rows = [row for row in self._rows if end not in (row.subject, row.object)]

    def neighbours(self, end: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """See `LinkedMemory`."""
        with self._lock:
            return self._read_on().neighbours(end, relation=relation, incoming=incoming)

    def impact(self, end: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """See `LinkedMemory`."""
        with self._lock:
            return self._read_on().impact(end, hops, relations=relations)

    def spread(self, relevance: Mapping[str, float]) -> dict[str, float]:
        """See `Links`."""
        with self._lock:
            return self._read_on().spread(relevance)

    def _read_on(self) -> Links:
        """Bring what is held here up to what R2R has: nothing to do, more at the end, or all again."""
        # The last row known is asked for as well: when it is where it was, and no row is missing, so are all before it.
        overlap = min(1, len(self._rows))
        rows, total = self._client.relationships(self._graph, len(self._rows) - overlap)
        if overlap and (not rows or rows[0].id != self._rows[-1].id):
            self._rows, self._known, self._links = [], set(), Links()
            rows, total = self._client.relationships(self._graph, 0)
            overlap = 0
        while True:
            new = rows[overlap:]
            self._rows.extend(new)
            self._known.update(map(_link, new))
            self._links.add(map(_link, new))
            if not new or len(self._rows) >= total:
                return self._links
            rows, total = self._client.relationships(self._graph, len(self._rows))
            overlap = 0


def _link(row: Relationship) -> Link:
    return Link(row.subject, row.predicate, row.object)
