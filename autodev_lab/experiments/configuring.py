"""What `platform_config.yaml` says of an experiment or of a team of processes, and what a run notes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from autodev_lab.config import Configuration
from autodev_lab.decisions import CERTIFIED
from autodev_lab.experiments.conduct import parameter_names
from autodev_lab.experiments.design import load_experiment
from autodev_lab.experiments.governance import JUDGED, STAGES, GovernedTeam

__all__ = ["PARAMETERS", "Configured", "configured", "governed_team"]

PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "decision_engine.policy": ("policy",),
        "decision_engine.auto_deploy_threshold": ("auto_deploy_threshold",),
        "decision_engine.risk_threshold_high": ("risk_threshold_high",),
        "decision_engine.risk_threshold_critical": ("risk_threshold_critical",),
        "decision_engine.promise.success": ("promise",),
        "decision_engine.promise.assurance": ("confidence", "assurance"),
        "decision_engine.rollout": ("rollout",),
        **{
            f"decision_engine.stages.{stage}.{name}": (f"{stage}_{name}",)
            for stage in ("canary", "staging", "production")
            for name in ("margin", "minimum", "maximum")
        },
        "decision_engine.answer_within_seconds": ("answer_within_seconds",),
        "decision_engine.escalation_rules.immediate": ("escalate_immediate",),
        "decision_engine.escalation_rules.high_priority": ("escalate_high_priority",),
        "agents.developer.count": ("developers",),
        "agents.deployer.max_complexity": ("max_complexity",),
        "learning.memory_decay_rate": ("memory_decay_rate",),
    }
)
"""The parameter of an experiment that a key sets: the one of these names that the experiment has, if any."""

_PROMISE = ("decision_engine.promise.success", "decision_engine.promise.assurance")
"""Of no meaning where no arm has the policy that promises anything."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What a configuration does to a run.

    Parameters
    ----------
    file
        Name of the file, without its folder.
    read
        Which file was read, for people.
    parameters
        Parameters that it sets: those its user's file or a variable gives, and not the lab's own file alone, for which
        an experiment has its own.
    keys
        The same by key, as plain values. None of these keys holds a secret.
    """

    file: str
    read: str
    parameters: Mapping[str, object] = field(hash=False)
    keys: Mapping[str, object] = field(hash=False)

    @property
    def words(self) -> str:
        """For people, in one line."""
        names = ", ".join(self.keys)
        return f"{self.read}; {f'it sets {names}' if names else 'no key of it sets anything here'}"

    def as_json(self) -> dict[str, object]:
        """What a run's provenance holds: no secret, and no place of this machine."""
        return {"file": self.file, "keys": dict(self.keys)}


def configured(
    configuration: Configuration, experiment: str | Path, overrides: Mapping[str, object] | None = None
) -> Configured:
    """What a configuration sets of an experiment.

    Parameters
    ----------
    configuration
        Checked.
    experiment
        A name or a YAML file.
    overrides
        Parameters that the command line sets, which go before.

    Raises
    ------
    LabError
        If there is no such experiment.

    Examples
    --------
    >>> from autodev_lab.config import load_config
    >>> configured(load_config(environment={}), "learning").parameters
    {}
    """
    known, before = parameter_names(experiment, overrides), overrides or {}
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    for key, candidates in PARAMETERS.items():
        name = next((one for one in candidates if one in known), None)
        value = _plain(configuration.value(key))
        if name is not None and name not in before and value is not None and configuration.given(key):
            values[key], names[key] = value, name
    if "policy" in known:  # an experiment with a team
        found = load_experiment(experiment)
        asked = {**{names[key]: values[key] for key in values}, **before}
        usual = asked.get("policy", found.parameters.get("policy"))
        if not any((arm.policy or usual) == CERTIFIED for arm in found.arms.values()):
            values = {key: value for key, value in values.items() if key not in _PROMISE}
        if any(arm.rollout != "fixed" for arm in found.arms.values()):
            values.pop("decision_engine.rollout", None)
        judged = asked.get("rollout", found.parameters.get("rollout"))
        if not any(rollout in JUDGED for rollout in (judged, *(arm.rollout for arm in found.arms.values()))):
            values = {key: value for key, value in values.items() if names[key] not in STAGES}
    return Configured(
        configuration.path.name, configuration.words, {names[key]: value for key, value in values.items()}, values
    )


def governed_team(configuration: Configuration) -> GovernedTeam:
    """What a configuration says of a team that is no arm of an experiment, the lab's own file included.

    Examples
    --------
    >>> from autodev_lab.config import load_config
    >>> team = governed_team(load_config(environment={}))
    >>> team.policy, team.answer_within_seconds, team.escalate_immediate
    ('published', 86400.0, ('security_vulnerability_detected', 'production_outage'))
    """
    values = {
        name: _plain(configuration.value(key))
        for key, names in PARAMETERS.items()
        for name in names
        if name in GovernedTeam.model_fields
    }
    return GovernedTeam.model_validate({name: value for name, value in values.items() if value is not None})


def _plain(value: object) -> object:
    """As JSON has it; rules as texts."""
    return [str(one) for one in value] if isinstance(value, tuple) else value
