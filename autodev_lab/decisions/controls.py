"""Policies to compare a gate with: they look at neither risk nor confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodev_lab.decisions.policy import explored_decision
from autodev_lab.errors import LabError
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["DeployReviewedPolicy", "RandomPolicy", "ReviewEverythingPolicy", "SmallestFirstPolicy"]


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


@dataclass(frozen=True, slots=True)
class DeployReviewedPolicy:
    """Whatever the reviewer agent approved is deployed: no gate at all, and the cheapest policy."""

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "deploy_reviewed"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Deploy the change."""
        reasons = ("policy deploys all that passed review",)
        return Decision(assessment.task_id, Action.AUTO_DEPLOY, assessment, self.name, reasons)


@dataclass(frozen=True, slots=True)
class RandomPolicy:
    """A stated share of changes is deployed, drawn at random: what a gate must beat at the same coverage.

    Parameters
    ----------
    coverage
        The share. An assumption; `autodev_lab.analysis.risk_coverage` matches coverages afterwards.

    Raises
    ------
    LabError
        If it is outside [0, 1].
    """

    coverage: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.coverage <= 1.0:
            raise LabError(f"coverage is {self.coverage}; it is a share and must lie between 0 and 1")

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "random"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Draw."""
        if rng.random() < self.coverage:
            action, reason, propensity = Action.AUTO_DEPLOY, "drawn for deployment at random", self.coverage
        else:
            action, reason, propensity = Action.REQUEST_REVIEW, "drawn for review at random", 1.0 - self.coverage
        return Decision(assessment.task_id, action, assessment, self.name, (reason,), propensity=propensity)


@dataclass(frozen=True, slots=True)
class SmallestFirstPolicy:
    """Small changes are deployed: the simplest gate there is, and a strong one for real changes.

    Parameters
    ----------
    most_lines
        Lines added and removed up to which a change is deployed. The default, 2, is one line replaced.
    explore
        Share of changes that go to review whatever their size, drawn at random and recorded.

    Raises
    ------
    LabError
        If the number is negative, or the share outside [0, 1].
    """

    most_lines: int = 2
    explore: float = 0.05

    def __post_init__(self) -> None:
        if self.most_lines < 0 or not 0.0 <= self.explore <= 1.0:
            raise LabError("most_lines cannot be negative, and the explored share must lie between 0 and 1")

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "smallest_first"

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Look at the size of the change alone."""
        small = assessment.lines <= self.most_lines
        action = Action.AUTO_DEPLOY if small else Action.REQUEST_REVIEW
        reason = f"{assessment.lines} changed lines, limit {self.most_lines}"
        return explored_decision(assessment, self.name, action, reason, explore=self.explore, rng=rng)
