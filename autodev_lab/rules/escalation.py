"""Which rules send a change or an incident to a person, and how urgently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autodev_lab.records import EscalationLevel
from autodev_lab.rules.facts import FACTS, Moment
from autodev_lab.rules.language import Rule, parse_rule

__all__ = ["Escalation", "EscalationRules"]


@dataclass(frozen=True, slots=True)
class Escalation:
    """That something goes to a person.

    Parameters
    ----------
    level
        The most urgent of the rules that hold.
    reasons
        One a rule that holds, the most urgent first, with the values it holds for.
    """

    level: EscalationLevel
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EscalationRules:
    """Rules by level; a rule alone is enough.

    Parameters
    ----------
    immediate, high_priority
        Rules of the two levels.

    Examples
    --------
    >>> rules = EscalationRules.parse(immediate=["production_outage"], high_priority=["deployment_risk_score > 0.8"])
    >>> found = rules.held({"production_outage": False, "deployment_risk_score": 0.9})
    >>> found.level.value, found.reasons
    ('high_priority', ('high_priority escalation: deployment_risk_score > 0.8 (deployment_risk_score is 0.9)',))
    """

    immediate: tuple[Rule, ...] = ()
    high_priority: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, immediate: Iterable[str] = (), high_priority: Iterable[str] = ()) -> EscalationRules:
        """Rules from their texts.

        Raises
        ------
        RuleError
            If one cannot be read.
        """
        return cls(tuple(map(parse_rule, immediate)), tuple(map(parse_rule, high_priority)))

    def held(self, facts: Mapping[str, float | bool]) -> Escalation | None:
        """The escalation that some facts call for, or None."""
        levels = ((EscalationLevel.IMMEDIATE, self.immediate), (EscalationLevel.HIGH_PRIORITY, self.high_priority))
        found = [(level, rule) for level, rules in levels for rule in rules if rule.holds(facts)]
        if not found:
            return None
        return Escalation(found[0][0], tuple(_reason(level, rule, facts) for level, rule in found))

    def new_in(self, moment: Moment) -> EscalationRules:
        """The rules that speak of something new at a moment; the others were asked before."""

        def chosen(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
            return tuple(rule for rule in rules if any(FACTS[name].moment is moment for name in rule.names))

        return EscalationRules(chosen(self.immediate), chosen(self.high_priority))


def _reason(level: EscalationLevel, rule: Rule, facts: Mapping[str, float | bool]) -> str:
    values = [f"{name} is {facts[name]:.3g}" for name in rule.names if not FACTS[name].is_flag]
    shown = f" ({', '.join(values)})" if values else ""
    return f"{level} escalation: {rule}{shown}"
