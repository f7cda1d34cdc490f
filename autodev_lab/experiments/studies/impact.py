"""The study of impact: which tests fail under a change, and how many of them each way of choosing tests would run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
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
from autodev_lab.execution.testmon import testmon_is_installed
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.changes import ObservedChange, ObservedPackage, observe
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.frontier import describe
from autodev_lab.experiments.studies.observed_files import (
    is_observed,
    join_packages,
    read_packages,
    read_seconds,
    write_package,
)
from autodev_lab.experiments.studies.selection import GRAPH_WAYS, GraphSelection, Way, select
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, table_of, write_attrition
from autodev_lab.experiments.world_repository import read_task_file
from autodev_lab.records import Edit
from autodev_lab.streams.historical import HistoricalTruth

__all__ = ["ImpactParameters", "ImpactStudy"]

_MOST_HOPS = 20
_CHANGE_SECONDS = 2.5
"""To run all tests of a package under a change, mean of profile quick; 0.9 to 5 were measured."""

_PACKAGE_SECONDS = 45.0
_ROW_BYTES = 150
_CHANGE_BYTES = 4_000

_SCHEMA = rows_schema(
    [
        ("kind", pa.string()),
        ("indirect", pa.bool_()),
        ("collectable", pa.bool_()),
        ("tests", pa.int64()),
        ("failing", pa.int64()),
        ("selected", pa.int64()),
        ("recall", pa.float64()),
        ("precision", pa.float64()),
        ("complete", pa.float64()),
        ("noticed", pa.float64()),
        ("recall_any", pa.float64()),
        ("saved_tests", pa.float64()),
    ]
)


class ImpactParameters(StudyParameters):
    """What `-p key=value` may change."""

    changes_per_package: int = Field(40, ge=0, le=100_000, description="injected changes of a package; 0 makes none")
    tasks: str = Field("", description="a file of historical tasks, whose changes are tried as well")


class ImpactStudy:
    """All tests of a package are run under each change; each arm chooses tests without knowing which of them fail.

    See `Study`, and `studies.changes.observe` for how a change is judged.
    """

    parameters = ImpactParameters
    unit = "changes"
    side_by_side = True
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["impact"]

    def sandbox(self, plan: StudyPlan, settings: Settings) -> str:
        """See `RunsCode`."""
        return require(settings.weak_sandbox).summary()

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        allowed = tuple(Way)
        if options.get("way") not in allowed:
            raise LabError(f"arm {name} has way {options.get('way')!r}; choose one of {', '.join(allowed)}")
        takes = ("way", "hops") if options["way"] in GRAPH_WAYS else ("way",)
        for key in options:
            if key not in takes:
                raise LabError(f"arm {name} has an option {key!r}; choose among {', '.join(takes)}")
        hops = options.get("hops")
        if "hops" in takes and (not isinstance(hops, int) or not 1 <= hops <= _MOST_HOPS):
            raise LabError(f"arm {name} has hops {hops!r}; give a whole number from 1 to {_MOST_HOPS}")

    def lacks(self, options: Options) -> str:
        """pytest-testmon, for the arm that needs it."""
        if options.get("way") == Way.TESTMON and not testmon_is_installed():
            return "pytest-testmon is not installed; pip install pytest-testmon"
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Packages whose changes are still to be observed."""
        parameters = _parameters(plan)
        specs = _specs(parameters)
        if not specs:
            raise LabError("name packages to change with -p packages=..., or a file of tasks with -p tasks=...")
        if _asks_testmon(plan) and not testmon_is_installed():
            raise LabError("an arm needs pytest-testmon; install it with: python -m pip install pytest-testmon")
        each = _changes(parameters) / len(specs)  # progress counts alike for all, though packages have more or fewer
        return tuple(spec for spec in specs if not is_observed(directory, spec)), max(1, round(each))

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Obtain a package, change it and run its tests."""
        parameters = _parameters(plan)
        observed = observe(
            obtain(package, cache=Path(settings.cache), offline=settings.offline),
            injected=parameters.changes_per_package if package in parameters.packages else 0,
            historical=_historical(parameters).get(package, ()),
            testmon=_asks_testmon(plan),
            seed=plan.seed,
            report=require(settings.weak_sandbox),
            progress=progress,
        )
        write_package(directory, package, observed)

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Put the packages together, and count what was left out."""
        specs = _specs(_parameters(plan))
        if not directory.tasks.exists():
            join_packages(directory, specs)
        packages = read_packages(directory)
        counted = ((one.spec, reason, count) for one in packages for reason, count in one.attrition.items())
        write_attrition(directory, counted)
        return {spec: package.content_hash for spec, package in zip(specs, packages, strict=True)}

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of changes, all of whose tests are run."""
        parameters = _parameters(plan)
        changes = _changes(parameters)
        rows = changes * len(plan.arms)
        seconds = len(_specs(parameters)) * _PACKAGE_SECONDS + changes * _CHANGE_SECONDS
        return Foreseen(rows, seconds, rows * _ROW_BYTES + changes * _CHANGE_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Changes, as far as they are known before they are made."""
        return max(1, _changes(_parameters(plan)))

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Choose tests for every change, and compare them with those that fail."""
        options = plan.experiment.arms[arm].options
        way, hops = Way(str(options["way"])), int(options.get("hops", 0))
        packages = read_packages(directory)
        rows: list[dict[str, object]] = []
        clock: dict[str, list[float]] = {"choose": []}
        for spec, package in zip(_specs(_parameters(plan)), packages, strict=True):
            seconds = np.asarray(read_seconds(directory, spec))
            graph = _graph(spec, package, settings) if way in GRAPH_WAYS else None
            run = clock.setdefault(f"run:{package.name}", [])
            whole = clock.setdefault(f"all:{package.name}", [])
            for change in package.changes:  # those that stop collection count as well: they take time
                started = time.process_time()
                chosen = select(way, hops, change, len(package.tests), graph)
                clock["choose"].append(time.process_time() - started)
                rows.append({"arm": arm, "package": package.name, **_row(change, chosen, len(package.tests))})
                run.append(float(seconds[sorted(chosen)].sum()))
                whole.append(float(seconds.sum()))
                progress(len(rows), sum(len(one.changes) for one in packages))
        return Measured(table_of(rows, _SCHEMA), clock)

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Share of the tests' time that is saved, mean over changes, and milliseconds to choose the tests."""
        shares = [
            spent / whole
            for name in clock
            if name.startswith("run:")
            for spent, whole in zip(clock[name], clock[name.replace("run:", "all:", 1)], strict=True)
        ]
        return {
            "saved": 1.0 - float(np.mean(shares)),
            "choose_p50_ms": 1e3 * float(np.median(np.asarray(clock["choose"]))),
        }

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Nothing that needs no clock."""
        return {}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """See `TellsMore`."""
        found = describe(outcomes, clocks)
        left_out = [arm for arm in plan.experiment.arms if arm not in plan.arms and not testmon_is_installed()]
        absent = [arm for arm in left_out if plan.experiment.arms[arm].options.get("way") == Way.TESTMON]
        words = [*found.words, *(f"Left out: {arm}, for pytest-testmon is not installed." for arm in absent)]
        return Details(found.arms, found.tables, words)

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Recall against the share of test time, a line a way of choosing."""
        from autodev_lab.analysis.frontier_figure import frontier_figure

        lines: dict[str, list[str]] = {}
        for arm in plan.arms:
            lines.setdefault(str(plan.experiment.arms[arm].options["way"]), []).append(arm)
        packages = details.tables["packages"]
        assert isinstance(packages, dict)
        return {"frontier": frontier_figure(lines, packages)}


