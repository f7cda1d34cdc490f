"""Rows of the gate: what it knew, what it did, who said what became of it, and how likely that was."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autodev_lab.analysis.dictionary import COLUMNS, VERSION, schema
from autodev_lab.analysis.frames import read_outcomes
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.rows import cell_table, parquet_bytes
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream


@pytest.fixture(scope="module")
def table() -> pa.Table:
    items = list(SyntheticStream(60, seed=2))
    world = SimulatedEnvironment(items)
    spec = TeamSpec(budget=40, policy="random", risk="learned", calibrator="platt", human_latency_seconds=60.0)
    run = run_stream(items, world, spec, solver=SimulatedSolver(), oracle=world, seed=2)
    return cell_table(Cell("arm", False, 0), run)


def test_what_the_gate_did_is_in_the_row(table: pa.Table) -> None:
    frame: pd.DataFrame = table.to_pandas()
    gated, rest = frame[frame["decision"].notna()], frame[frame["decision"].isna()]
    assert len(gated) > 10 and len(rest) > 5
    assert rest[["risk", "propensity", "factors", "label_source"]].isna().all().all()
    assert set(gated["propensity"]) == {0.5}
    by_source = gated.groupby("label_source")["decision"].unique().map(sorted).to_dict()
    assert by_source == {"person": ["REQUEST_REVIEW"], "production": ["AUTO_DEPLOY"]}
    assert (gated["lines_changed"] >= 2).all()
    for text in gated["factors"]:
        factors = json.loads(text)
        assert {"complexity", "evaluations", "pattern_failures"} <= set(factors)
        assert list(factors) == sorted(factors)


def test_the_same_run_gives_the_same_bytes(table: pa.Table) -> None:
    items = list(SyntheticStream(60, seed=2))
    world = SimulatedEnvironment(items)
    spec = TeamSpec(budget=40, policy="random", risk="learned", calibrator="platt", human_latency_seconds=60.0)
    again = cell_table(
        Cell("arm", False, 0), run_stream(items, world, spec, solver=SimulatedSolver(), oracle=world, seed=2)
    )
    assert parquet_bytes(again) == parquet_bytes(table)


def test_a_file_comes_back_and_one_of_another_version_is_refused(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    path.write_bytes(parquet_bytes(table))
    assert len(read_outcomes(path)) == table.num_rows
    older = [column for column in COLUMNS if column.name != "propensity"]
    kept = table.select([column.name for column in older]).replace_schema_metadata({"autodev_lab.dictionary": "1"})
    pq.write_table(kept, path)
    with pytest.raises(LabError) as caught:
        read_outcomes(path)
    assert f"is of version 1 of the data dictionary and this lab reads version {VERSION}" in str(caught.value)
    assert "run the experiment again" in str(caught.value) and "\n" not in str(caught.value)
    assert schema().names == [column.name for column in COLUMNS]
