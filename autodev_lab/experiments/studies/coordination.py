"""The study of coordination: teams without and with an orchestrator on the same tasks, and what a kill does to them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.equivalence import equivalence
from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.study_results import paired_items
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
from autodev_lab.experiments.teamwork.orchestrated import run_orchestrated
from autodev_lab.experiments.teamwork.trial import LEDGER, ORCHESTRATOR, Conditions, Kill, Trial, recovery_seconds
from autodev_lab.experiments.teamwork.work import Job, Route, draw_jobs, role_shares
from autodev_lab.files import stable_seed
from autodev_lab.records import Role

__all__ = ["MARGIN", "CoordinationParameters", "CoordinationStudy"]

MARGIN = 0.05
"""Relative loss of throughput against the orchestrator that would matter; chosen before any run."""

_CLAIMS, _PUSHES = "claims", "orchestrator"
_SETTLE_SECONDS = 3600.0
_TASK_SECONDS = 0.001
_ROW_BYTES = 200

_MEASURES = tuple(dict.fromkeys(endpoint.column for endpoint in STUDY_ENDPOINTS["coordination"].values()))
_SCHEMA = rows_schema([("victim", pa.string()), *((name, pa.float64()) for name in _MEASURES)])


class CoordinationParameters(TeamParameters):
    """What `-p key=value` may change."""

    agents: int = Field(12, ge=1, le=1_000, description="agents of a team")
    tasks: int = Field(150, ge=20, le=100_000, description="tasks a run")
    replicates: int = Field(1, ge=1, le=1_000, description="streams of tasks a package")
    load: float = Field(0.7, gt=0, lt=1, description="share of a team's time that tasks ask for as they arrive")
    outage_seconds: float = Field(30.0, ge=0, description="seconds for which the ledger, or the store, is away")


@dataclass(frozen=True, slots=True)
class _Arm:
    """What an arm's options say, and how its team is run."""

    coordination: str
    single: bool
    spared: bool

    def run(
        self,
        jobs: Sequence[Job],
        team: Sequence[Seat],
        conditions: Conditions,
        seed: int,
        kill: Kill | None = None,
        patience: float = 1e9,
    ) -> Trial:
        run = run_orchestrated if self.coordination == _PUSHES else run_decentralised
        return run(jobs, team, conditions, seed=seed, kill=kill, patience=patience)

    def victims(self, team: Sequence[Seat]) -> tuple[str, ...]:
        """Every process that can be killed."""
        return (*(seat.name for seat in team), LEDGER, *((ORCHESTRATOR,) if self.coordination == _PUSHES else ()))


