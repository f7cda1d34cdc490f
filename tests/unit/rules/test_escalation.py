"""Facts are computed from records as they say, and rules escalate at the most urgent level that holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodev_lab.records import (
    Change,
    Evidence,
    ExposureReport,
    HealthReport,
    Inspection,
    Plan,
    Review,
    RiskAssessment,
    Stage,
    Task,
    TaskKind,
    TestReport,
)
from autodev_lab.rules import FACTS, EscalationRules, Moment, facts_of

TASK = Task("t1", "toolz", TaskKind.SYNTHETIC, "it fails")
EVIDENCE = Evidence(
    TASK,
    Change("t1", (), "", "solver", evaluations=7),
    Plan("t1", (), 3.5, 10),
    TestReport("t1", 3, ("test_a",), 4, 3),
    Review("t1", True, 8.0, (), Inspection("t1", 1, 2, 1, 5, 6, 10, 4, 2, 3, 1, 9)),
    reworks=1,
)
ASSESSMENT = RiskAssessment("t1", {}, risk=0.6, confidence=0.7)


def incident(sampled: int, failed: int) -> HealthReport:
    names = tuple(f"test_{number}" for number in range(failed))
    return HealthReport("t0", not failed, ExposureReport("t0", Stage.PRODUCTION, sampled, names))


def test_every_fact_has_a_value_of_its_kind_and_within_its_range() -> None:
    for seen in (None, incident(10, 0), incident(10, 4), incident(0, 0), incident(3, 5)):
        values = facts_of(EVIDENCE, ASSESSMENT, seen)
        assert set(values) == set(FACTS)
        for name, fact in FACTS.items():
            assert isinstance(values[name], bool if fact.is_flag else float), name
            assert fact.highest is None or 0 <= values[name] <= fact.highest, name


def test_facts_are_what_they_say() -> None:
    values = facts_of(EVIDENCE, ASSESSMENT)
    assert values["security_vulnerability_detected"] is True
    assert values["test_failure_rate"] == 0.25
    assert values["test_coverage"] == 0.75
    assert values["lines_changed"] == 14.0
    assert (values["complexity"], values["cyclomatic_complexity"]) == (3.5, 6.0)
    assert values["deployment_risk_score"] == 0.6
    assert values["incident_follow_up"] is False
    assert values["production_outage"] is False
    clean = replace(
        EVIDENCE, review=replace(EVIDENCE.review, inspection=Inspection("t1", 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 3))
    )
    assert facts_of(clean, ASSESSMENT)["security_vulnerability_detected"] is False
    before = (EVIDENCE.review, TestReport("t1", 1, ("test_a", "test_b", "test_c"), 1, 1))
    values = facts_of(clean, ASSESSMENT, earlier=before)
    assert (values["security_vulnerability_detected"], values["test_failure_rate"]) == (True, 0.75)
    untested = replace(EVIDENCE, tests=TestReport("t1", 0, (), 1, 0))
    assert facts_of(untested, ASSESSMENT)["test_failure_rate"] == 1.0, "no test that passed is no test that passed"


@pytest.mark.parametrize(
    ("sampled", "failed", "rate", "outage"),
    [(10, 0, 0.0, False), (10, 4, 0.4, False), (10, 5, 0.5, True), (0, 1, 1.0, True)],
)
def test_an_outage_is_half_of_the_production_checks(sampled: int, failed: int, rate: float, outage: bool) -> None:
    values = facts_of(EVIDENCE, ASSESSMENT, incident(sampled, failed))
    assert (values["production_failure_rate"], values["production_outage"]) == (rate, outage)


def test_the_most_urgent_level_counts_and_every_rule_is_told() -> None:
    rules = EscalationRules.parse(
        immediate=["production_outage", "security_vulnerability_detected"], high_priority=["test_failure_rate > 20%"]
    )
    found = rules.held(facts_of(EVIDENCE, ASSESSMENT))
    assert found is not None
    assert found.level.value == "immediate"
    assert found.reasons == (
        "immediate escalation: security_vulnerability_detected",
        "high_priority escalation: test_failure_rate > 20% (test_failure_rate is 0.25)",
    )
    assert EscalationRules().held(facts_of(EVIDENCE, ASSESSMENT)) is None
    calm = EscalationRules.parse(immediate=["production_outage"])
    assert calm.held(facts_of(EVIDENCE, ASSESSMENT)) is None


def test_production_asks_the_rules_on_production_alone() -> None:
    rules = EscalationRules.parse(
        ["confidence < 0.5", "production_outage"], ["production_failure_rate > 5% or reworks > 1"]
    )
    chosen = rules.new_in(Moment.PRODUCTION)
    assert [str(rule) for rule in chosen.immediate] == ["production_outage"]
    assert len(chosen.high_priority) == 1
