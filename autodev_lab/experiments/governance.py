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
from autodev_lab.decisions import Gate, Rollout, RolloutPlan, StageRule, Thresholds, make_rollout
from autodev_lab.errors import LabError
from autodev_lab.learning import PatternLibrary
from autodev_lab.platform import TeamSpec
from autodev_lab.protocols import Memory, PatternLearner
from autodev_lab.records import Stage
from autodev_lab.rules import EscalationRules

__all__ = ["JUDGED", "NEUTRAL", "STAGES", "GovernedParameters", "GovernedTeam", "Governing", "RolloutName"]

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

_CANARY, _STAGING, _PRODUCTION = RolloutPlan().rules

Margin = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Exposures = Annotated[int, Field(ge=1, le=10_000_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Governing(TypedDict):
    """What `autodev_lab.platform.run_stream` takes of it; for one run, for the gate learns."""

    gate: Gate
    rules: EscalationRules | None
    rollout: Rollout | None
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
    canary_margin: Margin = Field(_CANARY.margin, description="difference of failure rates that the canary rules out")
    canary_minimum: Exposures = Field(_CANARY.minimum, description="exposures before the canary may be promoted")
    canary_maximum: Exposures = Field(_CANARY.maximum, description="exposures after which the canary is inconclusive")
    staging_margin: Margin = Field(_STAGING.margin, description="the margin of staging")
    staging_minimum: Exposures = Field(_STAGING.minimum, description="least exposures of staging")
    staging_maximum: Exposures = Field(_STAGING.maximum, description="most exposures of staging")
    production_margin: Margin = Field(_PRODUCTION.margin, description="the margin of production")
    production_minimum: Exposures = Field(_PRODUCTION.minimum, description="least exposures of production")
    production_maximum: Exposures = Field(_PRODUCTION.maximum, description="most exposures of production")
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
        try:
            self.stages()
        except LabError as error:  # pydantic knows ValueError alone
            raise ValueError(str(error)) from error
        return self

    def stages(self) -> RolloutPlan:
        """What each stage of a rollout has to show.

        Examples
        --------
        >>> GovernedParameters(canary_minimum=10).stages().rules[0].minimum
        10
        """
        return RolloutPlan(
            (
                StageRule(Stage.CANARY, self.canary_margin, self.canary_minimum, self.canary_maximum),
                StageRule(Stage.STAGING, self.staging_margin, self.staging_minimum, self.staging_maximum),
                StageRule(Stage.PRODUCTION, self.production_margin, self.production_minimum, self.production_maximum),
            )
        )

    def rollout_of(self, arm: str) -> RolloutName:
        """How stages are judged in an arm that says itself how, or leaves it to this."""
        return cast("RolloutName", arm) if arm != "fixed" else self.rollout

    def check_rollouts(self, arms: Mapping[str, str]) -> None:
        """Refuse one rollout for all where it is what arms differ in, and stages of a rollout that nobody judges.

        Parameters
        ----------
        arms
            What each arm says.

        Raises
        ------
        LabError
            If one is asked for and an arm names another than the usual, or a stage is another than the usual and no
            arm judges stages on traffic.
        """
        own = [name for name, rollout in arms.items() if rollout != "fixed"]
        asked = [name for name in STAGES if getattr(self, name) != NEUTRAL[name]]
        if asked and not any(self.rollout_of(rollout) in JUDGED for rollout in arms.values()):
            raise LabError(
                f"{asked[0]} is {getattr(self, asked[0]):g}, and no arm that runs judges its stages on traffic; give a "
                f"rollout among {', '.join(JUDGED)}, or leave the stages as they are"
            )
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
            rollout=make_rollout(team.rollout, noise=team.traffic_noise, plan=self.stages()),
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

JUDGED = ("first_failure", "mann_whitney", "sequential")
"""Rollouts that what a stage has to show makes a difference to."""

STAGES = tuple(name for name in NEUTRAL if name.startswith(("canary_", "staging_", "production_")))
"""Parameters that say what a stage of a rollout has to show."""
