"""The study of processes: teams of real processes on real Redis, beside what virtual time foretells of them."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.estimates import Estimate, mean_estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.wording import ends
from autodev_lab.chaos.batch import quiet_agents
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, table_of
from autodev_lab.experiments.studies.team_inputs import RouteStudy, TeamParameters, packages_of, routes_in
from autodev_lab.experiments.teamwork.decentralised import run_decentralised
from autodev_lab.experiments.teamwork.layout import Seat, seats
from autodev_lab.experiments.teamwork.work import Job, draw_jobs, mean_step_seconds, role_shares
from autodev_lab.files import stable_seed
from autodev_lab.integrations.redis_process import find_redis

__all__ = ["ProcessesParameters", "ProcessesStudy"]

_OPTIONS = ("processes", "shards", "step_ms")
_START_SECONDS = 5.0
_STEPS = 3.6
_ROW_BYTES = 100
_SCHEMA = rows_schema([("predicted_share", pa.float64())])


class ProcessesParameters(TeamParameters):
    """What `-p key=value` may change."""

    tasks_per_process: int = Field(20, ge=10, le=100_000, description="tasks a run, for each process")
    replicates: int = Field(1, ge=1, le=1_000, description="streams of tasks a package")


class ProcessesStudy(RouteStudy):
    """Each arm is a team of processes whose work is sleeping, on servers of its own. See `Study`.

    What processes achieve depends on the machine and is kept with the clocks; the outcomes have what virtual time
    foretells of the same team on the same tasks.
    """

    parameters = ProcessesParameters
    unit = "runs of a team"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["processes"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        if set(options) != set(_OPTIONS):
            raise LabError(f"arm {name} says {', '.join(options)}; an arm says {', '.join(_OPTIONS)}")
        for key, value in options.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise LabError(f"arm {name} has {key} {value!r}; it is a whole number from 1")

    def lacks(self, options: Options) -> str:
        """A Redis."""
        if importlib.util.find_spec("redis") is None:
            return "processes need redis-py; pip install 'autodev-lab[redis]'"
        try:
            find_redis()
        except LabError as error:
            return str(error)
        return ""

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From how long the processes sleep."""
        each = [
            _START_SECONDS + _parameters(plan).tasks_per_process * _STEPS * _option(plan, arm, "step_ms") / 1e3
            for arm in plan.arms
        ]
        rows = self.size(plan) * len(plan.arms)
        return Foreseen(rows, self.size(plan) * sum(each), rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Runs of a team an arm."""
        return _parameters(plan).replicates * len(packages_of(_parameters(plan)))

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Run the team for real, and in virtual time."""
        from autodev_lab.experiments.teamwork.processes import run_processes

        conditions, shards = _parameters(plan).conditions(), _option(plan, arm, "shards")
        rows: list[Mapping[str, object]] = []
        clock: dict[str, list[float]] = {
            "work_share": [],
            "operations": [],
            "empty": [],
            "refused": [],
            "unfinished": [],
        }
        for package, item, jobs, team, seed in _runs(plan, arm, directory):
            real = run_processes(jobs, team, shards)
            with quiet_agents():
                foretold = run_decentralised(jobs, team, conditions, seed=seed)
            for name, value in (
                ("work_share", real.work_share),
                ("operations", real.operations / len(jobs)),
                ("empty", real.empty / len(jobs)),
                ("refused", real.refused),
                ("unfinished", real.unfinished),
            ):
                clock[name].append(float(value))
            rows.append({"arm": arm, "package": package, "item": item, "predicted_share": foretold.work_share})
            progress(len(rows), self.size(plan))
        return Measured(table_of(rows, _SCHEMA), clock)

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """The share of the processes' time that was work, with a t interval of 95 % over runs, and what it cost."""
        one = mean_estimate(clock["work_share"])
        told = {"work_share": one.value, "work_share_low": one.low, "work_share_high": one.high}
        for name in ("operations", "empty"):
            told[f"{name}_each"] = float(np.mean(clock[name]))
        return {**told, **{name: float(np.sum(clock[name])) for name in ("refused", "unfinished")}}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """What was foretold, by arm."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        return {"predicted": endpoints_figure(metrics, tuple(self.endpoints.values()))}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Efficiency: work shares against those of one process at the same grain, run by run."""
        lone = {
            _option(plan, arm, "step_ms"): np.asarray(clocks[arm]["work_share"])
            for arm in clocks
            if _option(plan, arm, "processes") == 1
        }
        table: dict[str, dict[str, object]] = {}
        words = ["Efficiency of processes: share of time at work over that of one process (95 % intervals over runs)"]
        for arm, clock in clocks.items():
            step, shares = _option(plan, arm, "step_ms"), np.asarray(clock["work_share"])
            if step not in lone or len(lone[step]) != len(shares):
                continue
            one = mean_estimate(shares / lone[step])
            foretold = outcomes.loc[outcomes["arm"] == arm, "predicted_share"].to_numpy(np.float64)
            off = mean_estimate(shares / foretold - 1.0)
            asked = {name: _option(plan, arm, name) for name in _OPTIONS}
            table[arm] = {
                **asked,
                "efficiency": one.value,
                "efficiency_ci": [_finite(one.low), _finite(one.high)],
                "against_virtual": off.value,
                "against_virtual_ci": [_finite(off.low), _finite(off.high)],
                "n": len(shares),
            }
            words.append(
                f"  {asked['processes']:>3} processes, {asked['shards']} shards, steps of {step} ms: {one.value:.3f} "
                f"{ends(one.low, one.high, '{:.3f}'.format)}; {off.value:+.1%} "
                f"{ends(off.low, off.high, '{:+.1%}'.format)} against virtual time, n = {len(shares)}"
            )
        return Details({}, {"processes": table}, words if table else [])

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Efficiency by number of processes, a line a number of shards and grain."""
        from autodev_lab.analysis.team_figures import processes_figure

        table = details.tables["processes"]
        assert isinstance(table, dict)
        return {"processes": processes_figure(table)} if table else {}


def _runs(
    plan: StudyPlan, arm: str, directory: RunDirectory
) -> Iterator[tuple[str, str, tuple[Job, ...], tuple[Seat, ...], int]]:
    """Package, item, tasks, team and seed of every run of an arm."""
    parameters, processes = _parameters(plan), _option(plan, arm, "processes")
    for package, routes in routes_in(directory).items():
        scale = _option(plan, arm, "step_ms") / 1e3 / mean_step_seconds(routes)
        for replicate in range(parameters.replicates):
            jobs = draw_jobs(
                routes,
                parameters.tasks_per_process * processes,
                seed=stable_seed("stream", plan.seed, replicate),
                package=package,
                scale=scale,
                person_seconds=parameters.person_seconds,
            )
            seed = stable_seed("scheduler", plan.seed, replicate, package)
            yield package, f"{replicate}", jobs, seats(role_shares(routes), processes), seed


def _option(plan: StudyPlan, arm: str, name: str) -> int:
    value = plan.experiment.arms[arm].options[name]
    assert isinstance(value, int)
    return value


def _parameters(plan: StudyPlan) -> ProcessesParameters:
    assert isinstance(plan.parameters, ProcessesParameters)
    return plan.parameters


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
