"""`autodev-lab config check` and `show`: exit status, one sentence a problem, and no secret anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autodev_lab.cli.main import app

SECRET = "sekret-4711"
VARIABLES = (
    "LINEAR_API_KEY",
    "LINEAR_WEBHOOK_SECRET",
    "GITHUB_TOKEN",
    "CODEGEN_API_KEY",
    "AUTODEV_CONFIG",
    "AUTODEV_R2R_URL",
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def config(*words: str) -> Result:
    done = CliRunner().invoke(app, ["config", *words])
    assert SECRET not in done.output
    return done


def test_what_ships_is_well_with_and_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = config("check")
    assert (bare.exit_code, bare.stderr) == (0, "")
    assert "no problems" in bare.stdout
    assert "codegen: integrations.codegen.api_key needs CODEGEN_API_KEY, which is not set" in bare.stdout
    needed = config("check", "--need", "codegen", "--need", "linear")
    assert needed.exit_code == 1
    assert [line.rpartition("needs ")[2].split(",")[0] for line in needed.stderr.splitlines()[:3]] == [
        "CODEGEN_API_KEY",
        "LINEAR_API_KEY",
        "LINEAR_WEBHOOK_SECRET",
    ]
    monkeypatch.setenv("CODEGEN_API_KEY", SECRET)
    full = config("check", "--need", "codegen")
    assert full.exit_code == 0
    assert "codegen: all is set" in full.stdout


def test_every_problem_is_one_sentence_and_rules_are_pointed_at() -> None:
    Path("mine.yaml").write_text(
        "decision_engine:\n  policy: Learned\n  escalation_rules:\n    immediate:\n      - reworks > 5%\n"
    )
    done = config("check", "mine.yaml")
    assert (done.exit_code, done.stdout) == (1, "")
    first, second, rule, caret, last = done.stderr.splitlines()
    assert "mine.yaml:2:3: decision_engine.policy is 'Learned'; did you mean 'learned'?" in first
    assert "mine.yaml:5:20: decision_engine.escalation_rules.immediate[0] is no rule: reworks counts times" in second
    assert (rule.strip(), rule[len(caret) - 1]) == ("reworks > 5%", "%")
    assert last.endswith("mine.yaml: 2 problems")
    data = json.loads(config("check", "mine.yaml", "--json").stdout)
    assert (data["valid"], len(data["problems"])) == (False, 2)
    assert data["problems"][1]["line"] == 5
    shown = config("show", "mine.yaml")
    assert (shown.exit_code, shown.stdout, len(shown.stderr.splitlines())) == (2, "", 1)
    assert "(and 1 more; `autodev-lab config check` shows all)" in shown.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "gone.yaml"], "gone.yaml does not exist"),
        (["check", "."], "is a folder"),
        (["check", "--need", "lineer"], "did you mean 'linear'?"),
        (["check", "--need", "moon"], "choose among r2r, linear, github, codegen, redis, mlflow"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_what_cannot_be_checked(words: list[str], says: str, more: list[str]) -> None:
    done = config(*words, *more)
    assert (done.exit_code, done.stdout) == (1, "")
    (sentence,) = done.stderr.splitlines()
    assert says in sentence


def test_show_says_what_holds_where_it_is_from_and_what_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAR_API_KEY", SECRET)
    monkeypatch.setenv("AUTODEV_CONFIG", "mine.yaml")
    Path("mine.yaml").write_text(
        f"decision_engine:\n  policy: learned\nintegrations:\n  redis:\n    url: redis://:{SECRET}@h:1/0\n"
        f"  codegen:\n    api_key: {SECRET}\n"
    )
    done = config("show")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines() if line.strip()}
    assert lines["decision_engine.policy"] == "learned file, line 2 run, up, agent"
    assert lines["integrations.linear.api_key"] == "******** environment (LINEAR_API_KEY) nothing yet"
    assert lines["integrations.redis.url"].startswith("redis://********@h:1/0 file, line 5")
    assert lines["integrations.github.token"].startswith("not given GITHUB_TOKEN is not set")
    assert "learned policy: confidence of at least 0.8 deploys (auto_deploy_threshold)" in done.stdout
    assert "note: integrations.codegen.api_key is written into the file itself" in done.stdout
    data = json.loads(config("show", "--json").stdout)
    assert data["settings"]["learning.learning_rate"] == {
        "value": 0.01,
        "origin": "default",
        "read_by": [],
        "description": "step of a learner",
    }
    assert data["settings"]["decision_engine.escalation_rules.high_priority"]["value"][0] == "test_failure_rate > 20%"
    assert len(data["meanings"]) > 5
