"""The table of changes: its columns, writing it as Parquet or CSV, and reading it back with every doubt spelled out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autodev_lab.errors import LabError
from autodev_lab.files import write_atomic
from autodev_lab.mining.measures import MEASURES

__all__ = ["COLUMNS", "DICTIONARY", "check_out", "read_changes", "write_changes"]

DICTIONARY: Mapping[str, str] = MappingProxyType(
    {
        "commit": "full id of the change",
        "project": "name of the repository",
        "date": "committed, seconds since 1970 (UTC)",
        "bug": "1 if a later fix took away a line that the change wrote (SZZ), else 0",
        "fix_date": "date of the first such fix, seconds since 1970; empty where bug is 0",
        "ns": "subsystems (first folders) touched",
        "nd": "folders touched",
        "nf": "files touched",
        "entropy": "spread of the changed lines over the files, bits",
        "la": "lines added",
        "ld": "lines removed",
        "lt": "lines of the files before, summed",
        "fix": "1 if the message speaks of a fix, else 0",
        "ndev": "developers who have changed the files, this one included",
        "age": "mean days since the files last changed",
        "nuc": "changes of each file so far, this one included, summed over files",
        "exp": "changes by the developer so far, this one included",
        "rexp": "the same, each divided by one more than its age in years",
        "sexp": "changes by the developer so far to any of the subsystems, this one included",
    }
)
"""What every column holds. Nothing names or numbers a person."""

COLUMNS: tuple[str, ...] = tuple(DICTIONARY)
"""Columns of the table, in order."""

_PLACE = "autodev_lab"
_OTHER_NAMES = {"entrophy": "entropy", "_id": "commit"}
"""As the public data of Zeng et al. 2021 spells them."""


def check_out(out: Path) -> None:
    """Refuse a place where a table could not or should not be written, before any work is done.

    Raises
    ------
    LabError
        If the name ends otherwise than .parquet or .csv, or something else than a table of changes is there.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise LabError(f"--out {out} ends in {out.suffix or 'nothing'}; a table of changes ends in .parquet or .csv")
    if out.exists():
        try:
            read_changes(out)
        except LabError as error:
            raise LabError(
                f"{out} is there, is no table of changes, and is not overwritten; remove it or name another"
            ) from error


def write_changes(out: Path, table: pd.DataFrame, about: Mapping[str, object]) -> None:
    """Write a table of changes at once or not at all.

    Parameters
    ----------
    out
        A file ending in .parquet or .csv.
    table
        The `COLUMNS`.
    about
        Where it comes from, kept in the file's metadata (Parquet alone has such).
    """
    table = table[list(COLUMNS)]
    if out.suffix == ".csv":
        write_atomic(out, table.to_csv(index=False))
        return
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), _PLACE: json.dumps(dict(about))})
    stream = io.BytesIO()
    pq.write_table(arrow, stream)
    write_atomic(out, stream.getvalue())


def read_changes(path: Path) -> pd.DataFrame:
    """Read a table of changes, ordered by date.

    Returns
    -------
    pandas.DataFrame
        The `COLUMNS`, ``fix_date`` a nullable integer. Spellings of the public data are understood.

    Raises
    ------
    LabError
        If it is missing, damaged, or lacks a column or a number.
    """
    if not path.is_file():
        raise LabError(f"{path} is no file; make one with `autodev-lab mine REPO --out {path}`")
    try:
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LabError(f"{path} cannot be read as a table of changes: {_first_line(error)}; mine it again") from error
    table = table.rename(columns={old: new for old, new in _OTHER_NAMES.items() if new not in table})
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise LabError(f"{path} lacks the columns {', '.join(missing)}; mine it with `autodev-lab mine`")
    table = table[list(COLUMNS)].copy()
    for name in ("date", "bug", *MEASURES):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = int((~np.isfinite(numbers.to_numpy(dtype=np.float64, na_value=np.nan))).sum())
        if wrong:
            raise LabError(f"{path} has {wrong} rows without a number in column {name!r}; mine it again")
        table[name] = numbers
    table["fix_date"] = pd.to_numeric(table["fix_date"], errors="coerce").astype("Int64")
    if not table["bug"].isin((0, 1)).all():
        raise LabError(f"{path} has labels other than 0 and 1 in column 'bug'; mine it again")
    if (table["fix_date"].notna() != (table["bug"] == 1)).any():
        raise LabError(f"{path} has changes with a fix date and no bug, or the other way round; mine it again")
    return table.sort_values("date", kind="stable", ignore_index=True)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
