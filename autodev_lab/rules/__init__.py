"""Rules on facts in a small, safe language: which changes and incidents go to a person, whatever the policy says."""

from autodev_lab.rules.escalation import Escalation, EscalationRules
from autodev_lab.rules.facts import FACTS, OUTAGE_SHARE, Fact, Moment, facts_of
from autodev_lab.rules.language import Rule, RuleError, parse_rule

__all__ = [
    "FACTS",
    "OUTAGE_SHARE",
    "Escalation",
    "EscalationRules",
    "Fact",
    "Moment",
    "Rule",
    "RuleError",
    "facts_of",
    "parse_rule",
]
