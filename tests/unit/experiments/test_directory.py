"""The run directory: locks, seals, and what a damaged file means."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from autodev_lab.analysis.dictionary import COLUMNS, Kind, schema
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Cell, Plan, load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory, create_run, find_run, runs_before
from autodev_lab.experiments.rows import parquet_bytes

CELL = Cell("single", False, 0)
_VALUES: dict[Kind, object] = {
    Kind.TEXT: "x",
    Kind.INTEGER: 3,
    Kind.NUMBER: 0.5,
    Kind.YES_NO: True,
    Kind.TEXTS: ["a", "b"],
}


def plan() -> Plan:
    return make_plan(load_experiment("learning"), profile="quick")


def table(rows: int = 2) -> pa.Table:
    return pa.table({column.name: [_VALUES[column.kind]] * rows for column in COLUMNS}, schema=schema())


def test_a_sealed_cell_is_done_and_any_damage_shows(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert not directory.is_done(CELL, "key")
    directory.write_cell(CELL, "key", table(), ['{"a": 1}', '{"a": 2}'])
    assert directory.is_done(CELL, "key")
    assert not directory.is_done(CELL, "other key")
    assert directory.read_cell(CELL).equals(table())
    assert directory.read_trace(CELL) == ({"a": 1}, {"a": 2})
    for suffix in ("parquet", "trace.gz", "json"):
        path = directory.cells / f"{CELL.name}.{suffix}"
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 0x81]), b""):
            path.write_bytes(damaged)
            assert not directory.is_done(CELL, "key")
        path.unlink()
        assert not directory.is_done(CELL, "key")
        path.write_bytes(whole)
    assert directory.is_done(CELL, "key")


def test_equal_tables_give_equal_bytes() -> None:
    chunked = pa.concat_tables([table(1), table(1)])
    assert parquet_bytes(chunked.combine_chunks()) == parquet_bytes(table(2))


def test_a_second_writer_is_refused_and_a_dead_one_is_not_in_the_way(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with directory.lock(), pytest.raises(LabError, match=f"process {os.getpid()}"), RunDirectory(tmp_path).lock():
        pass
    holder = (
        "import sys, pathlib, time\n"
        "from autodev_lab.experiments.directory import RunDirectory\n"
        "with RunDirectory(pathlib.Path(sys.argv[1])).lock():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LabError, match=f"process {process.pid}"), directory.lock():
            pass
        process.kill()
        process.wait()
    with directory.lock():
        assert (tmp_path / ".lock").read_text(encoding="utf-8").strip() == str(os.getpid())


def test_run_ids_are_readable_and_never_reused(tmp_path: Path) -> None:
    now = datetime(2030, 1, 2, 3, 4, 5)
    first, second = (create_run(tmp_path, plan(), now=now) for _ in range(2))
    assert first.id == "20300102-030405-learning-quick-s0"
    assert second.id == "20300102-030405-learning-quick-s0-2"


def test_a_folder_of_the_users_must_be_empty(tmp_path: Path) -> None:
    chosen = tmp_path / "mine"
    directory = create_run(tmp_path, plan(), out=chosen)
    assert directory.path == chosen
    directory.write_json(directory.spec, plan().as_json())
    with pytest.raises(LabError, match="already holds a run"):
        create_run(tmp_path, plan(), out=chosen)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(LabError, match="not empty"):
        create_run(tmp_path, plan(), out=tmp_path / "other")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(LabError, match="cannot write into"):
        create_run(tmp_path, plan(), out=tmp_path / "file")
    with pytest.raises(LabError, match="cannot write into"):
        create_run(tmp_path / "file", plan())


def test_runs_are_found_by_path_id_and_age(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no run in"):
        find_run("last", tmp_path)
    directory = create_run(tmp_path, plan())
    directory.write_json(directory.spec, plan().as_json())
    for name in (directory.path, directory.id, "last"):
        assert find_run(name, tmp_path).path == directory.path
    with pytest.raises(LabError, match="there is no run 'nine'"):
        find_run("nine", tmp_path)
    assert directory.read_plan() == plan()
    directory.spec.write_text('{"experiment": 3}', encoding="utf-8")
    with pytest.raises(LabError, match="damaged"):
        directory.read_plan()


def test_looks_already_taken_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"run{number}").mkdir()
        (tmp_path / f"run{number}" / "summary.json").write_text('{"experiment": "learning"}', encoding="utf-8")
    (tmp_path / "run2" / "summary.json").write_text('{"experiment": "scaling"}', encoding="utf-8")
    assert runs_before(tmp_path, plan(), "run0") == 1
