"""The developer: asks what worked on tasks like this one, looks for a change, and learns which patterns work."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, Surroundings, changes_of, last_result
from autodev_lab.agents.outcomes import outcome_of
from autodev_lab.learning import SimilarFixes
from autodev_lab.protocols import PatternLearner, Solver
from autodev_lab.records import Attempt, Change, Claim, Cost, Event, Plan, Role, Stage, Task, TaskContext, TaskState
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["Developer"]

_ATTEMPTS = 5


class Developer(Agent):
    """Proposes a change for each planned or rejected task.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    solver
        What finds changes.
    patterns
        What is known of patterns; shared with other developers if it lives in a shared memory.
    similar
        How attempts on similar tasks, which are looked for in any case, count in what is known; not unless given.
    """

    role: ClassVar[Role] = Role.DEVELOPER
    listens: ClassVar[frozenset[Stage]] = TERMINAL_STAGES

    def __init__(
        self,
        agent_id: str,
        surroundings: Surroundings,
        *,
        solver: Solver,
        patterns: PatternLearner,
        similar: SimilarFixes | None = None,
    ) -> None:
        super().__init__(agent_id, surroundings)
        self._similar = similar
        self._solver = solver
        self._patterns = patterns
        self._proposed: dict[str, None] = {}

    async def act(self, claim: Claim) -> Move:
        """Solve with what is left of the budget; give the task up when nothing is left or nothing was found."""
        task, state = claim.task, claim.state
        plan = last_result(state, Plan)
        spent = sum(entry.result.cost.candidates for entry in state.history if isinstance(entry.result, Attempt))
        budget = plan.budget - spent
        if budget <= 0:
            return Move(Stage.ABANDONED, Attempt(task.id, None))
        rejected = (*await self._changes_of_parent(task), *changes_of(state))
        asking = self.asking(task)
        hits = asking.search_others(f"{task.title} {task.body}", collection="patterns", k=_ATTEMPTS)
        known = self._patterns.records()
        patterns = dict(known) if self._similar is None else self._similar.records(known, hits)
        rng = self.rng("solve", task.id, spent)

        def work() -> tuple[Attempt, Cost]:
            workspace, opening = self.environment.workspace(task)
            diagnosis, looking = self.environment.diagnose(task)
            context = TaskContext(task, plan, diagnosis, patterns, rejected)
            attempt, solving = self._solver.solve(context, workspace, budget, rng)
            return attempt, opening + looking + solving

        attempt, _ = await self.call(work)
        attempt = replace(attempt, retrieved=asking.noted)
        self._patterns.observe(task, attempt.trials, agent_id=self.agent_id, at=self.runtime.now())
        if attempt.change is None:
            return Move(Stage.ABANDONED, attempt)
        self._proposed[task.id] = None
        return Move(Stage.PROPOSED, attempt)

    async def perceive(self, event: Event) -> None:
        """Learn what became of a change of one's own."""
        if event.task_id in self._proposed:
            await self._settle(event.task_id)

    async def look_around(self) -> None:
        """Also ask after one's own changes: the event that told of them may have been lost."""
        await super().look_around()
        for task_id in tuple(self._proposed):
            await self._settle(task_id)

    async def _settle(self, task_id: str) -> None:
        state = await self.ledger.state(task_id)
        outcome = outcome_of(state) if state is not None else None
        if state is None or outcome is None or task_id not in self._proposed:
            return
        del self._proposed[task_id]
        if _author(state) == self.agent_id:
            self._patterns.settle(outcome, agent_id=self.agent_id, at=self.runtime.now())

    async def _changes_of_parent(self, task: Task) -> tuple[Change, ...]:
        if task.parent is None:
            return ()
        parent = await self.ledger.state(task.parent)
        return tuple(changes_of(parent)) if parent is not None else ()


def _author(state: TaskState) -> str:
    """Id of the agent whose change the task ended with."""
    for entry in reversed(state.history):
        if isinstance(entry.result, Attempt):
            return entry.agent_id
    return ""
