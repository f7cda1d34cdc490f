"""How an agent asks its memory about a task: every question is noted, with what came back."""

from __future__ import annotations

from collections.abc import Mapping

from autodev_lab.protocols import LinkedMemory
from autodev_lab.records import Found, MemoryHit, Retrieval, Role, SearchMode, Task

__all__ = ["Asking"]


class Asking:
    """One agent's questions about one task.

    Parameters
    ----------
    memory
        Where the agent asks.
    task
        What it works on.
    agent_id, role, at
        Who asks, and when (virtual seconds).

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> from autodev_lab.records import MemoryItem, TaskKind
    >>> memory = InMemoryMemory()
    >>> item = memory.add(MemoryItem("tasks", "parse_date fails on empty text", {}, task_id="t1"))
    >>> task = Task("t2", "p", TaskKind.INJECTED, "date parser fails")
    >>> asking = Asking(memory, task, agent_id="architect-1", role=Role.ARCHITECT, at=0.0)
    >>> [hit.item.task_id for hit in asking.search(task.title, collection="tasks", k=3)]
    ['t1']
    >>> asking.noted[0].found[0].item_id
    'tasks:0'
    """

    def __init__(self, memory: LinkedMemory, task: Task, *, agent_id: str, role: Role, at: float) -> None:
        self._memory = memory
        self._task = task
        self._agent_id = agent_id
        self._role = role
        self._at = at
        self._noted: list[Retrieval] = []

    @property
    def noted(self) -> tuple[Retrieval, ...]:
        """All questions so far, in order."""
        return tuple(self._noted)

    def search(
        self, query: str, *, collection: str, k: int, filters: Mapping[str, str] | None = None
    ) -> tuple[MemoryHit, ...]:
        """Best `k` items by words, as `Memory.search` finds them."""
        return self._kept(self._memory.search(query, collection=collection, k=k, filters=filters), collection, query, k)

    def search_others(self, query: str, *, collection: str, k: int) -> tuple[MemoryHit, ...]:
        """The same without what was remembered of this task, or of tasks it follows up."""
        # a task may have left several items, and asking for too many costs little
        hits = self._memory.search(query, collection=collection, k=2 * k + 5)
        others = tuple(hit for hit in hits if hit.item.task_id.split("~", 1)[0] != self._task.root)
        return self._kept(others[:k], collection, query, k)

    def _kept(self, hits: tuple[MemoryHit, ...], collection: str, query: str, k: int) -> tuple[MemoryHit, ...]:
        found = tuple(Found(hit.item.id, hit.score, hit.item.task_id) for hit in hits)
        self._note(collection, SearchMode.KEYWORD.value, query, k, found)
        return hits

    def impact(self, end: str, hops: int, *, k: int) -> Mapping[str, int]:
        """What leads to an id along the memory's links; the nearest `k` are noted."""
        reached = self._memory.impact(end, hops)
        nearest = sorted(reached, key=lambda one: (reached[one], one))[:k]
        self._note("", "impact", end, k, tuple(Found(one, 1.0 / reached[one]) for one in nearest))
        return reached

    def _note(self, collection: str, mode: str, query: str, k: int, found: tuple[Found, ...]) -> None:
        self._noted.append(
            Retrieval(self._task.id, self._agent_id, self._role, self._at, collection, mode, query, k, found)
        )
