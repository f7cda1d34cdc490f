"""The table of changes goes out and comes back the same, and what is broken is said in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autodev_lab.errors import LabError
from autodev_lab.mining import COLUMNS, DICTIONARY, MEASURES, check_out, read_changes, write_changes


def table() -> pd.DataFrame:
    rows = {name: [1.0, 2.0, 3.0] for name in COLUMNS}
    rows |= {"commit": ["a" * 40, "b" * 40, "c" * 40], "project": ["p"] * 3, "date": [30, 10, 20], "bug": [0, 1, 0]}
    return pd.DataFrame(rows).assign(fix_date=pd.array([None, 15, None], dtype="Int64"))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_it_comes_back_in_order_of_time(tmp_path, suffix):
    out = tmp_path / f"changes{suffix}"
    check_out(out)
    write_changes(out, table(), {"head": "x"})
    check_out(out)
    read = read_changes(out)
    assert tuple(read.columns) == COLUMNS
    assert read["date"].tolist() == [10, 20, 30]
    assert read["fix_date"].tolist()[0] == 15 and read["fix_date"].isna().tolist() == [False, True, True]


def test_the_spelling_of_the_public_data_is_understood(tmp_path):
    out = tmp_path / "zeng.csv"
    table().rename(columns={"entropy": "entrophy", "commit": "_id"}).to_csv(out)
    assert set(read_changes(out).columns) == set(COLUMNS)


def test_every_column_is_explained():
    assert set(MEASURES) < set(DICTIONARY)
    assert not {"author", "email", "name"} & set(DICTIONARY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns=["lt", "bug"]), "lacks the columns bug, lt"),
        (lambda frame: frame.assign(la=[1.0, np.nan, np.inf]), "2 rows without a number in column 'la'"),
        (lambda frame: frame.assign(bug=[0, 1, 2]), "labels other than 0 and 1"),
        (lambda frame: frame.assign(bug=[1, 1, 0]), "fix date and no bug, or the other way round"),
    ],
)
def test_broken_tables(tmp_path, change, said):
    out = tmp_path / "changes.csv"
    change(table()).to_csv(out, index=False)
    with pytest.raises(LabError, match=said):
        read_changes(out)


def test_what_is_not_overwritten(tmp_path):
    for name in ("changes.txt", "changes"):
        with pytest.raises(LabError, match="ends in"):
            check_out(tmp_path / name)
    precious = tmp_path / "thesis.parquet"
    precious.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(LabError, match="is no table of changes, and is not overwritten"):
        check_out(precious)
    with pytest.raises(LabError, match="cannot be read as a table of changes"):
        read_changes(precious)
    with pytest.raises(LabError, match="make one with `autodev-lab mine"):
        read_changes(tmp_path / "missing.parquet")
