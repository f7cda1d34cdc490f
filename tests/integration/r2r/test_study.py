"""The study of retrieval on a real R2R: arms measured as all others are, a restart, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autodev_lab.errors import LabError
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.studies import backends
from autodev_lab.integrations.r2r import Patience, R2RClient
from autodev_lab.resources import resource

R2R_ARMS = ("r2r_keyword", "r2r_vector", "r2r_hybrid", "r2r_own_hybrid")


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment `memory` with its arms on R2R beside one that needs no weights, on a package of few functions."""
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    data = yaml.safe_load(resource("experiments/memory.yaml").read_text("utf-8"))
    twin = {"description": "twin", "options": {"backend": "twin", "mode": "keyword"}}
    data["arms"] = {"keyword": twin, **{arm: data["arms"][arm] for arm in R2R_ARMS}}
    data["contrasts"] = [["r2r_hybrid", "r2r_own_hybrid"]]
    data["profiles"] = {"smoke": {"packages": ["typer"], "queries_per_package": 6, "hard": False}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**data, "name": "mine", "notebook": ""}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def configured(stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """R2R as a user configures it."""
    monkeypatch.setenv("AUTODEV_R2R_URL", stack.url)
    monkeypatch.setenv("AUTODEV_R2R_EMAIL", stack.credentials.email)
    monkeypatch.setenv("AUTODEV_R2R_PASSWORD", stack.credentials.password)
    monkeypatch.delenv("AUTODEV_R2R_API_KEY", raising=False)


def run(experiment: Path, **overrides: object) -> RunResult:
    return run_experiment(experiment, profile="smoke", overrides=overrides, progress="quiet")


def names(client: R2RClient) -> set[str]:
    return {collection.name for collection in client.collections()}


def test_arms_on_r2r_are_measured_as_all_others_and_leave_nothing(configured, client, experiment) -> None:
    before = names(client)
    done = run(experiment)
    arms = done.summary["arms"]
    assert isinstance(arms, dict) and set(arms) == {"keyword", *R2R_ARMS}
    for told in arms.values():
        assert 0 <= told["mrr10"] <= told["recall10"] <= 1
        assert told["p50_ms"] <= told["p95_ms"] and told["build_s"] > 0
    assert arms["r2r_keyword"]["recall10"] > 0 and arms["r2r_hybrid"]["recall10"] > 0
    rows = done.load().outcomes
    assert rows.groupby("arm").size().eq(6).all() and not rows.duplicated(["arm", "item"]).any()
    assert done.summary["left_out"] == {}
    (speed,) = done.summary["speeds"]  # type: ignore[misc]
    assert speed["times_as_fast"] > 0
    assert names(client) == before


def test_r2r_that_goes_in_mid_run_is_one_sentence_and_the_run_goes_on_when_it_is_back(
    stack, configured, client, experiment
) -> None:
    """What was half stored is not doubled, and the arm before it is not measured again."""
    before = names(client)

    def impatient(url: str, *, patience: Patience | None = None) -> R2RClient:
        return R2RClient(url, patience=Patience(seconds=1.0))

    seen: list[str] = []

    def watch(texts: list[str]) -> None:
        seen.extend(texts)
        if len(seen) > 12:
            stack.kill()

    stack.watch = watch
    try:
        with pytest.MonkeyPatch.context() as patched, pytest.raises(LabError, match="cannot be reached") as caught:
            patched.setattr(backends, "R2RClient", impatient)
            run(experiment, arms="keyword,r2r_keyword")
        assert "\n" not in str(caught.value)
    finally:
        stack.watch = None
        stack.start()
    assert len(names(client)) == len(before) + 4
    (path,) = (one.parent for one in (experiment.parent / "runs").glob("*/spec.json"))
    kept = (path / "cells" / "keyword.json").stat().st_mtime_ns
    done = run_experiment(resume=path, progress="quiet")
    assert done.summary["complete"] and len(done.load().outcomes) == 12
    assert (path / "cells" / "keyword.json").stat().st_mtime_ns == kept
    assert names(client) == before
