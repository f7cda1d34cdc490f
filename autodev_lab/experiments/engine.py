"""Runs an experiment into a run directory, which is the truth: tasks, cells, outcomes, then what follows from them.

Everything after the cells (summary, figures, MLflow, notebook) is derived and can be written again by `resume`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from autodev_lab.analysis.frames import Run, compare, read_run
from autodev_lab.analysis.seals import read_object
from autodev_lab.config import Configuration
from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import AnyPlan, Conduct, conduct_of, plan_of, read_any_plan
from autodev_lab.experiments.configuring import Configured, configured
from autodev_lab.experiments.directory import RunDirectory, create_run, find_run
from autodev_lab.experiments.progress import Reporter, reporter
from autodev_lab.experiments.provenance import code_hash, provenance
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import Answer, InlineWorkers, Job, ProcessWorkers, Workers
from autodev_lab.resources import cache_directory, runs_directory

__all__ = ["Interrupted", "Options", "RunResult", "compare", "execute", "load_run", "run_experiment"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Parameters
    ----------
    workers
        Processes; 1 runs in this one, 0 takes one a core.
    weak_sandbox
        Run candidate code even where it cannot be isolated.
    offline
        Take packages from the cache alone.
    notebook, mlflow
        Also execute the experiment's notebook, also mirror the run to MLflow.
    progress
        ``"auto"``, ``"plain"`` or ``"quiet"``.
    """

    workers: int = 0
    weak_sandbox: bool = False
    offline: bool = False
    notebook: bool = False
    mlflow: bool = False
    progress: str = "auto"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to: its summary (the object of `--json`), and where it lies."""

    path: Path
    summary: Mapping[str, object] = field(hash=False)
    words: str

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    def load(self) -> Run:
        """The run's outcomes as a frame."""
        return read_run(self.path)


class Interrupted(KeyboardInterrupt):
    """The run was interrupted; what was finished by then is in `path`."""

    def __init__(self, path: Path, done: int, total: int) -> None:
        super().__init__(
            f"interrupted after {done} of {total} cells; the partial result is in {path}, and "
            f"`autodev-lab run --resume {path}` goes on from there"
        )
        self.path = path
        self.done = done


def run_experiment(
    name: str | Path | None = None,
    *,
    profile: str = "quick",
    seed: int = 0,
    overrides: Mapping[str, object] | None = None,
    workers: int = 0,
    resume: str | Path | None = None,
    out: str | Path | None = None,
    weak_sandbox: bool = False,
    offline: bool = False,
    notebook: bool = False,
    mlflow: bool = False,
    progress: str = "auto",
    configuration: Configuration | None = None,
) -> RunResult:
    """Run an experiment, or go on with one.

    Parameters
    ----------
    name
        An experiment that ships with the lab, or a YAML file; may be left out with `resume`.
    profile, seed, overrides
        What to run; see `autodev_lab.experiments.design`. Ignored with `resume`, which has its own.
    workers
        Processes; 1 runs in this one, 0 takes one a core.
    resume
        Run directory, id, or ``"last"``: finished cells are kept.
    out
        Folder to write the run into; a new one below ``runs`` unless given.
    weak_sandbox, offline, notebook, mlflow, progress
        See `Options`.
    configuration
        Sets what the overrides leave open (`autodev_lab.experiments.configuring`); no file is read unless it is given,
        and with `resume` it sets nothing.

    Raises
    ------
    LabError
        If something asked for cannot be had.
    Interrupted
        On Ctrl-C; what was finished is summed up first.
    """
    options = Options(workers, weak_sandbox, offline, notebook, mlflow, progress)
    if resume is not None:
        directory = find_run(resume, runs_directory())
        plan = read_any_plan(directory)
        if name is not None and str(name) not in (plan.name, f"{plan.name}.yaml"):
            raise LabError(f"{directory.path} is a run of {plan.name}, not of {name}; leave the name out")
        return execute(plan, directory, options)
    if name is None:
        raise LabError("name an experiment to run, or a run to resume")
    sets = configured(configuration, name, overrides) if configuration is not None else None
    asked = {**(sets.parameters if sets is not None else {}), **(overrides or {})}
    plan = plan_of(name, profile=profile, seed=seed, overrides=asked)
    directory = create_run(runs_directory(), plan, out=Path(out) if out is not None else None)
    return execute(plan, directory, options, fresh=True, sets=sets)


def load_run(name: str | Path = "last") -> Run:
    """Read a run by its path, by its id below the runs folder, or the newest one.

    Raises
    ------
    LabError
        If there is no such run or it has no outcomes yet.
    """
    return read_run(find_run(name, runs_directory()).path)


def execute(
    plan: AnyPlan,
    directory: RunDirectory,
    options: Options,
    *,
    fresh: bool = False,
    sets: Configured | None = None,
) -> RunResult:
    """Carry a plan out in a directory; `fresh` ones are removed again when they fail before they have tasks.

    Parameters
    ----------
    sets
        What a configuration has set of the plan, which is said and noted.
    """
    watch = reporter(options.progress)
    if sets is not None:
        watch.say(sets.words)
    settings = Settings(str(cache_directory()), code_hash(), options.offline, options.weak_sandbox)
    try:
        with directory.lock():
            try:
                result = _locked(plan, directory, options, settings, watch, sets)
            except BaseException:
                if fresh and not directory.tasks.exists():
                    directory.discard()
                raise
        # the notebook's own call needs the lock
        return _mirror(plan, result, options, settings, watch)
    finally:
        watch.close()


