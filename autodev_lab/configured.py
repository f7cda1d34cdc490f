"""From settings to the parts of a team: what each threshold of `platform_config.yaml` does, in one place."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypedDict

from autodev_lab.config import DecisionEngine, Learning, Settings
from autodev_lab.decisions import (
    Gate,
    LabelQuality,
    Promise,
    Rollout,
    RolloutPlan,
    StageRule,
    Thresholds,
    make_rollout,
)
from autodev_lab.learning import PatternLibrary
from autodev_lab.protocols import Memory, PatternLearner, Policy
from autodev_lab.records import Stage
from autodev_lab.rules import EscalationRules

__all__ = [
    "PlatformOptions",
    "gate_of",
    "half_life_of",
    "patterns_of",
    "platform_options",
    "policy_of",
    "rules_of",
    "stages_of",
    "thresholds_of",
    "with_limit",
]

_NO_LIMIT = 10.0


class PlatformOptions(TypedDict):
    """What `autodev_lab.platform.Platform` and `run_stream` take from a configuration."""

    gate: Gate
    patterns: Callable[[Memory], PatternLearner]
    rules: EscalationRules
    rollout: Rollout | None
    answer_within_seconds: float


def platform_options(settings: Settings, quality: LabelQuality | None = None) -> PlatformOptions:
    """All that a configuration says of a team, for one run: the gate in it learns.

    Parameters
    ----------
    quality
        Error rates of the checks that label changes; the lab's assumptions unless given.

    Examples
    --------
    >>> from autodev_lab.config import load_config
    >>> options = platform_options(load_config(environment={}).settings)
    >>> options["gate"].policy.name, options["answer_within_seconds"]
    ('published', 86400.0)
    """
    return PlatformOptions(
        gate=gate_of(settings.decision_engine, quality),
        patterns=patterns_of(settings.learning),
        rules=rules_of(settings),
        rollout=make_rollout(settings.decision_engine.rollout, plan=stages_of(settings.decision_engine)),
        answer_within_seconds=settings.decision_engine.answer_within_seconds,
    )


def gate_of(engine: DecisionEngine, quality: LabelQuality | None = None) -> Gate:
    """The gate: the configured policy, and the risk model and calibrator that go with it."""
    return thresholds_of(engine).gate(engine.policy, quality=quality)


def policy_of(engine: DecisionEngine, quality: LabelQuality | None = None) -> Policy:
    """The policy under the configured thresholds; see `autodev_lab.decisions.Thresholds`.

    Examples
    --------
    >>> from autodev_lab.config import load_config
    >>> engine = load_config(environment={}).settings.decision_engine
    >>> policy_of(engine)  # doctest: +ELLIPSIS
    PublishedPolicy(risk_low=0.2, confidence_high=0.9, risk_high=0.5, confidence_low=0.7, risk_critical=0.8, ...)
    """
    return gate_of(engine, quality).policy


def thresholds_of(engine: DecisionEngine) -> Thresholds:
    """The configured thresholds."""
    return Thresholds(
        auto_deploy=engine.auto_deploy_threshold,
        risk_high=engine.risk_threshold_high,
        risk_critical=engine.risk_threshold_critical,
        promise=Promise(engine.promise.success, engine.promise.assurance),
    )


def stages_of(engine: DecisionEngine) -> RolloutPlan:
    """What each stage of a rollout has to show.

    Examples
    --------
    >>> from autodev_lab.config import load_config
    >>> stages_of(load_config(environment={}).settings.decision_engine) == RolloutPlan()
    True
    """
    stages = ((Stage.CANARY, engine.stages.canary), (Stage.STAGING, engine.stages.staging))
    rules = (*stages, (Stage.PRODUCTION, engine.stages.production))
    return RolloutPlan(tuple(StageRule(stage, one.margin, one.minimum, one.maximum) for stage, one in rules))


def rules_of(settings: Settings) -> EscalationRules:
    """The escalation rules, and that of the deployer's `max_complexity`."""
    return with_limit(settings.decision_engine.escalation_rules.rules, settings.agents.deployer.max_complexity)


def with_limit(rules: EscalationRules, limit: float) -> EscalationRules:
    """Rules, and one that sends changes of tasks above a complexity to a person; 10 is no limit.

    Examples
    --------
    >>> [str(rule) for rule in with_limit(EscalationRules(), 7.5).high_priority]
    ['complexity > 7.5']
    """
    if limit >= _NO_LIMIT:
        return rules
    (beyond,) = EscalationRules.parse(high_priority=[f"complexity > {limit!r}"]).high_priority
    return replace(rules, high_priority=(*rules.high_priority, beyond))


def half_life_of(decay_rate: float) -> float | None:
    """Attempts after which evidence counts half, if each takes `decay_rate` of its weight; None if it takes nothing.

    Examples
    --------
    >>> round(half_life_of(0.05), 1), half_life_of(0.5), half_life_of(0.0)
    (13.5, 1.0, None)
    """
    return math.log(2) / -math.log1p(-decay_rate) if decay_rate else None


def patterns_of(learning: Learning) -> Callable[[Memory], PatternLearner]:
    """Makes a developer's pattern library on its memory."""
    return functools.partial(PatternLibrary, half_life=half_life_of(learning.memory_decay_rate))
