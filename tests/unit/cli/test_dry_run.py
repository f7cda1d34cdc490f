"""`run --dry-run`: what is typed decides what is counted, in words and in JSON, and nothing is written."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.experiments.design import Parameters, load_experiment, make_plan
from autodev_lab.experiments.estimate import Need, estimate


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


def dry(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["run", "learning", "--dry-run", *arguments])
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    assert list(Path.cwd().iterdir()) == []
    return done.stdout


def counted(*arguments: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(dry("--json", *arguments))
    return data


def test_json_has_all_counts_and_says_which_are_estimates() -> None:
    need = counted("--profile", "smoke", "--seed", "5", "--workers", "3")
    assert set(need) == {field.name for field in fields(Need)} | {"estimated"}
    assert (need["experiment"], need["profile"], need["seed"], need["workers"]) == ("learning", "smoke", 5, 3)
    assert need["estimated"] == ["seconds", "bytes"]
    assert need["arms"] == ["single", "team_isolated", "team_shared", "uniform", "placebo"]
    assert (need["cells"], need["tasks"], need["task_runs"]) == (10, 8, 80)


@pytest.mark.parametrize(
    ("typed", "cells", "tasks", "task_runs"),
    [
        (["twins=no"], 5, 35, 175),
        (["twins=no", "replicates=3"], 15, 35, 525),
        (["arms=single,uniform", "twins=0"], 2, 35, 70),
        (["packages=a", "tasks_per_package=7", "pool_per_package=9"], 10, 9, 70),
        (["tasks-per-package=7", "packages=a"], 10, 7, 70),
        (["budget=3", "packages=a, b", "budget=4"], 10, 10, 100),
        ([" packages = a ,, b "], 10, 10, 100),
    ],
)
def test_parameters_decide_what_is_counted(typed: list[str], cells: int, tasks: int, task_runs: int) -> None:
    need = counted(*(word for pair in typed for word in ("-p", pair)))
    assert (need["cells"], need["tasks"], need["task_runs"]) == (cells, tasks, task_runs)


def test_a_parameter_typed_is_the_parameter_given_in_python() -> None:
    typed = counted("-p", "packages=schema,funcy", "--parameter", "budget=7", "-p", "twins=false", "--seed", "3")
    plan = make_plan(
        load_experiment("learning"),
        profile="quick",
        seed=3,
        overrides={"packages": ["funcy", "schema"], "budget": 7, "twins": False},
    )
    assert typed["configuration_hash"] == plan.configuration_hash
    assert typed["packages"] == ["funcy", "schema"]


def test_every_parameter_can_be_typed_as_it_is_by_default() -> None:
    """What `-p` is told to take, it takes."""
    base = make_plan(load_experiment("learning"), profile="quick")
    for name in Parameters.model_fields:
        value = getattr(base.parameters, name)
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        assert counted("-p", f"{name}={text}")["configuration_hash"] == base.configuration_hash, name


def test_words_say_the_same_counts_and_that_times_are_estimates() -> None:
    words, need = dry("--profile", "full", "--workers", "2"), counted("--profile", "full", "--workers", "2")
    lines = {line.split()[0]: line for line in words.splitlines()}
    assert words.startswith("learning, profile full, seed 0, repository environment\n")
    assert (
        f" {need['cells']} (single, team_isolated, team_shared, uniform, static, placebo, frozen, oracle)"
        in lines["cells"]
    )
    assert f" {need['tasks']} built, {need['task_runs']} task runs" in lines["tasks"]
    assert lines["packages"].endswith(", ".join(need["packages"]))
    assert "with 2 workers (an estimate" in lines["time"]
    assert f"about {need['bytes'] / 1e6:.0f} MB (an estimate)" in lines["disk"]
    assert lines["configuration"].endswith(need["configuration_hash"])
    assert "those of the task file" in dry("--profile", "smoke")


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.4, "0 s"), (119.4, "119 s"), (120.0, "2 min"), (7140.0, "119 min"), (7200.0, "2.0 h"), (36000.0, "10.0 h")],
)
def test_durations_are_told_in_a_unit_that_fits(seconds: float, says: str) -> None:
    need = estimate(make_plan(load_experiment("learning"), profile="smoke"), workers=1)
    assert f"about {says} with 1 workers" in replace(need, seconds=seconds).in_words()
