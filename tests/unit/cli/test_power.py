"""`autodev-lab power`: the same answer in words and in JSON, and where each figure it supposes comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.experiments import run_experiment

SMALL = ["--effect", "0.8", "--simulations", "200", "--tasks", "12", "--replicates", "1"]


def asked(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["power", "learning", *SMALL, *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def answered(*arguments: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(asked("--json", *arguments))
    return data


def test_sizes_come_from_the_profile_and_the_rest_is_assumed() -> None:
    answer = answered()
    assert (answer["claim"], answer["treatment"]) == ("collective_intelligence", "team_shared")
    assert answer["level"] == pytest.approx(1 - 0.05 / 2)
    assert answer["design"]["packages"] == 10
    assert answer["sources"]["packages"] == "profile full"
    assert answer["sources"]["tasks"] == "given"
    assert answer["sources"]["pairing"] == "assumed"
    assert answer["supported"] + answer["refuted"] + answer["undecided"] == pytest.approx(1)
    assert answer["power"] == answer["supported"] > 0.8
    assert 7 <= answer["packages_needed"] <= 10
    assert answer == answered()


def test_words_say_the_same() -> None:
    answer, words = answered("--packages", "8"), asked("--packages", "8")
    assert f"power {answer['power']:.3f} (standard error {answer['standard_error']:.3f})" in words
    assert f"packages for a power of 0.8: {answer['packages_needed']}" in words
    assert "0.500  latent correlation of two outcomes of a task (assumed)" in words


def test_at_the_threshold_and_with_too_few_packages() -> None:
    answer = answered("--threshold", "0.8")
    assert (answer["power"], answer["packages_needed"]) == (None, None)
    assert "no power" in asked("--threshold", "0.8")
    assert "6 packages can decide nothing: the test needs 7" in asked("--packages", "6")


def test_a_run_gives_what_is_not_given(tmp_path: Path) -> None:
    run_experiment(
        "learning",
        profile="quick",
        overrides={"environment": "simulated", "tasks_per_package": 6, "arms": ("team_shared", "team_isolated")},
        workers=1,
        out=tmp_path / "run",
        notebook=False,
        mlflow=False,
        progress="quiet",
    )
    answer = answered("--run", str(tmp_path / "run"), "--spread", "0.25")
    assert answer["sources"]["baseline"] == "from run run"
    assert answer["sources"]["spread"] == "given"
    assert answer["design"]["packages"] == 10
    assert answer["design"]["baseline"] != 0.35
