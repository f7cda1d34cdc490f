"""Commands over finished runs: a rerun has the same bytes, an archive can be checked elsewhere and holds no secret."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from autodev_lab.analysis.seals import alterations
from autodev_lab.cli.main import app
from autodev_lab.experiments import run_experiment


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides: dict[str, object] = {
        "environment": "simulated",
        "packages": ("ant", "bee", "cat"),
        "tasks_per_package": 4,
        "arms": ("team_isolated", "team_shared"),
    }
    out = tmp_path_factory.mktemp("runs") / "reference"
    return run_experiment("learning", overrides=overrides, out=out, seed=5, workers=1, progress="quiet").path


@pytest.fixture
def run(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in the folder of runs, to be spoilt; its summary names its own place as that of a fresh run does."""
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    path = Path(shutil.copytree(reference, tmp_path / "runs" / "a_run"))
    for name in ("summary.json", "summary.txt"):
        text = (path / name).read_text("utf-8")
        (path / name).write_text(text.replace(str(reference), str(path)), encoding="utf-8")
    return path


def lab(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in arguments else done.output


def change(path: Path, **values: object) -> None:
    """Change fields of a JSON object on disk."""
    data = {**json.loads(path.read_text("utf-8")), **values}
    path.write_text(json.dumps(data), encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ rerun


@pytest.mark.usefixtures("undrawn")
def test_a_rerun_has_the_same_bytes(run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    found = json.loads(lab("rerun", "a_run", "--out", str(again), "--workers", "1", "--json"))
    assert found["same"] is True and found["differences"] == []
    assert found["outcomes"]["now"] == hashlib.sha256((again / "outcomes.parquet").read_bytes()).hexdigest()
    assert (again / "outcomes.parquet").read_bytes() == (run / "outcomes.parquet").read_bytes()
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before, "the run is only read"


@pytest.mark.usefixtures("undrawn")
def test_a_rerun_that_differs_says_so_and_what_it_ran_on(run: Path, tmp_path: Path) -> None:
    outcomes = run / "outcomes.parquet"
    outcomes.write_bytes(outcomes.read_bytes() + b"\0")
    provenance = json.loads((run / "provenance.json").read_text("utf-8"))
    packages = {**provenance["packages"], "bee": "another"}
    change(run / "provenance.json", git_commit="0123abc", python="3.11.0", packages=packages)
    said = lab("rerun", "a_run", "--out", str(tmp_path / "again"), "--workers", "1", code=1)
    assert "DIFFER" in said
    assert "commit: 0123abc, now" in said and "Python: 3.11.0, now" in said and "package bee: another, now" in said
    assert "platform:" not in said and "package ant" not in said


def test_what_cannot_be_rerun_is_one_sentence(run: Path, tmp_path: Path) -> None:
    assert "there is no run 'nowhere'" in lab("rerun", "nowhere", code=2)
    assert "not empty" in lab("rerun", "a_run", "--out", str(run / "cells"), code=2)
    change(run / "summary.json", complete=False)
    assert "is not finished" in lab("rerun", "a_run", code=2)
    change(run / "summary.json", complete=True)
    change(run / "spec.json", seed=6)
    assert "is not the configuration that was run" in lab("rerun", "a_run", code=2)
    change(run / "spec.json", parameters={"of": "another version"})
    assert "written by version 0.1.0" in lab("rerun", "a_run", code=2)
    (run / "provenance.json").unlink()
    assert "provenance.json is missing" in lab("rerun", "a_run", code=2)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a_run"], "nothing half-made is left"


# ----------------------------------------------------------------------------------------------------- export


def test_an_archive_is_whole_and_the_same_every_time(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    assert "is written" in lab("export", "a_run", "--out", str(first))
    lab("export", "a_run", "--out", str(second))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path / "elsewhere")
    there = tmp_path / "elsewhere" / "a_run"
    for name in ("spec.json", "tasks.jsonl", "attrition.csv", "outcomes.parquet"):
        assert (there / name).read_bytes() == (run / name).read_bytes()
    for name in ("README.md", "claims.yaml", "provenance.json", "summary.json", "summary.txt", "figures/arms.png"):
        assert (there / name).is_file()
    assert alterations(there) == ()
    lab("report", str(there), "--out", str(tmp_path / "report"))
    assert json.loads(lab("rerun", str(there), "--workers", "1", "--json"))["same"] is True


def test_no_member_names_a_place(run: Path, tmp_path: Path) -> None:
    change(run / "provenance.json", argv=["autodev-lab", "run", "--out", str(tmp_path / "x"), f"--a={tmp_path}/y"])
    lab("export", "a_run", "--out", str(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for name in archive.namelist():
            data = archive.read(name)
            text = gzip.decompress(data) if name.endswith(".gz") else data
            for place in (tmp_path, Path.home(), Path.cwd()):
                assert f"{place}/".encode() not in text, name
        assert json.loads(archive.read("a_run/provenance.json"))["argv"][-2:] == ["x", "--a=y"]
        artifacts = json.loads(archive.read("a_run/summary.json"))["artifacts"]
        assert artifacts["outcomes"] == "outcomes.parquet"
        assert all(f"a_run/{path}" in archive.namelist() for path in artifacts.values() if path != ".")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sk-" + "abcdefghij0123456789", "looks like a secret"),
        ("ghp_" + "a1" * 18, "looks like a secret"),
        ("the-value-of-a-variable", "looks like a secret"),
        (f"see {Path.home()}/notes.txt", "names a path of this machine"),
    ],
)
def test_what_is_private_is_refused(
    run: Path, tmp_path: Path, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "the-value-of-a-variable")
    with (run / "attrition.csv").open("a", encoding="utf-8") as stream:
        stream.write(text)
    said = lab("export", "a_run", "--out", str(tmp_path / "a.zip"), code=2)
    assert "attrition.csv" in said and says in said and text not in said
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("named", ["tasks={}/tasks.jsonl", "packages={}", "packages=git:{}@0123abc"])
def test_what_is_named_by_an_absolute_path_is_refused(tmp_path: Path, run: Path, named: str) -> None:
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "tasks.jsonl").touch()
    key, _, value = named.format(elsewhere).partition("=")
    overrides = {"environment": "simulated", "packages": "ant", "arms": "uniform", key: value}
    run_experiment("learning", overrides=overrides, out=tmp_path / "runs" / "b_run", workers=1, progress="quiet")
    said = lab("export", "b_run", "--out", str(tmp_path / "a.zip"), code=2)
    assert "of run b_run names a path of this machine" in said
    lab("report", "b_run", "--out", str(tmp_path / "out"))
    for name in ("claims.md", "claims.html"):
        text = (tmp_path / "out" / name).read_text("utf-8")
        assert "Attrition" in text and str(elsewhere) not in text


def test_what_is_private_is_found_in_compressed_traces(run: Path, tmp_path: Path) -> None:
    trace = run / "cells" / "team_shared-r000.trace.gz"
    trace.write_bytes(gzip.compress(gzip.decompress(trace.read_bytes()) + f"{Path.home()}/x\n".encode(), mtime=0))
    change(trace.with_name("team_shared-r000.json"), trace=hashlib.sha256(trace.read_bytes()).hexdigest())
    said = lab("export", "a_run", "--out", str(tmp_path / "a.zip"), code=2)
    assert "cells/team_shared-r000.trace.gz" in said and "names a path" in said


def test_what_cannot_be_exported_is_one_sentence(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    target.write_bytes(b"mine")
    assert "exists; choose another name" in lab("export", "a_run", "--out", str(target), code=2)
    assert target.read_bytes() == b"mine"
    other = ("--out", str(tmp_path / "b.zip"))
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    change(run / "summary.json", claims=[{**summary["claims"][0], "threshold": 0.1}])
    assert "is not what run a_run was judged by" in lab("export", "a_run", *other, code=2)
    with (run / "tasks.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert "was altered since it was run (tasks.jsonl" in lab("export", "a_run", *other, code=2)
    (run / "summary.json").unlink()
    assert "is not finished" in lab("export", "a_run", *other, code=2)
    assert not (tmp_path / "b.zip").exists()


# ------------------------------------------------------------------------------------------------- notebooks


def executed(run: Path, shown: str) -> None:
    """A notebook beside the run, as executing leaves it."""
    cell = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
        f'run_directory = "{run}"',
        outputs=[nbformat.v4.new_output("stream", text=f"it lies in {run}/figures; {shown}\n")],  # type: ignore[no-untyped-call]
        metadata={"papermill": {"start_time": "2026-01-01T10:00:00"}},
    )
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"papermill": {"output_path": str(run)}})  # type: ignore[no-untyped-call]
    (run / "notebook").mkdir(exist_ok=True)
    (run / "notebook" / "learning.ipynb").write_text(nbformat.writes(notebook), "utf-8")  # type: ignore[no-untyped-call]


def test_executed_notebooks_are_shown_without_places_and_hours(run: Path, tmp_path: Path) -> None:
    executed(run, "nothing else")
    said = lab("report", "a_run", "--out", str(tmp_path / "out"), "--notebooks")
    assert "learning.ipynb" in said
    text = (tmp_path / "out" / "learning.ipynb").read_text("utf-8")
    assert 'run_directory = \\"a_run\\"' in text and "it lies in a_run/figures; nothing else" in text
    assert str(tmp_path) not in text and "papermill" not in text
    nbformat.validate(json.loads(text))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kept", ["none", "a place"])
def test_a_notebook_that_cannot_be_shown_is_one_sentence(run: Path, tmp_path: Path, kept: str) -> None:
    if kept == "a place":
        executed(run, f"and {Path.home()}/mine")
    said = lab("report", "a_run", "--out", str(tmp_path / "out"), "--notebooks", code=2)
    assert ("names a path of this machine" if kept == "a place" else "has no executed notebook") in said
    assert not (tmp_path / "out").exists(), "nothing is half written"
