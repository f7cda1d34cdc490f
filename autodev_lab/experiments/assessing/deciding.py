"""What is said of a commit: the gate's decision, the rules that send it to a person, and the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from autodev_lab.agents.escalating import escalated
from autodev_lab.decisions import PublishedPolicy, Thresholds
from autodev_lab.decisions.recorded.models import Published
from autodev_lab.experiments.assessing.trained import Bools, TrainedGate, Worth, two_kinds
from autodev_lab.experiments.assessing.words import Moved, moved_by
from autodev_lab.mining import MEASURES, ChangeMeasures
from autodev_lab.mining.headers import Header
from autodev_lab.records import Action, Decision, RiskAssessment
from autodev_lab.rules import EscalationRules

__all__ = ["Assessment", "Standards", "Standing", "by_formula", "by_gate"]

_NO_OUTCOMES = 0.5
_KNOWN = ("deployment_risk_score", "confidence", "lines_changed", "files_changed")
"""Facts that a history holds of a commit; rules that speak of others are not asked."""


@dataclass(frozen=True, slots=True)
class Standards:
    """What is decided by, beside the certificate.

    Parameters
    ----------
    thresholds
        The critical risk, and those of the published policy, which decides where there is too little to learn from.
    rules
        What goes to a person whatever the gate says, as far as a history knows the facts.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: EscalationRules = field(default_factory=EscalationRules)


@dataclass(frozen=True, slots=True)
class Standing:
    """The judge that a commit was held against.

    Parameters
    ----------
    words
        For people.
    fitted
        The day (UTC) that it was fitted.
    now
        Whether that was for this commit: then it was read from no file.
    why
        Why it was fitted anew; empty if none was kept, or it was read.
    stands
        Whether later commits are held against it too; not where it was fitted as of the commit's own day alone.
    """

    words: str
    fitted: str
    now: bool
    why: str
    stands: bool


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is said of a commit.

    Parameters
    ----------
    commit
        Its id.
    measures
        Its change measures.
    decision
        What the gate does and why; it holds the risk and the confidence.
    moved
        What moved the risk, the largest first.
    days
        Time within which a failure counts.
    worth
        What the gate learned from; None for the published formula.
    fallback
        Why the published formula was used; empty if it was not.
    judge
        The judge, where one was looked for.
    unasked
        Rules that were not asked, for a history knows nothing of what they speak of.
    """

    commit: str
    measures: ChangeMeasures
    decision: Decision
    moved: tuple[Moved, ...]
    days: float
    worth: Worth | None
    fallback: str = ""
    judge: Standing | None = None
    unasked: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """All of it as plain values."""
        worth = None
        if self.worth is not None:
            worth = asdict(self.worth)
            for name in ("tested", "by_lines"):
                auc = worth[name]["auc"]
                worth[name]["auc"] = auc if np.isfinite(auc) else None
        return {
            "commit": self.commit,
            "risk": self.decision.assessment.risk,
            "confidence": self.decision.assessment.confidence,
            "action": self.decision.action.value,
            "policy": self.decision.policy,
            "reasons": list(self.decision.reasons),
            "moved": [asdict(one) for one in self.moved],
            "days": self.days,
            "measures": asdict(self.measures),
            "worth": worth,
            "fallback": self.fallback,
            "judge": asdict(self.judge) if self.judge is not None else None,
            "rules_not_asked": list(self.unasked),
        }


def by_gate(
    header: Header,
    measures: ChangeMeasures,
    change: pd.DataFrame,
    gate: TrainedGate,
    usual: Mapping[str, float],
    days: float,
    standards: Standards,
    judge: Standing | None = None,
) -> Assessment:
    """What a trained gate says of a change.

    Parameters
    ----------
    change
        Its features, one row.
    usual
        Median of each measure over what the gate learned from.
    """
    confidence = float(gate.confidence(change)[0])
    learned = pd.DataFrame([dict(usual)])
    moved = tuple(moved_by(one, asdict(measures), learned) for one in gate.model.explain(change))
    assessment = _assessment(header, measures, float(gate.model.risk(change)[0]), confidence, moved)
    threshold, critical = gate.certificate.threshold, standards.thresholds.risk_critical
    action = Action.REQUEST_REVIEW
    if threshold is None:
        reason = f"confidence {confidence:.3f}, and no threshold is certified"
    elif assessment.risk >= critical:
        reason = f"risk {assessment.risk:.3f} is critical, which it is from {critical:g} on"
    elif confidence >= threshold:
        action, reason = Action.AUTO_DEPLOY, f"confidence {confidence:.3f} reaches the certified {threshold:.3f}"
    else:
        reason = f"confidence {confidence:.3f} is below the certified {threshold:.3f}"
    decision = Decision(header.commit, action, assessment, "certified", (reason, gate.certificate.words))
    decision, unasked = _asked(decision, measures, standards.rules)
    return Assessment(header.commit, measures, decision, moved, days, gate.worth, judge=judge, unasked=unasked)


def by_formula(
    header: Header,
    measures: ChangeMeasures,
    change: pd.DataFrame,
    learned: pd.DataFrame,
    failed: Bools,
    days: float,
    short: str,
    standards: Standards,
) -> Assessment:
    """What the published formula says of a change, for there is too little to learn from.

    Parameters
    ----------
    change
        Its features, one row.
    learned, failed
        Measures of the mature changes before, and which of them failed.
    short
        Why nothing is learned.
    """
    formula = Published()
    if two_kinds(failed):
        formula.fit(learned.assign(project="here"), failed)
    moved = tuple(moved_by(one, asdict(measures), learned) for one in formula.explain(change))
    assessment = _assessment(header, measures, float(formula.risk(change)[0]), _NO_OUTCOMES, moved)
    policy = standards.thresholds.policy("published")
    assert isinstance(policy, PublishedPolicy)
    decision = replace(policy, explore=0.0).decide(assessment, np.random.default_rng(0))
    decision, unasked = _asked(decision, measures, standards.rules)
    return Assessment(header.commit, measures, decision, moved, days, None, short, unasked=unasked)


def usual_of(learned: pd.DataFrame) -> dict[str, float]:
    """Median of each measure."""
    return {name: float(learned[name].median()) for name in MEASURES}


def _asked(decision: Decision, measures: ChangeMeasures, rules: EscalationRules) -> tuple[Decision, tuple[str, ...]]:
    """The decision after the rules were asked, and the rules that could not be."""
    facts = {
        "deployment_risk_score": decision.assessment.risk,
        "confidence": decision.assessment.confidence,
        "lines_changed": float(measures.la + measures.ld),
        "files_changed": float(measures.nf),
    }
    levels = [
        tuple(rule for rule in level if set(rule.names) <= set(_KNOWN))
        for level in (rules.immediate, rules.high_priority)
    ]
    unasked = [str(rule) for rule in (*rules.immediate, *rules.high_priority) if not set(rule.names) <= set(_KNOWN)]
    return escalated(decision, EscalationRules(*levels).held(facts)), tuple(unasked)


def _assessment(
    header: Header, measures: ChangeMeasures, risk: float, confidence: float, moved: tuple[Moved, ...]
) -> RiskAssessment:
    reason = moved[0].words if moved else "nothing moved the risk"
    return RiskAssessment(header.commit, asdict(measures), risk, confidence, measures.la + measures.ld, reason)
