"""Links held in this process: neighbours, what depends on what, and how far relevance spreads along them."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from autodev_lab.errors import LabError
from autodev_lab.records import Link

__all__ = ["Links"]

_HOPS = 2
_DAMPING = 0.5
_HUB = 50
_SEEDS = 10
_NEAR_THE_BEST = 0.5


class Links:
    """Directed links by both of their ends.

    Examples
    --------
    >>> links = Links()
    >>> links.add([Link("a", "CALLS", "b"), Link("b", "CALLS", "c"), Link("a", "CALLS", "b")])
    >>> dict(links.impact("c", 2))
    {'b': 1, 'a': 2}
    """

    def __init__(self) -> None:
        self._from: dict[str, dict[Link, None]] = {}
        self._to: dict[str, dict[Link, None]] = {}

    def __len__(self) -> int:
        return sum(len(links) for links in self._from.values())

    def add(self, links: Iterable[Link]) -> None:
        """Add links; those that exist already are not doubled."""
        for link in links:
            self._from.setdefault(link.source, {})[link] = None
            self._to.setdefault(link.target, {})[link] = None

    def forget(self, end: str) -> None:
        """Take away all links from and to an id."""
        for link in self._from.pop(end, {}):
            self._drop(self._to, link.target, link)
        for link in self._to.pop(end, {}):
            self._drop(self._from, link.source, link)

    @staticmethod
    def _drop(ends: dict[str, dict[Link, None]], end: str, link: Link) -> None:
        if end in ends:  # a link from an id to itself is gone already
            ends[end].pop(link, None)
            if not ends[end]:
                del ends[end]

    def neighbours(self, end: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]:
        """See `LinkedMemory`."""
        found = (self._to if incoming else self._from).get(end, {})
        kept = (link for link in found if relation is None or link.relation == relation)
        return tuple(sorted(kept, key=lambda link: (link.relation, link.source if incoming else link.target)))

    def impact(self, end: str, hops: int, *, relations: Iterable[str] | None = None) -> Mapping[str, int]:
        """See `LinkedMemory`; nearest first, then by id.

        Raises
        ------
        LabError
            If there are fewer than 0 hops.
        """
        if hops < 0:
            raise LabError(f"hops is {hops}; it counts steps along links and must be 0 or more")
        wanted = None if relations is None else frozenset(relations)
        distance = {end: 0}
        edge = [end]
        for step in range(1, hops + 1):
            reached = sorted(
                {
                    link.source
                    for at in edge
                    for link in self._to.get(at, ())
                    if link.source not in distance and (wanted is None or link.relation in wanted)
                }
            )
            if not reached:
                break
            distance.update(dict.fromkeys(reached, step))
            edge = reached
        del distance[end]
        return distance

    def spread(self, relevance: Mapping[str, float]) -> dict[str, float]:
        """How much relevance reaches other ids from the most relevant, in either direction, scaled to at most 1.

        A step divides by the square root of both ends' numbers of links, as in label spreading (Zhou et al. 2004,
        "Learning with local and global consistency", NIPS, §2), and counts half the step before; there are two steps.
        Where it starts nothing arrives: links find what lies near the best, and leave the order of the best alone. Ids
        with very many links, which say little of each other, pass nothing on.
        """
        total: dict[str, float] = defaultdict(float)
        best = heapq.nlargest(_SEEDS, relevance, key=lambda end: relevance[end])
        least = _NEAR_THE_BEST * max(relevance.values(), default=0.0)
        starts: Mapping[str, float] = {end: relevance[end] for end in best if relevance[end] >= least}
        current = starts
        for step in range(1, _HOPS + 1):
            reached: dict[str, float] = defaultdict(float)
            for end, amount in current.items():
                others = self._others(end)
                if amount <= 0.0 or len(others) > _HUB:
                    continue
                for other in others:
                    reached[other] += amount / math.sqrt(len(others) * self._degree(other))
            for end, amount in reached.items():
                if end not in starts:
                    total[end] += _DAMPING**step * amount
            current = reached
        most = max(total.values(), default=0.0)
        return {end: amount / most for end, amount in total.items()} if most > 0.0 else {}

    def _others(self, end: str) -> list[str]:
        return [link.target for link in self._from.get(end, ())] + [link.source for link in self._to.get(end, ())]

    def _degree(self, end: str) -> int:
        return len(self._from.get(end, ())) + len(self._to.get(end, ()))
