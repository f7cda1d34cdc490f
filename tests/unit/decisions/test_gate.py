"""The gate: risk from measured factors, confidence from outcomes only, the published rule, the Human twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.decisions import (
    DeployReviewedPolicy,
    FiveFactorRisk,
    HumanTwin,
    LearnedPolicy,
    PublishedPolicy,
    RandomPolicy,
    ReviewEverythingPolicy,
    SmallestFirstPolicy,
)
from autodev_lab.errors import LabError
from autodev_lab.records import (
    Action,
    Attempt,
    Change,
    Evidence,
    Inspection,
    Label,
    Plan,
    Review,
    RiskAssessment,
    Stage,
    StageResult,
    Task,
    TaskKind,
    TaskState,
    TestReport,
)
from autodev_lab.testing import check_policy, check_risk_model

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
    tests = TestReport("t", 3, (), 1, covered)
    score = (model or FiveFactorRisk()).assess(Evidence(TASK, CHANGE, Plan("t", (), 1.0, 5), tests, _review(**changes)))
    return score.factors, score.risk


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
    start = _assess()[0]["historical_stability"]
    good, bad = FiveFactorRisk(), FiveFactorRisk()
    good.learn(Label("t", "toolz", {}, 0.2, success=True))
    bad.learn(Label("t", "toolz", {}, 0.2, success=False))
    elsewhere = FiveFactorRisk()
    elsewhere.learn(Label("t", "funcy", {}, 0.2, success=False))
    assert _assess(good)[0]["historical_stability"] < start < _assess(bad)[0]["historical_stability"]
    assert start == _assess(elsewhere)[0]["historical_stability"] == 0.5


def test_the_formula_keeps_the_contract_and_says_what_weighs_most():
    check_risk_model(FiveFactorRisk)
    evidence = Evidence(TASK, CHANGE, Plan("t", (), 1.0, 5), TestReport("t", 3, (), 4, 0), _review())
    assert "no visible test executes (0.30 of" in FiveFactorRisk().assess(evidence).reason


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


@given(shares, shares, st.integers(0, 5))
def test_the_learned_policy_asks_for_confidence_alone_until_risk_is_critical(risk, confidence, draw):
    seen = RiskAssessment("t", {}, risk, confidence)
    decision = LearnedPolicy(explore=0.0).decide(seen, np.random.default_rng(draw))
    deployed = decision.action is not Action.REQUEST_REVIEW
    assert deployed == (confidence >= 0.8 and risk < 0.8)
    assert LearnedPolicy().auto_deploy_threshold == 0.8


@pytest.mark.parametrize("policy", [PublishedPolicy(), LearnedPolicy(), PublishedPolicy(explore=1.0)])
def test_policies_keep_the_contract(policy):
    check_policy(policy)


@pytest.mark.parametrize(
    "policy", [DeployReviewedPolicy(), ReviewEverythingPolicy(), RandomPolicy(), SmallestFirstPolicy()]
)
def test_controls_keep_the_contract_and_look_at_neither_risk_nor_confidence(policy):
    check_policy(policy, control=True)
    for draw in range(20):
        actions = {
            policy.decide(RiskAssessment("t", {}, risk, 1 - risk, lines=3), np.random.default_rng(draw)).action
            for risk in (0.0, 0.5, 1.0)
        }
        assert len(actions) == 1


def test_the_random_control_deploys_its_share_and_knows_the_odds():
    rng = np.random.default_rng(3)
    decisions = [RandomPolicy(0.3).decide(RiskAssessment("t", {}, 0.1, 0.5), rng) for _ in range(3000)]
    deployed = [one for one in decisions if one.action is Action.AUTO_DEPLOY]
    assert len(deployed) / len(decisions) == pytest.approx(0.3, abs=0.03)
    assert {one.propensity for one in deployed} == {0.3}
    assert {one.propensity for one in decisions if one not in deployed} == {0.7}


@pytest.mark.parametrize(("lines", "action"), [(2, Action.AUTO_DEPLOY), (3, Action.REQUEST_REVIEW)])
def test_the_smallest_changes_go_first(lines, action):
    seen = RiskAssessment("t", {}, 0.9, 0.1, lines)
    assert SmallestFirstPolicy(explore=0.0).decide(seen, np.random.default_rng(0)).action is action


@pytest.mark.parametrize("policy", [PublishedPolicy(explore=0.2), LearnedPolicy(explore=0.2)])
def test_inverse_propensities_undo_the_selection(policy):
    """Of changes that the rule deploys, those sent to review count for all when weighted, and so do the others."""
    rng, n = np.random.default_rng(5), 4000
    decisions = [policy.decide(RiskAssessment("t", {}, 0.1, 0.95), rng) for _ in range(n)]
    for reviewed in (True, False):
        side = [one for one in decisions if (one.action is Action.REQUEST_REVIEW) is reviewed]
        assert sum(1 / one.propensity for one in side) == pytest.approx(n, rel=0.1)
    sure = policy.decide(RiskAssessment("t", {}, 0.9, 0.1), rng)
    assert sure.action is Action.REQUEST_REVIEW and sure.propensity == 1.0 and not sure.explored


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
    with pytest.raises(LabError, match="between 0 and 1"):
        LearnedPolicy(auto_deploy_threshold=-0.1)
    with pytest.raises(LabError, match="coverage is 2"):
        RandomPolicy(2.0)
    with pytest.raises(LabError, match="most_lines"):
        SmallestFirstPolicy(-1)


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
