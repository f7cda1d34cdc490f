"""The command line as a user meets it: one JSON object, one sentence for a mistake, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autodev_lab.cli.main import app
from autodev_lab.experiments.world_repository import read_task_file
from autodev_lab.records import StreamItem, TaskKind
from autodev_lab.resources import resource
from autodev_lab.streams.historical import HistoricalTruth
from autodev_lab.streams.injected import InjectedTruth
from autodev_lab.streams.jsonl import write_tasks

SIMULATED = ["-p", "environment=simulated", "-p", "packages=ant,bee,cat", "-p", "tasks_per_package=4"]
BARE = ["--no-notebook", "--no-mlflow", "--workers", "1"]


def lab(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder of its own."""
    settings = {"AUTODEV_RUNS": str(cwd / "runs"), "AUTODEV_CACHE": str(cwd / "cache"), **environment}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    return subprocess.run(
        [sys.executable, "-c", "from autodev_lab.cli.main import run; run()", *arguments],
        cwd=cwd,
        env={**clean, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def here(monkeypatch: pytest.MonkeyPatch, *arguments: str, cwd: Path) -> Result:
    """The same in this process, where another one would show nothing more."""
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("AUTODEV_RUNS", str(cwd / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(cwd / "cache"))
    return CliRunner().invoke(app, list(arguments))


def test_help_is_light(tmp_path: Path) -> None:
    """The start-up is fast because nothing heavy is imported; a list says so without a clock."""
    script = (
        "import sys\n"
        "sys.argv = ['autodev-lab', '--help']\n"
        "from autodev_lab.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as done:\n    assert not done.code\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'scipy', 'matplotlib', 'mlflow', 'papermill', 'pydantic', 'pytest'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.strip() == "[]"
    for command in ("run", "tasks", "solve", "show", "ui"):
        assert command in done.stdout


def test_json_is_one_object_and_the_directory_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = lab("run", "learning", *SIMULATED, *BARE, "--seed", "3", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["experiment"], summary["profile"], summary["seed"]) == ("learning", "quick", 3)
    assert summary["environment"] == "simulated"
    directory = Path(summary["artifacts"]["run"])
    assert directory.parent == tmp_path / "runs"
    assert json.loads((directory / "summary.json").read_text("utf-8")) == summary
    told = here(monkeypatch, "show", summary["run_id"], _a_task(directory), "--arm", "team_shared", cwd=tmp_path)
    assert told.exit_code == 0, told.output
    for word in ("team_shared", "planned", "candidates", "ended"):
        assert word in told.stdout
    shown = json.loads(here(monkeypatch, "show", "last", _a_task(directory), "--json", cwd=tmp_path).stdout)
    assert shown["task"]["id"] == _a_task(directory)
    assert [entry["at"] for entry in shown["history"]] == sorted(entry["at"] for entry in shown["history"])


def _a_task(directory: Path) -> str:
    first = (directory / "tasks.jsonl").read_text("utf-8").splitlines()[0]
    return str(json.loads(first)["id"])


@pytest.mark.usefixtures("undrawn")
def test_words_end_with_verdict_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = lab("run", "learning", *SIMULATED, *BARE, "--out", str(tmp_path / "mine"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "collective_intelligence (exploratory)" in done.stdout
    assert str(tmp_path / "mine" / "outcomes.parquet") in done.stdout
    assert "running cells" in done.stderr
    again = here(monkeypatch, "run", "--resume", str(tmp_path / "mine"), *BARE, cwd=tmp_path)
    assert again.stdout == done.stdout


def test_dry_run_counts_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = here(monkeypatch, "run", "learning", "--profile", "full", "--dry-run", cwd=tmp_path)
    assert done.exit_code == 0
    assert "cells          48" in done.stdout
    assert "tasks          556 built, 14400 task runs" in done.stdout, "156 of them are lessons"
    assert "lessons        boltons, cachetools, funcy" in done.stdout
    assert "estimate" in done.stdout
    assert "shift          packages" in here(monkeypatch, "run", "transfer", "--dry-run", cwd=tmp_path).stdout
    need = json.loads(here(monkeypatch, "run", "learning", *SIMULATED, "--dry-run", "--json", cwd=tmp_path).stdout)
    assert (need["cells"], need["tasks"], need["task_runs"]) == (10, 12, 120)
    assert need["estimated"] == ["seconds", "bytes"]
    assert list(tmp_path.iterdir()) == []


HISTORY = ["-p", "shift=history", "-p", "packages=", "-p", "lesson_packages=isodate"]

BAD: dict[str, tuple[list[str], str]] = {
    "unknown experiment": (["run", "lerning"], "choose one of coordination, learning"),
    "no experiment": (["run"], "name an experiment"),
    "unknown profile": (["run", "learning", "--profile", "huge"], "choose one of smoke, quick, full"),
    "unknown parameter": (["run", "learning", "-p", "colour=red"], "'colour' is not a parameter"),
    "no value": (["run", "learning", "-p", "budget"], "key=value"),
    "budget 0": (["run", "learning", "-p", "budget=0"], "budget is '0'"),
    "budget 0, dry": (["run", "learning", "-p", "budget=0", "--dry-run"], "budget is '0'"),
    "unknown arm": (["run", "learning", "-p", "arms=solo"], "no arm 'solo'"),
    "negative seed": (["run", "learning", "--seed", "-1"], "seed is -1"),
    "unknown run": (["run", "--resume", "nowhere"], "there is no run 'nowhere'"),
    "resume with parameters": (["run", "--resume", "last", "-p", "budget=3"], "leave -p"),
    "no package names": (
        ["run", "learning", "-p", "environment=simulated", "-p", "packages="],
        "names for its packages",
    ),
    "learned from and tried on": (
        ["run", "learning", "-p", "packages=toolz,funcy", "-p", "lesson_packages=funcy"],
        "funcy cannot be both learned from and tried on",
    ),
    "frozen without lessons": (["run", "learning", "-p", "arms=frozen"], "arm frozen learns beforehand"),
    "unknown shift": (["run", "transfer", "-p", "shift=sideways"], "shift is 'sideways'"),
    "shift with lesson packages": (["run", "transfer", "-p", "lesson_packages=isodate"], "name no lesson_packages"),
    "history without a file": (["run", "transfer", "-p", "shift=history"], "-p tasks="),
    "history without lessons": (
        ["run", "transfer", "-p", "shift=history", "-p", "tasks=past.jsonl"],
        "-p lesson_packages=",
    ),
    "history of injected faults": (["run", "transfer", *HISTORY, "-p", "tasks=injected.jsonl"], "is injected"),
    "oracle on history": (["run", "transfer", *HISTORY, "-p", "tasks=past.jsonl"], "arm oracle knows injected faults"),
    "oracle on history, no shift": (
        ["run", "transfer", *HISTORY, "-p", "tasks=past.jsonl", "-p", "shift="],
        "arm oracle knows injected faults",
    ),
    "operators, simulated": (
        ["run", "transfer", "-p", "environment=simulated", "-p", "packages=a,b", "-p", "shift=operators"],
        "neither fault operators nor history",
    ),
    "missing task file": (["run", "learning", "--profile", "smoke", "-p", "tasks=none.jsonl"], "none.jsonl"),
    "unreadable task file": (["run", "learning", "--profile", "smoke", "-p", "tasks=bad.jsonl"], "bad.jsonl"),
    "packages not in the file": (
        ["run", "learning", "--profile", "smoke", "-p", "packages=toolz"],
        "no tasks of toolz",
    ),
    "read-only folder": (["run", "learning", *SIMULATED, "--out", "file/run"], "cannot write into"),
    "folder in use": (["run", "learning", *SIMULATED, "--out", "occupied"], "not empty"),
    "show without a run": (["show", "last", "t"], "no run in"),
    "solve an unreadable file": (["solve", "bad.jsonl"], "bad.jsonl"),
    "solve a missing file": (["solve", "none.jsonl"], "none.jsonl"),
    "solve with budget 0": (["solve", "bad.jsonl", "--budget", "0"], "--budget is 0"),
    "unknown solver": (["solve", "bad.jsonl", "--solver", "magic"], "no solver 'magic'"),
    "unknown order": (["solve", "bad.jsonl", "--order", "random"], "no order 'random'"),
    "show an unreadable file": (["tasks", "show", "bad.jsonl"], "bad.jsonl"),
    "no tasks wanted": (["tasks", "build", "pocketkit", "--n", "0"], "--n is 0"),
    "unknown package": (["tasks", "build", "no-such-package-anywhere", "--offline"], "no-such-package-anywhere"),
    "a folder without tests": (["tasks", "build", "./occupied", "--offline"], "occupied"),
}


def of_history(item: StreamItem) -> StreamItem:
    """The same fault, told as a change of the package's history."""
    truth = item.truth
    assert isinstance(truth, InjectedTruth)
    past = HistoricalTruth(
        task_id=truth.task_id,
        package_spec=truth.package_spec,
        package_hash=truth.package_hash,
        older="1",
        newer="2",
        edits=truth.edits,
        places=((truth.path, truth.qualname),),
        interface_changed=False,
        split_seed=truth.split_seed,
        killing=truth.killing,
        covering=truth.covering,
    )
    return StreamItem(replace(item.task, kind=TaskKind.HISTORICAL), past)


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_one_sentence_and_leaves_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, says = BAD[case]
    (tmp_path / "bad.jsonl").write_text('{"half": \n', encoding="utf-8")
    shipped = read_task_file("data/tasks/pocketkit.jsonl")[:2]
    write_tasks(tmp_path / "injected.jsonl", shipped)
    write_tasks(tmp_path / "past.jsonl", [of_history(item) for item in shipped])
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "thesis.tex").write_text("x", encoding="utf-8")
    before = sorted(path for path in tmp_path.rglob("*"))
    more = BARE if arguments[0] == "run" else []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(app, [*arguments, *more])
    assert done.exit_code == 2, done.output
    sentences = [line for line in done.stderr.splitlines() if line.startswith("autodev-lab: ")]
    assert len(sentences) == 1, done.stderr
    assert says in sentences[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert sorted(kept) == [path for path in before if path.is_file()]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")
def test_a_folder_nobody_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc refuses even the administrator, to whom modes mean nothing."""
    done = here(monkeypatch, "run", "learning", *SIMULATED, *BARE, "--out", "/proc/self/here", cwd=tmp_path)
    assert done.exit_code == 2
    assert "choose a writable folder" in done.stderr


def test_mlflow_and_notebook_mirror_the_run(tmp_path: Path) -> None:
    arms = ["-p", "arms=team_shared,team_isolated", "-p", "twins=no"]
    done = lab("run", "learning", *SIMULATED, *arms, "--workers", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    assert "INFO" not in done.stderr
    summary = json.loads(done.stdout)
    notebook = json.loads(Path(summary["artifacts"]["notebook"]).read_text("utf-8"))
    outputs = json.dumps([cell.get("outputs") for cell in notebook["cells"]])
    assert "collective_intelligence" in outputs
    assert "image/png" in outputs
    assert "<html" in Path(summary["artifacts"]["html"]).read_text("utf-8")
    note = json.loads(Path(summary["artifacts"]["mlflow"]).read_text("utf-8"))
    check = (
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from mlflow import MlflowClient\n"
        "client = MlflowClient(sys.argv[1])\n"
        "parent = client.get_run(sys.argv[2])\n"
        "children = client.search_runs([parent.info.experiment_id], "
        "f\"tags.`mlflow.parentRunId` = '{parent.info.run_id}'\")\n"
        "print(client.get_experiment(parent.info.experiment_id).name, parent.info.status)\n"
        "print(sorted(child.info.run_name for child in children))\n"
        "history = client.get_metric_history(children[0].info.run_id, 'correct_so_far')\n"
        "print(sorted(metric.step for metric in history))\n"
        "print(sorted(one.path for one in client.list_artifacts(parent.info.run_id)))\n"
    )
    seen = subprocess.run(
        [sys.executable, "-c", check, note["tracking_uri"], note["run_id"]], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert seen[0] == "autodev_lab/learning FINISHED"
    assert seen[1] == "['team_isolated-r000', 'team_shared-r000']"
    assert seen[2] == str(list(range(12)))
    assert "outcomes.parquet" in seen[3]


def test_a_broken_tracking_server_does_not_spoil_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = lab(
        "run",
        "learning",
        *SIMULATED,
        "--no-notebook",
        "--workers",
        "1",
        "--json",
        cwd=tmp_path,
        MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path / 'file' / 'x.db'}",
    )
    assert "autodev-lab: MLflow at sqlite:///" in done.stderr
    assert "--no-mlflow" in done.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"] is True


def test_shipped_notebook_holds_no_outputs() -> None:
    notebook = json.loads(resource("notebooks/learning.ipynb").read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
