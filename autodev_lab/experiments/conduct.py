"""What the engine asks of an experiment, whatever it measures: its jobs, its cells' keys, its report and its mirror.

There are two kinds. Experiments with a team send agents through streams of tasks (`teams.py`); studies measure a part
of the lab by itself, for example how well a memory finds code (`studies/`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from autodev_lab.experiments.design import Parameters, Plan, load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.resolving import read_experiment
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import Answer, Job

__all__ = ["AnyCell", "AnyPlan", "Conduct", "conduct_of", "need_of", "parameter_names", "plan_of", "read_any_plan"]

_ON_DATA = {"safety": "safety_changes"}
"""Experiments that are a study of their own when they are given data (`-p data=DIR`)."""


class AnyCell(Protocol):
    """The unit of running, resuming and parallelism."""

    @property
    def name(self) -> str:
        """Unique within a plan and safe as a file name."""
        ...


class AnyNeed(Protocol):
    """What a plan takes, as an estimate."""

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        ...

    def in_words(self) -> str:
        """For people."""
        ...


class AnyPlan(Protocol):
    """An experiment with its profile, overrides and seed resolved."""

    @property
    def name(self) -> str:
        """Of the experiment."""
        ...

    @property
    def notebook(self) -> str:
        """The experiment's notebook, as a resource; empty when it has none."""
        ...

    @property
    def profile(self) -> str:
        """Of the experiment."""
        ...

    @property
    def seed(self) -> int:
        """Of the run."""
        ...

    @property
    def configuration_hash(self) -> str:
        """Of everything that decides the outcomes."""
        ...

    def as_json(self) -> dict[str, object]:
        """Plain data, as `spec.json` holds it."""
        ...


class Conduct(Protocol):
    """How one plan is carried out in one run directory."""

    @property
    def cells(self) -> Sequence[AnyCell]:
        """In canonical order, that of the outcomes."""
        ...

    @property
    def schedule(self) -> Sequence[AnyCell]:
        """The same in the order to run them."""
        ...

    @property
    def cell_size(self) -> int:
        """How many units of work a cell is counted as; ``unit`` names them."""
        ...

    @property
    def unit(self) -> str:
        """What a cell's work is counted in, for people: ``"tasks"``."""
        ...

    @property
    def side_by_side(self) -> bool:
        """Whether cells may run at the same time; not where they measure time."""
        ...

    def sandbox(self) -> str:
        """Isolation of candidate code, in words.

        Raises
        ------
        LabError
            If there is not enough of it and the settings do not allow that.
        """
        ...

    def to_build(self) -> tuple[tuple[str, ...], int]:
        """Packages whose inputs are still to be built, and how many units each is counted as."""
        ...

    def assemble(self) -> Mapping[str, str]:
        """Write `tasks.jsonl` and `attrition.csv` unless they are there; returns the content hash of every package."""
        ...

    def to_explore(self, waiting: Collection[AnyCell]) -> tuple[str, ...]:
        """Names of ``"task"`` jobs worth doing, side by side, before cells are run."""
        ...

    def key(self, cell: AnyCell, inputs_hash: str) -> str:
        """Content address of everything that a cell depends on.

        Parameters
        ----------
        inputs_hash
            SHA-256 of `tasks.jsonl`.
        """
        ...

    def plugins(self) -> dict[str, str]:
        """Hashes of the user's own code that the plan runs, by its name in the plan."""
        ...

    def run(self, job: Job, progress: Callable[[int, int], None]) -> Answer:
        """Do one job in this process: ``build`` a package's inputs, explore a ``task``, or run a ``cell``."""
        ...

    def report(self, done: int, *, draw: bool) -> tuple[dict[str, object], str]:
        """Write summary and figures from the outcomes; returns the object of `--json`, and the same in words."""
        ...

    def mirror(self, summary: Mapping[str, object]) -> None:
        """Write the run to MLflow."""
        ...

    def close(self) -> None:
        """Let go of what doing jobs has opened."""
        ...


def plan_of(name: str | Path, *, profile: str, seed: int = 0, overrides: Mapping[str, object] | None = None) -> AnyPlan:
    """The plan of an experiment of either kind, by its name or from a YAML file.

    Parameters
    ----------
    profile, seed, overrides
        See `design.make_plan`.

    Raises
    ------
    LabError
        If there is no such experiment, or what is asked of it cannot be had.
    """
    if overrides and "data" in overrides:
        name = _ON_DATA.get(str(name), name)
    data = read_experiment(name)
    if "study" in data:
        from autodev_lab.experiments.studies.design import make_study_plan, parse_study

        return make_study_plan(parse_study(name, data), profile=profile, seed=seed, overrides=overrides)
    return make_plan(load_experiment(name), profile=profile, seed=seed, overrides=overrides)


def parameter_names(name: str | Path, overrides: Mapping[str, object] | None = None) -> frozenset[str]:
    """Names of the parameters that an experiment of either kind has.

    Parameters
    ----------
    overrides
        As for `plan_of`.

    Raises
    ------
    LabError
        If there is no such experiment.

    Examples
    --------
    >>> "developers" in parameter_names("learning"), "developers" in parameter_names("reasoning")
    (True, False)
    """
    if overrides and "data" in overrides:
        name = _ON_DATA.get(str(name), name)
    data = read_experiment(name)
    if "study" in data:
        from autodev_lab.experiments.studies.catalogue import study_named
        from autodev_lab.experiments.studies.design import parse_study

        return frozenset(study_named(parse_study(name, data).study).parameters.model_fields)
    return frozenset(Parameters.model_fields)


def read_any_plan(directory: RunDirectory) -> AnyPlan:
    """The plan in a run directory, of either kind.

    Raises
    ------
    LabError
        If its `spec.json` is missing or damaged.
    """
    if directory.is_study:
        from autodev_lab.experiments.studies.design import read_study_plan

        return read_study_plan(directory)
    return directory.read_plan()


def need_of(plan: AnyPlan, *, workers: int = 0) -> AnyNeed:
    """What a plan of either kind takes.

    Parameters
    ----------
    workers
        Processes; 0 takes one a core.
    """
    if isinstance(plan, Plan):
        from autodev_lab.experiments.estimate import estimate

        return estimate(plan, workers=workers)
    from autodev_lab.experiments.studies.design import StudyPlan
    from autodev_lab.experiments.studies.estimate import estimate_study

    assert isinstance(plan, StudyPlan)
    return estimate_study(plan)


def conduct_of(directory: RunDirectory, settings: Settings) -> Conduct:
    """How the plan in a run directory is carried out.

    Raises
    ------
    LabError
        If its `spec.json` is missing or damaged.
    """
    if directory.is_study:
        from autodev_lab.experiments.studies.conduct import StudyConduct

        return StudyConduct(directory, settings)
    from autodev_lab.experiments.teams import TeamConduct

    return TeamConduct(directory, settings)
