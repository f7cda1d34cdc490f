"""From the traces of a run to `retrievals.parquet`: what agents asked their memories, and how the tasks ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from autodev_lab.analysis.dictionary import RETRIEVAL_COLUMNS
from autodev_lab.experiments.design import Cell, Plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.trace_tables import Row, write_trace_table
from autodev_lab.records import Retrieval, Task

__all__ = ["retrieval_rows", "write_retrievals"]

ENDS = ("solved", "correct", "candidates")
"""What of a task's outcome every row repeats."""


def write_retrievals(plan: Plan, directory: RunDirectory) -> None:
    """Write the table of a run whose outcomes are there.

    Parameters
    ----------
    plan
        The run's.
    directory
        Its directory; of every cell with outcomes the trace is read.

    Raises
    ------
    LabError
        If a trace is damaged.
    """

    def rows_of(cell: Cell, traces: Sequence[Mapping[str, object]], part: pd.DataFrame) -> Iterator[Row]:
        owner = "" if plan.team(cell.arm).memory == "isolated" else "shared"
        ends = {str(end["task_id"]): end for end in pa.Table.from_pandas(part[["task_id", *ENDS]]).to_pylist()}
        return retrieval_rows(cell, owner, traces, ends)

    write_trace_table(directory, directory.retrievals, RETRIEVAL_COLUMNS, ENDS, rows_of)


def retrieval_rows(
    cell: Cell, owner: str, traces: Iterable[Mapping[str, object]], ends: Mapping[str, Mapping[str, object]]
) -> Iterator[Row]:
    """Rows of one cell, by task, question and rank.

    Parameters
    ----------
    owner
        Whose memory it is; empty where each agent has its own.
    traces
        Of the cell's tasks.
    ends
        Of every task its outcome, as far as the rows repeat it.

    Raises
    ------
    ValueError
        If a trace is not what a run writes.
    """
    for trace in traces:
        told = _Trace.model_validate(trace)
        task = told.task
        asked = [(entry, one) for entry in told.history if entry.result for one in entry.result.retrieved]
        for number, (entry, one) in enumerate(asked):
            shared: Row = {
                "arm": cell.arm,
                "twin": cell.twin,
                "replicate": cell.replicate,
                "package": task.package,
                "task_id": task.id,
                "depth": task.depth,
                "stage": entry.stage,
                "agent": one.agent_id,
                "role": one.role.value,
                "at": one.at,
                "question": number,
                "collection": one.collection,
                "mode": one.mode,
                "query": one.query,
                "k": one.k,
                "memory": owner or one.agent_id,
                **{name: ends[task.id][name] for name in ENDS},
            }
            for rank, found in enumerate(one.found, start=1):
                yield {
                    **shared,
                    "rank": rank,
                    "item": found.item_id,
                    "item_task": found.task_id or None,
                    "score": found.score,
                }
            if not one.found:
                yield {**shared, "rank": 0, "item": None, "item_task": None, "score": None}


class _Asked(BaseModel):
    """What of any result says what was asked."""

    model_config = ConfigDict(extra="ignore")

    retrieved: tuple[Retrieval, ...] = ()


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    stage: str
    result: _Asked | None


class _Trace(BaseModel):
    model_config = ConfigDict(extra="ignore")

    task: Task
    history: tuple[_Entry, ...]
