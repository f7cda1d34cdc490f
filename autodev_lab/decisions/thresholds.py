"""Thresholds as one record, and the gate that decides by them: what a configuration and an experiment both set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from autodev_lab.decisions.catalogue import Gate, make_gate
from autodev_lab.decisions.certified import CertifiedPolicy
from autodev_lab.decisions.guarantee import Promise
from autodev_lab.decisions.labels import LabelQuality
from autodev_lab.decisions.policy import LearnedPolicy, PublishedPolicy
from autodev_lab.errors import LabError
from autodev_lab.protocols import Policy

__all__ = ["Thresholds"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the policies of the lab decide by; each reads what is its own.

    Parameters
    ----------
    auto_deploy
        Confidence from which the learned policy deploys.
    risk_high
        Risk below which the published policy deploys with monitoring. Its own .2, .7 and .9 stand; where `risk_high`
        is below .2 it bounds deployment without a watch, too.
    risk_critical
        Risk from which a change goes to a person under every one of these policies.
    promise
        What the certified policy promises.

    Raises
    ------
    LabError
        If a threshold is outside [0, 1], or `risk_high` is above `risk_critical`.

    Examples
    --------
    >>> Thresholds(risk_high=0.1).policy("published")  # doctest: +ELLIPSIS
    PublishedPolicy(risk_low=0.1, confidence_high=0.9, risk_high=0.1, confidence_low=0.7, risk_critical=0.8, ...)
    >>> Thresholds().policy("random") is None
    True
    """

    auto_deploy: float = 0.8
    risk_high: float = 0.5
    risk_critical: float = 0.8
    promise: Promise = field(default_factory=Promise)

    def __post_init__(self) -> None:
        if not all(0.0 <= value <= 1.0 for value in (self.auto_deploy, self.risk_high, self.risk_critical)):
            raise LabError("thresholds of a policy are shares and must lie between 0 and 1")
        if self.risk_high > self.risk_critical:
            raise LabError(
                f"risk_threshold_high is {self.risk_high:g} and above risk_threshold_critical, which is "
                f"{self.risk_critical:g}; lower the first or raise the second"
            )

    def policy(self, name: str, quality: LabelQuality | None = None) -> Policy | None:
        """The policy of a name with these thresholds; None for one that has none of them.

        Parameters
        ----------
        quality
            Error rates of the checks that label changes; the certified policy reads them.
        """
        make = _POLICIES.get(name)
        return make(self, quality) if make is not None else None

    def gate(self, policy: str, risk: str = "", calibrator: str = "", *, quality: LabelQuality | None = None) -> Gate:
        """The gate that `make_gate` makes of these names, with these thresholds."""
        made = make_gate(policy, risk, calibrator, quality=quality)
        own = self.policy(policy, quality)
        return made if own is None else replace(made, policy=own)


_POLICIES: Mapping[str, Callable[[Thresholds, LabelQuality | None], Policy]] = {
    "published": lambda one, quality: PublishedPolicy(
        risk_low=min(PublishedPolicy().risk_low, one.risk_high),
        risk_high=one.risk_high,
        risk_critical=one.risk_critical,
    ),
    "learned": lambda one, quality: LearnedPolicy(
        auto_deploy_threshold=one.auto_deploy, risk_critical=one.risk_critical
    ),
    "certified": lambda one, quality: CertifiedPolicy(one.promise, quality=quality, risk_critical=one.risk_critical),
}
