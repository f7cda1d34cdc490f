"""What a team learned, rebuilt from traces and from a finished run: the same that its own library knew."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.experiments import run_experiment
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.learned import learned_by, records_of
from autodev_lab.experiments.rows import trace_line
from autodev_lab.experiments.solving import solve_items
from autodev_lab.learning import FrozenPatterns, read_patterns
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import ContextTally, PatternContext, PatternRecord, PatternTrial
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream


class Located(SimulatedSolver):
    """The simulated solver, saying of every trial that it was made at one place."""

    def solve(self, context, workspace, budget, rng):
        attempt, cost = super().solve(context, workspace, budget, rng)
        place = PatternContext("If", "TypeError", "first")
        trials = tuple(
            PatternTrial(one.pattern, one.tries, one.successes, (ContextTally(place, one.successes, one.tries),))
            for one in attempt.trials
        )
        return replace(attempt, trials=trials), cost


@pytest.mark.parametrize("solver", [SimulatedSolver(), Located()], ids=["plain", "located"])
def test_traces_tell_all_that_a_shared_team_knew(solver):
    items = list(SyntheticStream(80, seed=3))
    environment = SimulatedEnvironment(items)
    run = run_stream(items, environment, TeamSpec(developers=3, budget=20), solver=solver, oracle=environment, seed=1)
    rebuilt = records_of(json.loads(trace_line(record)) for record in run.records)
    assert dict(rebuilt) == dict(run.patterns)
    assert sum(record.helpful for record in rebuilt.values()) > 0
    assert sum(record.harmful for record in rebuilt.values()) > 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides: dict[str, object] = {
        "environment": "simulated",
        "packages": ("ant", "bee", "cat"),
        "lesson_packages": ("dog",),
        "tasks_per_package": 4,
        "arms": ("team_isolated", "team_shared", "frozen"),
    }
    out = tmp_path_factory.mktemp("runs") / "reference"
    return run_experiment("learning", overrides=overrides, out=out, seed=5, workers=1, progress="quiet").path


def test_a_run_is_exported_and_shown(run, tmp_path):
    file = tmp_path / "patterns.json"
    result = CliRunner().invoke(app, ["patterns", "export", str(run), "--arm", "team_shared", "--out", str(file)])
    assert result.exit_code == 0, result.output
    assert "arm team_shared, replicate 0" in result.output
    content = read_patterns(file)
    assert content.records() == dict(learned_by(RunDirectory(run), "team_shared", 0).records)
    shown = CliRunner().invoke(app, ["patterns", "show", str(file)], env={"COLUMNS": "160"})
    assert shown.exit_code == 0, shown.output
    best = max(content.patterns, key=lambda one: one.successes).pattern
    assert best in shown.output and "helpful" in shown.output
    told = json.loads(CliRunner().invoke(app, ["patterns", "show", str(file), "--json"]).output)
    assert told["n"] == len(content.patterns)
    means = [one["mean"] for one in told["patterns"]]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize(
    ("arm", "replicate", "sentence"),
    [
        ("nobody", None, "has no arm 'nobody'; choose among"),
        ("team_shared", 7, "has no replicate 7"),
        ("frozen", None, "arm frozen learns nothing of its own"),
    ],
)
def test_what_cannot_be_exported_is_said(run, arm, replicate, sentence):
    with pytest.raises(LabError, match=sentence):
        learned_by(RunDirectory(run), arm, replicate)


def test_an_unfinished_cell_and_a_damaged_trace_are_said(run, tmp_path):
    copy = RunDirectory(Path(shutil.copytree(run, tmp_path / "copy")))
    trace = next(copy.cells.glob("team_shared-*.trace.gz"))
    trace.write_bytes(gzip.compress(b'{"task": 3}\n'))
    with pytest.raises(LabError, match=r"traces of cell team_shared.* are damaged"):
        learned_by(copy, "team_shared")
    next(copy.cells.glob("team_shared-*.json")).unlink()
    with pytest.raises(LabError, match="is finished; `run --resume copy` goes on"):
        learned_by(copy, "team_shared")


def test_solving_alone_reads_what_a_team_learned():
    items = list(SyntheticStream(30, seed=3))
    environment = SimulatedEnvironment(items)
    world = SimpleNamespace(environment=environment, oracle=environment)
    known = {"template-07": PatternRecord("template-07", 30.0, 40.0)}
    seen = []

    class Watching(SimulatedSolver):
        def solve(self, context, workspace, budget, rng):
            seen.append(dict(context.patterns))
            return super().solve(context, workspace, budget, rng)

    solve_items(items, world, Watching(), budget=5, seed=0, patterns=FrozenPatterns(known))
    assert seen == [known] * 30


def test_patterns_that_no_order_reads_are_refused(tmp_path):
    result = CliRunner().invoke(app, ["solve", "tasks.jsonl", "--patterns", "patterns.json"])
    assert result.exit_code == 2
    assert "--patterns is not read in order 'uniform'; add --order learned or placebo" in result.output
