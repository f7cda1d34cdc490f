"""Ways to answer questions about a graph: the memories, the code graph's fast path, openCypher, R2R."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.questions import Question
from autodev_lab.memory import EmbeddedMemory, InMemoryMemory
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.protocols import LinkedMemory
from autodev_lab.records import Link

__all__ = ["R2R_URL", "Backend", "answering"]

R2R_URL = "AUTODEV_R2R_URL"
"""Environment variable that says where R2R listens."""

Answer = Callable[[Question], frozenset[str]]


class Backend(StrEnum):
    """Who answers."""

    TWIN = "twin"
    EMBEDDED = "embedded"
    FAST = "fast"
    CYPHER = "cypher"
    R2R = "r2r"


class _Linked(Protocol):
    """What walking takes; memories have it, and so has the code graph."""

    def neighbours(self, item_id: str, *, relation: str | None = None, incoming: bool = False) -> tuple[Link, ...]: ...

    def impact(self, item_id: str, hops: int, *, relations: Sequence[str] | None = None) -> Mapping[str, int]: ...


@contextmanager
def answering(backend: Backend, graph: CodeGraph) -> Iterator[Answer]:
    """A backend that holds the graph.

    Parameters
    ----------
    backend
        Which one.
    graph
        A memory gets its links; the code graph answers by itself, at once or by a query.

    Raises
    ------
    LabError
        If R2R is not there.
    """
    if backend is Backend.FAST:
        yield lambda question: _walk(graph, question)
    elif backend is Backend.CYPHER:
        yield lambda question: _query(graph, question)
    elif backend is Backend.TWIN:
        yield _filled(InMemoryMemory(), graph)
    elif backend is Backend.EMBEDDED:
        with tempfile.TemporaryDirectory() as folder, EmbeddedMemory(Path(folder)) as memory:
            yield _filled(memory, graph)
    else:
        with _r2r(graph) as remote:
            yield _filled(remote, graph)


@contextmanager
def _r2r(graph: CodeGraph) -> Iterator[LinkedMemory]:
    """Collections of this very graph, for links of another one would answer too; those that are there stay."""
    from autodev_lab.integrations.r2r import R2RClient
    from autodev_lab.memory.r2r import R2RMemory, prepare_collections

    if not os.environ.get(R2R_URL):
        raise LabError(f"an arm needs R2R; say where it listens with {R2R_URL}, or choose other arms")
    content = "\n".join(map(repr, graph.links()))
    prefix = f"autodev_reasoning_{hashlib.sha256(content.encode()).hexdigest()[:12]}_"
    client = R2RClient(os.environ[R2R_URL])
    try:
        prepare_collections(client, prefix)
        yield R2RMemory(client, prefix=prefix)
    finally:
        client.close()


def _filled(memory: LinkedMemory, graph: CodeGraph) -> Answer:
    memory.link(graph.links())
    return lambda question: _walk(memory, question)


def _walk(linked: _Linked, question: Question) -> frozenset[str]:
    """Step by step over links: one call for a neighbourhood, one an id and a step for a path."""
    if not question.is_path:
        return frozenset(linked.impact(question.start, question.hops, relations=question.relations))
    front = {question.start}
    for relation in question.relations:
        front = {link.source for name in front for link in linked.neighbours(name, relation=relation, incoming=True)}
    return frozenset(front)


def _query(graph: CodeGraph, question: Question) -> frozenset[str]:
    """One query. A neighbourhood has its start only if links lead back to it, so it is taken out."""
    node = graph.store.node(question.start)
    start = f"(start:{'Thing' if node is None else node.kind} {{id: $id}})"
    if question.is_path:
        *first, last = question.relations
        pattern = f"{start}{''.join(f'<-[:{relation}]-()' for relation in first)}<-[:{last}]-(x)"
    else:
        pattern = f"(x)-[:{question.relations[0]}*1..{question.hops}]->{start}"
    rows = graph.query(f"MATCH {pattern} RETURN DISTINCT x.id AS id", {"id": question.start})
    found = frozenset(str(row["id"]) for row in rows)
    return found if question.is_path else found - {question.start}
