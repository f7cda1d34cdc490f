"""MLflow as a caller has it: runs nest under the caller's own, in the caller's store, and change nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

START = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import autodev_lab

def run(**more):
    return autodev_lab.run_experiment("learning", profile="quick", workers=1, mlflow=True, progress="quiet",
        overrides={"environment": "simulated", "packages": ("ant", "bee"), "tasks_per_package": 3,
                   "arms": ("team_shared", "uniform"), "twins": False}, **more)

def note(result):
    return json.loads((result.path / "mlflow.json").read_text("utf-8"))

def tell(**seen):
    print(json.dumps(seen))
"""
"""A caller's process: MLflow has warnings of its own, and its state is the whole process's."""

NESTED = """
import mlflow
if sys.argv[1]:
    mlflow.set_tracking_uri(sys.argv[1])
    # only what is in the code says where the caller's run lies, or only what is in the environment
    del os.environ["MLFLOW_TRACKING_URI"]
mlflow.set_experiment("thesis")
with mlflow.start_run(run_name="chapter 3") as mine:
    result = run()
    still = mlflow.active_run()
    tell_active = still is not None and still.info.run_id == mine.info.run_id
    mlflow.log_metric("pages", 12)
    again = autodev_lab.run_experiment(resume=result.path, workers=1, mlflow=True, progress="quiet")
client = mlflow.MlflowClient()
experiment = mine.info.experiment_id
runs = client.search_runs([experiment])
tell(
    mine=mine.info.run_id,
    active=tell_active,
    status=client.get_run(mine.info.run_id).info.status,
    pages=client.get_run(mine.info.run_id).data.metrics,
    note=note(result),
    again=note(again),
    store=mlflow.get_tracking_uri(),
    experiments=sorted(one.name for one in client.search_experiments()),
    runs={one.info.run_id: [one.info.run_name, one.data.tags.get("mlflow.parentRunId"), one.info.status]
          for one in runs},
    solved=client.get_run(note(result)["run_id"]).data.metrics["team_shared.solved_at_K"],
    summary=result.summary["arms"]["team_shared"]["solved_at_K"],
)
"""

TWICE = """
import mlflow
before = [os.environ.get("MLFLOW_TRACKING_URI"), mlflow.get_tracking_uri()]
first, second = run(), run()
after = [os.environ.get("MLFLOW_TRACKING_URI"), mlflow.get_tracking_uri()]
tell(notes=[note(first), note(second)], before=before, after=after, active=mlflow.active_run() is not None)
"""


def caller(script: str, *arguments: str, cwd: Path, **environment: str) -> dict[str, Any]:
    """What a script says that uses the lab and MLflow in one process."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    settings = {"AUTODEV_RUNS": str(cwd / "runs"), "AUTODEV_CACHE": str(cwd / "cache"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", START + script, *arguments],
        cwd=cwd,
        env={**clean, "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds nothing: MLflow takes seconds to lay its tables out, and one of the tests waits for that."""
    folder = tmp_path_factory.mktemp("empty")
    caller(EMPTY, f"sqlite:///{folder / 'store.db'}", cwd=folder)
    return folder / "store.db"


def assert_nested(seen: dict[str, Any], store: str) -> None:
    assert seen["store"] == seen["note"]["tracking_uri"] == store
    assert seen["active"], "the caller's run is still the active one"
    assert (seen["status"], seen["pages"]) == ("FINISHED", {"pages": 12.0})
    parent = seen["note"]["run_id"]
    assert seen["runs"] == {
        seen["mine"]: ["chapter 3", None, "FINISHED"],
        parent: ["learning-quick-s0", seen["mine"], "FINISHED"],
        **{run: words for run, words in seen["runs"].items() if words[1] == parent},
    }
    cells = sorted(words[0] for words in seen["runs"].values() if words[1] == parent)
    assert cells == ["team_shared-r000", "uniform-r000"]
    assert seen["again"] == seen["note"], "going on with a run does not write it twice"
    assert "autodev_lab/learning" not in seen["experiments"]
    assert seen["solved"] == seen["summary"]


def test_a_run_nests_under_the_callers_in_the_store_of_the_environment(empty_store: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'store.db')}"
    assert_nested(caller(NESTED, "", cwd=tmp_path, MLFLOW_TRACKING_URI=store), store)
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_run_nests_under_the_callers_in_the_store_of_the_callers_code(empty_store: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'code.db')}"
    assert_nested(caller(NESTED, store, cwd=tmp_path), store)
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_without_a_run_of_the_callers_two_runs_go_to_one_store(tmp_path: Path) -> None:
    """The caller's settings are as before, or the second run would follow what the first one left behind."""
    seen = caller(TWICE, cwd=tmp_path)
    store = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    assert [note["tracking_uri"] for note in seen["notes"]] == [store, store]
    assert seen["notes"][0]["run_id"] != seen["notes"][1]["run_id"]
    assert seen["after"] == seen["before"]
    assert seen["before"][0] is None
    assert seen["active"] is False


def test_the_store_of_the_environment_is_used_without_a_run_too(empty_store: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'store.db')}"
    seen = caller(TWICE, cwd=tmp_path, MLFLOW_TRACKING_URI=store)
    assert [note["tracking_uri"] for note in seen["notes"]] == [store, store]
    assert seen["after"] == seen["before"] == [store, store]
    assert not (tmp_path / "runs" / "mlflow.db").exists()


EMPTY = """
from mlflow import MlflowClient
tell(experiments=[one.name for one in MlflowClient(sys.argv[1]).search_experiments()])
"""

GATES = """
result = autodev_lab.run_experiment("safety", profile="quick", workers=1, mlflow=True, progress="quiet",
    overrides={"environment": "simulated", "packages": ("ant", "bee", "cat"), "tasks_per_package": 12,
               "arms": ("gate_none", "gate_published"), "twins": False})
from mlflow import MlflowClient
from autodev_lab.analysis.calibration_path import calibration_path
client, kept = MlflowClient(note(result)["tracking_uri"]), note(result)["run_id"]
run = result.load()
cell, = [one for one in client.search_runs([client.get_run(kept).info.experiment_id])
         if one.data.params.get("arm") == "gate_published"]
tell(gates=result.summary["gates"], metrics=client.get_run(kept).data.metrics,
     figures=[one.path for one in client.list_artifacts(kept, "figures")],
     steps={name: [[one.step, one.value] for one in client.get_metric_history(cell.info.run_id, name)]
            for name in cell.data.metrics if name.startswith("gate_")},
     path=[[one.index, dict(one.measures)] for one in calibration_path(run.arm("gate_published"))])
"""


def test_what_gates_were_worth_is_mirrored_with_their_figures(empty_store: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copy(empty_store, tmp_path / "runs" / "mlflow.db")
    seen = caller(GATES, cwd=tmp_path)
    assert [gate["arm"] for gate in seen["gates"]] == ["gate_published", "gate_none"]
    for gate in seen["gates"]:
        for name in ("coverage", "right", "wrong_stopped", "human_minutes_a_change"):
            assert seen["metrics"].get(f"gate.{gate['arm']}.{name}") == gate[name], name
    assert seen["metrics"]["gate.gate_none.coverage"] == 1.0
    assert "figures/arms.png" in seen["figures"]
    for name in ("n", "ece", "ece_perfect", "brier", "coverage"):
        told = [[index, measures[name]] for index, measures in seen["path"]]
        assert seen["steps"][f"gate_{name}_so_far"] == told and 2 < len(told) <= 20, name
    assert "gate_certified" not in seen["steps"], "no gate of this run certifies"
