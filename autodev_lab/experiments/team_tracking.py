"""What MLflow is told of an experiment with a team: arms, claims, gates, and curves with step = task index.

How true a gate's confidences were is told at a bounded number of steps, whatever the stream's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from autodev_lab.analysis.calibration_path import calibration_path
from autodev_lab.analysis.frames import originals, read_outcomes
from autodev_lab.experiments.design import Cell, Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.tracking import Child, Page, Point, as_text
from autodev_lab.records import Task

__all__ = ["team_page"]

_CURVES = ("correct", "solved", "candidates", "escaped")
"""Columns told task by task, as running means."""

_STEPS = 20
"""Steps at which a gate's calibration is told."""


def team_page(plan: Plan, directory: RunDirectory, summary: Mapping[str, object]) -> Page:
    """What is told of a run.

    Parameters
    ----------
    summary
        Its `summary.json`.
    """
    outcomes = read_outcomes(directory.outcomes)
    children: dict[str, Callable[[], Child]] = {}
    for cell in plan.cells():
        rows = outcomes[
            (outcomes["arm"] == cell.arm) & (outcomes["twin"] == cell.twin) & (outcomes["replicate"] == cell.replicate)
        ]
        if not rows.empty:

            def tell(cell: Cell = cell, rows: pd.DataFrame = rows) -> Child:
                return _child(plan, cell, rows, directory)

            children[cell.name] = tell
    return Page(_parameters(plan), _summary_metrics(summary), children)


def _parameters(plan: Plan) -> dict[str, str]:
    parameters = {name: as_text(value) for name, value in plan.parameters.model_dump(mode="json").items()}
    return {"experiment": plan.experiment.name, "profile": plan.profile, "seed": str(plan.seed), **parameters}


def _summary_metrics(summary: Mapping[str, object]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    arms, claims = summary["arms"], summary["claims"]
    assert isinstance(arms, dict) and isinstance(claims, list)
    for arm, values in arms.items():
        metrics.update({f"{arm}.{name}": float(value) for name, value in values.items() if value is not None})
    for claim in claims:
        named = {"estimate": claim["estimate"], "low": claim["ci"][0], "high": claim["ci"][1]}
        named["noise_floor"] = claim["noise_floor"]
        metrics.update({f"claim.{claim['id']}.{name}": float(v) for name, v in named.items() if v is not None})
    for kind in ("gate", "rollout"):
        summed = summary.get(f"{kind}s", [])
        assert isinstance(summed, list)
        for one in summed:
            plain = {name: value for name, value in one.items() if isinstance(value, int | float)}
            metrics.update({f"{kind}.{one['arm']}.{name}": float(value) for name, value in plain.items()})
    return metrics


def _child(plan: Plan, cell: Cell, rows: pd.DataFrame, directory: RunDirectory) -> Child:
    team = plan.experiment.arms[cell.arm]
    parameters = {
        "arm": cell.arm,
        "twin": str(cell.twin).lower(),
        "replicate": str(cell.replicate),
        "memory": team.memory,
        "order": team.order,
        "developers": str(plan.team(cell.arm).developers),
        "budget": str(plan.parameters.budget),
    }
    tasks = originals(rows).sort_values("index", kind="stable")
    steps = tasks["index"].to_numpy()
    count = np.arange(1, len(tasks) + 1)
    points = [
        Point(f"{column}_so_far", float(value), int(step))
        for column in _CURVES
        for step, value in zip(steps, tasks[column].to_numpy(dtype=np.float64).cumsum() / count, strict=True)
    ]
    points += _calibration(rows)
    points += _certified(directory, cell, steps.tolist())
    points += [Point(name, value) for name, value in _totals(tasks).items()]
    return Child(cell.name, parameters, tuple(points))


def _calibration(rows: pd.DataFrame) -> Iterator[Point]:
    for at in calibration_path(rows, steps=_STEPS):
        yield from (Point(f"gate_{name}_so_far", value, at.index) for name, value in at.measures.items())


def _certified(directory: RunDirectory, cell: Cell, indices: list[int]) -> Iterator[Point]:
    """The certificate that decisions were made under, at a bounded number of steps; nothing without one."""
    held: dict[int, float | None] = {}
    for trace in directory.read_trace(cell):
        told = _Trace.model_validate(trace)
        decisions = [entry.result for entry in told.history if entry.kind == "Decision" and entry.result is not None]
        if decisions and told.task.depth == 0:
            held[told.index] = decisions[-1].certified
    if all(threshold is None for threshold in held.values()):
        return
    kept = [index for index in indices if index in held]
    for place in np.unique(np.linspace(0, len(kept) - 1, _STEPS).round().astype(np.int64)).tolist():
        threshold = held[kept[place]]
        yield Point("gate_certified", float(threshold is not None), kept[place])
        if threshold is not None:
            yield Point("gate_certified_threshold", threshold, kept[place])


class _Decided(BaseModel):
    model_config = ConfigDict(extra="ignore")

    certified: float | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kind: str | None
    result: _Decided | None


class _Trace(BaseModel):
    model_config = ConfigDict(extra="ignore")

    index: int
    task: Task
    history: tuple[_Entry, ...]


def _totals(tasks: pd.DataFrame) -> dict[str, float]:
    return {
        "correct_at_K": float(tasks["correct"].mean()),
        "solved_at_K": float(tasks["solved"].mean()),
        "escaped": float(tasks["escaped"].mean()),
        "candidates_mean": float(tasks["candidates"].mean()),
        "human_minutes": float(tasks["human_minutes"].sum()),
    }
