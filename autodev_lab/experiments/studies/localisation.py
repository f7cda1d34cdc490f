"""The study of localisation: where an injected bug stands in an order of suspects, with and without the code graph."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.subjects import obtain
from autodev_lab.execution.trees import apply_to_tree, split_lines
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.study import Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.suspicion import Order, faulty_lines, place_of, suspicion
from autodev_lab.experiments.studies.tables import rows_schema, table_of, write_attrition
from autodev_lab.experiments.world_repository import open_repository, read_task_file
from autodev_lab.files import stable_seed
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Diagnosis, Edit, StreamItem
from autodev_lab.streams.bug_injection import build_tasks
from autodev_lab.streams.historical import BuiltTruth
from autodev_lab.streams.jsonl import read_tasks, write_tasks

__all__ = ["LocalisationParameters", "LocalisationStudy"]

_TASK_SECONDS = 6.0
_PACKAGE_SECONDS = 40.0
_ROW_BYTES = 120
_MEASURES = ("reciprocal", "top1", "top5", "exam")

_SCHEMA = rows_schema(
    [
        *((f"{level}{name}", pa.float64()) for level in ("", "function_") for name in _MEASURES),
    ]
)


class LocalisationParameters(StudyParameters):
    """What `-p key=value` may change."""

    tasks_per_package: int = Field(12, ge=1, le=10_000, description="injected bugs of a package")
    tasks: str = Field("", description="a file of built tasks to take them from instead")


class LocalisationStudy:
    """Suspect lines and functions of each bug are ordered in several ways from the same diagnosis. See `Study`."""

    parameters = LocalisationParameters
    unit = "bugs"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["localisation"]

    def sandbox(self, plan: StudyPlan, settings: Settings) -> str:
        """See `RunsCode`."""
        return require(settings.weak_sandbox).summary()

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        allowed = tuple(Order)
        if options.get("order") not in allowed:
            raise LabError(f"arm {name} has order {options.get('order')!r}; choose one of {', '.join(allowed)}")
        for key in options:
            if key != "order":
                raise LabError(f"arm {name} has an option {key!r}; it takes order alone")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Packages without built bugs; none with a task file."""
        parameters = _parameters(plan)
        if parameters.tasks:
            _chosen(parameters)
            return (), 0
        if not parameters.packages:
            raise LabError("name packages to put bugs into with -p packages=..., or a task file with -p tasks=...")
        waiting = tuple(one for one in parameters.packages if not _place(directory, one).exists())
        return waiting, parameters.tasks_per_package

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Inject bugs into a package."""
        built = build_tasks(
            obtain(package, cache=Path(settings.cache), offline=settings.offline),
            n=_parameters(plan).tasks_per_package,
            seed=stable_seed("tasks", plan.seed, package),
            report=require(settings.weak_sandbox),
            progress=lambda kept, wanted, what: progress(kept, wanted),
        )
        if not built.items:
            raise LabError(f"no bug injected into {package} is noticed by its own tests; choose another package")
        write_tasks(_place(directory, package), built.items)

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Put the bugs together, and count them."""
        parameters = _parameters(plan)
        if not directory.tasks.exists():
            built = (item for one in parameters.packages for item in read_tasks(_place(directory, one)))
            write_tasks(directory.tasks, _chosen(parameters) if parameters.tasks else tuple(built))
        items = read_tasks(directory.tasks)
        counts = Counter(one.task.package for one in items)
        write_attrition(directory, ((name, "bugs", number) for name, number in sorted(counts.items())))
        return {truth.package_spec: truth.package_hash for truth in map(_truth, items)}

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of bugs."""
        parameters = _parameters(plan)
        named = {one.task.package for one in _chosen(parameters)} if parameters.tasks else parameters.packages
        packages = len(named)
        bugs = packages * parameters.tasks_per_package
        rows = bugs * len(plan.arms)
        return Foreseen(rows, packages * _PACKAGE_SECONDS + bugs * _TASK_SECONDS, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Bugs of a package, for as many packages as are named."""
        return _parameters(plan).tasks_per_package * max(1, len(plan.parameters.packages))

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Diagnose every bug and look for it in this arm's order."""
        order = Order(str(plan.experiment.arms[arm].options["order"]))
        items = read_tasks(directory.tasks)
        world = open_repository(items, settings)
        rows: list[dict[str, object]] = []
        try:
            for item, graph in _graphs(items, settings):
                diagnosis, _ = world.environment.diagnose(item.task)
                about = {"arm": arm, "twin": False, "package": item.task.package, "item": item.task.id}
                rows.append({**about, **_row(order, diagnosis, graph, _truth(item).edits)})
                progress(len(rows), len(items))
        finally:
            world.close()
        return Measured(table_of(rows, _SCHEMA), {})

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Nothing is timed."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Mean reciprocal rank of lines and functions."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        return {"ranks": endpoints_figure(metrics, [self.endpoints[name] for name in ("mrr", "function_mrr")])}


def _parameters(plan: StudyPlan) -> LocalisationParameters:
    assert isinstance(plan.parameters, LocalisationParameters)
    return plan.parameters


def _place(directory: RunDirectory, package: str) -> Path:
    return directory.path / "tasks" / f"{hashlib.sha256(package.encode()).hexdigest()[:16]}.jsonl"


def _chosen(parameters: LocalisationParameters) -> tuple[StreamItem, ...]:
    """The first tasks of every package of the file, or of those that are named."""
    items = read_task_file(parameters.tasks)
    there = sorted({item.task.package for item in items})
    missing = [name for name in parameters.packages if name not in there]
    if missing:
        raise LabError(f"the task file has no tasks of {', '.join(missing)}; it has {', '.join(there)}")
    return tuple(
        item
        for name in parameters.packages or there
        for item in [one for one in items if one.task.package == name][: parameters.tasks_per_package]
    )


def _truth(item: StreamItem) -> BuiltTruth:
    assert isinstance(item.truth, BuiltTruth)  # `read_task_file` and `build_tasks` give no other
    return item.truth


def _graphs(items: Sequence[StreamItem], settings: Settings) -> Iterator[tuple[StreamItem, CodeGraph]]:
    """Every bug with the code graph of the faulty package; of a package, only the changed files are read again."""
    for spec in dict.fromkeys(_truth(item).package_spec for item in items):
        subject = obtain(spec, cache=Path(settings.cache), offline=settings.offline)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "tree"
            shutil.copytree(subject.tree.root, root, symlinks=True)
            graph = CodeGraph()
            for item in items:
                if _truth(item).package_spec == spec:
                    edits = _truth(item).edits
                    before = {path: (root / path).read_bytes() for path in {edit.path for edit in edits}}
                    apply_to_tree(root, edits)
                    graph.update([root])
                    yield item, graph
                    for path, content in before.items():
                        (root / path).write_bytes(content)


def _row(order: Order, diagnosis: Diagnosis, graph: CodeGraph, edits: Sequence[Edit]) -> dict[str, object]:
    lines, functions = suspicion(order, diagnosis, graph)
    faults = faulty_lines([(edit.path, edit.start_line, len(split_lines(edit.replacement))) for edit in edits])
    nodes = {node.id for path, line in faults if (node := graph.node_at(path, line)) is not None}
    row: dict[str, object] = {}
    for level, place in (("", place_of(lines, faults)), ("function_", place_of(functions, nodes))):
        row[f"{level}reciprocal"], row[f"{level}exam"] = place.reciprocal, place.exam
        row[f"{level}top1"], row[f"{level}top5"] = place.within(1), place.within(5)
    return row