def _locked(
    plan: AnyPlan,
    directory: RunDirectory,
    options: Options,
    settings: Settings,
    watch: Reporter,
    sets: Configured | None,
) -> RunResult:
    directory.write_json(directory.spec, plan.as_json())
    conduct = conduct_of(directory, settings)
    sandbox = conduct.sandbox()
    count = (options.workers or os.cpu_count() or 1) if conduct.side_by_side else 1
    with _workers(directory, conduct, settings, count) as workers:
        packages = _prepare(conduct, workers, watch)
        inputs_hash = hashlib.sha256(directory.tasks.read_bytes()).hexdigest()
        done = {cell.name for cell in conduct.cells if directory.is_done(cell, conduct.key(cell, inputs_hash))}
        if not done or _ran_on_other_code(conduct, directory):
            record = provenance(
                plan.configuration_hash,
                plugins=conduct.plugins(),
                sandbox=sandbox,
                packages=packages,
                tasks_hash=inputs_hash,
                workers=count,
            )
            noted = sets.as_json() if sets is not None else read_object(directory.provenance).get("configuration")
            if noted is not None:
                record["configuration"] = noted
            directory.write_json(directory.provenance, record)
        try:
            _run_cells(conduct, workers, watch, done)
        except KeyboardInterrupt:
            # a second interrupt during the clean-up must not hide the first
            with suppress(KeyboardInterrupt):
                workers.close()
            if done:
                _finish(conduct, directory, done)
            raise Interrupted(directory.path, len(done), len(conduct.cells)) from None
    return _finish(conduct, directory, done)


def _ran_on_other_code(conduct: Conduct, directory: RunDirectory) -> bool:
    """Whether cells will be run with other code of the user's than the provenance says, or it is not there."""
    if not directory.provenance.exists():
        return True
    return read_object(directory.provenance).get("plugins", {}) != conduct.plugins()


@contextmanager
def _workers(directory: RunDirectory, conduct: Conduct, settings: Settings, count: int) -> Iterator[Workers]:
    """Workers that are closed whatever happens; one alone is this process."""
    workers: Workers
    if count > 1:
        workers = ProcessWorkers(directory.path, count, [json.dumps(settings.as_json())])
    else:
        workers = InlineWorkers(conduct)
    try:
        yield workers
    finally:
        workers.close()


class _Progress:
    """Adds the progress of jobs up to one number, in tasks."""

    def __init__(self, watch: Reporter, unit: int, finished: Callable[[Job, Answer], None]) -> None:
        self._watch, self._unit, self._finished = watch, unit, finished
        self._done = 0
        self._running: dict[Job, float] = {}

    def progressed(self, job: Job, done: int, total: int) -> None:
        """A job is partly done."""
        self._running[job] = self._unit * done / max(1, total)
        self._watch.update(int(self._done + sum(self._running.values())), job.name)

    def finished(self, job: Job, answer: Answer) -> None:
        """A job is done."""
        self._running.pop(job, None)
        self._done += self._unit
        self._finished(job, answer)
        self._watch.update(int(self._done + sum(self._running.values())), job.name)


def _prepare(conduct: Conduct, workers: Workers, watch: Reporter) -> Mapping[str, str]:
    """Make `tasks.jsonl` unless it is there; returns the content hash of every package."""
    packages, size = conduct.to_build()
    if packages:
        watch.stage(f"building {conduct.unit}", len(packages) * size)
        listener = _Progress(watch, size, lambda job, answer: None)
        workers.run([Job("build", package) for package in packages], listener)
    return conduct.assemble()


def _run_cells(conduct: Conduct, workers: Workers, watch: Reporter, done: set[str]) -> None:
    """Run what is not done yet, adding to `done` as cells are finished."""
    waiting = [cell for cell in conduct.schedule if cell.name not in done]
    if not waiting:
        return
    if done:
        watch.say(f"{len(done)} of {len(conduct.cells)} cells are there already")
    tasks = conduct.to_explore(waiting)
    if tasks:
        watch.stage("looking at tasks", len(tasks))
        workers.run([Job("task", task) for task in tasks], _Progress(watch, 1, lambda job, answer: None))
    watch.stage(f"running cells, in {conduct.unit}", len(waiting) * conduct.cell_size)
    listener = _Progress(watch, conduct.cell_size, lambda job, answer: done.add(job.name))
    workers.run([Job("cell", cell.name) for cell in waiting], listener)


def _finish(conduct: Conduct, directory: RunDirectory, done: Collection[str]) -> RunResult:
    """Everything that follows from the cells."""
    cells = [cell for cell in conduct.cells if cell.name in done]
    directory.write_outcomes(cells)
    summary, words = conduct.report(len(cells), draw=True)
    return RunResult(directory.path, summary, words)


def _mirror(plan: AnyPlan, result: RunResult, options: Options, settings: Settings, watch: Reporter) -> RunResult:
    """Notebook and MLflow. They are views: when one fails the run is whole, and the user is told."""
    if not (options.notebook or options.mlflow):
        return result
    directory = RunDirectory(result.path)
    conduct = conduct_of(directory, settings)
    if options.notebook and plan.notebook:
        from autodev_lab.experiments.notebooks import execute_notebook

        watch.say("executing the notebook")
        _try(lambda: execute_notebook(plan, directory), watch)
    if options.mlflow:
        watch.say("writing to MLflow")
        _try(lambda: conduct.mirror(result.summary), watch)
    with directory.lock():
        done = result.summary["cells"]
        assert isinstance(done, dict)
        summary, words = conduct.report(done["done"], draw=False)
    return RunResult(result.path, summary, words)


def _try(step: Callable[[], object], watch: Reporter) -> None:
    try:
        step()
    except LabError as error:
        watch.say(f"autodev-lab: {error}")
