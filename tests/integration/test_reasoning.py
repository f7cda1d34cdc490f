"""The experiment `reasoning` and its three companions: through the command line, the same bytes again, wrong input."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.subjects import obtain
from autodev_lab.execution.testmon import ask_testmon
from autodev_lab.experiments import run_experiment
from autodev_lab.experiments.studies import impact
from autodev_lab.experiments.studies.design import make_study_plan, parse_study
from autodev_lab.resources import resource

ARMS = "impact_1,impact_3,affected_5,function,combined,full"


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.mark.sandbox
def test_reasoning_on_the_command_line_and_the_same_bytes_again(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        command = ["run", "reasoning", "--profile", "smoke", "-p", f"arms={ARMS}", "-p", "changes_per_package=2"]
        done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / name), "--json"])
        assert done.exit_code == 0, done.output
        summary = json.loads(done.stdout)
        digests.append(hashlib.sha256((tmp_path / name / "outcomes.parquet").read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    rows = pd.read_parquet(tmp_path / "one" / "outcomes.parquet")
    assert len(rows) == 6 * 2 and set(rows["package"]) == {"pocketkit"}
    assert not [name for name in rows.columns if "second" in name or "_ms" in name], "no time of the clock"
    arms = summary["arms"]
    assert arms["full"]["recall"] == 1.0 and arms["full"]["saved"] == 0.0
    for arm, told in arms.items():
        assert 0 <= told["recall_lo"] <= told["recall"] <= 1, arm
        assert 0 < told["precision"] <= 1 and 0 <= told["saved"] <= 1
        mine = rows[rows["arm"] == arm]
        assert told["recall"] == pytest.approx(mine["recall"].mean())
        assert (mine["failing"] > 0).all()
    assert arms["impact_1"]["recall"] <= arms["impact_3"]["recall"], "more hops find no less"
    assert set(summary["details"]["packages"]["pocketkit"]) == set(ARMS.split(","))
    assert Path(summary["artifacts"]["figure_frontier"]).read_bytes().startswith(b"\x89PNG")
    reported = CliRunner().invoke(app, ["report", str(tmp_path / "one"), "--out", str(tmp_path / "report"), "--json"])
    assert reported.exit_code == 0, reported.output
    (told,) = json.loads(reported.stdout)["runs"]
    assert told["study"] == "impact" and told["arms"]["full"]["recall"]["value"] == 1.0
    assert "test\\_selection" in (tmp_path / "report" / "claims.md").read_text("utf-8")


@pytest.mark.sandbox
@pytest.mark.skipif(importlib.util.find_spec("testmon") is None, reason="needs pytest-testmon: the extra dev")
def test_testmon_selects_the_tests_of_a_changed_function(tmp_path: Path) -> None:
    subject = obtain("pocketkit", cache=tmp_path / "cache")
    path = "pocketkit/numerals.py"
    text = (subject.tree.root / path).read_text(encoding="utf-8")
    changed = text.replace("return ", "return None or ", 1)
    answer = ask_testmon(subject.tree, [{}, {path: changed}], report=require())
    assert len(answer.known) > 400
    nothing, something = answer.selected
    assert not nothing and 0 < len(something) < len(answer.known)
    assert {test.partition("::")[0] for test in something} == {"tests/test_numerals.py"}


def test_without_testmon_its_arm_is_left_out_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impact, "testmon_is_installed", lambda: False)
    study = parse_study("reasoning", yaml.safe_load(resource("experiments/reasoning.yaml").read_text("utf-8")))
    plan = make_study_plan(study, profile="smoke")
    assert "testmon" not in plan.arms and "function" in plan.arms
    with pytest.raises(LabError, match="pytest-testmon is not installed"):
        run_experiment("reasoning", profile="smoke", overrides={"arms": "testmon"}, progress="quiet")


@pytest.mark.parametrize(
    ("experiment", "overrides", "says"),
    [
        ("reasoning", {"packages": "./no_such_package_here", "arms": "full"}, "does not exist"),
        ("reasoning", {"packages": ""}, "name packages to change"),
        ("reasoning", {"changes_per_package": "-1"}, "changes_per_package is '-1'"),
        ("reasoning", {"arms": "impact_9"}, "has no arm 'impact_9'"),
        ("reasoning", {"tasks": "data/tasks/pocketkit.jsonl"}, "has no historical task"),
        ("reasoning_hops", {"packages": "no_such_package_here"}, "there is no package 'no_such_package_here'"),
        ("reasoning_hops", {"questions_per_hops": "0"}, "questions_per_hops is '0'"),
        ("reasoning_localisation", {"packages": "toolz"}, "the task file has no tasks of toolz"),
        ("reasoning_evidence", {"run": "no_such_run"}, "no_such_run"),
        ("reasoning_evidence", {"run": "last"}, "there is no finished run"),
        ("reasoning_evidence", {"packages": "toolz"}, "takes decisions of a run"),
    ],
)
def test_mistakes_are_one_sentence(experiment: str, overrides: dict[str, object], says: str) -> None:
    with pytest.raises(LabError) as caught:
        run_experiment(experiment, profile="smoke", overrides=overrides, progress="quiet")
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("experiment", "options", "says"),
    [
        ("reasoning", {"way": "impact", "hops": 0}, "has hops 0; give a whole number from 1"),
        ("reasoning", {"way": "impact"}, "has hops None"),
        ("reasoning", {"way": "guess"}, "has way 'guess'"),
        ("reasoning", {"way": "line", "hops": 2}, "has an option 'hops'"),
        ("reasoning_hops", {"backend": "neo4j"}, "has backend 'neo4j'"),
        ("reasoning_localisation", {"order": "tarantula"}, "has order 'tarantula'"),
        ("reasoning_evidence", {"group": "luck"}, "has group 'luck'"),
    ],
)
def test_a_wrong_arm_is_one_sentence(experiment: str, options: dict[str, object], says: str) -> None:
    data = yaml.safe_load(resource(f"experiments/{experiment}.yaml").read_text("utf-8"))
    changed = {**data, "arms": {"a": {"description": "", "options": options}}, "contrasts": []}
    with pytest.raises(LabError) as caught:
        make_study_plan(parse_study("mine.yaml", changed), profile="smoke")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_every_backend_answers_questions_of_several_hops_exactly(tmp_path: Path) -> None:
    overrides = {"questions_per_hops": 6, "packages": "click", "arms": "twin,embedded,fast,cypher"}
    out = tmp_path / "run"
    made = run_experiment("reasoning_hops", profile="smoke", overrides=overrides, out=out, progress="quiet")
    rows = made.load().outcomes
    assert len(rows) == 4 * 18 and rows["path"].any() and not rows["path"].all()
    assert (rows["exact"] == 1.0).all(), rows[rows["exact"] < 1.0][["arm", "item"]]
    assert (rows["answer"] > 0).all()


@pytest.mark.sandbox
def test_localisation_of_prebuilt_bugs(tmp_path: Path) -> None:
    overrides = {"tasks_per_package": 2}
    made = run_experiment(
        "reasoning_localisation", profile="smoke", overrides=overrides, out=tmp_path / "run", progress="quiet"
    )
    rows = made.load().outcomes.set_index(["item", "arm"])
    assert len(rows) == 3 * 2
    assert (rows[["reciprocal", "function_reciprocal"]] > 0).all().all(), "failing tests execute the bug"
    assert rows["exam"].between(0, 1).all() and (rows["top1"] <= rows["top5"]).all()
