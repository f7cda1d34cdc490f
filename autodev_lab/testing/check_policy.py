"""Contract suite for policies: every assessment gets one traceable, repeatable decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autodev_lab.protocols import LearningPolicy, Policy
from autodev_lab.records import Action, Decision, Label, LabelSource, RiskAssessment

__all__ = ["check_learning_policy", "check_policy"]

_GRID = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_DRAWS = 40


def check_policy(policy: Policy, *, control: bool = False) -> None:
    """Check that a policy keeps its promises over a grid of risks and confidences.

    Parameters
    ----------
    policy
        The policy.
    control
        Whether it is a control that looks at neither risk nor confidence: it need not send the worst change to review.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.decisions import PublishedPolicy, RandomPolicy
    >>> check_policy(PublishedPolicy())
    >>> check_policy(RandomPolicy(), control=True)
    """
    assert policy.name, "a policy must have a name"
    for risk in _GRID:
        for confidence in _GRID:
            for draw in range(_DRAWS):
                _check_decision(policy, RiskAssessment("t", {"factor": risk}, risk, confidence, 2), draw)
    for draw in range(_DRAWS):
        best = _decide(policy, RiskAssessment("t", {}, 0.0, 1.0, 2), draw).action
        worst = _decide(policy, RiskAssessment("t", {}, 1.0, 0.0, 2), draw).action
        assert worst is best or worst is Action.REQUEST_REVIEW, (
            f"a change of risk 1 and confidence 0 must not go further ({worst}) than one of risk 0 and confidence 1 "
            f"({best})"
        )
        assert control or worst is Action.REQUEST_REVIEW, (
            f"a change of risk 1 and confidence 0 must go to review, not to {worst}"
        )


def check_learning_policy(make: Callable[[], LearningPolicy]) -> None:
    """Check a policy that learns: what it decides depends on its labels alone, however often it was asked.

    Parameters
    ----------
    make
        Makes a policy that has learned nothing.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.decisions import CertifiedPolicy
    >>> check_learning_policy(CertifiedPolicy)
    """
    asked, silent = make(), make()
    check_policy(asked)
    for number in range(60):
        source = LabelSource.PERSON if number % 2 else LabelSource.PRODUCTION
        label = Label(f"t{number}", "package", {}, (number % 7) / 10, number % 5 != 0, source)
        asked.learn(label)
        silent.learn(label)
        for risk in _GRID:
            _decide(asked, RiskAssessment("t", {}, risk, 1.0 - risk, 2), number)
    check_policy(asked)
    for risk in _GRID:
        assessment = RiskAssessment("t", {}, risk, 1.0 - risk, 2)
        assert _decide(asked, assessment, 0) == _decide(silent, assessment, 0), (
            f"two policies that learned the same labels must decide the same, however often they were asked, at {risk}"
        )


def _check_decision(policy: Policy, assessment: RiskAssessment, draw: int) -> None:
    decision = _decide(policy, assessment, draw)
    where = f"at risk {assessment.risk} and confidence {assessment.confidence}"
    assert isinstance(decision.action, Action), f"decide must choose an Action {where}"
    assert decision.task_id == "t", f"a decision must name its task {where}"
    assert decision.assessment == assessment, f"a decision must hold the assessment it rests on {where}"
    assert decision.policy == policy.name, f"a decision must name its policy {where}"
    assert decision.reasons and all(decision.reasons), f"a decision must give its reasons {where}"
    assert _decide(policy, assessment, draw) == decision, f"the same draw must give the same decision {where}"
    assert not decision.explored or decision.action is Action.REQUEST_REVIEW, (
        f"an explored change must go to review {where}"
    )
    assert 0.0 < decision.propensity <= 1.0, (
        f"the probability of the path taken must lie above 0 and be at most 1, not be {decision.propensity} {where}"
    )


def _decide(policy: Policy, assessment: RiskAssessment, draw: int) -> Decision:
    return policy.decide(assessment, np.random.Generator(np.random.PCG64(draw)))
