"""What a run would take, before it is started: cells, time, disk. Estimates, and labelled so."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from autodev_lab.experiments.design import Plan
from autodev_lab.experiments.progress import duration

__all__ = ["Need", "estimate"]

# The quick profile took 182 s with two workers (seven packages, five tasks each); others may be off severalfold.
BUILD_SECONDS = 1.3
"""CPU seconds to build one valid task."""
FIRST_SECONDS = 7.6
"""CPU seconds of a task when it is new: diagnosis, and of each change found, plain re-check and held-out tests."""
CANDIDATE_SECONDS = 0.01
"""CPU seconds to evaluate one candidate that no cell has met before."""
REPLAY_SECONDS = 0.03
"""CPU seconds of a task whose evaluations other cells have paid for."""
SIMULATED_SECONDS = 0.001
"""CPU seconds of a simulated task."""
FIXED_SECONDS = 15.0
"""Start, figures, MLflow store and notebook."""
ROW_BYTES = 1500
"""Bytes of a row and its trace."""
FIXED_BYTES = 3_000_000
"""Bytes of figures, notebook, HTML and MLflow store."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a plan needs: counts are exact, `seconds` and `bytes` are estimates."""

    experiment: str
    profile: str
    seed: int
    environment: str
    arms: tuple[str, ...]
    packages: tuple[str, ...]
    lesson_packages: tuple[str, ...]
    shift: str
    cells: int
    tasks: int
    task_runs: int
    workers: int
    seconds: float
    bytes: int
    configuration_hash: str

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**asdict(self), "estimated": ["seconds", "bytes"]}

    def in_words(self) -> str:
        """For people."""
        return "\n".join(
            [
                f"{self.experiment}, profile {self.profile}, seed {self.seed}, {self.environment} environment",
                f"cells          {self.cells} ({', '.join(self.arms)})",
                f"tasks          {self.tasks} built, {self.task_runs} task runs",
                f"packages       {', '.join(self.packages) or 'those of the task file'}",
                *([f"lessons        {', '.join(self.lesson_packages)}"] if self.lesson_packages else []),
                *([f"shift          {self.shift}"] if self.shift else []),
                f"time           about {duration(self.seconds)} with {self.workers} workers (an estimate; cached "
                "work is free)",
                f"disk           about {self.bytes / 1e6:.0f} MB (an estimate)",
                f"configuration  {self.configuration_hash}",
            ]
        )


def estimate(plan: Plan, *, workers: int = 0) -> Need:
    """Estimate what a plan takes.

    Parameters
    ----------
    workers
        Processes; 0 takes one a core.

    Examples
    --------
    >>> from autodev_lab.experiments.design import load_experiment, make_plan
    >>> estimate(make_plan(load_experiment("learning"), profile="smoke"), workers=1).cells
    10
    """
    parameters = plan.parameters
    count = workers or os.cpu_count() or 1
    tried = parameters.packages or ("the task file's",)
    packages = len(tried)
    ready = sum(parameters.pool(package) for package in tried)
    pool = ready + sum(parameters.pool(package) for package in plan.lesson_packages)
    cells = len(plan.cells())
    runs = cells * packages * parameters.tasks_per_package
    if parameters.environment == "simulated":
        seconds = runs * SIMULATED_SECONDS
    else:
        build = (pool - (ready if parameters.tasks else 0)) * BUILD_SECONDS
        # arms and twins share most candidates of a task; they never share all of them
        fresh = pool * (FIRST_SECONDS + 4 * parameters.budget * CANDIDATE_SECONDS)
        seconds = build + fresh + runs * REPLAY_SECONDS
    return Need(
        plan.experiment.name,
        plan.profile,
        plan.seed,
        parameters.environment,
        plan.arms,
        parameters.packages,
        plan.lesson_packages,
        parameters.shift,
        cells,
        pool,
        runs,
        count,
        FIXED_SECONDS + seconds / count,
        FIXED_BYTES + runs * ROW_BYTES,
        plan.configuration_hash,
    )
