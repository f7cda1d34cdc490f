"""The architect: reproduces the failure, localises it, looks for tasks like it, and plans the effort."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, Surroundings
from autodev_lab.records import Claim, Link, MemoryItem, Plan, Role, Stage, Suspect
from autodev_lab.solvers.repair.localisation import ochiai

__all__ = ["Architect", "complexity_of"]

_FILES = 3
_HOPS = 2
_NOTED = 10


def complexity_of(suspects: Sequence[Suspect]) -> float:
    """How widely suspicion is spread, from 0 (one line) to 10 (a thousand lines or more).

    The effective number of suspicious lines is the perplexity of the suspiciousness scores (two to the power of their
    Shannon entropy); the score is its base-two logarithm, so every point means twice as many lines to look at.

    Examples
    --------
    >>> complexity_of([Suspect("m.py", 3, 1.0)])
    0.0
    >>> round(complexity_of([Suspect("m.py", line, 0.5) for line in range(1, 9)]), 6)
    3.0
    """
    total = sum(suspect.suspiciousness for suspect in suspects)
    if total <= 0:
        return 0.0
    shares = (suspect.suspiciousness / total for suspect in suspects)
    return min(10.0, max(0.0, -sum(share * math.log2(share) for share in shares if share > 0)))


class Architect(Agent):
    """Plans each fetched task.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    budget
        Candidates a plan allows for a task, over all its attempts.
    similar
        How many similar past tasks to name in the plan.
    """

    role: ClassVar[Role] = Role.ARCHITECT

    def __init__(self, agent_id: str, surroundings: Surroundings, *, budget: int, similar: int = 3) -> None:
        super().__init__(agent_id, surroundings)
        self._budget = budget
        self._similar = similar

    async def act(self, claim: Claim) -> Move:
        """Diagnose, localise, estimate; remember the task for those who come after."""
        task = claim.task
        diagnosis, _ = await self.call(lambda: self.environment.diagnose(task))
        suspects = ochiai(diagnosis)
        query = f"{task.title} {' '.join(diagnosis.failing)}"
        files = tuple(dict.fromkeys(suspect.path for suspect in suspects))[:_FILES]
        asking = self.asking(task)
        similar = tuple(hit.item.task_id for hit in asking.search(query, collection="tasks", k=self._similar))
        for path in files:
            asking.impact(path, _HOPS, k=_NOTED)
        self.memory.add(
            MemoryItem("tasks", query, {"package": task.package}, task.id, self.agent_id, self.runtime.now())
        )
        self.memory.link(Link(task.id, "SUSPECTS", path) for path in files)
        failing = diagnosis.total_failed
        plan = Plan(task.id, suspects, complexity_of(suspects), self._budget, similar, failing, asking.noted)
        return Move(Stage.PLANNED, plan)