def _parameters(plan: StudyPlan) -> ImpactParameters:
    assert isinstance(plan.parameters, ImpactParameters)
    return plan.parameters


def _asks_testmon(plan: StudyPlan) -> bool:
    return any(plan.experiment.arms[arm].options["way"] == Way.TESTMON for arm in plan.arms)


def _historical(parameters: ImpactParameters) -> dict[str, list[tuple[Edit, ...]]]:
    """Edits of the task file's historical tasks by the spec of their package."""
    found: dict[str, list[tuple[Edit, ...]]] = {}
    for item in read_task_file(parameters.tasks) if parameters.tasks else ():
        if isinstance(item.truth, HistoricalTruth):
            found.setdefault(item.truth.package_spec, []).append(item.truth.edits)
    if parameters.tasks and not found:
        raise LabError(
            f"{parameters.tasks} has no historical task; build some with `autodev-lab tasks build ... --from`"
        )
    return found


def _changes(parameters: ImpactParameters) -> int:
    """Changes to be tried, as far as they are known before they are made."""
    historical = sum(len(edits) for edits in _historical(parameters).values())
    return parameters.changes_per_package * len(parameters.packages) + historical


def _specs(parameters: ImpactParameters) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*parameters.packages, *_historical(parameters))))


def _graph(spec: str, package: ObservedPackage, settings: Settings) -> GraphSelection:
    subject = obtain(spec, cache=Path(settings.cache), offline=settings.offline)
    if subject.content_hash != package.content_hash:
        raise LabError(f"{spec} is not the package that was changed (its content differs); start the run anew")
    return GraphSelection(subject.tree.root, package.tests)


def _row(change: ObservedChange, chosen: frozenset[int], tests: int) -> dict[str, object]:
    failing = set(change.failing)
    hits = len(failing & chosen)
    judged = {
        "recall": hits / len(failing),
        "precision": hits / len(chosen) if chosen else None,
        "complete": float(hits == len(failing)),
    }
    return {
        "item": change.id,
        "kind": change.kind,
        "indirect": change.indirect,
        "tests": tests,
        "failing": len(failing),
        "selected": len(chosen),
        "collectable": change.collectable,
        **(judged if change.collectable else dict.fromkeys(judged)),
        "noticed": float(hits > 0),
        "recall_any": hits / len(failing),
        "saved_tests": 1.0 - len(chosen) / tests,
    }
