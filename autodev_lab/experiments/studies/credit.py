"""The study of credit: each lesson is left out of a memory in turn, and what is lost is its causal credit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.credit import agreement, causal_credit
from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Arm, Experiment, Parameters, Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.left_out import (
    End,
    Lesson,
    lessons_of,
    placebo,
    planted,
    replay,
    split_tasks,
    taught,
)
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, table_of
from autodev_lab.experiments.worlds import WorldMaker, maker_of
from autodev_lab.files import stable_seed
from autodev_lab.records import StreamItem

__all__ = ["CreditParameters", "CreditStudy"]

KINDS = ("lessons", "planted", "placebo")
"""What an arm may leave out: a lesson that was learned, one known to help, or one that nobody finds."""

_OUTCOMES = ("correct", "solved", "candidates")
_SHOWN = 5
_REPLAY_SECONDS: Mapping[str, float] = {"simulated": 0.005, "repository": 0.15}
_BUILD_SECONDS = 6.0
_ROW_BYTES = 60

_SCHEMA = rows_schema(
    [
        ("left_out", pa.string()),
        ("left_out_package", pa.string()),
        ("task_id", pa.string()),
        ("seed_number", pa.int64()),
        ("found", pa.bool_()),
        *((f"{name}_{side}", pa.float64()) for name in _OUTCOMES for side in ("with", "without")),
        *((f"effect_{name}", pa.float64()) for name in _OUTCOMES),
        *((f"found_effect_{name}", pa.float64()) for name in _OUTCOMES),
    ]
)


class CreditParameters(StudyParameters):
    """What `-p key=value` may change."""

    environment: Literal["repository", "simulated"] = Field("repository", description="the world the team works in")
    tasks: str = Field("", description="task file (JSON lines) to use instead of building tasks")
    lessons_per_package: int = Field(6, ge=1, le=1_000, description="tasks a package that are learned from")
    tasks_per_package: int = Field(6, ge=1, le=1_000, description="tasks a package that are tried")
    budget: int = Field(10, ge=1, le=100_000, description="candidates a task may use")
    seeds: int = Field(3, ge=1, le=1_000, description="agents' seeds that each task is tried with")


class CreditStudy:
    """A team learns from some tasks of each package. Others are then tried with its memory, which nothing changes any
    more: with all of it, and without one lesson at a time, at the same seeds. See `Study`.

    What developers know of patterns is what they find for a task and nothing else, so a lesson that is not found for a
    task has no effect on it at all.
    """

    parameters = CreditParameters
    unit = "replays"
    side_by_side = True
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["credit"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        if options.get("leave_out") not in KINDS:
            raise LabError(f"arm {name} leaves out {options.get('leave_out')!r}; choose one of {', '.join(KINDS)}")
        for key in options:
            if key != "leave_out":
                raise LabError(f"arm {name} has an option {key!r}; its only one is leave_out")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def sandbox(self, plan: StudyPlan, settings: Settings) -> str:
        """See `Conduct`."""
        return _maker(plan).sandbox(settings)

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """See `Study`."""
        team = _team_plan(plan)
        return maker_of(team).to_build(team, directory), team.parameters.tasks_per_package

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """See `Study`."""
        _maker(plan).build(_team_plan(plan), package, directory, settings, progress)

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """See `Study`."""
        return _maker(plan).assemble(_team_plan(plan), directory, settings)

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """See `Study`; a lesson is taken to be found for as many tasks as its package has."""
        p = _parameters(plan)
        packages = max(1, len(p.packages))
        kinds = [str(plan.experiment.arms[arm].options["leave_out"]) for arm in plan.arms]
        left_out = sum(packages * (p.lessons_per_package if kind == "lessons" else 1) for kind in kinds)
        rows = left_out * packages * p.tasks_per_package * p.seeds
        replays = (left_out + packages * len(kinds)) * p.tasks_per_package * p.seeds
        built = (
            0 if p.environment == "simulated" or p.tasks else packages * (p.lessons_per_package + p.tasks_per_package)
        )
        return Foreseen(rows, replays * _REPLAY_SECONDS[p.environment] + built * _BUILD_SECONDS, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """See `Study`."""
        return _parameters(plan).seeds

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Leave out what the arm names, one at a time."""
        p, team_plan = _parameters(plan), _team_plan(plan)
        team = team_plan.team("team")
        kind = str(plan.experiment.arms[arm].options["leave_out"])
        world = maker_of(team_plan).open(team_plan, directory, settings)
        try:
            split = split_tasks(world.items, p.lessons_per_package, p.tasks_per_package, plan.seed)
            memory = taught(world, split.lessons, team, stable_seed("credit", plan.seed))
            lessons = {
                "lessons": lambda: lessons_of(memory, split.lessons),
                "planted": lambda: planted(memory, split.stream),
                "placebo": lambda: placebo(memory, split.stream),
            }[kind]()
            rows: list[dict[str, object]] = []
            for number in range(p.seeds):

                def again(
                    stream: Sequence[StreamItem], without: frozenset[str] = frozenset(), number: int = number
                ) -> Mapping[str, End]:
                    seed = stable_seed("credit", plan.seed, number)
                    return replay(world, memory, stream, team, seed, without=without)

                rows += _effects(arm, number, lessons, split.stream, again, everything=kind == "placebo")
                progress(number + 1, p.seeds)
        finally:
            world.close()
        rows.sort(key=lambda row: (str(row["left_out"]), str(row["package"]), str(row["task_id"]), row["seed_number"]))
        return Measured(table_of(rows, _SCHEMA), {})

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Nothing is timed."""
        return {}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Credit by lesson, whether the planted ones come out on top, and how far causal and observed credit agree."""
        kinds = {arm: str(plan.experiment.arms[arm].options["leave_out"]) for arm in plan.arms}
        of_kind = {kind: outcomes[outcomes["arm"].map(kinds) == kind] for kind in KINDS}
        data: dict[str, object] = {}
        words: list[str] = []
        lessons = of_kind["lessons"]
        if len(lessons):
            items = credit_table(lessons)
            data["lessons"] = _as_rows(items)
            words += _credit_in_words(items)
            data["agreement"], more = _agreements(lessons, plan.seed)
            words += more
        if len(of_kind["planted"]):
            items = credit_table(of_kind["planted"])
            data["planted"] = _as_rows(items)
            best = credit_table(lessons) if len(lessons) else None
            data["planted_rank"], line = _rank_of(items, best)
            words.append(line)
        if len(of_kind["placebo"]):
            rows = of_kind["placebo"]
            largest = float(rows[[f"effect_{name}" for name in _OUTCOMES]].abs().to_numpy().max())
            data["placebo"] = {"found": int(rows["found"].sum()), "largest_effect": largest, "rows": len(rows)}
            words.append(
                f"Placebo lessons were found for {int(rows['found'].sum())} of {len(rows)} replays without them; their "
                f"largest effect is {largest:g}."
            )
        return Details({}, data, tuple(words))

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """None but those of `draw`."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Causal against observed credit of every lesson that was found."""
        from autodev_lab.analysis.credit_figure import credit_figure

        kinds = {arm: str(plan.experiment.arms[arm].options["leave_out"]) for arm in plan.arms}
        tables = {
            arm: credit_table(outcomes[outcomes["arm"] == arm])
            for arm in plan.arms
            if kinds[arm] != "placebo" and (outcomes["arm"] == arm).any()
        }
        return {"credit": credit_figure(tables)} if tables else {}


