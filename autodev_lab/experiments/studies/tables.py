"""What studies write in one form: the table of a cell's rows, and the sheet of what their inputs were counted as."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.files import write_atomic

__all__ = ["rows_schema", "table_of", "write_attrition"]


def rows_schema(fields: Iterable[tuple[str, pa.DataType]]) -> pa.Schema:
    """The columns that the rows of every study have, then a study's own.

    Examples
    --------
    >>> rows_schema([("found", pa.float64())]).names
    ['arm', 'twin', 'package', 'item', 'found']
    """
    common = [("arm", pa.string()), ("twin", pa.bool_()), ("package", pa.string()), ("item", pa.string())]
    return pa.schema([*common, *fields])


def table_of(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows as a table; none is of a twin unless it says so."""
    given = [{"twin": False, **row} for row in rows]
    return pa.table({name: [row[name] for row in given] for name in schema.names}, schema=schema)


def write_attrition(directory: RunDirectory, rows: Iterable[tuple[str, str, int]]) -> None:
    """Write `attrition.csv`: package, what is counted, and how many there are."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(("package", "reason", "tasks"))
    writer.writerows(rows)
    write_atomic(directory.attrition, sheet.getvalue())
