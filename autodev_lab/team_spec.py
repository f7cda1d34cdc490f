"""A team as a record: how many there are, what they remember and learn, and by what they decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autodev_lab.decisions import (
    PRODUCTION_POWER,
    Gate,
    LabelQuality,
    Promise,
    Thresholds,
    check_gate_names,
    make_rollout,
)
from autodev_lab.errors import LabError

__all__ = ["TeamSpec"]


@dataclass(frozen=True, slots=True)
class TeamSpec:
    """One arm's team.

    Parameters
    ----------
    developers
        Number of developers; there is one agent of every other role.
    memory
        ``"shared"``: all agents use one memory. ``"isolated"``: each agent has its own. ``"none"``: nobody remembers
        anything.
    order
        How developers order candidates: ``"learned"``, ``"uniform"``, ``"static"`` (a hand-made order) or
        ``"placebo"`` (learned, with the records assigned to the wrong patterns) or ``"oracle"`` (knows the injector).
    patterns
        ``"learning"``: developers learn as they go. ``"frozen"``: they were given lessons, and learn no more.
    recall
        ``"noted"``: what agents find in memory for a task is noted, and nothing they do depends on it. ``"used"``:
        developers, the reviewer and the deployer act on it; see `autodev_lab.learning.SimilarFixes` and
        `autodev_lab.agents.recalled`.
    policy, risk, calibrator
        The gate; see `autodev_lab.decisions.make_gate`.
    promise, confidence
        What the policy ``certified`` promises: the share of what it deploys that is right, and how surely.
    rollout, traffic_noise
        How stages of a rollout are judged; see `autodev_lab.decisions.make_rollout`.
    budget
        Candidates a task may use, over all its attempts.
    human_accuracy, human_latency_seconds, human_minutes
        Assumptions about the Human twin; the gate is told the accuracy, as it must read people's answers.
    production_power
        What the gate assumes of production: the share of wrong changes that production shows to be wrong.
    lease_seconds, poll_seconds
        See `autodev_lab.agents.Timing`.
    max_tries
        Failed or expired claims of one stage after which a task becomes a dead letter.

    Raises
    ------
    LabError
        If a value is not allowed.
    """

    developers: int = 1
    memory: str = "shared"
    order: str = "learned"
    patterns: str = "learning"
    recall: str = "noted"
    policy: str = "published"
    risk: str = ""
    calibrator: str = ""
    promise: float = 0.95
    confidence: float = 0.95
    rollout: str = "fixed"
    traffic_noise: float = 0.0
    budget: int = 20
    human_accuracy: float = 0.9
    human_latency_seconds: float = 1800.0
    human_minutes: float = 15.0
    production_power: float = PRODUCTION_POWER
    lease_seconds: float = 900.0
    poll_seconds: float = 300.0
    max_tries: int = 3

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise LabError(f"budget is {self.budget}; it counts candidates a task and must be at least 1")
        if self.developers < 1:
            raise LabError(f"developers is {self.developers}; a team needs at least 1")
        for name, value, allowed in (
            ("memory", self.memory, ("shared", "isolated", "none")),
            ("order", self.order, ("learned", "uniform", "static", "placebo", "oracle")),
            ("patterns", self.patterns, ("learning", "frozen")),
            ("recall", self.recall, ("noted", "used")),
        ):
            if value not in allowed:
                raise LabError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")
        Promise(self.promise, self.confidence)
        check_gate_names(self.policy, self.risk, self.calibrator)
        make_rollout(self.rollout, noise=self.traffic_noise)

    def gate(self, thresholds: Thresholds | None = None) -> Gate:
        """The team's gate, with nothing learned yet, by the usual thresholds unless others are given."""
        quality = LabelQuality(self.human_accuracy, self.production_power)
        known = replace(thresholds or Thresholds(), promise=Promise(self.promise, self.confidence))
        return known.gate(self.policy, self.risk, self.calibrator, quality=quality)
