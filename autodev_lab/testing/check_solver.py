"""Contract suite for solvers: within budget, honest about cost, repeatable, and never the rejected change again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autodev_lab.protocols import Solver, Workspace
from autodev_lab.records import Attempt, Cost, TaskContext

__all__ = ["check_solver"]


def check_solver(solver: Solver, context: TaskContext, workspace: Workspace, *, budget: int, seed: int = 0) -> None:
    """Check that a solver keeps its promises on one task.

    Parameters
    ----------
    solver
        The solver.
    context, workspace
        A task that it can solve within `budget`, or else less is checked.
    budget
        Candidates, 1 or more.
    seed
        Seed of the generator that the solver is given.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.
    """
    assert solver.name, "a solver must have a name"
    attempt, cost = _solve(solver, context, workspace, budget, seed)
    _check_attempt(solver, context, attempt, cost, budget)
    assert _solve(solver, context, workspace, budget, seed) == (attempt, cost), (
        "the same context, workspace, budget and generator must give the same attempt"
    )
    single, single_cost = _solve(solver, context, workspace, 1, seed)
    _check_attempt(solver, context, single, single_cost, 1)
    if attempt.change is None:
        return
    (verdict,) = workspace.evaluate((attempt.change.candidate,))
    assert verdict.plausible, "a proposed change must pass the visible tests when it is evaluated again"
    assert workspace.confirm(attempt.change.candidate).plausible, "a proposed change must be a confirmed one"
    refused = replace(context, rejected=(*context.rejected, attempt.change))
    second, second_cost = _solve(solver, refused, workspace, budget, seed)
    _check_attempt(solver, refused, second, second_cost, budget)


def _solve(solver: Solver, context: TaskContext, workspace: Workspace, budget: int, seed: int) -> tuple[Attempt, Cost]:
    return solver.solve(context, workspace, budget, np.random.Generator(np.random.PCG64(seed)))


def _check_attempt(solver: Solver, context: TaskContext, attempt: Attempt, cost: Cost, budget: int) -> None:
    assert attempt.task_id == context.task.id, f"an attempt must name its task {context.task.id!r}"
    assert attempt.cost == cost, "the attempt must hold the cost that solve returns"
    assert 0 <= cost.candidates <= budget, f"solve spent {cost.candidates} candidates of a budget of {budget}"
    assert cost.seconds >= 0, "a cost cannot be negative"
    names = [trial.pattern for trial in attempt.trials]
    assert len(names) == len(set(names)), "an attempt must have one trial record a pattern"
    tried = sum(trial.tries for trial in attempt.trials)
    assert tried <= cost.candidates, f"trials count {tried} candidates, but the cost only {cost.candidates}"
    for trial in attempt.trials:
        assert 0 <= trial.successes <= trial.tries, f"pattern {trial.pattern!r} has more successes than tries"
    change = attempt.change
    if change is None:
        return
    assert change.task_id == context.task.id, f"a change must name its task {context.task.id!r}"
    assert change.solver == solver.name, "a change must name its solver"
    assert change.edits, "a change must change something"
    assert 1 <= change.evaluations <= max(1, cost.candidates), "a change must say how many evaluations it took"
    assert all(change.edits != old.edits for old in context.rejected), "a rejected change must not be proposed again"
