"""Tables of a run that are made from its traces, cell by cell, beside the outcomes of the same tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from autodev_lab.analysis.dictionary import Column, schema
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.rows import parquet_bytes
from autodev_lab.files import write_atomic

__all__ = ["Row", "write_trace_table"]

Row = dict[str, object]

_CELL = ["arm", "twin", "replicate"]


def write_trace_table(
    directory: RunDirectory,
    path: Path,
    columns: Sequence[Column],
    told: Sequence[str],
    rows_of: Callable[[Cell, Sequence[Mapping[str, object]], pd.DataFrame], Iterable[Row]],
) -> None:
    """Write a table of a run whose outcomes are there.

    Parameters
    ----------
    directory, path
        The run's directory, and where in it the table goes.
    columns
        Of the table.
    told
        Columns of the outcomes that rows are made with, beside ``task_id``.
    rows_of
        Rows of a cell, from its traces and its outcomes.

    Raises
    ------
    LabError
        If a trace is damaged.
    """
    outcomes = pd.read_parquet(directory.outcomes, columns=[*_CELL, "task_id", *told])
    rows: list[Row] = []
    for (arm, twin, replicate), part in outcomes.groupby(_CELL, sort=False):
        cell = Cell(str(arm), bool(twin), int(str(replicate)))
        try:
            rows += rows_of(cell, directory.read_trace(cell), part)
        except ValueError as error:
            raise LabError(
                f"the traces of cell {cell.name} of run {directory.id} are damaged; `run --resume {directory.id}` "
                "runs it again"
            ) from error
    table = pa.table({one.name: [row[one.name] for row in rows] for one in columns}, schema=schema(columns))
    write_atomic(path, parquet_bytes(table))
