"""How well a memory finds code by what it does: each function is looked for by its docstring's first sentence."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autodev_lab.analysis.statistics import Effect, absolute_effect, relative_effect
from autodev_lab.experiments.studies.code_corpus import CodeFunction, as_item, links_of
from autodev_lab.protocols import LinkedMemory
from autodev_lab.records import MemoryHit, SearchMode

__all__ = ["DEPTH", "Found", "Quality", "Searchable", "fill", "gain", "look_up", "quality_of", "ratio"]

DEPTH = 10
"""How many hits are looked at: MRR@10 and recall@10."""


class Searchable(Protocol):
    """What looking something up asks of a memory."""

    def search(self, query: str, *, collection: str, mode: SearchMode, k: int) -> tuple[MemoryHit, ...]:
        """See `Memory`."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """One search: the place of what was looked for among the hits, and what the search took.

    Parameters
    ----------
    name, package
        Of the function looked for.
    rank
        From 1; 0 when it is not among the first `DEPTH` hits.
    seconds, cpu_seconds
        Wall time and processor time of this process.
    """

    name: str
    package: str
    rank: int
    seconds: float
    cpu_seconds: float

    @property
    def reciprocal(self) -> float:
        """One over the rank, 0 when it was not found (Voorhees 1999, TREC-8 question answering track)."""
        return 1.0 / self.rank if self.rank else 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What a set of searches shows: quality in [0, 1], latency in milliseconds."""

    n: int
    mrr10: float
    recall10: float
    p50_ms: float
    p95_ms: float
    cpu_p50_ms: float
    cpu_p95_ms: float


def fill(
    memory: LinkedMemory,
    functions: Sequence[CodeFunction],
    *,
    hard: bool = False,
    modes: Iterable[SearchMode] = tuple(SearchMode),
) -> float:
    """Put functions and their links into a memory and search it once in each mode; returns the seconds that takes."""
    started = time.perf_counter()
    for function in functions:
        memory.add(as_item(function, hard=hard))
    memory.link(links_of(functions))
    for mode in modes:
        memory.search("everything that waits for a first search", collection="codebase", mode=mode)
    return time.perf_counter() - started


def look_up(
    memory: Searchable,
    functions: Iterable[CodeFunction],
    mode: SearchMode,
    told: Callable[[int], None] = lambda done: None,
) -> list[Found]:
    """Look for each function by its sentence, among all that the memory holds; `told` hears how many are done."""
    found = []
    for function in functions:
        wall, processor = time.perf_counter(), time.process_time()
        hits = memory.search(function.sentence, collection="codebase", mode=mode, k=DEPTH)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
        rank = next((place for place, hit in enumerate(hits, start=1) if hit.item.id == function.name), 0)
        found.append(Found(function.name, function.package, rank, seconds, cpu_seconds))
        told(len(found))
    return found


def quality_of(found: Sequence[Found]) -> Quality:
    """Mean quality and quantiles of latency over searches; the searches must not be none.

    Examples
    --------
    >>> two = [Found("a", "p", 1, 0.01, 0.01), Found("b", "p", 0, 0.03, 0.02)]
    >>> quality_of(two).mrr10, quality_of(two).recall10
    (0.5, 0.5)
    """
    wall = 1e3 * np.array([one.seconds for one in found])
    processor = 1e3 * np.array([one.cpu_seconds for one in found])
    return Quality(
        n=len(found),
        mrr10=float(np.mean([one.reciprocal for one in found])),
        recall10=float(np.mean([one.rank > 0 for one in found])),
        p50_ms=float(np.quantile(wall, 0.5)),
        p95_ms=float(np.quantile(wall, 0.95)),
        cpu_p50_ms=float(np.quantile(processor, 0.5)),
        cpu_p95_ms=float(np.quantile(processor, 0.95)),
    )


def ratio(better: Sequence[Found], reference: Sequence[Found]) -> Effect:
    """MRR@10 of the same searches in two ways as a ratio minus one, with a 95 % interval over packages."""
    ours, theirs, counts = _paired(better, reference)
    return relative_effect(ours, theirs, n=int(sum(counts)))


def gain(better: Sequence[Found], reference: Sequence[Found]) -> Effect:
    """Difference in MRR@10 of the same searches in two ways, with a 95 % interval over packages."""
    ours, theirs, counts = _paired(better, reference)
    return absolute_effect(ours, theirs, counts)


def _paired(first: Sequence[Found], second: Sequence[Found]) -> tuple[list[float], list[float], list[float]]:
    """Totals of reciprocal ranks and numbers of searches by package."""
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for one, other in zip(first, second, strict=True):
        if one.name != other.name:
            raise ValueError(f"searches are not paired: {one.name} against {other.name}")
        total = totals[one.package]
        total[0] += one.reciprocal
        total[1] += other.reciprocal
        total[2] += 1.0
    columns = zip(*(totals[package] for package in sorted(totals)), strict=True)
    ours, theirs, counts = (list(column) for column in columns)
    return ours, theirs, counts
