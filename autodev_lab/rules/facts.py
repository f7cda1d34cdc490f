"""The facts that rules may speak of: their names, what they mean, and how they are computed from records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from autodev_lab.records import Evidence, HealthReport, Review, RiskAssessment, TestReport

__all__ = ["FACTS", "OUTAGE_SHARE", "Fact", "Moment", "facts_of"]

OUTAGE_SHARE = 0.5
"""Share of production checks that fail from which an incident counts as an outage. An assumption."""


class Moment(StrEnum):
    """When a fact is new: at the decision to deploy, or once the change is in production."""

    DECISION = "decision"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a rule may speak of.

    Parameters
    ----------
    name
        As rules write it.
    unit
        In words. A share lies between 0 and 1 and is the only unit that takes a percentage.
    meaning
        How it is computed.
    highest
        Largest value; the smallest of every number is 0. None: yes or no.
    moment
        When it is new. Later it is still known.
    """

    name: str
    unit: str
    meaning: str
    highest: float | None
    moment: Moment = Moment.DECISION

    @property
    def is_flag(self) -> bool:
        """Whether it is yes or no rather than a number."""
        return self.highest is None

    @property
    def is_share(self) -> bool:
        """Whether it may be compared with a percentage."""
        return self.unit == "share"


def _flag(name: str, meaning: str, moment: Moment = Moment.DECISION) -> Fact:
    return Fact(name, "yes or no", meaning, None, moment)


def _share(name: str, meaning: str, moment: Moment = Moment.DECISION) -> Fact:
    return Fact(name, "share", meaning, 1.0, moment)


def _count(name: str, unit: str, meaning: str) -> Fact:
    return Fact(name, unit, meaning, math.inf)


FACTS: Mapping[str, Fact] = MappingProxyType(
    {
        fact.name: fact
        for fact in (
            _flag(
                "security_vulnerability_detected",
                "the change, or an earlier one of its task, adds a finding of high severity of the security scanner",
            ),
            _flag("incident_follow_up", "the change answers an incident in production"),
            _share("deployment_risk_score", "the risk model's score of the change"),
            _share("confidence", "the calibrator's probability that the change is right"),
            _share(
                "test_failure_rate",
                "share of the visible tests that fail under the change, or under the worst of its task's earlier ones",
            ),
            _share("test_coverage", "share of the changed executable lines that visible tests execute"),
            Fact("complexity", "points", "how widely the architect's suspicion is spread, from 0 to 10", 10.0),
            Fact("review_quality", "points", "the reviewer's mark, from 0 to 10", 10.0),
            _count(
                "cyclomatic_complexity", "branches", "McCabe's, the highest of the functions touched, after the change"
            ),
            _count("lines_changed", "lines", "lines that the change adds and removes"),
            _count("files_changed", "files", "files that the change touches"),
            _count("security_findings", "findings", "findings of the security scanner that the change adds"),
            _count("lint_findings", "findings", "findings of the linter that the change adds"),
            _count("dependent_modules", "modules", "modules that import a changed one, directly or not"),
            _count("candidates_tried", "candidates", "candidates evaluated before this change was found"),
            _count("reworks", "times", "how often the task was sent back to a developer before this change"),
            _flag(
                "production_outage",
                f"at least {OUTAGE_SHARE:.0%} of the production checks failed; before a deployment, in the incident "
                "that the change answers",
                Moment.PRODUCTION,
            ),
            _share(
                "production_failure_rate",
                "share of the production checks that failed; before a deployment, in the incident that the change "
                "answers, and 0 where it answers none",
                Moment.PRODUCTION,
            ),
        )
    }
)
"""Every fact by its name."""


def facts_of(
    evidence: Evidence,
    assessment: RiskAssessment,
    incident: HealthReport | None = None,
    earlier: Iterable[Review | TestReport] = (),
) -> dict[str, float | bool]:
    """The value of every fact; none is ever missing.

    Parameters
    ----------
    evidence
        What was known of the change before it was deployed.
    assessment
        How it was scored.
    incident
        What the monitor saw of this change in production, or of the one whose incident this one answers.
    earlier
        Reviews and tests of the task's earlier changes, which were sent back.
    """
    seen, tests = evidence.review.inspection, evidence.tests
    judged = (evidence.review, evidence.tests, *earlier)
    sampled = incident.report.sampled if incident is not None else 0
    failed = len(incident.report.failed) if incident is not None else 0
    failure_rate = min(1.0, failed / sampled) if sampled else float(failed > 0)
    return {
        "security_vulnerability_detected": any(
            isinstance(one, Review) and one.inspection.security_severe > 0 for one in judged
        ),
        "incident_follow_up": evidence.task.depth > 0,
        "deployment_risk_score": assessment.risk,
        "confidence": assessment.confidence,
        "test_failure_rate": max(_failure_rate(one) for one in judged if isinstance(one, TestReport)),
        "test_coverage": tests.coverage,
        "complexity": evidence.plan.complexity,
        "review_quality": evidence.review.quality,
        "cyclomatic_complexity": float(seen.complexity_after),
        "lines_changed": float(seen.lines_added + seen.lines_removed),
        "files_changed": float(seen.files),
        "security_findings": float(seen.security),
        "lint_findings": float(seen.lint),
        "dependent_modules": float(seen.dependents),
        "candidates_tried": float(evidence.change.evaluations),
        "reworks": float(evidence.reworks),
        "production_outage": failed > 0 and failure_rate >= OUTAGE_SHARE,
        "production_failure_rate": failure_rate,
    }


def _failure_rate(report: TestReport) -> float:
    """Share that failed; a change that no test was run on is not one whose tests pass."""
    run = report.passed + len(report.failed)
    return len(report.failed) / run if run else 1.0
