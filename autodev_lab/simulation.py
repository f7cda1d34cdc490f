"""What the simulated stream and the simulated environment share: parameters, truth, and chance from stable hashes.

It lies below both because rooms of one level do not import one another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml

from autodev_lab.errors import LabError
from autodev_lab.records import Truth

__all__ = ["SimulatedTruth", "SimulationParameters", "chance", "load_parameters"]

_DEFAULT = Path(__file__).with_name("simulation.yaml")
_SCALE = 2.0**-64


def chance(key: str) -> float:
    """A number in [0, 1) that depends on `key` alone and is uniform over keys.

    Some hundred of these are drawn for a task; making a numpy Generator for each would cost ten times as much.

    Examples
    --------
    >>> chance("a") == chance("a"), chance("a") == chance("b")
    (True, False)
    """
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") * _SCALE


@dataclass(frozen=True, slots=True)
class SimulatedTruth(Truth):
    """What only the simulated environment knows of a task.

    Parameters
    ----------
    task_id
        The task.
    key
        Distinguishes tasks of equal id in streams of different seeds; every draw for the task starts from it.
    family
        Kind of bug, from 0.
    difficulty
        In [0, 1]; about uniform over tasks, 0 for the easiest.
    plausible
        For every template that applies: the probability that one of its candidates passes the visible tests.
    different
        Probability that a plausible candidate is not the original code.
    reveal
        Probability that one production check shows a defect, if there is one.
    """

    key: str
    family: int
    difficulty: float
    plausible: tuple[tuple[str, float], ...]
    different: float
    reveal: float


@dataclass(frozen=True, slots=True)
class SimulationParameters:
    """The simulated world's parameters; ``simulation.yaml`` gives each one's unit and source.

    Change some with `dataclasses.replace`.

    Raises
    ------
    LabError
        If a probability is outside [0, 1], or a count or duration is not positive.
    """

    families: int
    patterns: int
    applicability: float
    sites: int
    ease_shape: float
    ease_scale: float
    pattern_spread: float
    family_spread: float
    package_spread: float
    drift: float
    different: float
    defect_given_different: float
    review_power: float
    review_false_alarm: float
    exposure_tests: int
    exposure_power: float
    coverage: float
    visible_tests: int
    modules: int
    interarrival_seconds: float
    workspace_seconds: float
    diagnose_seconds: float
    candidate_seconds: float
    test_seconds: float
    inspect_seconds: float
    expose_seconds: float

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise LabError(f"simulation parameter {name} is {value}; it is a probability, choose one from 0 to 1")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise LabError(f"simulation parameter {name} is {value}; it must be more than 0")
        for field in fields(self):
            value = getattr(self, field.name)
            if not value >= 0:
                raise LabError(f"simulation parameter {field.name} is {value}; it must be 0 or more")

    def pattern_names(self) -> tuple[str, ...]:
        """Names of all templates, in catalogue order."""
        return tuple(f"template-{number:02d}" for number in range(1, self.patterns + 1))


_PROBABILITIES = (
    "applicability",
    "drift",
    "different",
    "defect_given_different",
    "review_power",
    "review_false_alarm",
    "exposure_power",
    "coverage",
)
_POSITIVE = ("families", "patterns", "sites", "ease_shape", "ease_scale", "exposure_tests", "visible_tests", "modules")


def load_parameters(path: Path | None = None) -> SimulationParameters:
    """Read parameters from a YAML file: a mapping of name to ``{value, unit, source}``.

    Parameters
    ----------
    path
        The file; None for the one that ships with the lab.

    Raises
    ------
    LabError
        If the file cannot be read, a parameter is missing or unknown, or one lacks its value, unit or source.

    Examples
    --------
    >>> load_parameters().patterns
    35
    """
    file = _DEFAULT if path is None else path
    try:
        document: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LabError(f"cannot read simulation parameters from {file}: {error}; name a readable YAML file") from error
    if not isinstance(document, dict):
        raise LabError(f"{file} holds no mapping; give every simulation parameter as name: {{value, unit, source}}")
    kinds = {field.name: int if field.type == "int" else float for field in fields(SimulationParameters)}
    wrong = [*(f"{name} is missing" for name in kinds if name not in document)]
    wrong += [f"{name} is unknown" for name in document if name not in kinds]
    values: dict[str, Any] = {}
    for name, entry in document.items():
        if not isinstance(entry, dict) or set(entry) != {"value", "unit", "source"}:
            wrong.append(f"{name} needs exactly value, unit and source")
        elif type(entry["value"]) not in (int, kinds.get(name, int)):
            wrong.append(f"the value of {name} must be {'whole' if kinds.get(name) is int else 'a number'}")
        else:
            values[name] = kinds.get(name, float)(entry["value"])
    if wrong:
        raise LabError(f"simulation parameters in {file}: {'; '.join(map(str, wrong))}")
    return SimulationParameters(**values)
