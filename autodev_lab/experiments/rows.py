"""From what happened to a task to its row of `outcomes.parquet`, and to the trace that `autodev-lab show` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from autodev_lab.analysis.dictionary import COLUMNS, schema
from autodev_lab.experiments.design import Cell
from autodev_lab.platform import StreamRun, TaskRecord
from autodev_lab.records import (
    Attempt,
    Decision,
    HumanAnswer,
    Plan,
    Result,
    Review,
    Stage,
    TaskState,
    TestReport,
    Truth,
)

__all__ = ["cell_table", "parquet_bytes", "row_of", "trace_line"]

Row = dict[str, object]
R = TypeVar("R", bound=Result)


def cell_table(cell: Cell, run: StreamRun) -> pa.Table:
    """All rows of a cell, in stream order, by the data dictionary."""
    busy = sum(run.busy[agent] for agent in sorted(run.busy))
    rows = [row_of(cell, record, run.finished_at, busy) for record in run.records]
    columns = {column.name: [row[column.name] for row in rows] for column in COLUMNS}
    return pa.table(columns, schema=schema())


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as parquet, with every writer setting fixed: equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=False,
        write_statistics=True,
        row_group_size=1 << 20,
        store_schema=True,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def row_of(cell: Cell, record: TaskRecord, finished_at: float, busy: float) -> Row:
    """One row.

    Parameters
    ----------
    finished_at, busy
        Virtual seconds at which the cell was finished, and that its agents were busy.
    """
    state, judgement = record.state, record.judgement
    attempts, change = record.attempts, record.change
    tests = _last(state, TestReport)
    review, decision, plan = _last(state, Review), _last(state, Decision), _last(state, Plan)
    answers = [entry.result for entry in state.history if isinstance(entry.result, HumanAnswer)]
    deployed = any(entry.stage is Stage.PRODUCTION for entry in state.history)
    solved = change is not None and tests is not None and tests.solved
    right = judgement is not None and judgement.correct
    return {
        "arm": cell.arm,
        "replicate": cell.replicate,
        "twin": cell.twin,
        "package": record.task.package,
        "task_id": record.task.id,
        "index": record.index,
        "kind": record.task.kind.value,
        "parent": record.task.parent,
        "depth": record.task.depth,
        **_truth(record.truth),
        "solved": solved,
        "correct": solved and right,
        "identical": judgement.identical if judgement else None,
        "oracle_passed": judgement.oracle_passed if judgement else None,
        "exposure_passed": judgement.exposure_passed if judgement else None,
        "differential_agreed": judgement.differential_agreed if judgement else None,
        "deployed": deployed,
        "escaped": deployed and not right,
        "observed_success": record.outcome.success,
        "stage": state.stage.value,
        "candidates": sum(attempt.cost.candidates for attempt in attempts),
        "test_executions": sum(attempt.cost.test_executions for attempt in attempts),
        "tokens": sum(attempt.cost.tokens for attempt in attempts),
        "evaluations": change.evaluations if change else None,
        "developer": _developer(state),
        "patterns": list(change.patterns) if change else [],
        "complexity": plan.complexity if plan else None,
        "coverage": tests.coverage if tests else None,
        "quality": review.quality if review else None,
        "reworks": state.reworks,
        "lines_changed": review.inspection.lines_added + review.inspection.lines_removed if review else None,
        "risk": decision.assessment.risk if decision else None,
        "confidence": decision.assessment.confidence if decision else None,
        "decision": decision.action.value if decision else None,
        "policy": decision.policy if decision else None,
        "explored": decision.explored if decision else None,
        "propensity": decision.propensity if decision else None,
        "label_source": record.outcome.source.value if record.outcome.source else None,
        "factors": _factors(decision) if decision else None,
        "human_seconds": float(sum(answer.seconds for answer in answers)),
        "human_minutes": float(sum(answer.cost for answer in answers)),
        "opened_at": record.opened_at,
        "closed_at": record.closed_at,
        "cell_finished_at": finished_at,
        "cell_busy_seconds": busy,
    }


def trace_line(record: TaskRecord) -> str:
    """Everything about one task as one line of JSON, for `autodev-lab show`."""
    state = record.state
    return json.dumps(
        {
            "task": _plain(record.task),
            "index": record.index,
            "stage": state.stage.value,
            "reason": state.reason,
            "history": [
                {
                    "stage": entry.stage.value,
                    "agent": entry.agent_id,
                    "at": entry.at,
                    "kind": type(entry.result).__name__ if entry.result is not None else None,
                    "result": _plain(entry.result),
                }
                for entry in state.history
            ],
            "judgement": _plain(record.judgement),
        },
        sort_keys=True,
        default=str,
    )


def _plain(value: object) -> object:
    """As `dataclasses.asdict`, for JSON alone: nothing is copied, which would double the time."""
    names = _names_of(type(value))
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


_NAMES: dict[type[Any], tuple[str, ...] | None] = {}


def _names_of(kind: type[Any]) -> tuple[str, ...] | None:
    """Names of a dataclass's fields, found once; None for any other class."""
    if kind not in _NAMES:
        _NAMES[kind] = tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None
    return _NAMES[kind]


def _last(state: TaskState, kind: type[R]) -> R | None:
    for entry in reversed(state.history):
        if isinstance(entry.result, kind):
            return entry.result
    return None


def _factors(decision: Decision) -> str:
    return json.dumps({name: round(value, 6) for name, value in decision.assessment.factors.items()}, sort_keys=True)


def _developer(state: TaskState) -> str | None:
    for entry in reversed(state.history):
        if isinstance(entry.result, Attempt):
            return entry.agent_id
    return None


def _truth(truth: Truth) -> Row:
    """What an injected bug's truth adds; other kinds of truth have nothing of the sort."""
    killing = getattr(truth, "killing", None)
    known: Mapping[str, object] = killing if isinstance(killing, Mapping) else {}
    return {
        "operator": getattr(truth, "operator", None),
        "exposure_killable": bool(known.get("exposure")) if known else None,
        "oracle_killable": bool(known.get("oracle")) if known else None,
    }
