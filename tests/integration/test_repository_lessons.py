"""Lessons where tests really run: cells that learn beforehand, or know the injector, give the same bytes again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.streams.injected import InjectedTruth
from autodev_lab.streams.jsonl import read_tasks

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.usefixtures("undrawn"),
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code"),
]

SMALL: dict[str, object] = {"tasks_per_package": 3, "lessons_per_package": 4, "arms": ("uniform", "frozen", "oracle")}
"""Three tasks of the package that ships and four lessons, of other kinds of fault; six cells."""


def small(out: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, *, workers: int) -> RunResult:
    monkeypatch.setenv("AUTODEV_CACHE", str(cache))
    return run_experiment(
        "transfer", profile="smoke", overrides=SMALL, workers=workers, out=out, offline=True, progress="quiet"
    )


def digest(path: Path) -> str:
    return hashlib.sha256((path / "outcomes.parquet").read_bytes()).hexdigest()


def test_same_bytes_with_one_worker_or_two_and_after_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = small(tmp_path / "one", tmp_path / "cold", monkeypatch, workers=1)
    second = small(tmp_path / "two", tmp_path / "other", monkeypatch, workers=2)
    assert digest(second.path) == digest(first.path)
    for arm in ("frozen", "oracle"):
        next((second.path / "cells").glob(f"{arm}-*.parquet")).unlink()
    run_experiment(resume=second.path, workers=1, offline=True, progress="quiet")
    assert digest(second.path) == digest(first.path)

    rows = first.load().outcomes.query("depth == 0")
    assert (rows.groupby(["arm", "twin"]).size() == 3).all(), "a lesson has no row"
    assert rows.groupby(["arm", "twin"])["task_id"].agg(tuple).nunique() == 1, "all arms are tried on the same tasks"
    operators = {
        item.task.id: item.truth.operator
        for item in read_tasks(first.path / "tasks.jsonl")
        if isinstance(item.truth, InjectedTruth)
    }
    assert set(rows["task_id"]) < set(operators), "tasks to learn from are there, and not in the outcomes"
