"""Experiments as data: a YAML file, validated, with its profile and overrides, expanded into cells.

A *cell* is one (arm, twin, replicate): the unit of running, resuming and parallelism. Every arm of a replicate sees
the same tasks in the same order; only the agents' seed differs, and it comes from (arm, replicate, twin).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from autodev_lab.decisions import CERTIFIED, PRODUCTION_POWER, plugin_hashes
from autodev_lab.errors import LabError
from autodev_lab.experiments.governance import NEUTRAL, GovernedParameters, RolloutName
from autodev_lab.experiments.resolving import Names, chosen_arms, explain, file_of, once_each, read_experiment, resolve
from autodev_lab.files import stable_seed
from autodev_lab.platform import TeamSpec

__all__ = [
    "Arm",
    "Cell",
    "Experiment",
    "Parameters",
    "Plan",
    "load_experiment",
    "make_plan",
]

_NEUTRAL: Mapping[str, object] = {"recall": "noted", "rollout": "fixed"}
"""Options that came after arms had been registered, and the value that leaves an arm as it was: it is not written
down, so that an arm which does without the option has the hash that it was registered with."""

_NEUTRAL_PROMISE: Mapping[str, object] = {"promise": 0.95, "confidence": 0.95}
_NEUTRAL_PARAMETERS: Mapping[str, object] = {**_NEUTRAL_PROMISE, **NEUTRAL, "traffic_noise": 0.0}
"""The same for parameters."""

TWIN_SUFFIX = "_twin"
"""Appended to an arm's name where a twin needs a name of its own."""


