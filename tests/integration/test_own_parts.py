"""Parts of the user's own in a run: a cell is of the code that made it, the user's included."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.seals import all_alterations
from autodev_lab.resources import resource

Write = Callable[[str], None]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the module of a policy of the user's own, which is one of the lab's under another name."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name: str) -> None:
        (folder / "policy_of_mine.py").write_text(f"from autodev_lab.decisions import {name} as Mine\n", "utf-8")
        sys.modules.pop("policy_of_mine", None)

    yield write
    sys.modules.pop("policy_of_mine", None)


@pytest.mark.usefixtures("undrawn")
def test_a_changed_part_is_run_again_and_nothing_else(
    policy: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    experiment = yaml.safe_load(resource("experiments/safety.yaml").read_text("utf-8"))
    experiment["arms"] = {
        "mine": {"description": "", "policy": "policy_of_mine:Mine"},
        "usual": {"description": "", "policy": "published"},
    }
    experiment["contrasts"] = []
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**experiment, "name": "own", "notebook": ""}), encoding="utf-8")
    overrides = {"environment": "simulated", "packages": "ant,bee", "tasks_per_package": 4, "twins": False}

    def decisions(result: RunResult) -> set[str]:
        return set(result.load().arm("mine")["decision"].dropna())

    policy("ReviewEverythingPolicy")
    run = run_experiment(path, overrides=overrides, out=tmp_path / "run", workers=1, progress="quiet")
    assert decisions(run) == {"REQUEST_REVIEW"}
    seals = {one.name: one.stat().st_mtime_ns for one in (run.path / "cells").iterdir()}
    policy("DeployReviewedPolicy")
    assert all_alterations(run.path) == (), "other code of the user's is no alteration of the run"
    again = run_experiment(resume=run.path, workers=1, progress="quiet")
    assert "AUTO_DEPLOY" in decisions(again)
    changed = {one.name for one in (run.path / "cells").iterdir() if one.stat().st_mtime_ns != seals[one.name]}
    assert changed and all(name.startswith("mine-") for name in changed)
    assert list(json.loads((run.path / "provenance.json").read_text("utf-8"))["plugins"]) == ["policy_of_mine:Mine"]
    assert all_alterations(run.path) == ()
