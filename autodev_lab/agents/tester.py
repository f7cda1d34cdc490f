"""The tester: runs the visible tests on the changed files and sends back what does not pass."""

from __future__ import annotations

from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, last_result
from autodev_lab.records import Attempt, Claim, Role, Stage

__all__ = ["Tester"]


class Tester(Agent):
    """Tests each proposed change."""

    __test__ = False  # not a pytest class

    role: ClassVar[Role] = Role.TESTER

    async def act(self, claim: Claim) -> Move:
        """Run the tests; TESTED when all pass, REJECTED otherwise."""
        change = last_result(claim.state, Attempt).change
        if change is None:
            raise LookupError(f"task {claim.task.id} was proposed without a change")
        report, _ = await self.call(lambda: self.environment.test(claim.task, change))
        return Move(Stage.TESTED if report.solved else Stage.REJECTED, report)
