"""Questions to a memory: what is known that helps with a task, and how a decision came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from autodev_lab.errors import LabError
from autodev_lab.memory.collections import COLLECTIONS
from autodev_lab.protocols import Memory
from autodev_lab.records import MemoryHit, MemoryItem, SearchMode, Task

__all__ = ["Explanation", "Part", "Recalled", "Step", "context_for", "explain"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a memory knows that may help with a task, best first in each collection, each hit with its signals.

    Parameters
    ----------
    task_id
        The task.
    code
        Code that its text speaks of, in its package.
    tasks
        Similar earlier tasks.
    patterns
        What was tried on such tasks.
    decisions
        What was decided on its package before, and what came of it.
    """

    task_id: str
    code: tuple[MemoryHit, ...]
    tasks: tuple[MemoryHit, ...]
    patterns: tuple[MemoryHit, ...]
    decisions: tuple[MemoryHit, ...]


def context_for(
    memory: Memory, task: Task, *, k: int = 5, mode: SearchMode = SearchMode.HYBRID, at: float | None = None
) -> Recalled:
    """Look for what helps with a task; what was remembered of the task itself is left out.

    Parameters
    ----------
    k
        Hits of each collection at most.
    mode, at
        As for `Memory.search`.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> from autodev_lab.records import TaskKind
    >>> memory = InMemoryMemory()
    >>> item = memory.add(MemoryItem("tasks", "parse_date fails on empty text", {"package": "p"}, task_id="t1"))
    >>> task = Task("t2", "p", TaskKind.INJECTED, "date parser fails")
    >>> [hit.item.task_id for hit in context_for(memory, task).tasks]
    ['t1']
    """
    query = f"{task.title}\n{task.body}"

    def found(collection: str, filters: Mapping[str, str]) -> tuple[MemoryHit, ...]:
        # a task may have left several items, and asking for too many costs little
        hits = memory.search(query, collection=collection, mode=mode, k=2 * k + 5, filters=filters, at=at)
        return tuple(hit for hit in hits if hit.item.task_id != task.id)[:k]

    here = {"package": task.package}
    return Recalled(
        task.id, found("codebase", here), found("tasks", {}), found("patterns", {}), found("decisions", here)
    )


class Part(StrEnum):
    """The parts of an explanation, in their order."""

    TASK = "task"
    PATTERNS = "patterns"
    CHANGE = "change"
    ASSESSMENT = "assessment"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Step:
    """One part of an explanation, in words, and the items that say so; none where the memory holds nothing."""

    part: Part
    text: str
    items: tuple[MemoryItem, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a decision came about and what came of it, one step a part."""

    task_id: str
    steps: tuple[Step, ...]

    @property
    def missing(self) -> tuple[Part, ...]:
        """Parts of which the memory holds nothing."""
        return tuple(step.part for step in self.steps if not step.items)

    def __str__(self) -> str:
        return "\n".join(f"{step.part}: {step.text}" for step in self.steps)


def explain(memory: Memory, decision: str) -> Explanation:
    """Follow a decision back to its task and forward to its outcome, through what agents wrote down.

    Parameters
    ----------
    decision
        Id of an item of the collection ``decisions``, a decision's id, or the id of the task it was on.

    Raises
    ------
    LabError
        If the memory holds no such decision.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> memory = InMemoryMemory()
    >>> facts = {"risk": 0.2, "factor:lines": 0.4, "pattern:negate": True, "stage": "healthy", "success": True}
    >>> item = memory.add(MemoryItem("decisions", "auto_deploy healthy", facts, task_id="t1"))
    >>> print(explain(memory, "t1"))
    task: nothing is remembered
    patterns: nothing is remembered
    change: made with negate
    assessment: risk 0.2; lines 0.4
    outcome: healthy, a success
    """
    items = {name: memory.since(name, -1) for name in COLLECTIONS}
    decisions = [one for one in items["decisions"] if decision in (one.id, one.decision_id, one.task_id)]
    if not decisions:
        raise LabError(f"the memory holds no decision {decision!r}; name a decision's item, its id, or its task")
    latest = decisions[-1]
    ours = {name: tuple(one for one in items[name] if _same(one, latest)) for name in ("tasks", "patterns")}
    tried = tuple(item for item in ours["patterns"] if any(key.startswith("tries:") for key in item.facts))
    used = [key.partition(":")[2] for key in latest.facts if key.startswith("pattern:")]
    steps = (
        Step(Part.TASK, "; ".join(item.text for item in ours["tasks"]) or _NOTHING, ours["tasks"]),
        Step(Part.PATTERNS, _tried(tried) or _NOTHING, tried),
        Step(Part.CHANGE, f"made with {', '.join(used)}" if used else _NOTHING, (latest,) if used else ()),
        _assessment(latest),
        _outcome(latest),
    )
    return Explanation(latest.task_id, steps)


_NOTHING = "nothing is remembered"


def _same(item: MemoryItem, decision: MemoryItem) -> bool:
    """Whether an item is of the decision's task, in the same run."""
    return bool(item.task_id) and (item.task_id, item.run_id) == (decision.task_id, decision.run_id)


def _tried(items: tuple[MemoryItem, ...]) -> str:
    tries: dict[str, list[float]] = {}
    for item in items:
        for key, value in item.facts.items():
            kind, _, pattern = key.partition(":")
            if kind in ("tries", "successes"):
                tries.setdefault(pattern, [0.0, 0.0])[kind == "successes"] += float(value)
    return ", ".join(f"{pattern} tried {count:g} times, {good:g} passed" for pattern, (count, good) in tries.items())


def _assessment(decision: MemoryItem) -> Step:
    facts = decision.facts
    if "risk" not in facts:
        return Step(Part.ASSESSMENT, _NOTHING, ())
    factors = {key.partition(":")[2]: float(value) for key, value in facts.items() if key.startswith("factor:")}
    largest = sorted(factors, key=lambda name: (-abs(factors[name]), name))[:_SHOWN]
    words = [f"risk {float(facts['risk']):.3g}", *(f"{name} {factors[name]:.3g}" for name in largest)]
    return Step(Part.ASSESSMENT, "; ".join(words), (decision,))


def _outcome(decision: MemoryItem) -> Step:
    facts = decision.facts
    if "success" not in facts:
        return Step(Part.OUTCOME, _NOTHING, ())
    source = f", as {facts['source']} showed" if "source" in facts else ""
    shown = "a success" if facts["success"] else "a failure"
    return Step(Part.OUTCOME, f"{facts.get('stage', 'settled')}, {shown}{source}", (decision,))
