"""The study of scaling: the same tasks by ever more agents in virtual time, at several grains of the work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.estimates import Effect, Estimate, mean_estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.scalability import Scalability, scalability_over_clusters
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.study_results import compare_arms
from autodev_lab.chaos.batch import quiet_agents
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, table_of
from autodev_lab.experiments.studies.team_inputs import RouteStudy, TeamParameters, packages_of, routes_in
from autodev_lab.experiments.teamwork.decentralised import run_decentralised
from autodev_lab.experiments.teamwork.layout import seats
from autodev_lab.experiments.teamwork.ledger_costs import keep_ledger_costs, read_ledger_costs
from autodev_lab.experiments.teamwork.trial import Conditions
from autodev_lab.experiments.teamwork.work import draw_jobs, mean_step_seconds, role_shares
from autodev_lab.files import stable_seed

__all__ = ["GRAINS", "ScalingParameters", "ScalingStudy"]

MEASURED = "measured"

GRAINS: Mapping[str, float | None] = {MEASURED: None, "1s": 1.0, "100ms": 0.1, "10ms": 0.01}
"""Mean seconds of a step by name; None is what the routes say. Routes are scaled as a whole, so that the mix stays."""

GOOD = 0.9
"""Efficiency that counts as good, as the claim `scaling_to_twenty` has it."""

WHAT_IF = (MEASURED, "10ms")
"""Grains that are run a second time, at the costs of the ledger that this run measured."""

_COSTS = ("round_trip_ms", "one_way_ms", "server_ms", "script_ms")
_TASK_SECONDS = 0.0015
_ROW_BYTES = 150
_COLUMNS = (*(f"rate_{grain}" for grain in GRAINS), "idle", "operations", "empty_claims", "step_seconds")
_SCHEMA = rows_schema([("grain", pa.string()), *((name, pa.float64()) for name in _COLUMNS)])


class ScalingParameters(TeamParameters):
    """What `-p key=value` may change."""

    tasks: int = Field(600, ge=40, le=1_000_000, description="tasks a run, the same for every number of agents")
    replicates: int = Field(1, ge=1, le=1_000, description="streams of tasks a package")


class ScalingStudy(RouteStudy):
    """An arm is a number of agents; each works off the same tasks, all there at once, at every grain. See `Study`."""

    parameters = ScalingParameters
    unit = "runs of a team"
    side_by_side = True
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["scaling"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        agents = options.get("agents")
        if isinstance(agents, bool) or not isinstance(agents, int) or agents < 1 or len(options) > 1:
            raise LabError(f"arm {name} says {dict(options)}; an arm says agents alone, how many there are")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of runs of a team."""
        rows = self.size(plan) * len(plan.arms)
        return Foreseen(rows, rows * _parameters(plan).tasks * _TASK_SECONDS, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Runs of a team an arm."""
        parameters = _parameters(plan)
        return parameters.replicates * len(GRAINS) * len(packages_of(parameters))

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Run the arm's team on every stream, at every grain."""
        parameters, agents = _parameters(plan), _agents(plan, arm)
        rows: list[Mapping[str, object]] = []
        costs = read_ledger_costs(directory)
        clock: dict[str, list[float]] = {}
        if costs.commands:
            clock = {
                **{name: list(getattr(costs, name)) for name in _COSTS},
                **{_at_cost(grain): [] for grain in WHAT_IF},
            }
        with quiet_agents():
            for package, routes in routes_in(directory).items():
                team, measured = seats(role_shares(routes), agents), mean_step_seconds(routes)
                for replicate in range(parameters.replicates):
                    for grain, seconds in GRAINS.items():
                        jobs = draw_jobs(
                            routes,
                            parameters.tasks,
                            seed=stable_seed("stream", plan.seed, replicate),
                            package=package,
                            scale=1.0 if seconds is None else seconds / measured,
                            person_seconds=parameters.person_seconds,
                        )
                        scheduler = stable_seed("scheduler", plan.seed, replicate, package)
                        run = run_decentralised(jobs, team, parameters.conditions(), seed=scheduler)
                        if _at_cost(grain) in clock:
                            real = _at_measured(parameters.conditions(), clock)
                            again = run_decentralised(jobs, team, real, seed=scheduler)
                            clock[_at_cost(grain)].append(again.throughput / agents)
                        row: dict[str, object] = {
                            "arm": arm,
                            "package": package,
                            "item": f"{replicate} {grain}",
                            "grain": grain,
                            **dict.fromkeys(_COLUMNS),
                            f"rate_{grain}": run.throughput / agents,
                        }
                        if seconds is None:
                            row["idle"] = run.idle_share
                            row["operations"] = run.operations / parameters.tasks
                            row["empty_claims"] = run.empty / parameters.tasks
                            row["step_seconds"] = measured
                        rows.append(row)
                        progress(len(rows), self.size(plan))
        return Measured(table_of(rows, _SCHEMA), clock)

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Also measure what a command of a real ledger costs on this machine."""
        hashes = super().assemble(plan, directory, settings)
        keep_ledger_costs(directory)
        return hashes

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """All is virtual time; what was measured on a ledger is the same for all arms, and told with the details."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Drawn with the details."""
        return {}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Efficiency against one agent by grain, and the law that it follows."""
        there = {_agents(plan, arm): arm for arm in plan.arms if arm in set(outcomes["arm"])}
        agents = sorted(there)
        if 1 not in there or len(agents) < 3:
            return Details({}, {}, ["Efficiency needs an arm of one agent, and the law two arms more."])
        words = [
            f"Efficiency: throughput of N agents over N times that of one, {len(outcomes['package'].unique())} packages"
        ]
        tables: dict[str, object] = {}
        told: dict[str, dict[str, float]] = {arm: {} for arm in there.values()}
        for grain in GRAINS:
            endpoint = self.endpoints[f"rate_{grain}"]
            effects = {n: compare_arms(outcomes, there[n], there[1], endpoint).effect for n in agents if n > 1}
            rates = outcomes.dropna(subset=[endpoint.column]).pivot_table(
                index="package", columns="arm", values=endpoint.column
            )
            table = rates[[there[n] for n in agents]].to_numpy(np.float64) * np.array(agents)
            law = scalability_over_clusters(agents, table)
            bends = next((n for n, one in effects.items() if one.estimate < GOOD - 1.0), None)
            for n, one in effects.items():
                told[there[n]][f"efficiency_{grain}"] = 1.0 + one.estimate
            tables[grain] = {
                "efficiency": {str(n): _efficiency(one) for n, one in effects.items()},
                "law": law.as_json(),
                "first_below": bends,
                "packages": len(table),
                "tasks_an_hour": {str(n): float(one) for n, one in zip(agents, table.mean(axis=0), strict=True)},
            }
            words += _told(grain, effects, law, bends)
        tables["ledger"], more = _ledger(plan, outcomes, clocks, there, tables)
        return Details(told, tables, [*words, *more])

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Efficiency and throughput by number of agents, a line a grain."""
        from autodev_lab.analysis.team_figures import scaling_figure

        grains = {grain: details.tables[grain] for grain in GRAINS if grain in details.tables}
        return {"scaling": scaling_figure(grains)} if grains else {}


def _told(grain: str, effects: Mapping[int, Effect], law: Scalability, bends: int | None) -> list[str]:
    shown = ", ".join(
        f"{n}: {1 + one.estimate:.3f} [{1 + one.low:.3f}, {1 + one.high:.3f}]"
        if math.isfinite(one.low) and math.isfinite(one.high)
        else f"{n}: {1 + one.estimate:.3f}"
        for n, one in effects.items()
    )
    peak = f"{law.peak.value:.0f} agents" if math.isfinite(law.peak.value) else "at no number of agents"
    where = f"below {GOOD} from {bends} agents" if bends is not None else f"nowhere below {GOOD}"
    return [
        f"  grain {grain}: {shown}",
        f"    {where}; sigma {law.contention.value:.5f} [{law.contention.low:.5f}, {law.contention.high:.5f}], kappa "
        f"{law.coherency.value:.2e} [{law.coherency.low:.2e}, {law.coherency.high:.2e}], highest throughput by the law "
        f"{peak}; the law is off by {law.error:.1%} (root mean square)",
    ]


def _ledger(
    plan: StudyPlan,
    outcomes: pd.DataFrame,
    clocks: Clocks,
    there: Mapping[int, str],
    tables: Mapping[str, object],
) -> tuple[Mapping[str, object], list[str]]:
    """What a command costs by the plan and as measured in this run, and efficiency at the latter; the same in words."""
    assumed = {name: getattr(_parameters(plan), name) for name in ("one_way_ms", "server_ms")}
    lone = clocks.get(there[1], {})
    if "server_ms" not in lone:
        why = "What a command of the ledger costs was not measured in this run: no redis-server, or no redis-py."
        return {"assumed": assumed, "measured": None, "efficiency": {}}, [why]
    costs = {name: mean_estimate(lone[name]) for name in _COSTS}
    words = [
        "A command of the ledger, measured in this run on a redis-server of its own: "
        + ", ".join(f"{name[:-3].replace('_', ' ')} {_span(one, 3)} ms" for name, one in costs.items())
        + f"; virtual time has one way {assumed['one_way_ms']:g} ms, server {assumed['server_ms']:g} ms.",
        "Efficiency at these costs (in brackets after it: at those of the plan):",
    ]
    found: dict[str, object] = {}
    for grain in WHAT_IF:
        effects = _efficiencies_at_cost(outcomes, clocks, there, grain)
        before = tables[grain]
        assert isinstance(before, dict)
        found[grain] = {str(n): _efficiency(one) for n, one in effects.items()}
        shown = (
            f"{n}: {_span(_whole(one), 3)} ({before['efficiency'][str(n)]['value']:.3f})" for n, one in effects.items()
        )
        words.append(f"  grain {grain}: {', '.join(shown)}")
    measured = {name: {"value": one.value, "ci": [one.low, one.high], "n": one.n} for name, one in costs.items()}
    return {"assumed": assumed, "measured": measured, "efficiency": found}, words


def _efficiencies_at_cost(
    outcomes: pd.DataFrame, clocks: Clocks, there: Mapping[int, str], grain: str
) -> Mapping[int, Effect]:
    """Throughput a head against that of one agent, over the same runs as those of the outcomes."""
    name, frames = _at_cost(grain), []
    for arm in there.values():
        rows = outcomes[(outcomes["arm"] == arm) & (outcomes["grain"] == grain)]
        if len(clocks[arm].get(name, ())) == len(rows):
            frames.append(rows[["arm", "package", "item"]].assign(**{name: list(clocks[arm][name])}))
    table, endpoint = pd.concat(frames), Endpoint(name, name, "tasks an agent and hour", "at measured costs")
    known = set(table["arm"])
    return {
        n: compare_arms(table, there[n], there[1], endpoint).effect
        for n in sorted(there)
        if n > 1 and {there[n], there[1]} <= known
    }


def _at_cost(grain: str) -> str:
    return f"rate_{grain}_at_measured_cost"


def _at_measured(conditions: Conditions, clock: Mapping[str, Sequence[float]]) -> Conditions:
    """The same conditions, but for what a command costs."""
    one_way, server = (mean_estimate(clock[name]).value / 1e3 for name in ("one_way_ms", "server_ms"))
    return replace(conditions, one_way=one_way, server_seconds=server)


def _whole(effect: Effect) -> Estimate:
    """Efficiency itself, of its difference to 1."""
    return Estimate(1.0 + effect.estimate, 1.0 + effect.low, 1.0 + effect.high, effect.n, effect.clusters)


def _span(one: Estimate, digits: int) -> str:
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return f"{one.value:.{digits}f}"
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def _efficiency(effect: Effect) -> dict[str, object]:
    ends = (1.0 + effect.low, 1.0 + effect.high)
    return {
        "value": 1.0 + effect.estimate,
        "ci": [one if math.isfinite(one) else None for one in ends],
        "n": effect.n,
    }


def _agents(plan: StudyPlan, arm: str) -> int:
    agents = plan.experiment.arms[arm].options["agents"]
    assert isinstance(agents, int)
    return agents


def _parameters(plan: StudyPlan) -> ScalingParameters:
    assert isinstance(plan.parameters, ScalingParameters)
    return plan.parameters
