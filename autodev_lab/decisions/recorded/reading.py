"""Recorded changes of real projects, read from a folder: public just-in-time defect data, or what `mine` wrote.

A change has fourteen measures (Kamei et al. 2013, "A large-scale empirical study of just-in-time quality assurance",
IEEE TSE 39(6), table 1), a time, and a label: whether a bug that it brought in was recorded later.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autodev_lab.errors import LabError

__all__ = ["DAY", "LEAST_CHANGES", "MEASURES", "RecordedChanges", "read_changes"]

DAY = 86_400.0
"""Seconds of a day."""

LEAST_CHANGES = 100
"""Fewer changes cannot be split in three by time and say anything."""

MEASURES: tuple[str, ...] = (
    "ns",
    "nd",
    "nf",
    "entropy",
    "la",
    "ld",
    "lt",
    "ndev",
    "age",
    "nuc",
    "exp",
    "rexp",
    "sexp",
)
"""Subsystems, directories and files touched; entropy of the spread; lines added, deleted, there before; developers,
days since the last change and number of changes of the files; changes by the author: all, recent, of the subsystem.
The fourteenth, whether the change is a fix, is optional: see `read_changes`."""

_NAMES = {
    "commit": ("commit", "commit_id", "_id", "commit_hash", "hash"),
    "bug": ("bug", "buggy"),
    "date": ("date", "author_date", "author_date_unix_timestamp"),
    "entropy": ("entropy", "entrophy"),
}
_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True)
class RecordedChanges:
    """Changes of one or more projects in the order of time.

    Parameters
    ----------
    frame
        One row a change: ``commit``, ``project``, ``time`` (seconds since 1970), ``failed`` (a bug was recorded),
        ``known`` (when that was: seconds since 1970; NaN when no bug or no time was recorded), `MEASURES`, and ``fix``
        (NaN where it was left out).
    dated
        Whether the recorded bugs have the time of their fix.
    notes
        What was done to rows when they were read: project, ``sorted_by_time`` (rows that stood after a later one) or
        ``fix_left_out``, and to how many.
    """

    frame: pd.DataFrame = field(hash=False)
    dated: bool
    notes: tuple[tuple[str, str, int], ...] = ()

    @property
    def projects(self) -> tuple[str, ...]:
        """Their names, in alphabetical order."""
        return tuple(sorted(str(name) for name in self.frame["project"].unique()))


def read_changes(source: str | Path) -> RecordedChanges:
    """Read recorded changes.

    Parameters
    ----------
    source
        A folder of ``.csv`` files, one a project, or ``.parquet`` files as `autodev-lab mine` writes them; or one such
        file. Columns are found by name whatever the case: a commit (``_id``, ``commit_id``), a date (seconds since
        1970, or ISO), a label (``bug``, ``buggy``), `MEASURES`, and if they are there ``project`` (else the name of
        the file), ``fix`` and ``fix_date``. Where the label is called ``buggy``, as in ApacheJIT, ``fix`` is left out:
        there it depends on the label (a change is in the data because it fixes, or is blamed by, a bug report).

    Raises
    ------
    LabError
        If there is nothing to read, or what is there is broken; the message names the file and the column.
    """
    place = Path(source).expanduser()
    parts: list[pd.DataFrame] = []
    notes: list[tuple[str, str, int]] = []
    for path in _files(place):
        frame, said = _read_one(path)
        parts.append(frame)
        notes += said
    dated = {bool(part["known"].notna().any()) for part in parts if part["failed"].any()}
    if len(dated) == 2:
        raise LabError(f"{place} mixes files with fix dates and files without; read them apart, from two folders")
    merged = pd.concat(parts, ignore_index=True)
    if merged.duplicated(["project", "commit"]).any():
        raise LabError(
            f"{place} holds commit {merged.loc[merged.duplicated(['project', 'commit']), 'commit'].iloc[0]} of a "
            "project twice; leave one out"
        )
    frame = merged.sort_values(["time", "project", "commit"], kind="stable", ignore_index=True)
    if len(frame) < LEAST_CHANGES:
        raise LabError(f"{place} holds {len(frame)} changes; at least {LEAST_CHANGES} are needed to split them by time")
    if frame["failed"].nunique() < 2:
        label = "a bug" if frame["failed"].iloc[0] else "no bug"
        raise LabError(f"every change in {place} has {label} recorded; there is nothing to tell apart")
    return RecordedChanges(frame, dated == {True}, tuple(notes))


def _files(place: Path) -> Sequence[Path]:
    if place.is_file():
        return (place,)
    if not place.is_dir():
        raise LabError(f"{place} does not exist; data= names a folder of CSV files, one a project")
    found = sorted(path for path in place.iterdir() if path.suffix.lower() in (".csv", ".parquet") and path.is_file())
    if not found:
        raise LabError(f"{place} holds no .csv and no .parquet file; data= names a folder with one a project")
    return found


def _read_one(path: Path) -> tuple[pd.DataFrame, list[tuple[str, str, int]]]:
    raw = _raw(path)
    raw.columns = [str(name).strip().lower() for name in raw.columns]
    names = {name: next((one for one in _NAMES.get(name, (name,)) if one in raw), "") for name in _wanted()}
    missing = [name for name, one in names.items() if not one]
    if missing:
        raise LabError(
            f"{path} has no column {', '.join(missing)}; it needs a commit, a date, bug or buggy, {', '.join(MEASURES)}"
        )
    if raw.empty:
        raise LabError(f"{path} has column names and no row; leave it out or fill it")
    times = _times(raw[names["date"]], path, names["date"])
    failed = _yes_or_no(raw[names["bug"]], path, names["bug"])
    frame = pd.DataFrame(
        {
            "commit": raw[names["commit"]].astype(str),
            "project": raw["project"].astype(str) if "project" in raw else path.stem,
            "time": times,
            "failed": failed,
            "known": np.nan,
        }
    )
    if "fix_date" in raw and raw["fix_date"].notna().any():
        known = _times(raw["fix_date"], path, "fix_date", optional=True)
        # clocks of two machines: a fix may bear an earlier time than what it fixes by hours, and is known no earlier
        frame["known"] = known.where(known.isna() | (known >= times), times).where(failed)
        undated = int((failed & frame["known"].isna()).sum())
        if undated:
            raise LabError(f"{path} has {undated} changes with a bug and no fix_date, beside others with one; add them")
    for name in MEASURES:
        frame[name] = _numbers(raw[names[name]], path, names[name])
    frame["fix"] = np.nan
    notes: list[tuple[str, str, int]] = []
    if "fix" in raw and names["bug"] == "bug":
        frame["fix"] = _yes_or_no(raw["fix"], path, "fix").astype(np.float64)
    elif "fix" in raw:
        notes.append((path.stem, "fix_left_out", len(frame)))
    earlier = int((np.diff(times) < 0).sum())
    if earlier:
        notes.append((path.stem, "sorted_by_time", earlier))
    return frame, notes


def _shown(value: object) -> str:
    """A cell as its reader would name it."""
    if value is None or value != value:
        return "an empty cell"
    return repr(value) if isinstance(value, str) else str(value)


def _wanted() -> tuple[str, ...]:
    return ("commit", "date", "bug", *MEASURES)


def _raw(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise LabError(f"{path} is no readable Parquet file; write it anew with `autodev-lab mine`") from error
    try:
        return pd.read_csv(path, low_memory=False)
    except (OSError, ValueError, csv.Error) as error:  # pandas' own errors of parsing are ValueErrors
        raise LabError(f"{path} is no readable CSV ({str(error).strip().splitlines()[0]}); correct the file") from error


def _times(column: pd.Series, path: Path, name: str, *, optional: bool = False) -> pd.Series:
    """Seconds since 1970; NaN where there is none, which only an optional column may have."""
    given = column.notna()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        parsed = pd.to_datetime(column, utc=True)
        seconds = (parsed - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    else:
        seconds = pd.to_numeric(column, errors="coerce")
        if seconds[given].notna().mean() < 0.5:
            parsed = pd.to_datetime(column.where(given), utc=True, errors="coerce", format="ISO8601")
            seconds = (parsed - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        elif len(seconds[given]) and float(seconds[given].median()) > _MILLISECONDS:
            seconds = seconds / 1e3
    broken = ~np.isfinite(seconds.to_numpy(dtype=np.float64))
    if optional:
        broken &= given.to_numpy()
    if broken.any():
        row = int(np.argmax(broken))
        raise LabError(
            f"{path} has {int(broken.sum())} unreadable dates in {name}, the first {_shown(column.iloc[row])} in row "
            f"{row + 1}; write seconds since 1970 or ISO dates such as 2019-12-31 23:59:59"
        )
    return seconds.astype(np.float64)


def _yes_or_no(column: pd.Series, path: Path, name: str) -> pd.Series:
    words = column.astype(str).str.strip().str.lower()
    found = words.map({"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False})
    if found.isna().any():
        row = int(np.argmax(found.isna().to_numpy()))
        raise LabError(
            f"{path} has {_shown(column.iloc[row])} in {name} of row {row + 1}, which is neither 0 nor 1, and so in "
            f"{int(found.isna().sum())} rows; correct or leave out those rows"
        )
    return found.astype(bool)


def _numbers(column: pd.Series, path: Path, name: str) -> pd.Series:
    found = pd.to_numeric(column, errors="coerce").astype(np.float64)
    broken = ~np.isfinite(found.to_numpy())
    if broken.any():
        row = int(np.argmax(broken))
        raise LabError(
            f"{path} has no number in {name} of {int(broken.sum())} rows, the first {_shown(column.iloc[row])} in row "
            f"{row + 1}; fill or leave out those rows"
        )
    if (found < 0).any():
        row = int(np.argmax((found < 0).to_numpy()))
        raise LabError(f"{path} has {found.iloc[row]:g} in {name} of row {row + 1}; a measure cannot be negative")
    return found
