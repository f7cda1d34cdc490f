"""The safety experiment: arms that differ in the gate alone, and a run over several packages summed up by gate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.design import load_experiment, make_plan

PROFILES = ("smoke", "quick", "full")
OVERRIDES: dict[str, object] = {
    "environment": "simulated",
    "packages": ("ant", "bee", "cat", "dog", "eel", "fox", "gnu"),
    "tasks_per_package": 8,
    "replicates": 1,
}


def run(out: Path) -> RunResult:
    return run_experiment("safety", overrides=OVERRIDES, out=out, workers=1, progress="quiet")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(tmp_path_factory.mktemp("safety") / "run")


@pytest.mark.parametrize("profile", PROFILES)
def test_arms_differ_in_the_gate_alone(profile: str) -> None:
    plan = make_plan(load_experiment("safety"), profile=profile)
    teams = [plan.team(arm) for arm in plan.arms]
    assert len({team.policy for team in teams}) == len(teams) > 1
    assert {(team.developers, team.memory, team.order, team.patterns) for team in teams} == {
        (4, "shared", "learned", "learning")
    }
    assert plan.parameters.arrival_seconds >= 3600, "people answer before later decisions"
    assert plan.parameters.twins


def test_full_is_judged_on_packages_that_quick_does_not_know() -> None:
    experiment = load_experiment("safety")
    quick, full = (make_plan(experiment, profile=one).parameters.packages for one in ("quick", "full"))
    assert not set(quick) & set(full)


def test_people_answer_before_later_changes_are_decided(result: RunResult) -> None:
    rows = result.load().outcomes
    learned = rows[(rows["arm"] == "gate_learned") & ~rows["twin"] & rows["confidence"].notna()]
    first, last = (learned.sort_values("index")["confidence"].iloc[place] for place in (0, -1))
    assert first == 0.5, "nothing is known at the start"
    assert last != 0.5, "something was learned within the stream"


def test_every_gate_is_summed_up(result: RunResult) -> None:
    gates = {one["arm"]: one for one in result.summary["gates"]}  # type: ignore[attr-defined]
    assert list(gates) == list(load_experiment("safety").arms)
    for one in gates.values():
        assert one["let_through"] + one["sent_to_review"] == one["n"] > 0
        assert one["wrong"] == one["wrong_stopped"] + one["wrong_rolled_back"] + one["wrong_escaped"]
        assert one["coverage_low"] <= one["coverage"] <= one["coverage_high"]
    assert gates["gate_none"]["coverage"] == 1.0 and gates["gate_none"]["wrong_stopped"] == 0
    assert gates["gate_review"]["coverage"] == 0.0 and gates["gate_review"]["matched"] == []
    assert gates["gate_review"]["human_minutes_a_change"] > gates["gate_none"]["human_minutes_a_change"] == 0.0
    for arm in ("gate_published", "gate_random"):
        assert {one["control"] for one in gates[arm]["matched"]} == {"random", "smallest_first"}
        for one in gates[arm]["matched"]:
            assert one["coverage"] == pytest.approx(gates[arm]["coverage"])
            assert one["ci"][0] < one["difference"] < one["ci"][1]


def test_its_figures_and_words_are_there(result: RunResult) -> None:
    artifacts = result.summary["artifacts"]
    assert isinstance(artifacts, dict)
    for arm in ("gate_learned", "gate_published"):
        assert {f"figure_risk_coverage_{arm}", f"figure_reliability_{arm}"} <= set(artifacts)
    assert "gate_learned against gate_random in escaped" in result.words
    assert "against random at the same coverage" in result.words


def test_same_seed_same_bytes_of_outcomes_and_figures(result: RunResult, tmp_path: Path) -> None:
    again = run(tmp_path / "again")
    for name in ("outcomes.parquet", "figures/risk_coverage_gate_learned.png", "figures/reliability_gate_learned.png"):
        first, second = (hashlib.sha256((one.path / name).read_bytes()).digest() for one in (result, again))
        assert first == second, name
    assert again.summary["gates"] == result.summary["gates"]
