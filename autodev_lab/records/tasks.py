"""Pieces of work, what only their environment knows of them, and what a step of the work costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autodev_lab.records.quick_init import quick_init

__all__ = ["Cost", "StreamItem", "Task", "TaskKind", "Truth"]


class TaskKind(StrEnum):
    """Where a task comes from; verdicts never travel from one kind to another."""

    SYNTHETIC = "synthetic"
    INJECTED = "injected"
    HISTORICAL = "historical"
    LIVE = "live"


@quick_init
@dataclass(frozen=True, slots=True)
class Cost:
    """What a step used. Budgets are counted in candidates, never in seconds.

    Parameters
    ----------
    candidates
        Candidate changes evaluated (logical evaluations: a replay from a cache counts in full).
    test_executions
        Single test cases executed.
    tokens
        Language-model tokens, prompt and completion together.
    seconds
        Virtual seconds the step takes; deterministic, never measured.

    Examples
    --------
    >>> Cost(candidates=2, seconds=1.5) + Cost(candidates=1, tokens=10)
    Cost(candidates=3, test_executions=0, tokens=10, seconds=1.5)
    """

    candidates: int = 0
    test_executions: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.candidates + other.candidates,
            self.test_executions + other.test_executions,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """What the agents may know of a piece of work.

    Parameters
    ----------
    id
        Unique within a stream, stable across runs.
    package
        The package the work is in; the cluster of the statistical analysis.
    kind
        Where the task comes from.
    title, body
        What a person would read.
    arrival
        Virtual second at which the task becomes known.
    priority
        Higher is sooner; ties are served in order of arrival.
    parent
        Id of the task this one follows up, or None.
    depth
        Number of follow-ups between this task and an original one (0 for originals).
    metadata
        Free text facts an agent may use (for example the package version).
    """

    id: str
    package: str
    kind: TaskKind
    title: str
    body: str = ""
    arrival: float = 0.0
    priority: int = 0
    parent: str | None = None
    depth: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def root(self) -> str:
        """Id of the original task: a follow-up's id is its root's, ``~`` and its depth.

        Examples
        --------
        >>> Task("toolz-1~2", "toolz", TaskKind.INJECTED, "again", depth=2).root
        'toolz-1'
        """
        return self.id.split("~", 1)[0]


@dataclass(frozen=True, slots=True)
class Truth:
    """What only the environment knows of a task. Environments subclass it with what they need."""

    task_id: str


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One element of a task stream: what may be known, and what only the environment knows."""

    task: Task
    truth: Truth
