"""Policies: what happens to a reviewed change, given its assessment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["PublishedPolicy", "ReviewEverythingPolicy"]


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
        if not all(0.0 <= value <= 1.0 for value in (*values, self.explore)):
            raise LabError("policy thresholds and the explored share must lie between 0 and 1")
        if not (self.risk_low <= self.risk_high <= self.risk_critical and self.confidence_low <= self.confidence_high):
            raise LabError("policy thresholds are out of order: risk_low <= risk_high <= risk_critical is needed")

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "published"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Apply the rule; the random draw is made for every change, so that the seed's use does not depend on it."""
        explored = bool(rng.random() < self.explore)
        action, reason = self._rule(assessment.risk, assessment.confidence)
        reasons: tuple[str, ...] = (reason,)
        if explored and action is not Action.REQUEST_REVIEW:
            action, reasons = Action.REQUEST_REVIEW, (reason, "drawn for review at random")
        else:
            explored = False
        return Decision(assessment.task_id, action, assessment, self.name, reasons, explored)

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
class ReviewEverythingPolicy:
    """Nothing is deployed without a person: the safest policy, and the dearest."""

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "review_everything"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Send the change to review."""
        return Decision(
            assessment.task_id, Action.REQUEST_REVIEW, assessment, self.name, ("policy reviews everything",)
        )