class Parameters(GovernedParameters):
    """Everything that `-p key=value` may change; profiles are partial sets of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: Literal["repository", "simulated"] = Field("repository", description="the world the team works in")
    packages: Names = Field((), description="packages, comma-separated; empty takes every package of the task file")
    tasks: str = Field("", description="task file (JSON lines) to use instead of building tasks")
    tasks_per_package: int = Field(20, ge=1, le=100_000, description="tasks a package in each replicate's stream")
    pool_per_package: int = Field(0, ge=0, le=100_000, description="tasks built a package; 0 builds just enough")
    lesson_packages: Names = Field(
        (), description="packages that frozen arms learn from beforehand and nobody is tried on"
    )
    lessons_per_package: int = Field(20, ge=1, le=100_000, description="tasks a package in the lessons")
    shift: Literal["", "packages", "operators", "mix", "history"] = Field(
        "",
        description="how lessons differ from the stream: other packages, unseen operators, another mix of them, or "
        "injected faults for historical ones",
    )
    replicates: int = Field(1, ge=1, le=10_000, description="streams, each with its own sample and order of tasks")
    budget: int = Field(10, ge=1, le=100_000, description="candidates a task may use (K)")
    developers: int = Field(4, ge=1, le=256, description="developers in the arms that are teams")
    arms: Names = Field((), description="arms to run, comma-separated; empty runs all")
    twins: bool = Field(True, description="also run every arm with other agent seeds, to measure noise")
    arrival_seconds: float = Field(0.0, ge=0, allow_inf_nan=False, description="virtual seconds between two tasks")
    policy: str = Field("published", description="the gate of arms that name none; also module:Class")
    risk: str = Field("", description="risk model: published, learned or module:Class; empty goes with the policy")
    calibrator: str = Field("", description="calibrator: binned, platt, isotonic, beta, venn_abers or module:Class")
    promise: float = Field(
        0.95, gt=0, lt=1, description="share right of what the policy certified deploys, as it promises"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence of that promise")
    human_accuracy: float = Field(0.9, ge=0, le=1, description="share of escalations the Human twin answers rightly")
    human_latency_seconds: float = Field(
        1800.0, ge=0, allow_inf_nan=False, description="virtual seconds until the Human twin answers"
    )
    production_power: float = Field(
        PRODUCTION_POWER, ge=0, le=1, description="share of wrong changes that production shows, as the gate assumes"
    )
    human_minutes: float = Field(15.0, ge=0, allow_inf_nan=False, description="person-minutes an answer costs")
    traffic_noise: float = Field(
        0.0, ge=0, lt=1, description="share of requests that fail whatever the change does, in arms judged on traffic"
    )

    @model_serializer(mode="wrap")
    def _without_what_is_neutral(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return _without(_NEUTRAL_PARAMETERS, handler(self))

    @model_validator(mode="after")
    def _pool_holds_the_sample(self) -> Parameters:
        if 0 < self.pool_per_package < self.tasks_per_package:
            raise ValueError(
                f"pool_per_package is {self.pool_per_package}, less than tasks_per_package {self.tasks_per_package}"
            )
        return self

    @model_validator(mode="after")
    def _lessons_are_apart(self) -> Parameters:
        both = sorted({*self.packages} & {*self.lesson_packages})
        if both:
            raise ValueError(f"{', '.join(both)} cannot be both learned from and tried on; take it from one list")
        if self.shift == "history":
            if not self.tasks:
                raise ValueError("shift 'history' tries tasks of a file; name one with -p tasks=...")
            if not self.lesson_packages:
                raise ValueError(
                    "shift 'history' learns from injected faults; name packages with -p lesson_packages=..."
                )
        elif self.shift and self.lesson_packages:
            raise ValueError(f"shift {self.shift!r} takes its lessons from the same packages; name no lesson_packages")
        return self

    def pool(self, package: str) -> int:
        """Tasks built of a package."""
        if package in self.lesson_packages:
            return self.lessons_per_package
        return self.pool_per_package or self.tasks_per_package


class Arm(BaseModel):
    """One configuration to compare. `developers` is a number, or ``team`` for the parameter of that name.

    `patterns` is ``learning``, or ``frozen``: lessons first, and nothing learned on the stream itself.

    `recall` is ``noted``, or ``used``: agents act on what they find in memory for a task.

    An arm that names a `policy` has the risk model and calibrator that go with it unless it names them as well; an arm
    that names no policy has the gate of the parameters but for what it names.

    `rollout` is ``fixed``, or a name that `autodev_lab.decisions.make_rollout` takes: stages are judged on traffic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    developers: int | Literal["team"] = 1
    memory: Literal["shared", "isolated", "none"] = "shared"
    order: Literal["learned", "uniform", "static", "placebo", "oracle"] = "learned"
    patterns: Literal["learning", "frozen"] = "learning"
    recall: Literal["noted", "used"] = "noted"
    policy: str = ""
    risk: str = ""
    calibrator: str = ""
    rollout: RolloutName = "fixed"

    @model_serializer(mode="wrap")
    def _without_what_is_neutral(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return _without(_NEUTRAL, handler(self))

    def team(self, parameters: Parameters) -> TeamSpec:
        """The team this arm stands for under the parameters."""
        inherits = not self.policy
        return TeamSpec(
            developers=parameters.developers if self.developers == "team" else self.developers,
            memory=self.memory,
            order=self.order,
            patterns=self.patterns,
            recall=self.recall,
            policy=self.policy or parameters.policy,
            risk=self.risk or (parameters.risk if inherits else ""),
            calibrator=self.calibrator or (parameters.calibrator if inherits else ""),
            promise=parameters.promise,
            confidence=parameters.confidence,
            rollout=parameters.rollout_of(self.rollout),
            traffic_noise=parameters.traffic_noise,
            budget=parameters.budget,
            human_accuracy=parameters.human_accuracy,
            human_latency_seconds=parameters.human_latency_seconds,
            human_minutes=parameters.human_minutes,
            production_power=parameters.production_power,
        )


def _without(neutral: Mapping[str, object], data: dict[str, object]) -> dict[str, object]:
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return {name: value for name, value in data.items() if name not in neutral or plain[name] != neutral[name]}


class Experiment(BaseModel):
    """A question, its arms, its endpoints and its profiles, as the YAML file says them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    question: str
    description: str = ""
    notebook: str = ""
    arms: dict[str, Arm] = Field(min_length=1)
    endpoints: tuple[str, ...] = Field(min_length=1)
    contrasts: tuple[tuple[str, str], ...] = ()
    """Arms to compare beside the registered claims, treatment first; in the first endpoint."""
    gates: bool = False
    """Whether the arms differ in their gates, which are then summed up one by one."""
    parameters: dict[str, object] = Field(default_factory=dict)
    profiles: dict[str, dict[str, object]] = Field(min_length=1)

    @model_validator(mode="after")
    def _contrasts_are_of_arms(self) -> Experiment:
        for arm in sorted({arm for pair in self.contrasts for arm in pair} - set(self.arms)):
            raise ValueError(f"a contrast names arm {arm!r}, which the experiment has not")
        return self


@dataclass(frozen=True, slots=True)
class Cell:
    """One (arm, twin, replicate) run."""

    arm: str
    twin: bool
    replicate: int

    @property
    def name(self) -> str:
        """Unique within a plan and safe as a file name.

        Examples
        --------
        >>> Cell("team_shared", True, 2).name
        'team_shared_twin-r002'
        """
        return f"{self.arm}{TWIN_SUFFIX if self.twin else ''}-r{self.replicate:03d}"


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment with its profile, overrides and seed resolved: all that decides what comes out."""

    experiment: Experiment
    profile: str
    parameters: Parameters
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
        return self.parameters.arms or tuple(self.experiment.arms)

    def cells(self) -> tuple[Cell, ...]:
        """Cells in canonical order: arm, first run before twin, replicate."""
        return tuple(
            Cell(arm, twin, replicate)
            for arm in self.arms
            for twin in ((False, True) if self.parameters.twins else (False,))
            for replicate in range(self.parameters.replicates)
        )

    def schedule(self) -> tuple[Cell, ...]:
        """The same cells replicate by replicate, so that an interrupted run has compared every arm alike."""
        return tuple(sorted(self.cells(), key=lambda cell: (cell.replicate, cell.twin, self.arms.index(cell.arm))))

    @property
    def lesson_packages(self) -> tuple[str, ...]:
        """Packages that are learned from: none where no arm takes lessons."""
        taught = any(self.experiment.arms[arm].patterns == "frozen" for arm in self.arms)
        return self.parameters.lesson_packages if taught else ()

    def team(self, arm: str) -> TeamSpec:
        """The team of an arm."""
        return self.experiment.arms[arm].team(self.parameters)

    def plugins(self, arm: str) -> dict[str, str]:
        """Hashes of the user's own code that an arm's gate runs, by its name in the plan."""
        team = self.team(arm)
        return plugin_hashes((team.policy, team.risk, team.calibrator))

    def agent_seed(self, cell: Cell) -> int:
        """Seed of a cell's agents."""
        return stable_seed("agents", self.seed, cell.arm, cell.replicate, "twin" if cell.twin else "first")

    def stream_seed(self, replicate: int) -> int:
        """Seed of a replicate's sample and order of tasks; the same for every arm."""
        return stable_seed("stream", self.seed, replicate)

    def task_seed(self, package: str) -> int:
        """Seed of a package's tasks."""
        return stable_seed("tasks", self.seed, package)

    def as_json(self) -> dict[str, object]:
        """The plan as plain data; `Plan.from_json` reads it back."""
        return {
            "experiment": self.experiment.model_dump(mode="json"),
            "profile": self.profile,
            "parameters": self.parameters.model_dump(mode="json"),
            "seed": self.seed,
            "configuration_hash": self.configuration_hash,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Plan:
        """Read a plan back from `as_json`."""
        return cls(
            Experiment.model_validate(data["experiment"]),
            str(data["profile"]),
            Parameters.model_validate(data["parameters"]),
            int(str(data["seed"])),
        )

    @property
    def configuration_hash(self) -> str:
        """SHA-256 (16 hexadecimal digits) of everything that decides the outcomes, and of nothing else.

        Descriptions and the profile's name are left out; the seed is in, so that a seed cannot be shopped for.
        """
        content = {
            "experiment": self.experiment.name,
            "arms": {
                arm: self.experiment.arms[arm].model_dump(mode="json", exclude={"description"}) for arm in self.arms
            },
            "endpoints": list(self.experiment.endpoints),
            "parameters": self.parameters.model_dump(mode="json", exclude={"arms"}),
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def load_experiment(name: str | Path) -> Experiment:
    """Read and validate an experiment by its name, or from a YAML file of the user's.

    Raises
    ------
    LabError
        If there is no such experiment, or the file is not a valid one.

    Examples
    --------
    >>> load_experiment("learning").name
    'learning'
    """
    data = read_experiment(name)
    if "study" in data:
        raise LabError(f"{name} is a study, without a team; name an experiment that has one, for example learning")
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise LabError(f"{file_of(name)} is not an experiment: {explain(error)}; correct the file") from error


def make_plan(
    experiment: Experiment, *, profile: str, seed: int = 0, overrides: Mapping[str, object] | None = None
) -> Plan:
    """Resolve defaults, profile and overrides, in this order, and check the result.

    Parameters
    ----------
    overrides
        Values as text (from a command line) or typed (from Python).

    Raises
    ------
    LabError
        If the profile, a key, a value or an arm is not known, naming what is allowed.

    Examples
    --------
    >>> plan = make_plan(load_experiment("learning"), profile="smoke", overrides={"budget": "7"})
    >>> plan.parameters.budget
    7
    """
    parameters = resolve(Parameters, experiment, profile=profile, seed=seed, overrides=overrides)
    # the order in which a user happens to name things must not change the run
    tidy = {
        "arms": chosen_arms(experiment, parameters.arms),
        "packages": once_each(parameters.packages),
        "lesson_packages": once_each(parameters.lesson_packages),
    }
    plan = Plan(experiment, profile, parameters.model_copy(update=tidy), seed)
    asked = [name for name, usual in _NEUTRAL_PROMISE.items() if getattr(parameters, name) != usual]
    if asked and not any(plan.team(arm).policy == CERTIFIED for arm in plan.arms):
        raise LabError(
            f"{asked[0]} is {getattr(parameters, asked[0]):g}, and no arm that runs has the policy {CERTIFIED}, which "
            "alone promises anything; give an arm that policy, or leave the promise as it is"
        )
    parameters.check_rollouts({arm: experiment.arms[arm].rollout for arm in plan.arms})
    for arm in plan.arms:
        if plan.team(arm).patterns == "frozen" and not (parameters.lesson_packages or parameters.shift):
            raise LabError(
                f"arm {arm} learns beforehand and has nothing to learn from; name packages with -p lesson_packages=... "
                "or choose other arms with -p arms=..."
            )
    return plan
