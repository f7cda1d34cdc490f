"""For work by hand: open a file of tasks, run a team with a solver of one's own, and get a data frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.provenance import code_hash
from autodev_lab.experiments.rows import cell_table
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.world_repository import open_repository, read_task_file
from autodev_lab.experiments.worlds import World
from autodev_lab.platform import StreamRun, TeamSpec, run_stream
from autodev_lab.protocols import Solver
from autodev_lab.resources import cache_directory

__all__ = ["SHIPPED_TASKS", "open_tasks", "to_frame", "try_solver"]

SHIPPED_TASKS = "data/tasks/pocketkit.jsonl"
"""Injected bugs in the lab's own small package; they need no network."""


@contextmanager
def open_tasks(
    tasks: str | Path = SHIPPED_TASKS, *, offline: bool = False, weak_sandbox: bool = False
) -> Iterator[World]:
    """Open a file of tasks as a world: its items, environment, oracle and built-in solvers.

    Parameters
    ----------
    tasks
        A file that `autodev-lab tasks build` wrote, or one that ships with the lab.
    offline
        Take packages from the cache alone.
    weak_sandbox
        Run candidate code even where the machine cannot isolate it.

    Raises
    ------
    LabError
        If the file or a package cannot be had, or candidate code cannot be isolated.
    """
    settings = Settings(str(cache_directory()), code_hash(), offline, weak_sandbox)
    world = open_repository(read_task_file(str(tasks)), settings)
    try:
        yield world
    finally:
        world.close()


def to_frame(run: StreamRun, *, arm: str = "mine", replicate: int = 0) -> pd.DataFrame:
    """A run as a tidy frame, one row a task, with the columns of the data dictionary.

    Parameters
    ----------
    arm, replicate
        What to call the run; frames of several runs can then be concatenated and compared.
    """
    frame: pd.DataFrame = cell_table(Cell(arm, False, replicate), run).to_pandas()
    return frame


def try_solver(
    solver: Solver,
    tasks: str | Path = SHIPPED_TASKS,
    *,
    team: TeamSpec | None = None,
    seed: int = 0,
    limit: int | None = None,
    arm: str = "mine",
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Run six agents, with your solver in the developer's hands, over a file of tasks.

    Parameters
    ----------
    solver
        Anything with a `name` and a `solve` method; see `autodev_lab.protocols.Solver`.
    tasks
        A file of tasks; the shipped ones by default.
    team
        The team; one developer with a budget of 20 candidates by default.
    seed
        Seed of the agents.
    limit
        Take only the first so many tasks.
    arm
        What to call the run in the frame.
    progress
        Called with (tasks closed, tasks).

    Returns
    -------
    DataFrame
        One row a task; the columns are described in ``docs/data-dictionary.md``.
    """
    with open_tasks(tasks) as world:
        run = run_stream(
            world.items[:limit],
            world.environment,
            team or TeamSpec(),
            solver=solver,
            oracle=world.oracle,
            seed=seed,
            progress=progress,
        )
    return to_frame(run, arm=arm)
