"""From the traces of a run to `rollouts.parquet`: what every stage of a change's rollout saw, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict

from autodev_lab.analysis.dictionary import ROLLOUT_COLUMNS
from autodev_lab.experiments.design import Cell, Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.trace_tables import Row, write_trace_table
from autodev_lab.records import ExposureReport, Ruling, Stage, Task, Traffic

__all__ = ["differ_in_rollouts", "rollout_rows", "write_rollouts"]


def differ_in_rollouts(plan: Plan) -> bool:
    """Whether an arm's stages are judged on traffic; without one there is nothing to compare."""
    return any(plan.team(arm).rollout != "fixed" for arm in plan.arms)


def write_rollouts(plan: Plan, directory: RunDirectory) -> None:
    """Write the table of a run whose outcomes are there, if its arms differ in their rollouts.

    Raises
    ------
    LabError
        If a trace is damaged.
    """
    if not differ_in_rollouts(plan):
        return

    def rows_of(cell: Cell, traces: Sequence[Mapping[str, object]], part: pd.DataFrame) -> Iterator[Row]:
        right = dict(zip(part["task_id"], part["correct"].astype(bool).tolist(), strict=True))
        return rollout_rows(cell, plan.team(cell.arm).rollout, traces, right)

    write_trace_table(directory, directory.rollouts, ROLLOUT_COLUMNS, ["correct"], rows_of)


def rollout_rows(
    cell: Cell, rollout: str, traces: Iterable[Mapping[str, object]], right: Mapping[str, bool]
) -> Iterator[Row]:
    """Rows of one cell, in the order of its traces; tasks without a rollout have none.

    Parameters
    ----------
    rollout
        How the arm's stages are judged.
    traces
        Of the cell's tasks.
    right
        Of every task whether its change is correct.

    Raises
    ------
    ValueError
        If a trace is not what a run writes.
    """
    for trace in traces:
        told = _Trace.model_validate(trace)
        # a stage without a look counts as well: everything at once has no other
        steps = [entry for entry in told.history if entry.kind in ("RolloutStep", "StageTrial")]
        if not steps:
            continue
        seen = [batch for entry in steps for batch in entry.shown()]
        health = [one.result.report for one in told.history if one.kind == "HealthReport" and one.result]
        watched = health[-1] if health else None
        yield {
            "arm": cell.arm,
            "twin": cell.twin,
            "replicate": cell.replicate,
            "package": told.task.package,
            "task_id": told.task.id,
            "depth": told.task.depth,
            "rollout": rollout,
            "correct": right[told.task.id],
            "promoted": any(entry.stage is Stage.PRODUCTION for entry in steps),
            "rolled_back": any(entry.stage is Stage.ROLLED_BACK for entry in steps),
            "asked": any(entry.result is not None and entry.result.ruling is Ruling.INCONCLUSIVE for entry in steps),
            "exposures": sum(batch.exposed for batch in seen),
            "failed": sum(batch.failed for batch in seen),
            "baseline_failed": sum(batch.baseline_failed for batch in seen),
            "production_failing": len(watched.failed) / watched.sampled if watched and watched.sampled else None,
        }


class _Step(BaseModel):
    """What of a result says how a rollout went."""

    model_config = ConfigDict(extra="ignore")

    report: ExposureReport | None = None
    ruling: Ruling | None = None
    traffic: tuple[Traffic, ...] = ()


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    stage: Stage
    kind: str | None
    result: _Step | None

    def shown(self) -> tuple[Traffic, ...]:
        """Batches, an exposure report as one whose baseline never fails."""
        if self.result is None or self.result.report is None:
            return self.result.traffic if self.result is not None else ()
        report = self.result.report
        return (Traffic(len(report.failed), report.sampled, 0, report.sampled),)


class _Trace(BaseModel):
    model_config = ConfigDict(extra="ignore")

    task: Task
    history: tuple[_Entry, ...]