class CoordinationStudy(RouteStudy):
    """Every arm works off the same tasks: all at once, then as they arrive, then with each process killed in turn.

    See `Study`.
    """

    parameters = CoordinationParameters
    unit = "runs of a team"
    side_by_side = True
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["coordination"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        allowed: Mapping[str, tuple[object, ...]] = {
            "coordination": (_CLAIMS, _PUSHES),
            "team": ("whole", "single", None),
            "failures": ("each", "none", None),
        }
        for key in options:
            if key not in allowed:
                raise LabError(f"arm {name} has an option {key!r}; choose among {', '.join(allowed)}")
        for key, values in allowed.items():
            if options.get(key) not in values:
                named = ", ".join(str(value) for value in values if value)
                raise LabError(f"arm {name} has {key} {options.get(key)!r}; choose one of {named}")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of runs of a team."""
        parameters = _parameters(plan)
        rows = self.size(plan) * len(plan.arms)
        return Foreseen(rows, rows * parameters.tasks * _TASK_SECONDS, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Runs of a team an arm, about."""
        parameters = _parameters(plan)
        each = 2 * parameters.replicates + (parameters.agents + 2) * (parameters.replicates + 1)
        return each * len(packages_of(parameters))

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Run the arm's team on every package's streams."""
        parameters, one = _parameters(plan), _arm(plan.experiment.arms[arm].options)
        rows: list[Mapping[str, object]] = []
        with quiet_agents():
            for package, routes in routes_in(directory).items():
                for replicate in range(parameters.replicates):
                    for row in _replicate(parameters, one, package, routes, replicate, plan.seed):
                        empty = dict.fromkeys(_MEASURES)
                        rows.append({"arm": arm, "package": package, **empty, **row})
                        progress(min(len(rows), self.size(plan)), self.size(plan))
        return Measured(table_of(rows, _SCHEMA), {})

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """All is virtual time."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Throughput and idle time of every arm."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        return {
            name: endpoints_figure(metrics, [self.endpoints[one] for one in shown])
            for name, shown in {
                "throughput": ("tasks_per_agent_hour",),
                "resolution": ("resolution_s", "resolution_p95_s"),
                "idle": ("idle_saturated", "idle_loaded"),
            }.items()
        }

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Recovery and losses by who was killed, and the test of not being inferior."""
        killed = outcomes[outcomes["victim"] != ""]
        kinds = killed.assign(victim=killed["victim"].map(_kind)).groupby(["arm", "victim"], sort=True)
        by_victim = {
            f"{arm}: {victim}": {
                "killed": int(rows["kept"].notna().sum()),
                "recovery_s_mean": _mean(rows["recovery_s"]),
                "recovery_s_max": _most(rows["recovery_s"]),
                "lost": int(rows["lost"].sum()),
                "unfinished": int(rows["unfinished"].sum()),
                "unfinished_if_never_back": _most(rows["unfinished_for_good"]),
            }
            for (arm, victim), rows in kinds
        }
        words = [
            "Killed while at work, and started again (worst of all runs; last: tasks open for ever if it never is):"
        ]
        words += [
            f"  {name:<28} n = {one['killed']:<5} longest delay of a step {_shown(one['recovery_s_mean'])} s in the "
            f"mean, {_shown(one['recovery_s_max'])} s at most; lost {one['lost']}, unfinished {one['unfinished']}; "
            f"{_shown(one['unfinished_if_never_back'])}"
            for name, one in by_victim.items()
        ]
        tables: dict[str, object] = {"failures": by_victim, "conditions": _parameters(plan).model_dump(mode="json")}
        if {"decentralised", "orchestrator"} <= set(outcomes["arm"]):
            column = self.endpoints["tasks_per_hour"].column
            paired = paired_items(outcomes, "decentralised", "orchestrator", column).groupby("package", sort=True)
            totals = paired[["treatment", "baseline"]].sum()
            found = equivalence(
                totals["treatment"].to_numpy(np.float64), totals["baseline"].to_numpy(np.float64), margin=MARGIN
            )
            tables["non_inferiority"] = {
                "margin": MARGIN,
                "p_not_worse": found.p_not_worse,
                "p_not_better": found.p_not_better,
                "not_inferior": found.not_inferior,
                "equivalent": found.equivalent,
                "packages": len(totals),
            }
            told = "is" if found.not_inferior else "is not shown to be"
            both = "shown" if found.equivalent else "not shown"
            words.append(
                f"Throughput of the ledger team {told} non-inferior at a margin of {MARGIN:.0%} (p = "
                f"{found.p_not_worse:.4f}; equivalence {both}, p = {found.p:.4f})."
            )
        return Details({}, tables, words)

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Recovery by who was killed."""
        from autodev_lab.analysis.team_figures import recovery_figure

        failures = details.tables["failures"]
        assert isinstance(failures, dict)
        return {"recovery": recovery_figure(failures)} if failures else {}


def _replicate(
    parameters: CoordinationParameters, arm: _Arm, package: str, routes: Sequence[Route], replicate: int, seed: int
) -> Iterator[Mapping[str, object]]:
    """Rows of one stream: saturated, loaded, and with each process killed."""
    team = seats(role_shares(routes), 1 if arm.single else parameters.agents)
    conditions, stream = parameters.conditions(), stable_seed("stream", seed, replicate)
    scheduler = stable_seed("scheduler", seed, replicate, package)
    work = float(np.mean([sum(step.seconds for step in route if step.role is not Role.HUMAN) for route in routes]))

    def jobs(interarrival: float) -> Sequence[Job]:
        return draw_jobs(
            routes,
            parameters.tasks,
            seed=stream,
            package=package,
            interarrival=interarrival,
            person_seconds=parameters.person_seconds,
        )

    full = arm.run(jobs(0.0), team, conditions, scheduler)
    yield {
        "item": f"{replicate} saturated",
        "victim": "",
        "tasks_per_hour": full.throughput,
        "tasks_per_agent_hour": full.throughput / len(team),
        "idle_saturated": full.idle_share,
    }
    arriving = jobs(work / len(team) / parameters.load)
    calm = arm.run(arriving, team, conditions, scheduler)
    resolutions = calm.resolutions()
    yield {
        "item": f"{replicate} loaded",
        "victim": "",
        "resolution_s": float(resolutions.mean()),
        "resolution_p95_s": float(np.quantile(resolutions, 0.95)),
        "messages": calm.messages / parameters.tasks,
        "operations": calm.operations / parameters.tasks,
        "empty_claims": calm.empty / parameters.tasks,
        "refused": calm.refused / parameters.tasks,
        "idle_loaded": calm.idle_share,
    }
    middle = arriving[len(arriving) // 2].task.arrival
    patience = calm.ended_at + _SETTLE_SECONDS
    for victim in arm.victims(team):
        agent = victim not in (LEDGER, ORCHESTRATOR)
        at = calm.moment(victim) if agent else middle
        away = parameters.outage_seconds if victim == LEDGER else parameters.restart_seconds
        struck = (
            calm if arm.spared else arm.run(arriving, team, conditions, scheduler, Kill(victim, at, away), patience)
        )
        delay = math.nan if arm.spared else recovery_seconds(calm, struck, at)
        row: dict[str, object] = {
            "item": f"{replicate} {victim}",
            "victim": victim,
            "kept": float(len(struck.closed)),
            "lost": float(struck.lost),
            "unfinished": float(struck.unfinished),
            "recovery_s": delay if math.isfinite(delay) else None,
        }
        if not arm.spared and not replicate and victim != LEDGER:  # without a ledger, or a store, there is no more work
            gone = arm.run(arriving, team, conditions, scheduler, Kill(victim, at, math.inf), patience)
            row["unfinished_for_good"] = float(gone.unfinished)
        yield row


def _arm(options: Options) -> _Arm:
    return _Arm(str(options["coordination"]), options.get("team") == "single", options.get("failures") == "none")


def _parameters(plan: StudyPlan) -> CoordinationParameters:
    assert isinstance(plan.parameters, CoordinationParameters)
    return plan.parameters


def _kind(victim: str) -> str:
    return victim if victim in (LEDGER, ORCHESTRATOR) else victim.rsplit("-", 1)[0]


def _mean(values: pd.Series[float]) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def _most(values: pd.Series[float]) -> float | None:
    return float(values.max()) if values.notna().any() else None


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else "-"
