"""Studies as data: a YAML file with a question, arms and profiles, resolved into a plan with one cell an arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.resolving import Names, chosen_arms, explain, once_each, resolve

__all__ = [
    "StudyArm",
    "StudyCell",
    "StudyExperiment",
    "StudyParameters",
    "StudyPlan",
    "make_study_plan",
    "parse_study",
    "read_study_plan",
]


class StudyParameters(BaseModel):
    """What `-p key=value` may change in every study; each study adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    packages: Names = Field((), description="packages to measure on, comma-separated")
    arms: Names = Field((), description="arms to run, comma-separated; empty runs all")


class StudyArm(BaseModel):
    """One configuration to compare; its options are the study's to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)


class StudyExperiment(BaseModel):
    """A question, the study that answers it, its arms, endpoints and profiles, as the YAML file says them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    study: str
    question: str
    description: str = ""
    notebook: str = ""
    arms: dict[str, StudyArm] = Field(min_length=1)
    endpoints: tuple[str, ...] = Field(min_length=1)
    contrasts: tuple[tuple[str, str], ...] = ()
    parameters: dict[str, object] = Field(default_factory=dict)
    profiles: dict[str, dict[str, object]] = Field(min_length=1)

    @model_validator(mode="after")
    def _contrasts_are_of_arms(self) -> StudyExperiment:
        for arm in sorted({arm for pair in self.contrasts for arm in pair} - set(self.arms)):
            raise ValueError(f"a contrast names arm {arm!r}, which the experiment has not")
        return self


@dataclass(frozen=True, slots=True)
class StudyCell:
    """All that is measured of one arm."""

    arm: str

    @property
    def name(self) -> str:
        """The arm's."""
        return self.arm


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study with its profile, overrides and seed resolved: all that decides what comes out."""

    experiment: StudyExperiment
    profile: str
    parameters: StudyParameters
    seed: int

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.experiment.name

    @property
    def notebook(self) -> str:
        """The experiment's notebook; empty when it has none."""
        return self.experiment.notebook

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that run, in the experiment's order."""
        return self.parameters.arms

    def cells(self) -> tuple[StudyCell, ...]:
        """One an arm."""
        return tuple(StudyCell(arm) for arm in self.arms)

    def as_json(self) -> dict[str, object]:
        """The plan as plain data; `read_study_plan` reads it back."""
        return {
            "experiment": self.experiment.model_dump(mode="json"),
            "profile": self.profile,
            "parameters": self.parameters.model_dump(mode="json"),
            "seed": self.seed,
            "configuration_hash": self.configuration_hash,
        }

    @property
    def configuration_hash(self) -> str:
        """SHA-256 (16 hexadecimal digits) of everything that decides the outcomes, and of nothing else."""
        content = {
            "experiment": self.experiment.name,
            "study": self.experiment.study,
            "arms": {
                arm: self.experiment.arms[arm].model_dump(mode="json", exclude={"description"}) for arm in self.arms
            },
            "endpoints": list(self.experiment.endpoints),
            "parameters": self.parameters.model_dump(mode="json", exclude={"arms"}),
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def parse_study(name: str | Path, data: Mapping[str, object]) -> StudyExperiment:
    """Validate the YAML of a study.

    Parameters
    ----------
    name
        Where it comes from, for messages.

    Raises
    ------
    LabError
        If it is not a valid one.
    """
    try:
        return StudyExperiment.model_validate(data)
    except ValidationError as error:
        raise LabError(f"{name} is not a study: {explain(error)}; correct the file") from error


def make_study_plan(
    experiment: StudyExperiment, *, profile: str, seed: int = 0, overrides: Mapping[str, object] | None = None
) -> StudyPlan:
    """Resolve defaults, profile and overrides, in this order, and check the result.

    Parameters
    ----------
    overrides
        Values as text (from a command line) or typed (from Python).

    Raises
    ------
    LabError
        If the study, the profile, a key, a value or an arm is not known, naming what is allowed, or if an arm that is
        asked for lacks what it needs.
    """
    from autodev_lab.experiments.studies.catalogue import study_named

    study = study_named(experiment.study)
    parameters = resolve(study.parameters, experiment, profile=profile, seed=seed, overrides=overrides)
    # the order in which a user happens to name things must not change the run
    asked = chosen_arms(experiment, parameters.arms)
    lacking = {arm: what for arm, one in experiment.arms.items() if (what := study.lacks(one.options))}
    for arm in asked:
        if arm in lacking:
            raise LabError(f"arm {arm} cannot run: {lacking[arm]}, or leave the arm out")
    arms = asked or tuple(arm for arm in experiment.arms if arm not in lacking)
    tidy = {"arms": arms, "packages": once_each(parameters.packages)}
    plan = StudyPlan(experiment, profile, parameters.model_copy(update=tidy), seed)
    for arm in plan.arms:
        study.check_arm(arm, experiment.arms[arm].options)
    return plan


def read_study_plan(directory: RunDirectory) -> StudyPlan:
    """The plan of a study's `spec.json`.

    Raises
    ------
    LabError
        If the file is damaged.
    """
    from autodev_lab.experiments.studies.catalogue import study_named

    try:
        data = json.loads(directory.spec.read_text(encoding="utf-8"))
        experiment = StudyExperiment.model_validate(data["experiment"])
        parameters = study_named(experiment.study).parameters.model_validate(data["parameters"])
        return StudyPlan(experiment, str(data["profile"]), parameters, int(str(data["seed"])))
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"{directory.spec} is damaged; start the run anew") from error
