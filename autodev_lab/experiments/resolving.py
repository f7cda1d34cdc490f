"""From an experiment's name, profile and overrides to its parameters: what every kind of experiment has in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ValidationError

from autodev_lab.errors import LabError
from autodev_lab.resources import resource

__all__ = [
    "Names",
    "available_experiments",
    "chosen_arms",
    "explain",
    "file_of",
    "once_each",
    "parse_overrides",
    "read_experiment",
    "resolve",
]


def _listed(value: object) -> object:
    """Commas separate the values of a list on the command line."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


Model = TypeVar("Model", bound=BaseModel)


class AnyExperiment(Protocol):
    """An experiment of any kind, as far as its parameters go."""

    @property
    def name(self) -> str: ...
    @property
    def arms(self) -> Mapping[str, object]: ...
    @property
    def parameters(self) -> Mapping[str, object]: ...
    @property
    def profiles(self) -> Mapping[str, Mapping[str, object]]: ...


def available_experiments() -> tuple[str, ...]:
    """Names of the experiments that ship with the lab."""
    return tuple(sorted(path.stem for path in resource("experiments").glob("*.yaml") if path.stem != "claims"))


def read_experiment(name: str | Path) -> Mapping[str, object]:
    """The YAML of an experiment by its name, or of a file of the user's; not validated.

    Raises
    ------
    LabError
        If there is no such experiment, or the file does not hold a mapping.
    """
    path = file_of(name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"{path} is not readable YAML ({str(error).splitlines()[0]}); correct the file") from error
    if not isinstance(data, dict):
        raise LabError(f"{path} is not an experiment: it holds no mapping; correct the file")
    return data


def file_of(name: str | Path) -> Path:
    """The YAML file of an experiment by its name, or the user's own.

    Raises
    ------
    LabError
        If there is none.
    """
    text = str(name)
    if text.endswith((".yaml", ".yml")):
        path = Path(text).expanduser()
        if not path.is_file():
            raise LabError(f"{path} does not exist; name a file or one of {_joined(available_experiments())}")
        return path
    if text in available_experiments():
        return resource(f"experiments/{text}.yaml")
    raise LabError(f"no experiment is called {text!r}; choose one of {_joined(available_experiments())}")


def parse_overrides(pairs: Iterable[str]) -> dict[str, str]:
    """Split ``key=value`` texts; later ones win.

    Raises
    ------
    LabError
        If a text has no ``=``.

    Examples
    --------
    >>> parse_overrides(["packages=funcy,schema", "budget=10"])
    {'packages': 'funcy,schema', 'budget': '10'}
    """
    overrides: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not separator or not key:
            raise LabError(f"-p takes key=value, not {pair!r}; for example -p budget=10")
        overrides[key] = value.strip()
    return overrides


def resolve(
    model: type[Model],
    experiment: AnyExperiment,
    *,
    profile: str,
    seed: int = 0,
    overrides: Mapping[str, object] | None = None,
) -> Model:
    """Defaults, profile and overrides, in this order, as validated parameters.

    Parameters
    ----------
    model
        Of the parameters.
    overrides
        Values as text (from a command line) or typed (from Python).

    Raises
    ------
    LabError
        If the profile, the seed, a key or a value is not allowed, naming what is.
    """
    if profile not in experiment.profiles:
        raise LabError(f"{experiment.name} has no profile {profile!r}; choose one of {_joined(experiment.profiles)}")
    if not 0 <= seed < 2**63:
        raise LabError(f"seed is {seed}; it must be a whole number from 0 to 2**63 - 1")
    for key in overrides or {}:
        if key not in model.model_fields:
            raise LabError(f"{key!r} is not a parameter; choose among {_joined(sorted(model.model_fields))}")
    try:
        return model.model_validate({**experiment.parameters, **experiment.profiles[profile], **(overrides or {})})
    except ValidationError as error:
        raise LabError(f"{explain(error)}; correct it with -p key=value") from error


def chosen_arms(experiment: AnyExperiment, wanted: Iterable[str]) -> tuple[str, ...]:
    """The arms that a user asked for, in the experiment's order.

    Raises
    ------
    LabError
        If the experiment has no such arm, or one is named twice.
    """
    for arm in wanted:
        if arm not in experiment.arms:
            raise LabError(f"{experiment.name} has no arm {arm!r}; choose among {_joined(experiment.arms)}")
    known = once_each(wanted)
    return tuple(arm for arm in experiment.arms if arm in known)


def once_each(names: Iterable[str]) -> tuple[str, ...]:
    """Names in alphabetical order.

    Raises
    ------
    LabError
        If one is named twice.
    """
    ordered = tuple(sorted(names))
    if len(set(ordered)) < len(ordered):
        raise LabError("an arm or a package is named twice; name each once")
    return ordered


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def explain(error: ValidationError) -> str:
    """First problem of a validation, in one line that repeats the value."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given: object = problem["input"]
    if where and isinstance(given, str | int | float):
        where = f"{where} is {given!r}"
    return f"{where}: {message}" if where else message
