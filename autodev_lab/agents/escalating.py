"""What escalation rules do to a decision and to an incident's follow-up, and the evidence that they are asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from autodev_lab.agents.base import last_result
from autodev_lab.records import (
    Action,
    Change,
    Decision,
    EscalationLevel,
    Evidence,
    HealthReport,
    Plan,
    Review,
    RiskAssessment,
    Task,
    TaskState,
    TestReport,
)
from autodev_lab.rules import Escalation, facts_of

__all__ = ["escalated", "evidence_of", "facts_about", "hastened"]

_AHEAD: Mapping[EscalationLevel, int] = MappingProxyType(
    {EscalationLevel.IMMEDIATE: 2, EscalationLevel.HIGH_PRIORITY: 1}
)
"""Priorities by which an escalated incident's follow-up goes before that of another incident."""


def evidence_of(state: TaskState, change: Change) -> Evidence:
    """All that was known of a reviewed change before it was deployed."""
    return Evidence(
        state.task,
        change,
        last_result(state, Plan),
        last_result(state, TestReport),
        last_result(state, Review),
        state.reworks,
    )


def facts_about(
    state: TaskState, change: Change, assessment: RiskAssessment, incident: HealthReport | None
) -> Mapping[str, float | bool]:
    """The value of every fact for a change that was reviewed; see `autodev_lab.rules.facts_of`."""
    judged = [entry.result for entry in state.history if isinstance(entry.result, Review | TestReport)]
    return facts_of(evidence_of(state, change), assessment, incident, judged)


def escalated(decision: Decision, escalation: Escalation | None) -> Decision:
    """The decision to ask a person, for the rules' reasons first; the decision as it was if no rule holds.

    The change goes to a person for certain, so the propensity is 1 and it is not one of those drawn at random.
    """
    if escalation is None:
        return decision
    return replace(
        decision,
        action=Action.REQUEST_REVIEW,
        reasons=(*escalation.reasons, *decision.reasons),
        explored=False,
        propensity=1.0,
        escalation=escalation.level,
    )


def hastened(follow_up: Task, escalation: Escalation | None) -> Task:
    """An incident's follow-up, put ahead and with the rules that held in its text; as it was if none did."""
    if escalation is None:
        return follow_up
    text = "\n".join((follow_up.body, "", *escalation.reasons))
    return replace(follow_up, body=text, priority=follow_up.priority + _AHEAD[escalation.level])
