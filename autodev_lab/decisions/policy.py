"""Policies that weigh a change: what happens to it, given its assessment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["LearnedPolicy", "PublishedPolicy", "explored_decision"]


def explored_decision(
    assessment: RiskAssessment,
    policy: str,
    action: Action,
    reason: str,
    *,
    explore: float,
    rng: np.random.Generator,
) -> Decision:
    """A rule's decision, or a review at random in its place, with the probability of the path that was taken.

    The draw is made for every change, so that the seed's use does not depend on the rule.

    Examples
    --------
    >>> seen = RiskAssessment("t", {}, risk=0.1, confidence=0.95)
    >>> made = explored_decision(
    ...     seen, "mine", Action.AUTO_DEPLOY, "fine", explore=0.05, rng=np.random.default_rng(0)
    ... )
    >>> made.action.value, made.propensity
    ('AUTO_DEPLOY', 0.95)
    """
    drawn = bool(rng.random() < explore)
    if action is Action.REQUEST_REVIEW:
        return Decision(assessment.task_id, action, assessment, policy, (reason,))
    if drawn:
        reasons = (reason, "drawn for review at random")
        return Decision(assessment.task_id, Action.REQUEST_REVIEW, assessment, policy, reasons, True, explore)
    return Decision(assessment.task_id, action, assessment, policy, (reason,), propensity=1.0 - explore)


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """The specification's rule: low risk and high confidence deploy, the middle is watched, the rest is reviewed.

    Parameters
    ----------
    risk_low, confidence_high
        Below and above these: AUTO_DEPLOY (published: .2 and .9).
    risk_high, confidence_low
        Below and above these: DEPLOY_WITH_MONITORING (published: .5 and .7).
    risk_critical
        At or above this the change is escalated at once, whatever the confidence (published: .8).
    explore
        Share of changes that go to review whatever the rule says, drawn at random and recorded, so that the
        selection of what gets labelled can be corrected for.

    Raises
    ------
    LabError
        If a threshold is outside [0, 1] or they are out of order.

    Examples
    --------
    >>> policy = PublishedPolicy(explore=0.0)
    >>> rng = np.random.default_rng(0)
    >>> policy.decide(RiskAssessment("t", {}, risk=0.1, confidence=0.95), rng).action.value
    'AUTO_DEPLOY'
    >>> policy.decide(RiskAssessment("t", {}, risk=0.1, confidence=0.5), rng).action.value
    'REQUEST_REVIEW'
    """

    risk_low: float = 0.2
    confidence_high: float = 0.9
    risk_high: float = 0.5
    confidence_low: float = 0.7
    risk_critical: float = 0.8
    explore: float = 0.05

    def __post_init__(self) -> None:
        values = (self.risk_low, self.risk_high, self.risk_critical, self.confidence_low, self.confidence_high)
        _check_shares(*values, self.explore)
        if not (self.risk_low <= self.risk_high <= self.risk_critical and self.confidence_low <= self.confidence_high):
            raise LabError("policy thresholds are out of order: risk_low <= risk_high <= risk_critical is needed")

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "published"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Apply the rule."""
        action, reason = self._rule(assessment.risk, assessment.confidence)
        return explored_decision(assessment, self.name, action, reason, explore=self.explore, rng=rng)

    def _rule(self, risk: float, confidence: float) -> tuple[Action, str]:
        shown = f"risk {risk:.2f}, confidence {confidence:.2f}"
        if risk >= self.risk_critical:
            return Action.REQUEST_REVIEW, f"{shown}: risk is critical"
        if risk < self.risk_low and confidence > self.confidence_high:
            return Action.AUTO_DEPLOY, f"{shown}: low risk, high confidence"
        if risk < self.risk_high and confidence > self.confidence_low:
            return Action.DEPLOY_WITH_MONITORING, f"{shown}: acceptable under monitoring"
        return Action.REQUEST_REVIEW, f"{shown}: neither rule for deploying holds"


@dataclass(frozen=True, slots=True)
class LearnedPolicy:
    """Deploys what is right with enough confidence; the risk itself counts only where it is critical.

    Parameters
    ----------
    auto_deploy_threshold
        Confidence at or above which a change is deployed (the specification's threshold of that name, .8).
    risk_critical
        At or above this the change is escalated at once, whatever the confidence (published: .8).
    explore
        Share of changes that go to review whatever the rule says, drawn at random and recorded: without it a gate that
        deploys everything would never again hear from a person.

    Raises
    ------
    LabError
        If one is outside [0, 1].

    Examples
    --------
    >>> policy = LearnedPolicy(explore=0.0)
    >>> rng = np.random.default_rng(0)
    >>> policy.decide(RiskAssessment("t", {}, risk=0.3, confidence=0.85), rng).action.value
    'AUTO_DEPLOY'
    >>> policy.decide(RiskAssessment("t", {}, risk=0.1, confidence=0.5), rng).action.value
    'REQUEST_REVIEW'
    """

    auto_deploy_threshold: float = 0.8
    risk_critical: float = 0.8
    explore: float = 0.05

    def __post_init__(self) -> None:
        _check_shares(self.auto_deploy_threshold, self.risk_critical, self.explore)

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "learned"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Compare the confidence with the threshold."""
        shown = f"confidence {assessment.confidence:.2f}"
        if assessment.risk >= self.risk_critical:
            action, reason = Action.REQUEST_REVIEW, f"risk {assessment.risk:.2f} is critical"
        elif assessment.confidence >= self.auto_deploy_threshold:
            action, reason = Action.AUTO_DEPLOY, f"{shown} reaches {self.auto_deploy_threshold:.2f}"
        else:
            action, reason = Action.REQUEST_REVIEW, f"{shown} is below {self.auto_deploy_threshold:.2f}"
        return explored_decision(assessment, self.name, action, reason, explore=self.explore, rng=rng)


def _check_shares(*values: float) -> None:
    if not all(0.0 <= value <= 1.0 for value in values):
        raise LabError("policy thresholds and the explored share must lie between 0 and 1")
