"""Recorded changes are read whatever the names' case and spelling, and broken ones are refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autodev_lab.decisions.recorded.reading import LEAST_CHANGES, MEASURES, read_changes
from autodev_lab.errors import LabError


def epochs(n: int = LEAST_CHANGES) -> pd.DataFrame:
    """Changes of one project with the names of the replication package of Zeng et al."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(0, 50, n) for name in MEASURES}).rename(columns={"entropy": "entrophy"})
    return frame.assign(
        _id=[f"c{number}" for number in range(n)], date=1.5e9 + 3600.0 * np.arange(n), bug=np.arange(n) % 2, fix=1
    )


def dated(n: int = LEAST_CHANGES) -> pd.DataFrame:
    """The same with the names of the dated ApacheJIT."""
    frame = epochs(n).rename(columns={"_id": "commit_id", "entrophy": "entropy", "bug": "buggy"})
    frame.columns = [name.upper() if name in MEASURES else name for name in frame]
    times = pd.to_datetime(frame["date"], unit="s")
    frame["fix_date"] = (times + pd.Timedelta(days=9)).dt.strftime("%Y-%m-%d %H:%M:%S").where(frame["buggy"] == 1)
    return frame.assign(date=times.dt.strftime("%Y-%m-%d %H:%M:%S"), buggy=frame["buggy"] == 1)


def written(folder: Path, **files: pd.DataFrame) -> Path:
    for name, frame in files.items():
        frame.to_csv(folder / f"{name}.csv")
    return folder


def test_both_public_forms_say_the_same(tmp_path: Path) -> None:
    one = read_changes(written(tmp_path, ant=epochs()))
    (tmp_path / "dated").mkdir()
    other = read_changes(written(tmp_path / "dated", ant=dated()))
    assert (one.dated, other.dated) == (False, True)
    assert one.projects == other.projects == ("ant",)
    columns = ["commit", "project", "time", "failed", *MEASURES]
    pd.testing.assert_frame_equal(one.frame[columns], other.frame[columns])
    assert one.frame["known"].isna().all()
    delays = (other.frame["known"] - other.frame["time"])[other.frame["failed"]]
    assert (delays == 9 * 86_400).all() and other.frame.loc[~other.frame["failed"], "known"].isna().all()
    assert (one.frame["fix"] == 1).all() and other.frame["fix"].isna().all(), "there fix depends on the label"
    assert other.notes == (("ant", "fix_left_out", LEAST_CHANGES),)


def test_a_mined_file_is_read_as_a_folder_is(tmp_path: Path) -> None:
    mined = dated().rename(columns={"buggy": "bug"})
    mined["date"], mined["fix_date"] = (pd.to_datetime(mined[name], utc=True) for name in ("date", "fix_date"))
    mined.assign(project="ant").to_parquet(tmp_path / "changes.parquet")
    written(tmp_path / "csv" if (tmp_path / "csv").mkdir() is None else tmp_path, ant=dated())
    found, expected = read_changes(tmp_path / "changes.parquet"), read_changes(tmp_path / "csv")
    columns = ["commit", "project", "time", "failed", "known", *MEASURES]
    pd.testing.assert_frame_equal(found.frame[columns], expected.frame[columns])
    assert (found.frame["fix"] == 1).all(), "a miner's fix is read from the change's own message"


def test_rows_out_of_order_are_sorted_and_that_is_said(tmp_path: Path) -> None:
    mixed = epochs().iloc[::-1]
    found = read_changes(written(tmp_path, ant=mixed))
    assert found.frame["time"].is_monotonic_increasing
    assert found.notes == (("ant", "sorted_by_time", LEAST_CHANGES - 1),)


def test_milliseconds_are_seen_as_such(tmp_path: Path) -> None:
    found = read_changes(written(tmp_path, ant=epochs().assign(date=lambda one: one["date"] * 1e3)))
    assert found.frame["time"].iloc[0] == 1.5e9


def test_a_fix_before_its_change_is_known_no_earlier_than_the_change(tmp_path: Path) -> None:
    early = dated().assign(fix_date=lambda one: one["fix_date"].where(one["fix_date"].isna(), "2001-01-01 00:00:00"))
    found = read_changes(written(tmp_path, ant=early)).frame
    assert (found["known"] == found["time"])[found["failed"]].all()


def with_value(column: str, value: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame = epochs().astype({column: object})
        frame.loc[7, column] = value
        return written(folder, ant=frame)

    return write


def binary(folder: Path) -> Path:
    (folder / "ant.csv").write_bytes(b"\x00\xff\xfe" * 40)
    return folder


BAD: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "no folder": (lambda folder: folder / "nowhere", ["nowhere does not exist", "data="]),
    "an empty folder": (lambda folder: folder, ["no .csv and no .parquet"]),
    "a missing column": (lambda folder: written(folder, ant=epochs().drop(columns="la")), ["ant.csv has no column la"]),
    "two missing columns": (
        lambda folder: written(folder, ant=epochs().drop(columns=["entrophy", "bug"])),
        ["bug, entropy"],
    ),
    "a measure that is missing": (with_value("la", np.nan), ["no number in la of 1 rows", "row 8"]),
    "a measure in words": (with_value("nf", "many"), ["no number in nf", "'many'"]),
    "a measure without end": (with_value("ld", np.inf), ["no number in ld"]),
    "a negative measure": (with_value("ns", -2), ["-2 in ns of row 8"]),
    "a date in words": (with_value("date", "yesterday"), ["1 unreadable dates in date", "'yesterday'", "row 8"]),
    "a date that is missing": (with_value("date", np.nan), ["1 unreadable dates in date"]),
    "a label in words": (with_value("bug", "perhaps"), ["'perhaps' in bug of row 8", "neither 0 nor 1"]),
    "a label that is missing": (with_value("bug", np.nan), ["in bug of row 8"]),
    "one class": (lambda folder: written(folder, ant=epochs().assign(bug=0)), ["no bug recorded", "nothing to tell"]),
    "the other class": (lambda folder: written(folder, ant=epochs().assign(bug=1)), ["has a bug recorded"]),
    "too few": (lambda folder: written(folder, ant=epochs(9)), ["holds 9 changes", "at least 100"]),
    "no rows": (lambda folder: written(folder, ant=epochs().head(0)), ["no row"]),
    "no CSV": (binary, ["ant.csv is no readable CSV"]),
    "a commit twice": (with_value("_id", "c1"), ["commit c1", "twice"]),
    "dated and undated": (lambda folder: written(folder, ant=epochs(), bee=dated()), ["mixes files", "fix dates"]),
    "no Parquet": (lambda folder: _text(folder / "changes.parquet"), ["no readable Parquet"]),
}


def _text(path: Path) -> Path:
    path.write_text("not one", encoding="utf-8")
    return path


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_that_says_where(case: str, tmp_path: Path) -> None:
    make, told = BAD[case]
    with pytest.raises(LabError) as refused:
        read_changes(make(tmp_path))
    message = str(refused.value)
    assert "\n" not in message
    for part in told:
        assert part in message
