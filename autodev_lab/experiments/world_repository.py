"""The repository world of an experiment: real packages with faults, built once a run, opened by each worker."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from autodev_lab.environments.repository import RepositoryEnvironment
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.experiments.design import Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.lessons import operator_mix, tasks_of
from autodev_lab.experiments.settings import Settings
from autodev_lab.files import stable_seed, write_atomic
from autodev_lab.platform import TeamSpec
from autodev_lab.protocols import Environment, Oracle, Solver
from autodev_lab.records import Plan as RepairPlan
from autodev_lab.records import StreamItem, TaskContext
from autodev_lab.resources import resource
from autodev_lab.solvers.repair import RepairSolver, ochiai, order_named
from autodev_lab.streams.bug_injection import build_tasks
from autodev_lab.streams.historical import BuiltTruth, HistoricalTruth
from autodev_lab.streams.jsonl import read_tasks, write_tasks

__all__ = ["RepositoryMaker", "RepositoryWorld", "open_repository", "read_task_file"]

_SEARCHES = 5
"""Searches a task is explored by: ten cells of 12 tasks had 34 CPU seconds left to do after two of them, 14 after five
(measured before the templates of siblings, synthesis and alike places)."""


class RepositoryWorld:
    """The repository world, open."""

    def __init__(self, items: Sequence[StreamItem], environment: RepositoryEnvironment) -> None:
        self._items = tuple(items)
        self._environment = environment

    @property
    def environment(self) -> Environment:
        """Gives evidence to agents."""
        return self._environment

    @property
    def oracle(self) -> Oracle:
        """Judges in the analysis."""
        return self._environment

    @property
    def items(self) -> Sequence[StreamItem]:
        """All tasks."""
        return self._items

    def solver(self, team: TeamSpec, items: Sequence[StreamItem]) -> Solver:
        """Template repair in the team's order."""
        return RepairSolver(order_named(team.order, operator_mix(items)))

    def explore(self, item: StreamItem, budget: int) -> None:
        """Search as a developer without experience would, some times, and look at what that finds as all agents do.

        It is cheaper here than in the cells: the task's processes are started once, and no other worker is at it.
        """
        task, world = item.task, self._environment
        diagnosis, _ = world.diagnose(task)
        context = TaskContext(task, RepairPlan(task.id, ochiai(diagnosis), 0.0, budget), diagnosis)
        workspace, _ = world.workspace(task)
        for turn in range(_SEARCHES):
            rng = np.random.default_rng(stable_seed("explore", task.id, turn))
            attempt, _ = RepairSolver().solve(context, workspace, budget, rng)
            if attempt.change is not None:
                world.inspect(task, attempt.change)
                world.judge(task, item.truth, attempt.change)

    def close(self) -> None:
        """End the sandboxed processes."""
        self._environment.close()


