"""Contract suite for policies: every assessment gets one traceable, repeatable decision."""

from __future__ import annotations

import numpy as np

from autodev_lab.protocols import Policy
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["check_policy"]

_GRID = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def check_policy(policy: Policy) -> None:
    """Check that a policy keeps its promises over a grid of risks and confidences.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.decisions import PublishedPolicy
    >>> check_policy(PublishedPolicy())
    """
    assert policy.name, "a policy must have a name"
    for risk in _GRID:
        for confidence in _GRID:
            assessment = RiskAssessment("t", {"factor": risk}, risk, confidence)
            decision = _decide(policy, assessment)
            where = f"at risk {risk} and confidence {confidence}"
            assert isinstance(decision.action, Action), f"decide must choose an Action {where}"
            assert decision.task_id == "t", f"a decision must name its task {where}"
            assert decision.assessment == assessment, f"a decision must hold the assessment it rests on {where}"
            assert decision.policy == policy.name, f"a decision must name its policy {where}"
            assert decision.reasons and all(decision.reasons), f"a decision must give its reasons {where}"
            assert _decide(policy, assessment) == decision, f"the same draw must give the same decision {where}"
            assert not decision.explored or decision.action is Action.REQUEST_REVIEW, (
                f"an explored change must go to review {where}"
            )
    worst = _decide(policy, RiskAssessment("t", {}, 1.0, 0.0)).action
    assert worst is Action.REQUEST_REVIEW, f"a change of risk 1 and confidence 0 must go to review, not to {worst}"


def _decide(policy: Policy, assessment: RiskAssessment) -> Decision:
    return policy.decide(assessment, np.random.Generator(np.random.PCG64(0)))
