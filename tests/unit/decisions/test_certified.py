"""The policy that deploys by certificate alone."""

import numpy as np
import pytest

from autodev_lab.decisions import CertifiedPolicy, LabelQuality, Promise
from autodev_lab.records import Action, Label, LabelSource, RiskAssessment
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