class RepositoryMaker:
    """Prepares and opens repository worlds."""

    def sandbox(self, settings: Settings) -> str:
        """What isolates candidate code here; refuses when that is too little."""
        return require(settings.weak_sandbox).summary()

    def to_build(self, plan: Plan, directory: RunDirectory) -> tuple[str, ...]:
        """Packages without built tasks; none with a task file."""
        parameters = plan.parameters
        if parameters.tasks:
            items = _given(plan, directory)
            others = [item.task.id for item in items if not isinstance(item.truth, HistoricalTruth)]
            if parameters.shift == "history" and others:
                raise LabError(
                    f"shift 'history' tries historical tasks, and {others[0]} of {parameters.tasks} is injected; build "
                    "the file with `autodev-lab tasks build ... --from releases`"
                )
            oracles = [arm for arm in plan.arms if plan.team(arm).order == "oracle"]
            if oracles and not operator_mix(items):
                raise LabError(
                    f"arm {oracles[0]} knows injected faults, and the task file has others; choose other arms"
                )
        elif not parameters.packages:
            raise LabError("name packages to build tasks from with -p packages=..., or a task file with -p tasks=...")
        wanted = plan.lesson_packages if parameters.tasks else (*parameters.packages, *plan.lesson_packages)
        return tuple(package for package in wanted if not _built(directory, package).exists())

    def build(
        self,
        plan: Plan,
        package: str,
        directory: RunDirectory,
        settings: Settings,
        progress: Callable[[int, int], None],
    ) -> None:
        """Obtain a package and inject bugs into it."""
        report = require(settings.weak_sandbox)
        subject = obtain(package, cache=Path(settings.cache), offline=settings.offline)
        built = build_tasks(
            subject,
            n=plan.parameters.pool(package),
            seed=plan.task_seed(package),
            report=report,
            progress=lambda kept, wanted, what: progress(kept, wanted),
        )
        if not built.items:
            raise LabError(f"no bug injected into {package} is noticed by its own tests; choose another package")
        write_tasks(directory.path / "tasks" / f"{_safe(package)}.jsonl", built.items)
        facts = {"package": package, "hash": subject.content_hash, "attrition": dict(built.attrition)}
        write_atomic(_built(directory, package), json.dumps(facts, sort_keys=True) + "\n")

    def assemble(self, plan: Plan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Concatenate what was built, or take what was chosen from the task file."""
        items: tuple[StreamItem, ...] = ()
        hashes: dict[str, str] = {}
        rows: list[tuple[str, str, int]] = []
        wanted = (*plan.parameters.packages, *plan.lesson_packages)
        if plan.parameters.tasks:
            wanted = plan.lesson_packages
            items = _given(plan, directory)
            hashes = {_truth(item).package_spec: _truth(item).package_hash for item in items}
            rows = [(name, "prebuilt", sum(item.task.package == name for item in items)) for name in _packages(items)]
        facts = [json.loads(_built(directory, name).read_text("utf-8")) for name in wanted]
        hashes |= {str(fact["package"]): str(fact["hash"]) for fact in facts}
        rows += [(fact["package"], reason, count) for fact in facts for reason, count in fact["attrition"].items()]
        items += tuple(
            item for package in wanted for item in read_tasks(directory.path / "tasks" / f"{_safe(package)}.jsonl")
        )
        write_atomic(directory.attrition, _table(("package", "reason", "tasks"), rows))
        write_tasks(directory.tasks, items)
        return hashes

    def to_explore(self, plan: Plan, directory: RunDirectory, replicates: Collection[int]) -> tuple[str, ...]:
        """Every task that a replicate draws; neighbours are of different packages, which workers then learn apart."""
        items = read_tasks(directory.tasks)
        drawn = {item.task.id for one in sorted(replicates) for item in tasks_of(items, plan, one)}
        by_package: dict[str, list[str]] = {}
        for item in items:
            if item.task.id in drawn:
                by_package.setdefault(item.task.package, []).append(item.task.id)
        return tuple(name for row in zip_longest(*by_package.values()) for name in row if name is not None)

    def open(self, plan: Plan, directory: RunDirectory, settings: Settings) -> RepositoryWorld:
        """Obtain the packages and open the environment."""
        return open_repository(read_tasks(directory.tasks), settings)


def open_repository(items: Sequence[StreamItem], settings: Settings) -> RepositoryWorld:
    """Open the repository environment for tasks, obtaining the packages they name.

    Raises
    ------
    LabError
        If a package cannot be had, or is not the one the tasks were built from.
    """
    report: SandboxReport = require(settings.weak_sandbox)
    subjects: dict[str, Subject] = {}
    for item in items:
        truth = _truth(item)
        if truth.package_spec not in subjects:
            subject = obtain(truth.package_spec, cache=Path(settings.cache), offline=settings.offline)
            if subject.content_hash != truth.package_hash:
                raise LabError(
                    f"{truth.package_spec} is not the package that task {item.task.id} was built from (its content "
                    "differs); build the tasks again"
                )
            subjects[truth.package_spec] = subject
    environment = RepositoryEnvironment(items, subjects, Path(settings.cache) / "results.sqlite", report)
    return RepositoryWorld(items, environment)


def read_task_file(name: str) -> tuple[StreamItem, ...]:
    """Read a task file: a path, or one that ships with the lab (``data/...``)."""
    path = Path(name).expanduser()
    if not path.exists() and name.startswith("data/"):
        path = resource(name)
    items = read_tasks(path)
    if not items:
        raise LabError(f"{path} holds no tasks; build some with `autodev-lab tasks build`")
    for item in items:
        _truth(item)
    return items


def _given(plan: Plan, directory: RunDirectory) -> tuple[StreamItem, ...]:
    """What was chosen from the task file; kept with the run, which then needs the file no more, wherever it goes on."""
    kept = directory.path / "tasks" / "given.jsonl"
    if kept.exists():
        return read_tasks(kept)
    items = _choose(read_task_file(plan.parameters.tasks), plan)
    write_tasks(kept, items)
    return items


def _choose(items: Iterable[StreamItem], plan: Plan) -> tuple[StreamItem, ...]:
    """Tasks of the packages asked for, at most a pool of each."""
    wanted = plan.parameters.packages
    chosen: dict[str, list[StreamItem]] = {}
    for item in items:
        chosen.setdefault(item.task.package, []).append(item)
    for name in plan.parameters.lesson_packages:
        if name in chosen and not wanted:
            raise LabError(f"the task file has tasks of {name}, which is also to be learned from; take it from one")
    missing = [name for name in wanted if name not in chosen]
    if missing:
        raise LabError(f"the task file has no tasks of {', '.join(missing)}; it has {', '.join(sorted(chosen))}")
    return tuple(item for name in wanted or sorted(chosen) for item in chosen[name][: plan.parameters.pool(name)])


def _truth(item: StreamItem) -> BuiltTruth:
    if not isinstance(item.truth, BuiltTruth):
        raise LabError(f"task {item.task.id} is {item.task.kind}; this command works on built tasks")
    return item.truth


def _packages(items: Iterable[StreamItem]) -> list[str]:
    return sorted({item.task.package for item in items})


def _built(directory: RunDirectory, package: str) -> Path:
    return directory.path / "tasks" / f"{_safe(package)}.json"


def _safe(package: str) -> str:
    """A package spec (it may be a path) as a file name that two specs never share."""
    if package.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return package
    return f"{Path(package).name}-{hashlib.sha256(package.encode()).hexdigest()[:8]}"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return sink.getvalue()
