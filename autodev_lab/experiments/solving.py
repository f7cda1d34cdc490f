"""One solver alone on tasks: no team, no gate; what it finds is tested on disk and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from autodev_lab.experiments.worlds import World
from autodev_lab.files import stable_seed
from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.protocols import PatternLearner, Solver
from autodev_lab.records import Plan, StreamItem, TaskContext

__all__ = ["SolveResult", "Solved", "solve_items"]


@dataclass(frozen=True, slots=True)
class Solved:
    """What became of one task."""

    task_id: str
    package: str
    solved: bool
    correct: bool
    candidates: int
    test_executions: int
    patterns: tuple[str, ...]
    diff: str

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**asdict(self), "patterns": list(self.patterns)}


@dataclass(frozen=True, slots=True)
class SolveResult:
    """All tasks, in order. Without a gate every plausible change would be deployed, so a wrong one has escaped."""

    rows: tuple[Solved, ...]

    @property
    def n(self) -> int:
        """Tasks."""
        return len(self.rows)

    @property
    def solved(self) -> int:
        """Tasks whose visible tests all pass on disk."""
        return sum(row.solved for row in self.rows)

    @property
    def correct(self) -> int:
        """Solved tasks whose change is right on all that was held out."""
        return sum(row.correct for row in self.rows)

    @property
    def escaped(self) -> int:
        """Solved tasks whose change is wrong."""
        return self.solved - self.correct

    @property
    def candidates(self) -> int:
        """Candidates evaluated."""
        return sum(row.candidates for row in self.rows)

    @property
    def test_executions(self) -> int:
        """Single test cases executed by the search."""
        return sum(row.test_executions for row in self.rows)


def solve_items(
    items: Sequence[StreamItem],
    world: World,
    solver: Solver,
    *,
    budget: int,
    seed: int,
    patterns: PatternLearner | None = None,
    progress: Callable[[int], None] | None = None,
) -> SolveResult:
    """Solve tasks one after the other; a solver that learns sees the trials of the tasks before.

    Parameters
    ----------
    budget
        Candidates a task may use.
    patterns
        What is known of patterns; an empty library unless given.
    progress
        Called with the number of tasks done.
    """
    library = patterns or PatternLibrary(InMemoryMemory())
    rows: list[Solved] = []
    for item in items:
        task = item.task
        diagnosis, _ = world.environment.diagnose(task)
        workspace, _ = world.environment.workspace(task)
        # no architect here: the solver localises by itself
        context = TaskContext(task, Plan(task.id, (), 0.0, budget), diagnosis, library.records())
        rng = np.random.default_rng(stable_seed("solve", seed, task.id))
        attempt, _ = solver.solve(context, workspace, budget, rng)
        library.observe(task, attempt.trials, agent_id="solver", at=float(len(rows)))
        change = attempt.change
        solved = correct = False
        if change is not None:
            report, _ = world.environment.test(task, change)
            solved = report.solved
            correct = solved and world.oracle.judge(task, item.truth, change).correct
        rows.append(
            Solved(
                task.id,
                task.package,
                solved,
                correct,
                attempt.cost.candidates,
                attempt.cost.test_executions,
                change.patterns if change else (),
                change.diff if change else "",
            )
        )
        if progress is not None:
            progress(len(rows))
    return SolveResult(tuple(rows))
