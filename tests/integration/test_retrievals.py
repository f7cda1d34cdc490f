"""What agents ask is written down for every cell, and changes nothing of a run that does not ask for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from autodev_lab.analysis.credit import observed_credit
from autodev_lab.analysis.dictionary import RETRIEVAL_COLUMNS, schema
from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import RunResult, run_experiment

SIMULATED: dict[str, object] = {
    "environment": "simulated",
    "packages": ("ant", "bee", "cat"),
    "tasks_per_package": 6,
    "pool_per_package": 9,
    "replicates": 2,
}
REPOSITORY: dict[str, object] = {"arms": ("team_shared", "team_isolated"), "tasks_per_package": 6, "twins": False}

# SHA-256 of the rows of these two runs as the lab wrote them before agents noted what they ask (commit 6b6c740),
# numbers rounded to nine digits, so that another version of pyarrow or numpy changes nothing
BEFORE = {
    "simulated": "8e9d32be5e176fb11adeb519150204ee4a4e8c54ac4d5036747fc87df092137b",
    "repository": "c95037e156769f6ce68e0a94d0980ac77a601f25c9c51ebc1bf82cda5813277d",
}


def rows_of(path: Path) -> str:
    rows = [
        {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}
        for row in pq.read_table(path / "outcomes.parquet").to_pylist()
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def worth(out: Path, *, workers: int = 1, **overrides: object) -> RunResult:
    merged = {"packages": ("ant", "bee"), "tasks_per_package": 12, **overrides}
    return run_experiment("memory_worth", profile="smoke", overrides=merged, workers=workers, out=out, progress="quiet")


@pytest.fixture(autouse=True)
def _runs_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return worth(tmp_path_factory.mktemp("worth") / "run")


@pytest.fixture(scope="module")
def asked(reference: RunResult) -> pd.DataFrame:
    return pd.read_parquet(reference.path / "retrievals.parquet")


@pytest.mark.usefixtures("undrawn")
def test_a_simulated_run_is_what_it_was_before_agents_noted_what_they_ask(tmp_path: Path) -> None:
    run = run_experiment("learning", profile="quick", overrides=SIMULATED, workers=1, out=tmp_path / "run")
    assert rows_of(run.path) == BEFORE["simulated"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.sandbox
@pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code")
def test_a_run_on_a_real_package_is_too(tmp_path: Path) -> None:
    run = run_experiment(
        "learning", profile="smoke", overrides=REPOSITORY, workers=1, out=tmp_path / "run", offline=True
    )
    assert rows_of(run.path) == BEFORE["repository"]


def test_what_was_asked_is_complete_and_as_the_traces_tell(reference: RunResult, asked: pd.DataFrame) -> None:
    assert pq.read_schema(reference.path / "retrievals.parquet").equals(schema(RETRIEVAL_COLUMNS))
    outcomes = reference.load().outcomes
    cells = ["arm", "twin", "replicate"]
    everybody = outcomes[[*cells, "task_id", "solved", "correct", "candidates"]]
    for role in ("architect", "developer"):
        ours = asked[asked["role"] == role][everybody.columns].drop_duplicates()
        assert len(ours) == len(everybody.merge(ours)) == len(everybody), f"the {role} asks about every task, once told"
    tested = outcomes[outcomes["quality"].notna()]
    assert set(asked[asked["role"] == "reviewer"]["task_id"]) == set(tested["task_id"])
    assert set(asked[asked["role"] == "deployer"]["task_id"]) == set(outcomes[outcomes["risk"].notna()]["task_id"])
    assert set(asked[asked["arm"] == "no_memory"]["rank"]) == {0}
    assert (asked["rank"] == 0).eq(asked["item"].isna()).all()
    assert (asked["rank"] <= asked["k"]).all()
    owners = asked.groupby("arm")["memory"].agg(set)
    assert owners["shared_memory"] == {"shared"}
    assert {"architect-1", "developer-1", "developer-2"} <= owners["isolated_memory"]


def test_it_is_in_the_order_of_cells_tasks_questions_and_ranks(reference: RunResult, asked: pd.DataFrame) -> None:
    outcomes = reference.load().outcomes
    keys = ["arm", "twin", "replicate", "task_id"]
    order = {tuple(row): place for place, row in enumerate(outcomes[keys].itertuples(index=False))}
    places = [
        (order[tuple(row[:4])], row[4], row[5])
        for row in asked[[*keys, "question", "rank"]].itertuples(index=False, name=None)
    ]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@pytest.mark.usefixtures("undrawn")
def test_one_or_two_workers_same_bytes(reference: RunResult, tmp_path: Path) -> None:
    other = worth(tmp_path / "two", workers=2)
    for name in ("outcomes.parquet", "retrievals.parquet"):
        assert (other.path / name).read_bytes() == (reference.path / name).read_bytes()


def test_how_often_tasks_succeeded_in_which_an_item_was_retrieved(asked: pd.DataFrame) -> None:
    shared = asked[(asked["arm"] == "shared_memory") & ~asked["twin"]]
    credit = observed_credit(shared, ["item"])
    item = credit["tasks"].idxmax()
    ours = shared[shared["item"] == item].drop_duplicates("task_id")
    assert (credit.loc[item, "tasks"], credit.loc[item, "share"]) == (len(ours), ours["correct"].mean())
