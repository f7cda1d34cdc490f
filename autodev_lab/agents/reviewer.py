"""The reviewer: judges a change by linter, security scanner, complexity, size and past decisions on its files."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from autodev_lab.agents.base import Agent, Move, Surroundings, last_result
from autodev_lab.agents.labels import COLLECTION, file_fact
from autodev_lab.agents.recalled import FileCaution
from autodev_lab.records import Attempt, Claim, Inspection, Review, Role, Stage

__all__ = ["Reviewer", "review"]

_MAX_LINES = 60
_MAX_ADDED_COMPLEXITY = 5
_FILES = 3
_DECISIONS = 5


def review(inspection: Inspection) -> Review:
    """Judge what an inspection showed.

    A change is sent back when it adds a security finding of high severity, a linter finding, more than five to the
    cyclomatic complexity, or more than sixty lines. Quality starts at 10 and loses 2 for a security finding, 1 for a
    linter finding, .5 for each point of added complexity and .05 for each changed line; these are house rules, stated
    so that a researcher can replace them.

    Examples
    --------
    >>> clean = Inspection("t", 0, 0, 0, 4, 4, 1, 1, 1, 0, 0, 3)
    >>> review(clean).approved, review(clean).quality
    (True, 9.9)
    """
    lines = inspection.lines_added + inspection.lines_removed
    growth = max(0, inspection.complexity_after - inspection.complexity_before)
    reasons = []
    if inspection.security_severe:
        reasons.append(f"adds {inspection.security_severe} security finding(s) of high severity")
    if inspection.lint:
        reasons.append(f"adds {inspection.lint} linter finding(s)")
    if growth > _MAX_ADDED_COMPLEXITY:
        reasons.append(f"adds {growth} to the cyclomatic complexity (limit {_MAX_ADDED_COMPLEXITY})")
    if lines > _MAX_LINES:
        reasons.append(f"changes {lines} lines (limit {_MAX_LINES})")
    quality = 10.0 - 2.0 * inspection.security - inspection.lint - 0.5 * growth - 0.05 * lines
    return Review(inspection.task_id, not reasons, max(0.0, quality), tuple(reasons), inspection)


class Reviewer(Agent):
    """Reviews each tested change.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    caution
        What past decisions on the files of a change, which are looked for in any case, do to its quality; nothing
        unless given.
    """

    role: ClassVar[Role] = Role.REVIEWER

    def __init__(self, agent_id: str, surroundings: Surroundings, *, caution: FileCaution | None = None) -> None:
        super().__init__(agent_id, surroundings)
        self._caution = caution

    async def act(self, claim: Claim) -> Move:
        """Inspect the change and judge it; APPROVED or REJECTED."""
        change = last_result(claim.state, Attempt).change
        if change is None:
            raise LookupError(f"task {claim.task.id} was tested without a change")
        inspection, _ = await self.call(lambda: self.environment.inspect(claim.task, change))
        asking = self.asking(claim.task)
        past = [
            hit
            for path in tuple(dict.fromkeys(edit.path for edit in change.edits))[:_FILES]
            for hit in asking.search(path, collection=COLLECTION, k=_DECISIONS, filters=file_fact(path))
        ]
        verdict = replace(review(inspection), retrieved=asking.noted)
        if self._caution is not None:
            verdict = self._caution.applied(verdict, past)
        return Move(Stage.APPROVED if verdict.approved else Stage.REJECTED, verdict)
