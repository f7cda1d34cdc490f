"""What is remembered, how it is linked, and what a developer is given of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autodev_lab.records.repair import Change, ContextTally, Diagnosis, Plan
from autodev_lab.records.tasks import Task

__all__ = ["Link", "MemoryHit", "MemoryItem", "PatternRecord", "SearchMode", "TaskContext"]


class SearchMode(StrEnum):
    """By what a memory is searched: words, meaning, words and links, words and meaning, or all three."""

    KEYWORD = "keyword"
    VECTOR = "vector"
    GRAPH = "graph"
    HYBRID = "hybrid"
    HYBRID_GRAPH = "hybrid_graph"


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """One thing remembered: text to search, facts to use, where it came from, and how long it holds.

    Parameters
    ----------
    collection
        One of ``codebase``, ``tasks``, ``patterns``, ``decisions``.
    text
        What is searched.
    facts
        What is used and filtered by. A fact ``name`` is searched too and weighs more than the text.
    task_id, agent_id, decision_id, run_id
        Where it came from; empty where it does not apply.
    at
        When it was remembered, in seconds of the runtime's clock.
    sequence
        Given by the memory when the item is added or changed; grows within a collection.
    id
        Names the item within its memory, over all its changes; given by the memory when empty.
    valid_from, valid_until
        Search finds the item from the one (inclusive) to the other (exclusive), in seconds of the same clock.
    half_life
        Seconds after which the item counts half in a search; without end unless given.
    """

    collection: str
    text: str
    facts: Mapping[str, str | float | int | bool] = field(hash=False)
    task_id: str = ""
    agent_id: str = ""
    at: float = 0.0
    sequence: int = -1
    id: str = ""
    decision_id: str = ""
    run_id: str = ""
    valid_from: float = -math.inf
    valid_until: float = math.inf
    half_life: float = math.inf


@dataclass(frozen=True, slots=True)
class MemoryHit:
    """A search result: the item and each signal's score, so that one can see why it was found.

    ``signals`` has, of ``keyword``, ``vector`` and ``graph``, those that the search used and that know the item, each
    in its own unit, and ``decay``, a factor below 1, where the item's age counted.
    """

    item: MemoryItem
    score: float
    signals: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A directed relation between two things by their ids: ``tests/test_a.py::test_b`` TESTS ``package.module.f``."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class PatternRecord:
    """A pattern's record: successes and tries, as weights (they may have decayed).

    Parameters
    ----------
    pattern
        Its name.
    successes
        Tries that gave a change that passed the visible tests and that nobody has taken back since.
    tries
        Candidates made with it.
    helpful, harmful
        Changes made with it that lasted in production, and that production or a person refused.
    contexts
        Successes and tries by context, in the contexts' order; what was tried where nobody knew is in none of them.
    """

    pattern: str
    successes: float
    tries: float
    helpful: float = 0.0
    harmful: float = 0.0
    contexts: tuple[ContextTally, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskContext:
    """All a solver may know: the task, the plan, the evidence, what memory holds, what was refused before."""

    task: Task
    plan: Plan
    diagnosis: Diagnosis
    patterns: Mapping[str, PatternRecord] = field(default_factory=dict, hash=False)
    rejected: tuple[Change, ...] = ()
