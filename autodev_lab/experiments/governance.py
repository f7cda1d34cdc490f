"""What governs every team of an experiment beside its arms: thresholds, rules, rollouts, waiting, fading.

These parameters came after experiments had been registered. One that has its neutral value, under which a team is as it
was, is not written down, so that a plan without any of them has the hash that it was registered with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypedDict, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from autodev_lab.configured import half_life_of, with_limit
from autodev_lab.decisions import Gate, Thresholds
from autodev_lab.errors import LabError
from autodev_lab.learning import PatternLibrary
from autodev_lab.platform import TeamSpec
from autodev_lab.protocols import Memory, PatternLearner
from autodev_lab.rules import EscalationRules

__all__ = ["NEUTRAL", "GovernedParameters", "GovernedTeam", "Governing", "RolloutName"]

_SPLIT = ";"


def _read_rules(value: object) -> object:
    """Rules as they are written when nothing is left to taste; a text has several, split by semicolons."""
    if isinstance(value, str):
        value = [one for one in value.split(_SPLIT) if one.strip()]
    if not isinstance(value, Iterable):
        return value
    texts = [str(one) for one in value]
    try:
        return tuple(str(rule) for rule in EscalationRules.parse(texts).immediate)
    except LabError as error:  # pydantic knows ValueError alone
        raise ValueError(str(error)) from error


def _read_seconds(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in ("", "none", "never") else value


Rules = Annotated[tuple[str, ...], BeforeValidator(_read_rules)]
RolloutName = Literal["fixed", "at_once", "first_failure", "mann_whitney", "sequential"]
"""See `autodev_lab.decisions.make_rollout`."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Governing(TypedDict):
    """What `autodev_lab.platform.run_stream` takes of it; for one run, for the gate learns."""

    gate: Gate
    rules: EscalationRules | None
    answer_within_seconds: float | None
    patterns: Callable[[Memory], PatternLearner]


class GovernedParameters(BaseModel):
    """Parameters of every experiment with a team; `platform_config.yaml` may set them (`experiments.configuring`)."""

    auto_deploy_threshold: Share = Field(0.8, description="confidence from which the learned policy deploys")
    risk_threshold_high: Share = Field(0.5, description="risk below which the published policy deploys with monitoring")
    risk_threshold_critical: Share = Field(0.8, description="risk from which a change goes to a person")
    escalate_immediate: Rules = Field((), description="rules, split by semicolons, that send to a person at once")
    escalate_high_priority: Rules = Field((), description="rules, split by semicolons, that send to a person next")
    max_complexity: float = Field(10.0, ge=0, le=10, description="complexity above which a change goes to a person")
    rollout: RolloutName = Field("fixed", description="how stages are judged in arms that say nothing of it")
    answer_within_seconds: Annotated[float | None, BeforeValidator(_read_seconds)] = Field(
        None, gt=0, allow_inf_nan=False, description="virtual seconds an escalation waits; never ends unless given"
    )
    memory_decay_rate: float = Field(
        0.0, ge=0, lt=1, description="share of its weight that evidence on patterns loses with each attempt"
    )

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> GovernedParameters:
        if self.risk_threshold_high > self.risk_threshold_critical:
            raise ValueError(
                f"risk_threshold_high is {self.risk_threshold_high:g} and above risk_threshold_critical, which is "
                f"{self.risk_threshold_critical:g}"
            )
        return self

    def rollout_of(self, arm: str) -> RolloutName:
        """How stages are judged in an arm that says itself how, or leaves it to this."""
        return cast("RolloutName", arm) if arm != "fixed" else self.rollout

    def check_rollouts(self, arms: Mapping[str, str]) -> None:
        """Refuse one rollout for all where it is what arms differ in.

        Parameters
        ----------
        arms
            What each arm says.

        Raises
        ------
        LabError
            If one is asked for, and an arm names another than the usual.
        """
        own = [name for name, rollout in arms.items() if rollout != "fixed"]
        if self.rollout != "fixed" and own:
            raise LabError(
                f"rollout is {self.rollout}, and arm {own[0]} says itself how its stages are judged; leave the "
                "parameter out where arms differ in it"
            )

    def governing(self, team: TeamSpec) -> Governing:
        """For one run of a team: its gate, with nothing learned yet, and the rest."""
        rules = with_limit(
            EscalationRules.parse(self.escalate_immediate, self.escalate_high_priority), self.max_complexity
        )
        half_life = half_life_of(self.memory_decay_rate)
        return Governing(
            gate=team.gate(
                Thresholds(self.auto_deploy_threshold, self.risk_threshold_high, self.risk_threshold_critical)
            ),
            rules=rules if rules != EscalationRules() else None,
            answer_within_seconds=self.answer_within_seconds,
            patterns=functools.partial(PatternLibrary, half_life=half_life),
        )


class GovernedTeam(GovernedParameters):
    """What governs a team that is no arm of an experiment: its policy and promise, too.

    Examples
    --------
    >>> team = GovernedTeam(policy="certified", promise=0.9, escalate_immediate=["production_outage"])
    >>> spec = TeamSpec(policy=team.policy, promise=team.promise)
    >>> team.governing(spec)["gate"].policy.name, team.escalate_immediate
    ('certified', ('production_outage',))
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str = Field("published", description="the rule that decides on a deployment")
    promise: float = Field(0.95, gt=0, lt=1, description="share of what is deployed that succeeds, if certified")
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence with which this is promised")


NEUTRAL: Mapping[str, object] = MappingProxyType(
    {name: field.default for name, field in GovernedParameters.model_fields.items()}
)
"""The value of each parameter that leaves teams as they were."""
