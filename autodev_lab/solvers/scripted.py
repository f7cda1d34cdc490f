"""A solver that answers from a script: a baseline, a way to replay known fixes, and a reference in tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from autodev_lab.protocols import Workspace
from autodev_lab.records import Attempt, Change, Cost, PatternTrial, TaskContext
from autodev_lab.solvers.accounting import SECONDS_PER_CANDIDATE

__all__ = ["ScriptedSolver"]


class ScriptedSolver:
    """Proposes for each task the change its script holds, once, without running anything.

    Parameters
    ----------
    changes
        Change by task id, or by the id of a follow-up's root; None or no entry gives the task up. A change that was
        rejected before is not proposed again.
    name
        Recorded with every attempt.

    Examples
    --------
    >>> ScriptedSolver({}).name
    'scripted'
    """

    def __init__(self, changes: Mapping[str, Change | None], *, name: str = "scripted") -> None:
        self._changes = MappingProxyType(dict(changes))
        self._name = name

    @property
    def name(self) -> str:
        """Recorded with every attempt."""
        return self._name

    def solve(
        self, context: TaskContext, workspace: Workspace, budget: int, rng: np.random.Generator
    ) -> tuple[Attempt, Cost]:
        """The script's change, at the cost of one candidate; nothing at no cost."""
        task = context.task
        change = self._changes.get(task.id, self._changes.get(task.root))
        rejected = {one.candidate.id for one in context.rejected}
        if change is None or budget < 1 or change.candidate.id in rejected:
            return Attempt(task.id, None), Cost()
        cost = Cost(candidates=1, seconds=SECONDS_PER_CANDIDATE)
        trials = tuple(PatternTrial(pattern, 1, 1) for pattern in change.patterns)
        return Attempt(task.id, change, trials, cost), cost
