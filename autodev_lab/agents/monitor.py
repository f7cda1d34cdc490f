"""The monitor: watches what is in production, rolls back what fails, and opens a bounded follow-up task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, Surroundings, last_result
from autodev_lab.agents.escalating import facts_about, hastened
from autodev_lab.records import Action, Attempt, Claim, Decision, HealthReport, Role, Stage, Task
from autodev_lab.rules import EscalationRules, Moment

__all__ = ["Monitor"]


class Monitor(Agent):
    """Watches each change in production.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    max_depth
        How many follow-ups in a row an incident may open; bounded, so that a task cannot breed for ever.
    watch_seconds
        How long a change deployed *with monitoring* is watched before it is called healthy.
    rules
        An incident that those on production hold for is followed up ahead of others, and its follow-up says why;
        nothing unless given. What failed is rolled back at once in any case: that waits for nobody.
    """

    role: ClassVar[Role] = Role.MONITOR

    def __init__(
        self,
        agent_id: str,
        surroundings: Surroundings,
        *,
        max_depth: int = 1,
        watch_seconds: float = 120.0,
        rules: EscalationRules | None = None,
    ) -> None:
        super().__init__(agent_id, surroundings)
        self._max_depth = max_depth
        self._watch_seconds = watch_seconds
        self._rules = rules.new_in(Moment.PRODUCTION) if rules is not None else None

    async def act(self, claim: Claim) -> Move:
        """Look at all production traffic; HEALTHY, or ROLLED_BACK with a follow-up task."""
        task = claim.task
        change = last_result(claim.state, Attempt).change
        if change is None:
            raise LookupError(f"task {task.id} reached production without a change")
        if last_result(claim.state, Decision).action is Action.DEPLOY_WITH_MONITORING:
            await self.runtime.sleep(self._watch_seconds)
        report, _ = await self.call(lambda: self.environment.expose(task, change, Stage.PRODUCTION, 1.0))
        health = HealthReport(task.id, not report.failed, report)
        if health.healthy:
            return Move(Stage.HEALTHY, health)
        await self.call(lambda: (None, self.environment.rollback(task, change)))
        follow_up = self._follow_up(task, report.failed)
        if follow_up is not None and self._rules is not None:
            assessment = last_result(claim.state, Decision).assessment
            held = self._rules.held(facts_about(claim.state, change, assessment, health))
            follow_up = hastened(follow_up, held)
        return Move(Stage.ROLLED_BACK, health, follow_up)

    def _follow_up(self, task: Task, failed: tuple[str, ...]) -> Task | None:
        if task.depth >= self._max_depth:
            return None
        return replace(
            task,
            id=f"{task.root}~{task.depth + 1}",
            title=f"Incident after deployment: {task.title}",
            body=f"{task.body}\n\nRolled back: {len(failed)} production check(s) failed.",
            arrival=self.runtime.now(),
            priority=task.priority + 1,
            parent=task.id,
            depth=task.depth + 1,
        )
