"""The gate: risk from measured factors, confidence from outcomes only, the published rule, the Human twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.decisions import (
    BinnedBetaCalibrator,
    FiveFactorRisk,
    HumanTwin,
    PublishedPolicy,
    ReviewEverythingPolicy,
)
from autodev_lab.errors import LabError
from autodev_lab.records import (
    Action,
    Attempt,
    Change,
    Inspection,
    Outcome,
    Review,
    RiskAssessment,
    Stage,
    StageResult,
    Task,
    TaskKind,
    TaskState,
    TestReport,
)

TASK = Task("t", "toolz", TaskKind.INJECTED, "a test fails")
CHANGE = Change("t", (), "", "repair", ("negate",))
shares = st.floats(0, 1)


def _review(**changes):
    facts = {
        "lint": 0,
        "security": 0,
        "security_severe": 0,
        "complexity_before": 4,
        "complexity_after": 4,
        "lines_added": 1,
        "lines_removed": 1,
        "files": 1,
        "dependents": 0,
        "dependencies": 0,
        "modules": 5,
    }
    return Review("t", True, 9.0, (), Inspection("t", **(facts | changes)))


def _assess(model=None, covered=1, **changes):
    return (model or FiveFactorRisk()).assess(TASK, CHANGE, TestReport("t", 3, (), 1, covered), _review(**changes))


@given(st.integers(0, 60), st.integers(0, 300), st.integers(0, 9), st.integers(0, 9), st.integers(0, 1))
def test_factors_and_risk_stay_between_zero_and_one(complexity, lines, dependents, dependencies, covered):
    factors, risk = _assess(
        covered=covered,
        complexity_after=complexity,
        lines_added=lines,
        dependents=dependents,
        dependencies=dependencies,
        modules=10,
    )
    assert all(0.0 <= value <= 1.0 for value in factors.values())
    assert 0.0 <= risk <= 1.0


@pytest.mark.parametrize(
    ("factor", "worse"),
    [
        ("complexity", {"complexity_after": 15}),
        ("test_coverage", {"covered": 0}),
        ("dependency", {"dependencies": 3}),
        ("impact_radius", {"dependents": 3}),
        ("impact_radius", {"lines_added": 30}),
    ],
)
def test_each_factor_moves_the_risk_the_right_way(factor, worse):
    before, risk_before = _assess()
    after, risk_after = _assess(**worse)
    assert after[factor] > before[factor]
    assert risk_after > risk_before


def test_history_moves_stability_both_ways():
    def outcome(success):
        return Outcome("t", Stage.HEALTHY if success else Stage.ROLLED_BACK, True, success, CHANGE, None)

    start = _assess()[0]["historical_stability"]
    good, bad = FiveFactorRisk(), FiveFactorRisk()
    good.learn(TASK, outcome(True))
    bad.learn(TASK, outcome(False))
    bad.learn(TASK, outcome(None))
    assert _assess(good)[0]["historical_stability"] < start < _assess(bad)[0]["historical_stability"]
    assert start == 0.5


@given(st.lists(st.tuples(shares, st.booleans()), max_size=40), shares)
def test_confidence_is_a_probability_and_starts_undecided(outcomes, risk):
    calibrator = BinnedBetaCalibrator()
    assert calibrator.confidence(risk) == 0.5
    for past, success in outcomes:
        calibrator.learn(past, success)
    assert 0.0 < calibrator.confidence(risk) < 1.0


def test_confidence_tells_risky_from_safe():
    calibrator = BinnedBetaCalibrator()
    for number in range(200):
        calibrator.learn(0.15, number % 10 != 0)
        calibrator.learn(0.65, number % 2 == 0)
    assert calibrator.confidence(0.15) == pytest.approx(0.9, abs=0.02)
    assert calibrator.confidence(0.65) == pytest.approx(0.5, abs=0.02)


@given(shares, shares)
def test_the_published_rule_as_published(risk, confidence):
    decision = PublishedPolicy(explore=0.0).decide(RiskAssessment("t", {}, risk, confidence), np.random.default_rng(0))
    if risk < 0.2 and confidence > 0.9:
        expected = Action.AUTO_DEPLOY
    elif risk < 0.5 and confidence > 0.7:
        expected = Action.DEPLOY_WITH_MONITORING
    else:
        expected = Action.REQUEST_REVIEW
    assert decision.action is expected
    assert decision.reasons and not decision.explored


def test_the_explored_share_is_recorded_and_as_large_as_said():
    policy, rng = PublishedPolicy(explore=0.2), np.random.default_rng(1)
    decisions = [policy.decide(RiskAssessment("t", {}, 0.1, 0.95), rng) for _ in range(2000)]
    explored = [decision for decision in decisions if decision.explored]
    assert all(decision.action is Action.REQUEST_REVIEW for decision in explored)
    assert len(explored) / len(decisions) == pytest.approx(0.2, abs=0.03)


def test_thresholds_out_of_order_are_refused():
    with pytest.raises(LabError, match="out of order"):
        PublishedPolicy(risk_low=0.6)
    with pytest.raises(LabError, match="between 0 and 1"):
        PublishedPolicy(explore=1.5)


def test_reviewing_everything_reviews_everything():
    decision = ReviewEverythingPolicy().decide(RiskAssessment("t", {}, 0.0, 1.0), np.random.default_rng(0))
    assert decision.action is Action.REQUEST_REVIEW


def _escalated(task_id):
    attempt = Attempt(task_id, Change(task_id, (), "", "repair"))
    task = Task(task_id, "toolz", TaskKind.INJECTED, "a test fails")
    return TaskState(task, Stage.ESCALATED, history=(StageResult(Stage.PROPOSED, "developer-1", 0.0, attempt),))


@pytest.mark.parametrize("correct", [True, False])
def test_the_twin_is_right_as_often_as_it_says(correct):
    twin = HumanTwin(lambda state, change: correct, seed=7, accuracy=0.8)
    answers = [twin.answer(_escalated(f"t{number}"))[0].approve for number in range(2000)]
    assert sum(answer == correct for answer in answers) / len(answers) == pytest.approx(0.8, abs=0.03)


def test_the_twin_repeats_itself_and_tells_its_cost():
    twin = HumanTwin(lambda state, change: True, seed=7, latency_seconds=60.0, minutes=5.0)
    first, cost = twin.answer(_escalated("t"))
    assert twin.answer(_escalated("t"))[0] == first
    assert (first.seconds, first.cost, cost.seconds) == (60.0, 5.0, 60.0)


def test_nothing_to_look_at_is_declined():
    answer, _ = HumanTwin(lambda state, change: True, seed=1).answer(TaskState(TASK, Stage.ESCALATED))
    assert not answer.approve
