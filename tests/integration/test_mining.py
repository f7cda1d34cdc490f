"""`autodev-lab mine` and `assess` on a repository made here: the files they write, and what they say and refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.decisions.recorded.reading import read_changes as read_recorded
from autodev_lab.experiments.assessing.trained import labels_at
from autodev_lab.mining import COLUMNS, read_changes

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

START, DAY = 1577836800, 86400
CHANGES = 420


def history(root: Path) -> None:
    """A file a change, of one or of forty lines; large ones are mostly fixed within ten days. By `git fast-import`."""
    rng = np.random.default_rng(0)
    stream: list[str] = []
    due: dict[int, int] = {}
    for number in range(CHANGES):
        large = bool(rng.random() < 0.4)
        if rng.random() < (0.85 if large else 0.05):
            due.setdefault(number + 5, number)
        fixed = due.get(number)
        person = f"person{number % 7} <person{number % 7}@example.org> {START + number * 2 * DAY} +0000"
        message = "Fix a defect" if fixed is not None else "Change"
        files = {f"src/{number}.py": "".join(f"line {number} {n}\n" for n in range(40 if large else 1))}
        if fixed is not None:
            files[f"src/{fixed}.py"] = "corrected\n"
        stream += ["commit refs/heads/main", f"committer {person}", f"data {len(message)}", message]
        for path, text in files.items():
            stream += [f"M 100644 inline {path}", f"data {len(text)}", text]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(root)], check=True)
    subprocess.run(
        ["git", "-C", str(root), "fast-import", "--quiet"], input="\n".join(stream).encode() + b"\n", check=True
    )


@pytest.fixture(scope="module")
def mined(tmp_path_factory) -> tuple[Path, Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("mined")
    root, out = folder / "tiny", folder / "changes.parquet"
    history(root)
    done = CliRunner().invoke(app, ["mine", str(root), "--out", str(out), "--json", "--workers", "2"])
    assert done.exit_code == 0, done.output
    return root, out, json.loads(done.stdout)


def test_what_it_writes_and_says(mined):
    _, out, said = mined
    table = read_changes(out)
    assert said["changes"] == len(table) == said["commits"] == CHANGES
    assert said["bugs"] == table["bug"].sum() > 50
    assert set(table["project"]) == {"tiny"}
    assert json.loads(pq.read_schema(out).metadata[b"autodev_lab"])["head"] == said["head"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["changes.parquet", "tiny"]
    assert b"example.org" not in out.read_bytes()


def test_it_can_be_read_as_recorded_changes(mined):
    _, out, _ = mined
    recorded = read_recorded(out)
    assert recorded.dated and len(recorded.frame) == CHANGES


def test_a_second_run_and_csv_say_the_same(mined, tmp_path):
    root, out, _ = mined
    again = tmp_path / "again.csv"
    done = CliRunner().invoke(app, ["mine", str(root), "--out", str(again), "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert f"{CHANGES} changes of tiny in {again}" in done.stdout
    assert read_changes(again)[list(COLUMNS)].to_csv() == read_changes(out)[list(COLUMNS)].to_csv()


def assessed(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["assess", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_assess_learns_from_the_past_and_draws(mined, tmp_path, monkeypatch):
    root, out, _ = mined
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    table, figure = shutil.copy(out, tmp_path / "changes.parquet"), tmp_path / "why.png"
    how = ["--follow-up", "30", "--model", "logistic", "--success", "0.8"]
    said = assessed(str(root), "main", *how, "--history", str(table), "--figure", str(figure))
    assert said["action"] in ("AUTO_DEPLOY", "REQUEST_REVIEW") and said["worth"]["tested"]["low"] > 0.7
    assert figure.read_bytes().startswith(b"\x89PNG")
    without = assessed(str(root), "main", *how)
    assert said["worth"].pop("before") == without["worth"].pop("before") + 1  # a table also has the commit itself
    apart = ("figure", "judge")
    assert {k: v for k, v in without.items() if k not in apart} == {k: v for k, v in said.items() if k not in apart}
    entries = json.loads(CliRunner().invoke(app, ["cache", "show", "--json"]).stdout)["entries"]
    assert [entry["kind"] for entry in entries] == ["mining"]
    told = CliRunner().invoke(app, ["assess", str(root), "main~2", *how]).stdout
    assert "learned from" in told and "lines added alone" in told and "what moved the risk most" in told
    assert "the judge is that of" in told and "it stands until --refit" in told
    assert "rules not asked, for a history knows nothing of their facts: security_vulnerability_detected;" in told


def test_one_certificate_stands_until_the_table_grows(mined, tmp_path, monkeypatch):
    root, out, _ = mined
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    table = tmp_path / "changes.csv"
    whole = read_changes(out)
    whole.iloc[:-10].to_csv(table, index=False)
    how = ["--follow-up", "30", "--model", "logistic", "--success", "0.8", "--history", str(table)]
    first, second, known = (assessed(str(root), revision, *how) for revision in ("main~5", "main", "main~14"))
    (kept,) = tmp_path.glob("changes.csv.judge-*.json")
    assert json.loads(kept.read_text("utf-8"))["question"]["days"] == 30.0
    assert [one["judge"]["now"] for one in (first, second, known)] == [True, False, False]
    assert len({one["reasons"][-1] for one in (first, second, known)}) == 1
    assert first["worth"] == second["worth"] == known["worth"]
    before = kept.read_bytes()
    old = assessed(str(root), "main~100", *how)
    assert (old["judge"]["stands"], old["worth"]["mature"] < first["worth"]["mature"]) == (False, True)
    assert kept.read_bytes() == before
    whole.to_csv(table, index=False)
    grown = assessed(str(root), "main", *how)
    assert (grown["judge"]["why"], grown["judge"]["now"]) == ("the table has changed", True)
    assert grown["worth"]["mature"] > first["worth"]["mature"]
    again = assessed(str(root), "main", *how, "--refit")
    assert (again["judge"]["why"], again["reasons"]) == ("that was asked for", grown["reasons"])


def test_assess_decides_by_the_configuration(mined, tmp_path, monkeypatch):
    root, out, _ = mined
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    table = shutil.copy(out, tmp_path / "changes.parquet")
    how = [str(root), "main", "--follow-up", "30", "--model", "logistic", "--history", str(table)]
    Path("platform_config.yaml").write_text(
        "decision_engine:\n  promise: {success: 0.7}\n  escalation_rules:\n    immediate: [files_changed >= 1]\n"
    )
    ruled = assessed(*how)
    assert ruled["reasons"][0] == "immediate escalation: files_changed >= 1 (files_changed is 1)"
    assert ruled["action"] == "REQUEST_REVIEW" and "at least 70 % succeed" in ruled["reasons"][-1]
    assert "at least 75 % succeed" in assessed(*how, "--success", "0.75")["reasons"][-1]


def test_what_was_mined_later_teaches_no_more_than_was_known(mined, tmp_path):
    root, out, _ = mined
    whole = read_changes(out)
    now = START + 600 * DAY
    part = tmp_path / "part.parquet"
    then = whole[whole["date"] < now]["commit"].iloc[-1]
    done = CliRunner().invoke(app, ["mine", str(root), "--out", str(part), "--branch", then])
    assert done.exit_code == 0, done.output
    before = whole[whole["date"] < now].reset_index(drop=True)
    assert before["commit"].tolist() == read_changes(part)["commit"].tolist()
    for one, other in zip(labels_at(before, now, 30.0), labels_at(read_changes(part), now, 30.0), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine", "{root}", "--out", "{tmp}/x.txt"], "ends in .parquet or .csv"),
        (["mine", "{root}", "--out", "{tmp}/x.csv", "--since", "soon"], "--since 'soon' is no date"),
        (["mine", "{root}", "--out", "{tmp}/x.csv", "--since", "2021-01-01", "--until", "2020-01-01"], "not before"),
        (["mine", "{root}", "--out", "{tmp}/x.csv", "--workers", "-1"], "--workers is -1"),
        (["mine", "{tmp}", "--out", "{tmp}/x.csv"], "is no git repository"),
        (["assess", "{root}", "nowhere"], "has no commit 'nowhere'"),
        (["assess", "{root}", "main", "--figure", "x.gif"], "choose .png, .svg or .pdf"),
        (["assess", "{root}", "main", "--history", "{tmp}/none.parquet"], "is no file; make one"),
        (["assess", "{root}", "main", "--model", "oracle", "--history", "{out}"], "no risk model 'oracle'"),
        (["assess", "{root}", "main", "--follow-up", "0", "--history", "{out}"], "must be positive"),
        (["assess", "{root}", "main", "--success", "2"], "promised success is 2"),
    ],
)
def test_mistakes_get_one_sentence(mined, tmp_path, monkeypatch, arguments, said):
    root, out, _ = mined
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    filled = [one.format(root=root, tmp=tmp_path, out=out) for one in arguments]
    done = CliRunner().invoke(app, filled)
    assert done.exit_code != 0 and "Traceback" not in done.output
    assert said in done.output
    assert len([line for line in done.stderr.splitlines() if line.startswith("autodev-lab:")]) == 1


def test_merges_and_foreign_tables_are_not_assessed(mined, tmp_path, monkeypatch):
    _root, out, _ = mined
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    other = tmp_path / "other"
    people = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(other), *arguments], check=True, capture_output=True, env=os.environ | people)

    other.mkdir()
    git("init", "--initial-branch=main")
    (other / "a").write_text("1\n")
    git("add", ".")
    git("commit", "-m", "Begin")
    git("checkout", "-b", "side")
    git("commit", "--allow-empty", "-m", "Nothing")
    git("checkout", "main")
    git("merge", "--no-ff", "-m", "Merge", "side")
    for revision, said in (("main", "is a merge"), ("side", "changes no line of text"), ("main^1", "knows no commit")):
        done = CliRunner().invoke(app, ["assess", str(other), revision, "--history", str(out)])
        assert done.exit_code != 0 and said in done.output
    assert "published formula is used" in CliRunner().invoke(app, ["assess", str(other), "main^1"]).stdout