def credit_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Causal and observed credit of what was left out, the most helpful first.

    Parameters
    ----------
    rows
        Of outcomes of the study.

    Returns
    -------
    DataFrame
        Indexed by ``left_out``: `causal_credit` in correct tasks (``effect``, ``low``, ``high``, ``tasks``), ``saved``
        candidates a task, ``found`` (tasks for which it was found, by seeds: a mean), and ``observed``, the share of
        these that were correct.
    """
    table = causal_credit(rows, "effect_correct")
    table["saved"] = causal_credit(rows, "effect_candidates")["effect"]
    found = rows[rows["found"]].groupby("left_out")["correct_with"].agg(["size", "mean"])
    seeds = rows.groupby("left_out")["seed_number"].nunique()
    table["found"] = (found["size"].reindex(table.index).fillna(0) / seeds).astype(np.float64)
    table["observed"] = found["mean"].reindex(table.index)
    table["package"] = rows.groupby("left_out")["left_out_package"].first()
    return table.sort_values(["effect", "saved"], ascending=False, kind="stable")


def _effects(
    arm: str,
    number: int,
    lessons: Sequence[Lesson],
    stream: Sequence[StreamItem],
    again: Callable[..., Mapping[str, End]],
    *,
    everything: bool,
) -> list[dict[str, object]]:
    """Rows of one seed. With `everything` all tasks are run without a lesson, also those it was not found for."""
    whole = again(stream)
    rows: list[dict[str, object]] = []
    for lesson in lessons:
        touched = [item for item in stream if everything or whole[item.task.id].asked & lesson.items]
        without = {**whole, **(again(touched, lesson.items) if touched else {})}
        for item in stream:
            task = item.task
            one, other = whole[task.id], without[task.id]
            found = bool(one.acted_on & lesson.items)
            row: dict[str, object] = {
                "arm": arm,
                "twin": False,
                "package": task.package,
                "item": f"{lesson.name}/{task.id}/{number}",
                "left_out": lesson.name,
                "left_out_package": lesson.package,
                "task_id": task.id,
                "seed_number": number,
                "found": found,
            }
            for name in _OUTCOMES:
                sides = float(getattr(one, name)), float(getattr(other, name))
                # candidates are a cost: fewer are better
                effect = sides[1] - sides[0] if name == "candidates" else sides[0] - sides[1]
                row |= {f"{name}_with": sides[0], f"{name}_without": sides[1], f"effect_{name}": effect}
                row[f"found_effect_{name}"] = effect if found else None
            rows.append(row)
    return rows


def _agreements(rows: pd.DataFrame, seed: int) -> tuple[dict[str, object], list[str]]:
    data: dict[str, object] = {}
    words = []
    for name, sign, said in (("correct", 1.0, "correct tasks"), ("candidates", -1.0, "candidates saved")):
        grid = rows.pivot_table(index="left_out", columns="task_id", values=f"effect_{name}", aggfunc="mean")
        found = rows.assign(found=rows["found"].astype(np.float64)).pivot_table(
            index="left_out", columns="task_id", values="found", aggfunc="mean"
        )
        ends = rows.groupby("task_id")[f"{name}_with"].mean().reindex(grid.columns)
        one = agreement(grid.to_numpy(), found.to_numpy(), sign * ends.to_numpy(dtype=np.float64), seed=seed)
        data[name] = {"spearman": _finite(one.value), "ci": [_finite(one.low), _finite(one.high)], "lessons": one.n}
        known = np.isfinite(one.value)
        told = f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" if known else "not defined"
        words.append(f"Causal and observed credit in {said}: Spearman {told}, {one.n} lessons that were found.")
    return data, words


def _rank_of(items: pd.DataFrame, lessons: pd.DataFrame | None) -> tuple[dict[str, object], str]:
    """In how many packages the planted lesson is the most helpful, in correct tasks and in candidates saved."""
    first = dict.fromkeys(("effect", "saved"), 0)
    for _, row in items.iterrows():
        others = lessons[lessons["package"] == row["package"]] if lessons is not None else items.iloc[:0]
        for name in first:
            first[name] += not (others[name] >= row[name]).any()
    rank: dict[str, object] = {"first_in_correct": first["effect"], "first_in_saved": first["saved"], "of": len(items)}
    return rank, (
        f"Planted lessons are the most helpful of their package in {first['effect']} of {len(items)} packages by "
        f"correct tasks, and in {first['saved']} by candidates saved."
    )


def _credit_in_words(items: pd.DataFrame) -> list[str]:
    found = items[items["found"] > 0]
    lines = [
        f"{len(found)} of {len(items)} lessons were found for some task. The most and the least helpful (correct tasks "
        "with the lesson less without it, share of all tasks, 95 % over tasks; candidates saved; observed credit):"
    ]
    ends = list(dict.fromkeys([*found.index[:_SHOWN], *found.index[-_SHOWN:]]))
    for name in ends:
        row = found.loc[name]
        lines.append(
            f"  {name:<34} {row['effect']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]  saves {row['saved']:+.2f}  "
            f"{row['observed']:.2f} in {row['found']:.1f} tasks"
        )
    return lines


def _as_rows(items: pd.DataFrame) -> list[dict[str, object]]:
    names = ("effect", "low", "high", "tasks", "saved", "found", "observed")
    return [
        {"left_out": str(name), "package": str(row["package"]), **{key: _finite(float(row[key])) for key in names}}
        for name, row in items.iterrows()
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _parameters(plan: StudyPlan) -> CreditParameters:
    assert isinstance(plan.parameters, CreditParameters)
    return plan.parameters


def _maker(plan: StudyPlan) -> WorldMaker:
    return maker_of(_team_plan(plan))


def _team_plan(plan: StudyPlan) -> Plan:
    """The world and the team, as an experiment with one arm has them."""
    p = _parameters(plan)
    experiment = Experiment(
        name=plan.name,
        question=plan.experiment.question,
        arms={"team": Arm(description="one developer", recall="used")},
        endpoints=("correct_at_K",),
        profiles={plan.profile: {}},
    )
    parameters = Parameters(
        environment=p.environment,
        packages=p.packages,
        tasks=p.tasks,
        tasks_per_package=p.lessons_per_package + p.tasks_per_package,
        budget=p.budget,
    )
    return Plan(experiment, plan.profile, parameters, plan.seed)
