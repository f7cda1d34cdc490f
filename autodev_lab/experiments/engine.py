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
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Cell, Plan, load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory, create_run, find_run
from autodev_lab.experiments.jobs import JobRunner, cell_key
from autodev_lab.experiments.progress import Reporter, reporter
from autodev_lab.experiments.provenance import code_hash, plugins_of, provenance
from autodev_lab.experiments.report import write_report
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import Answer, InlineWorkers, Job, ProcessWorkers, Workers
from autodev_lab.experiments.worlds import maker_of
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
        plan = directory.read_plan()
        if name is not None and str(name) not in (plan.experiment.name, f"{plan.experiment.name}.yaml"):
            raise LabError(f"{directory.path} is a run of {plan.experiment.name}, not of {name}; leave the name out")
        return execute(plan, directory, options)
    if name is None:
        raise LabError("name an experiment to run, or a run to resume")
    plan = make_plan(load_experiment(name), profile=profile, seed=seed, overrides=overrides)
    directory = create_run(runs_directory(), plan, out=Path(out) if out is not None else None)
    return execute(plan, directory, options, fresh=True)


def load_run(name: str | Path = "last") -> Run:
    """Read a run by its path, by its id below the runs folder, or the newest one.

    Raises
    ------
    LabError
        If there is no such run or it has no outcomes yet.
    """
    return read_run(find_run(name, runs_directory()).path)


def execute(plan: Plan, directory: RunDirectory, options: Options, *, fresh: bool = False) -> RunResult:
    """Carry a plan out in a directory; `fresh` ones are removed again when they fail before they have tasks."""
    watch = reporter(options.progress)
    settings = Settings(str(cache_directory()), code_hash(), options.offline, options.weak_sandbox)
    try:
        with directory.lock():
            try:
                result = _locked(plan, directory, options, settings, watch)
            except BaseException:
                if fresh and not directory.tasks.exists():
                    directory.discard()
                raise
        # the notebook's own call needs the lock
        return _mirror(plan, result, options, watch)
    finally:
        watch.close()


def _locked(plan: Plan, directory: RunDirectory, options: Options, settings: Settings, watch: Reporter) -> RunResult:
    directory.write_json(directory.spec, plan.as_json())
    sandbox = maker_of(plan).sandbox(settings)
    count = options.workers or os.cpu_count() or 1
    with _workers(directory, settings, count) as workers:
        packages = _prepare(plan, directory, settings, workers, watch)
        tasks_hash = hashlib.sha256(directory.tasks.read_bytes()).hexdigest()
        done = {cell for cell in plan.cells() if directory.is_done(cell, _key(plan, cell, tasks_hash, settings))}
        if not done or _ran_on_other_code(plan, directory):
            record = provenance(plan, sandbox=sandbox, packages=packages, tasks_hash=tasks_hash, workers=count)
            directory.write_json(directory.provenance, record)
        try:
            _run_cells(plan, directory, workers, watch, done)
        except KeyboardInterrupt:
            # a second interrupt during the clean-up must not hide the first
            with suppress(KeyboardInterrupt):
                workers.close()
            if done:
                _finish(plan, directory, done)
            raise Interrupted(directory.path, len(done), len(plan.cells())) from None
    return _finish(plan, directory, done)


def _ran_on_other_code(plan: Plan, directory: RunDirectory) -> bool:
    """Whether cells will be run with other code of the user's than the provenance says, or it is not there."""
    if not directory.provenance.exists():
        return True
    return read_object(directory.provenance).get("plugins", {}) != plugins_of(plan)


def _key(plan: Plan, cell: Cell, tasks_hash: str, settings: Settings) -> str:
    return cell_key(plan, cell, tasks_hash, settings.code_hash)


@contextmanager
def _workers(directory: RunDirectory, settings: Settings, count: int) -> Iterator[Workers]:
    """Workers that are closed whatever happens; one alone is this process."""
    workers: Workers
    if count > 1:
        workers = ProcessWorkers(directory.path, count, [json.dumps(settings.as_json())])
    else:
        workers = InlineWorkers(JobRunner(directory.path, settings))
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


def _prepare(
    plan: Plan, directory: RunDirectory, settings: Settings, workers: Workers, watch: Reporter
) -> Mapping[str, str]:
    """Make `tasks.jsonl` unless it is there; returns the content hash of every package."""
    packages = maker_of(plan).to_build(plan, directory)
    if packages:
        largest = max(plan.parameters.pool(package) for package in packages)
        watch.stage("building tasks", len(packages) * largest)
        listener = _Progress(watch, largest, lambda job, answer: None)
        workers.run([Job("build", package) for package in packages], listener)
    return maker_of(plan).assemble(plan, directory, settings)


def _run_cells(plan: Plan, directory: RunDirectory, workers: Workers, watch: Reporter, done: set[Cell]) -> None:
    """Run what is not done yet, adding to `done` as cells are finished."""
    by_name = {cell.name: cell for cell in plan.cells()}
    waiting = [cell for cell in plan.schedule() if cell not in done]
    if not waiting:
        return
    if done:
        watch.say(f"{len(done)} of {len(by_name)} cells are there already")
    tasks = maker_of(plan).to_explore(plan, directory, {cell.replicate for cell in waiting})
    if tasks:
        watch.stage("looking at tasks", len(tasks))
        workers.run([Job("task", task) for task in tasks], _Progress(watch, 1, lambda job, answer: None))
    size = plan.parameters.tasks_per_package * max(1, len(plan.parameters.packages))
    watch.stage("running cells, in tasks", len(waiting) * size)
    listener = _Progress(watch, size, lambda job, answer: done.add(by_name[job.name]))
    workers.run([Job("cell", cell.name) for cell in waiting], listener)


def _finish(plan: Plan, directory: RunDirectory, done: Collection[Cell]) -> RunResult:
    """Everything that follows from the cells."""
    cells = [cell for cell in plan.cells() if cell in done]
    directory.write_outcomes(cells)
    summary, words = write_report(plan, directory, done=len(cells))
    return RunResult(directory.path, summary, words)


def _mirror(plan: Plan, result: RunResult, options: Options, watch: Reporter) -> RunResult:
    """Notebook and MLflow. They are views: when one fails the run is whole, and the user is told."""
    if not (options.notebook or options.mlflow):
        return result
    directory = RunDirectory(result.path)
    if options.notebook:
        from autodev_lab.experiments.notebooks import execute_notebook

        watch.say("executing the notebook")
        _try(lambda: execute_notebook(plan, directory), watch)
    if options.mlflow:
        from autodev_lab.experiments.tracking import mirror

        watch.say("writing to MLflow")
        _try(lambda: mirror(plan, directory, result.summary), watch)
    with directory.lock():
        done = result.summary["cells"]
        assert isinstance(done, dict)
        summary, words = write_report(plan, directory, done=done["done"], draw=False)
    return RunResult(result.path, summary, words)


def _try(step: Callable[[], object], watch: Reporter) -> None:
    try:
        step()
    except LabError as error:
        watch.say(f"autodev-lab: {error}")
