"""The policy that deploys by certificate alone."""

from dataclasses import replace

import numpy as np
import pytest

from autodev_lab.decisions import (
    BinnedBetaCalibrator,
    CertifiedPolicy,
    FiveFactorRisk,
    Gate,
    LabelQuality,
    Promise,
)
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import Action, Label, LabelSource, RiskAssessment
from autodev_lab.simulation import load_parameters
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream
from autodev_lab.testing import check_learning_policy

QUALITY = LabelQuality(person_accuracy=0.9, production_power=0.17)


def _person(rng, right, quality=QUALITY):
    if_right, if_wrong = quality.rates(LabelSource.PERSON)
    return bool(rng.random() < (if_right if right else if_wrong))


def _learned(seed, *, share, labels, promise=None):
    rng = np.random.default_rng(seed)
    policy = CertifiedPolicy(promise, quality=QUALITY)
    for number in range(labels):
        success = _person(rng, rng.random() < share)
        policy.learn(Label(f"t{number}", "p", {}, 0.02, success, LabelSource.PERSON))
    return policy


def _action(policy, risk=0.02, draw=0):
    return policy.decide(RiskAssessment("t", {}, risk, 0.9, 2), np.random.default_rng(draw))


def test_contract():
    check_learning_policy(CertifiedPolicy)
    check_learning_policy(lambda: CertifiedPolicy(Promise(0.5, 0.5), quality=LabelQuality(1.0, 1.0)))


def test_before_labels_it_deploys_nothing_and_says_so():
    decision = _action(CertifiedPolicy())
    assert decision.action is Action.REQUEST_REVIEW
    assert "deploys nothing by itself" in decision.reasons[0]


def test_peoples_mistakes_do_not_hide_what_is_right():
    """People decline one right change in ten, so 95 % approval is out of reach; the promise is on right changes."""
    policy = _learned(0, share=1.0, labels=1500)
    assert _action(policy).action is Action.AUTO_DEPLOY
    assert _action(policy, risk=0.5).action is Action.REQUEST_REVIEW
    assert "exchangeable" in policy.words


def test_a_share_just_below_the_promise_is_rarely_certified():
    certified = sum(
        _learned(seed, share=0.9, labels=300, promise=Promise(0.9, 0.9)).threshold is not None for seed in range(60)
    )
    assert certified <= 11  # of 60 at level .1: P(more) < .02


def test_the_audit_withdraws_and_certification_begins_anew():
    policy = _learned(0, share=1.0, labels=1500)
    assert policy.threshold is not None
    for number in range(8):
        policy.learn(Label(f"d{number}", "p", {}, 0.02, success=False))
    assert policy.threshold is None
    assert policy.audit is None
    assert "certificate withdrawn: " in policy.words
    assert _action(policy).action is Action.REQUEST_REVIEW


@pytest.mark.parametrize("draw", range(3))
def test_the_explored_share_is_recorded(draw):
    policy = _learned(0, share=1.0, labels=1500)
    decisions = [_action(policy, draw=100 * draw + number) for number in range(100)]
    explored = [one for one in decisions if one.explored]
    assert all(one.propensity == 0.05 for one in explored)
    assert 0 < len(explored) < 20


def test_in_a_stream_it_asks_people_until_it_is_certified_and_then_deploys_by_itself():
    """Four changes in five are right here, so a promise of .6 can be certified soon, and one of .99 cannot."""
    world = replace(load_parameters(), defect_given_different=1.0, review_power=0.03)
    items = list(SyntheticStream(220, seed=0, parameters=world))
    deployed = {}
    for promised in (0.6, 0.99):
        environment = SimulatedEnvironment(items, world)
        policy = CertifiedPolicy(Promise(promised, 0.9), quality=LabelQuality(1.0, 0.17))
        gate = Gate(FiveFactorRisk(), BinnedBetaCalibrator(), policy)
        spec = TeamSpec(budget=20, human_latency_seconds=60.0, human_accuracy=1.0)
        run = run_stream(items, environment, spec, solver=SimulatedSolver(), oracle=environment, seed=0, gate=gate)
        decisions = [record.outcome.decision for record in run.records if record.outcome.decision is not None]
        deployed[promised] = [one.action is Action.AUTO_DEPLOY for one in decisions]
    assert not any(deployed[0.99])
    assert not any(deployed[0.6][:10])
    assert any(deployed[0.6][-20:])
