"""Questions about a graph that take several steps; their answers come from sparse matrices, not from a backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from autodev_lab.errors import LabError
from autodev_lab.records import Link

__all__ = ["HOPS", "Question", "make_questions"]

HOPS = (2, 3, 4)
"""Steps that questions take."""

_WITHIN = ("CALLS", "DEPENDS_ON", "USES")
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its answer.

    Parameters
    ----------
    start
        The id that is asked about.
    relations
        Of a question about a path, the relation of each step back from `start`: what leads to it by the first, to that
        by the second, and so on. Of a question about a neighbourhood one relation.
    hops
        Steps: all of a path's, or at most so many in a neighbourhood.
    answer
        The ids; never none. A neighbourhood does not have `start` itself.
    """

    start: str
    relations: tuple[str, ...]
    hops: int
    answer: frozenset[str]

    @property
    def is_path(self) -> bool:
        """Whether it asks for the ends of paths, not for a neighbourhood."""
        return len(self.relations) > 1

    @property
    def name(self) -> str:
        """Different for different questions."""
        return f"{self.start} <- {' <- '.join(self.relations)} ({self.hops})"


def make_questions(links: Iterable[Link], count: int, seed: int) -> tuple[Question, ...]:
    """Questions of every number of `HOPS`, half about neighbourhoods and half about paths of mixed relations.

    Parameters
    ----------
    links
        The graph.
    count
        Questions wanted for each number of hops; a small graph may have fewer.
    seed
        Which of them.

    Returns
    -------
    tuple of Question
        All different, and each with an answer that is that many steps away.

    Raises
    ------
    LabError
        If the graph has no question of one of the numbers of hops.
    """
    graph = _Matrices(links)
    rng = np.random.default_rng(seed)
    found: dict[str, Question] = {}
    for hops in HOPS:
        before = len(found)
        for _ in range(_TRIES * count):
            if len(found) - before >= count:
                break
            question = graph.path(hops, rng) if (len(found) - before) % 2 else graph.neighbourhood(hops, rng)
            if question is not None:
                found.setdefault(question.name, question)
        if len(found) == before:
            raise LabError(f"the graph has no question of {hops} hops; name more or larger packages")
    return tuple(found.values())


class _Matrices:
    """A graph as one matrix a relation: row i, column j says that a link leads from j to i."""

    def __init__(self, links: Iterable[Link]) -> None:
        every = sorted(set(links), key=lambda link: (link.source, link.relation, link.target))
        self._ids = sorted({end for link in every for end in (link.source, link.target)})
        place = {name: number for number, name in enumerate(self._ids)}
        self._back: dict[str, sparse.csr_array] = {}
        for relation in sorted({link.relation for link in every}):
            chosen = [link for link in every if link.relation == relation]
            ends = [place[link.target] for link in chosen], [place[link.source] for link in chosen]
            shape = (len(self._ids), len(self._ids))
            self._back[relation] = sparse.csr_array((np.ones(len(chosen)), ends), shape=shape)

    def neighbourhood(self, hops: int, rng: np.random.Generator) -> Question | None:
        """What leads to an id by one relation in at most so many steps, some of it in just that many."""
        relation = str(rng.choice([name for name in _WITHIN if name in self._back] or sorted(self._back)))
        start = self._with_sources(relation, rng)
        back = self._back[relation]
        distance = csgraph.dijkstra(back, unweighted=True, indices=np.array([start]), limit=float(hops))[0]
        if not np.any(distance == hops):
            return None
        reached = np.flatnonzero(np.isfinite(distance) & (distance > 0))
        return Question(self._ids[start], (relation,), hops, self._names(reached))

    def path(self, hops: int, rng: np.random.Generator) -> Question | None:
        """The ends of all paths back from an id by a sequence of relations, which a walk at random has followed."""
        start = at = int(rng.integers(len(self._ids)))
        relations: list[str] = []
        for _ in range(hops):
            ways = [name for name, back in self._back.items() if len(_row(back, at))]
            if not ways:
                return None
            relations.append(str(rng.choice(ways)))
            at = int(rng.choice(_row(self._back[relations[-1]], at)))
        front = np.zeros(len(self._ids))
        front[start] = 1.0
        for relation in relations:
            front = (self._back[relation].T @ front > 0).astype(float)
        return Question(self._ids[start], tuple(relations), hops, self._names(np.flatnonzero(front)))

    def _with_sources(self, relation: str, rng: np.random.Generator) -> int:
        return int(rng.choice(np.flatnonzero(np.diff(self._back[relation].indptr))))

    def _names(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> frozenset[str]:
        return frozenset(self._ids[number] for number in numbers)


def _row(matrix: sparse.csr_array, number: int) -> Sequence[int]:
    return [int(one) for one in matrix.indices[matrix.indptr[number] : matrix.indptr[number + 1]]]
