"""The experiment on rollouts: arms that differ in their stages alone, and a run summed up by rollout."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from autodev_lab.analysis.dossier import open_dossier
from autodev_lab.analysis.exhibits import make_exhibit
from autodev_lab.analysis.rollout_figure import rollout_figure
from autodev_lab.analysis.rollouts import WATCHED, rollout_contrast, rollout_summary
from autodev_lab.cli.main import app
from autodev_lab.experiments import RunResult, report, run_experiment
from autodev_lab.experiments.design import Plan, load_experiment, make_plan

OVERRIDES: dict[str, object] = {"packages": ("ant", "bee", "cat", "dog"), "tasks_per_package": 8, "twins": False}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("rollouts") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report, "_draw", lambda *arguments: None)  # no figure is looked at
        return run_experiment(
            "rollout_worth", profile="simulated", overrides=OVERRIDES, out=out, workers=1, progress="quiet"
        )


@pytest.fixture(scope="module")
def rollouts(result: RunResult) -> dict[str, dict[str, float]]:
    return {one["arm"]: one for one in result.summary["rollouts"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("profile", ["smoke", "simulated", "quick", "full"])
def test_arms_differ_in_their_rollouts_alone(profile: str) -> None:
    plan = make_plan(load_experiment("rollout_worth"), profile=profile)
    teams = [plan.team(arm) for arm in plan.arms]
    assert len({team.rollout for team in teams}) == len(teams) > 1
    assert {(team.developers, team.policy, team.order, team.traffic_noise) for team in teams} == {
        (4, "deploy_reviewed", "learned", 0.01)
    }


def test_options_that_came_later_are_not_written_where_they_are_neutral() -> None:
    """So that the hashes of registered configurations stay what they were, and old runs can be read."""
    plan = make_plan(load_experiment("safety"), profile="quick")
    written = json.dumps(plan.as_json())
    assert "traffic_noise" not in written and "rollout" not in written
    noisy = make_plan(load_experiment("safety"), profile="quick", overrides={"traffic_noise": 0.2})
    assert noisy.configuration_hash != plan.configuration_hash
    assert Plan.from_json(json.loads(json.dumps(noisy.as_json()))) == noisy


def test_every_rollout_is_summed_up(result: RunResult, rollouts: dict[str, dict[str, float]]) -> None:
    assert list(rollouts) == list(load_experiment("rollout_worth").arms)
    for one in rollouts.values():
        assert one["right"] + one["wrong"] == one["n"] > 0
        for name in ("promoted", "asked", "false_rollbacks", "escaped"):
            assert 0.0 <= one[f"{name}_low"] <= one[name] <= one[f"{name}_high"] <= 1.0
    at_once, sequential = rollouts["rollout_at_once"], rollouts["rollout_sequential"]
    assert (at_once["promoted"], at_once["escaped"], at_once["exposures"]) == (1.0, 1.0, 0.0)
    assert at_once["asked"] == at_once["false_rollbacks"] == 0.0
    assert sequential["exposures"] > 100 and sequential["escaped"] < 1.0
    assert rollouts["rollout_first_failure"]["false_rollbacks"] > 0.5, "one request in a hundred fails by chance"
    assert "rollout_sequential (sequential): of " in result.words
    against = result.summary["rollout_contrasts"]
    assert [one["baseline"] for one in against] == [  # type: ignore[attr-defined]
        *("rollout_at_once", "rollout_first_failure", "rollout_mann_whitney")
    ]
    assert "rollout_sequential less rollout_first_failure: right ones rolled back -" in result.words


def test_its_table_holds_what_the_outcomes_say(result: RunResult) -> None:
    table = pd.read_parquet(result.path / "rollouts.parquet")
    both = table.merge(result.load().outcomes, on=["arm", "twin", "replicate", "task_id"], suffixes=("", "_o"))
    assert len(both) == len(table)
    assert (both["promoted"] == both["deployed"]).all() and (both["correct"] == both["correct_o"]).all()
    assert (both[both["rolled_back"]]["stage"] == "rolled_back").all()
    assert table[table["promoted"]]["production_failing"].notna().all()


def test_a_summary_is_what_its_rows_say() -> None:
    columns = ["package", "correct", "promoted", "rolled_back", "asked", "exposures", "failed", "baseline_failed"]
    rows = [
        ("a", True, True, False, False, 100, 2, 1),
        ("a", True, False, True, False, 20, 3, 0),
        ("b", False, True, False, True, 200, 1, 1),
        ("b", False, False, True, False, 40, 9, 1),
    ]
    frame = pd.DataFrame(rows, columns=columns).assign(depth=0, rollout="x", production_failing=[0.0, None, 0.1, None])
    one = rollout_summary(frame, arm="arm")
    assert (one.promoted.value, one.asked.value, one.exposures.value) == (0.5, 0.25, 90.0)
    assert (one.false_rollbacks.value, one.escaped.value) == (0.5, 0.5)
    assert one.harmed_by_wrong.value == (0.1 * WATCHED + 8) / 2
    assert one.harmed.value == (1 + 3 + 0.1 * WATCHED + 8) / 4


def test_a_contrast_is_of_what_was_right_or_wrong_in_both_arms() -> None:
    columns = ["package", "task_id", "correct", "promoted", "rolled_back", "failed"]
    first = [("a", "1", True, True, False, 0), ("b", "2", False, False, True, 9), ("b", "3", True, True, False, 0)]
    other = [("a", "1", True, False, True, 2), ("b", "2", False, True, False, 30), ("b", "3", False, True, False, 0)]
    sides = (pd.DataFrame(rows, columns=columns).assign(arm=arm) for arm, rows in (("x", first), ("y", other)))
    rest = {"twin": False, "replicate": 0, "depth": 0, "baseline_failed": 0, "production_failing": None}
    one = rollout_contrast(pd.concat(sides).assign(**rest), "x", "y")
    assert {name: (effect.estimate, effect.n) for name, effect in one.differences.items()} == {
        "false_rollbacks": (-1.0, 1),
        "escaped": (-1.0, 1),
        "harmed_by_wrong": (-21.0, 1),
    }


def test_a_run_whose_rollouts_are_alike_has_no_such_table(tmp_path: Path) -> None:
    small = {"environment": "simulated", "packages": ("ant",), "tasks_per_package": 2, "twins": False}
    run = run_experiment(
        "learning",
        profile="quick",
        overrides={**small, "arms": ("uniform",)},
        out=tmp_path / "r",
        workers=1,
        progress="quiet",
    )
    assert "rollouts" not in run.summary and not (run.path / "rollouts.parquet").exists()


def test_the_report_tells_of_rollouts_what_the_summary_says(
    result: RunResult, rollouts: dict[str, dict[str, float]]
) -> None:
    exhibit = make_exhibit(open_dossier(result.path, ()))
    assert [one.as_json() for one in exhibit.rollouts] == list(rollouts.values())
    told = "\n".join(exhibit.markdown())
    for arm, one in rollouts.items():
        (line,) = (line for line in told.splitlines() if f"| {arm} |".replace("_", "\\_") in line and "of" in line)
        assert f" of {one['right']} |" in line and f" of {one['wrong']} |" in line
    figure = rollout_figure(exhibit.rollouts)
    assert figure is not None
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert ticks == [f"{arm} (n = {one['right']}, {one['wrong']})" for arm, one in rollouts.items()]
    assert rollout_figure(()) is None


def test_show_tells_what_a_stage_was_ruled_on(result: RunResult) -> None:
    table = pd.read_parquet(result.path / "rollouts.parquet")
    tried = table[(table["arm"] == "rollout_sequential") & table["promoted"]].iloc[0]
    done = CliRunner().invoke(app, ["show", str(result.path), str(tried["task_id"]), "--arm", "rollout_sequential"])
    assert done.exit_code == 0, done.stderr
    assert "promote: canary: e-value " in done.stdout
