"""`autodev-lab solve`: one solver alone on a file of tasks, without a team, a gate or memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from autodev_lab.cli.run import Sandbox
from autodev_lab.errors import LabError

__all__ = ["solve"]

SOLVERS = ("repair",)
READING = ("learned", "placebo")
"""Orders that read what is known of patterns."""


def solve(
    tasks: Annotated[Path, typer.Argument(metavar="FILE", help="A file of tasks; see `autodev-lab tasks build`.")],
    solver: Annotated[str, typer.Option(help=f"One of {', '.join(SOLVERS)}.")] = "repair",
    budget: Annotated[int, typer.Option(help="Candidates a task may use.")] = 20,
    order: Annotated[str, typer.Option(help="uniform, learned (from the tasks before) or placebo.")] = "uniform",
    patterns: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What a team learned (`patterns export`); nothing is learned on top."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the solver.")] = 0,
    sandbox: Annotated[Sandbox, typer.Option(help="weak: run even without isolation.")] = Sandbox.STRONG,
    offline: Annotated[bool, typer.Option("--offline", help="Take packages from the cache alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Solve tasks with one solver and judge what it found."""
    if solver not in SOLVERS:
        raise LabError(f"there is no solver {solver!r}; choose one of {', '.join(SOLVERS)}")
    if budget < 1:
        raise LabError(f"--budget is {budget}; it counts candidates a task and must be at least 1")
    if patterns is not None and order not in READING:
        raise LabError(f"--patterns is not read in order {order!r}; add --order {' or '.join(READING)}")
    from autodev_lab.experiments.progress import reporter
    from autodev_lab.experiments.provenance import code_hash
    from autodev_lab.experiments.settings import Settings
    from autodev_lab.experiments.solving import solve_items
    from autodev_lab.experiments.world_repository import open_repository, read_task_file
    from autodev_lab.learning import FrozenPatterns, read_patterns
    from autodev_lab.resources import cache_directory
    from autodev_lab.solvers.repair import RepairSolver, order_named

    chosen = RepairSolver(order_named(order))
    known = FrozenPatterns(read_patterns(patterns).records()) if patterns is not None else None
    items = read_task_file(str(tasks))
    settings = Settings(str(cache_directory()), code_hash(), offline, sandbox is Sandbox.WEAK)
    watch = reporter()
    begun = time.perf_counter()
    try:
        world = open_repository(items, settings)
        try:
            watch.stage("solving", len(items))
            result = solve_items(items, world, chosen, budget=budget, seed=seed, patterns=known, progress=watch.update)
        finally:
            world.close()
    finally:
        watch.close()
    seconds = time.perf_counter() - begun
    summary: dict[str, object] = {
        "solver": chosen.name,
        "order": order,
        "budget": budget,
        "seed": seed,
        "n": result.n,
        "solved": result.solved,
        "correct": result.correct,
        "escaped": result.escaped,
        "candidates": result.candidates,
        "test_executions": result.test_executions,
        "seconds": round(seconds, 3),
    }
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({**summary, "tasks": [row.as_json() for row in result.rows]})
        return
    typer.echo(
        f"{result.solved} of {result.n} tasks solved within {budget} candidates ({chosen.name}), {result.correct} of "
        f"them correct, {result.escaped} plausible but wrong; {result.candidates} candidates in {seconds:.1f} s"
    )
