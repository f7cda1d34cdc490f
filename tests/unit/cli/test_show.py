"""`show`: the story of a task holds every step of it, of every kind, in words and in one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.experiments import run_experiment
from autodev_lab.experiments.directory import RunDirectory

KINDS = {
    "Plan": "complexity ",
    "Attempt": " candidates, ",
    "TestReport": " visible tests passed, ",
    "Review": "quality ",
    "Decision": "(risk ",
    "HumanAnswer": " person-minutes",
    "RolloutStep": " exposure tests, ",
    "HealthReport": " exposure tests, ",
}
"""What every kind of step has to show for itself."""

Trace = Mapping[str, Any]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run in the simulated world in which tasks ended in every common way."""
    run = run_experiment(
        "learning",
        profile="quick",
        overrides={
            "environment": "simulated",
            "packages": ("ant", "bee"),
            "tasks_per_package": 12,
            "arms": ("team_shared", "uniform"),
        },
        workers=1,
        out=tmp_path_factory.mktemp("runs") / "run",
        progress="quiet",
    )
    return RunDirectory(run.path)


@pytest.fixture(scope="module")
def traces(directory: RunDirectory) -> dict[tuple[str, str], Trace]:
    """The traces of the run by arm and task."""
    found: dict[tuple[str, str], Trace] = {}
    for cell in directory.read_plan().cells():
        for trace in directory.read_trace(cell):
            task = trace["task"]
            assert isinstance(task, dict)
            found[cell.arm + ("_twin" if cell.twin else ""), str(task["id"])] = trace
    return found


@pytest.fixture(autouse=True)
def _no_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))


def show(directory: RunDirectory, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["show", str(directory.path), *arguments])
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def of_stage(traces: Mapping[tuple[str, str], Trace], stage: str) -> tuple[str, str, Trace]:
    return next((arm, task, trace) for (arm, task), trace in traces.items() if trace["stage"] == stage)


def test_the_run_has_every_kind_of_step(traces: Mapping[tuple[str, str], Trace]) -> None:
    assert {entry["kind"] for trace in traces.values() for entry in trace["history"]} == set(KINDS)


@pytest.mark.parametrize("stage", ["healthy", "abandoned", "declined", "rolled_back"])
def test_a_story_tells_every_step_in_order(
    stage: str, directory: RunDirectory, traces: Mapping[tuple[str, str], Trace]
) -> None:
    arm, task, trace = of_stage(traces, stage)
    story = show(directory, task, "--arm", arm, "--replicate", "0")
    assert story.startswith(f"{task}: {trace['task']['title']}\n")
    assert f"arm {arm}, replicate 0, place {trace['index']} in the stream" in story
    assert f"\nended {stage}" in story
    blocks = story.split("\n\n")[1:]
    for block, entry in zip(blocks, trace["history"], strict=False):
        assert block.split()[:4] == [f"{entry['at']:.1f}", "s", entry["stage"], entry["agent"]]
        assert KINDS[entry["kind"]] in block
    assert len(blocks) == len(trace["history"]) + (trace["judgement"] is not None)


def test_what_was_found_and_what_became_of_it(directory: RunDirectory, traces: Mapping[tuple[str, str], Trace]) -> None:
    arm, task, trace = of_stage(traces, "healthy")
    story = show(directory, task, "--arm", arm)
    results = {entry["kind"]: entry["result"] for entry in trace["history"]}
    for line in results["Attempt"]["change"]["diff"].splitlines():
        assert line in story
    assert f"{results['Decision']['action']} (risk {results['Decision']['assessment']['risk']:.2f}, " in story
    for reason in (*results["Decision"]["reasons"], *results["Review"]["reasons"]):
        assert f"- {reason}" in story
    assert f"truth: {'correct' if trace['judgement']['correct'] else 'not correct'}" in story
    for name in ("oracle tests", "exposure tests", "differential inputs"):
        assert f"\n  {name}: " in story


def test_nothing_found_is_told(directory: RunDirectory, traces: Mapping[tuple[str, str], Trace]) -> None:
    arm, task, _ = of_stage(traces, "abandoned")
    story = show(directory, task, "--arm", arm)
    assert "no change found within the budget" in story
    assert "truth:" not in story


def test_json_is_the_trace_with_where_it_was(directory: RunDirectory, traces: Mapping[tuple[str, str], Trace]) -> None:
    for arm, task, trace in (of_stage(traces, "healthy"), of_stage(traces, "declined")):
        told = json.loads(show(directory, task, "--arm", arm, "--json"))
        assert told == {"run_id": directory.id, "arm": arm, "replicate": 0, **trace}


def test_without_an_arm_the_first_that_has_the_task(
    directory: RunDirectory, traces: Mapping[tuple[str, str], Trace]
) -> None:
    _, task, _ = of_stage(traces, "healthy")
    assert json.loads(show(directory, task, "--json"))["arm"] == "team_shared"
    assert json.loads(show(directory, task, "--arm", "uniform_twin", "--json"))["arm"] == "uniform_twin"
