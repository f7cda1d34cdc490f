"""From a file, the file that ships with the lab, and the environment to settings, or to everything that is wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import get_args

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from autodev_lab.config.configuration import SERVICES, Configuration, Origin
from autodev_lab.config.document import Key, key_text
from autodev_lab.config.layers import Layer, read_layer, variables_layer
from autodev_lab.config.problems import ConfigError, Place, Problem, did_you_mean
from autodev_lab.config.schema import Settings, keys_of, section_at
from autodev_lab.config.wording import (
    allowed_at,
    field_at,
    given,
    is_optional,
    is_secret,
    meant_by,
    reads_of,
    variable_of,
)
from autodev_lab.errors import LabError
from autodev_lab.resources import resource

__all__ = ["VARIABLE", "check_config", "find_config", "load_config"]

VARIABLE = "AUTODEV_CONFIG"
"""Names the configuration where no file is given."""

HERE = "platform_config.yaml"
"""The configuration of a folder, where none is named."""

_SHIPPED = "config/platform_config.yaml"

_ORDERED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("decision_engine", "risk_threshold_high"), ("decision_engine", "risk_threshold_critical")),
    *(
        (("decision_engine", "stages", stage, "minimum"), ("decision_engine", "stages", stage, "maximum"))
        for stage in ("canary", "staging", "production")
    ),
)
"""Pairs of numbers, the first of which may not be above the second."""


def find_config(explicit: Path | str | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The configuration to use.

    It is the one given, else that of ``AUTODEV_CONFIG``, else ``platform_config.yaml`` in the working directory, else
    the one that ships with the lab.

    Raises
    ------
    LabError
        If the file does not exist.
    """
    return _found(explicit, os.environ if environment is None else environment)[0]


def _found(explicit: Path | str | None, variables: Mapping[str, str]) -> tuple[Path, str]:
    """The configuration to use, and how it was found in words."""
    chosen = explicit if explicit is not None else variables.get(VARIABLE) or None
    if chosen is None:
        if Path(HERE).is_file():
            return Path(HERE).absolute(), "in this folder"
        return resource(_SHIPPED), f"the lab's own (no --config, {VARIABLE} or {HERE})"
    path = Path(chosen).expanduser()
    said = "" if explicit is not None else f"{VARIABLE} says {path}, and "
    if path.is_dir():
        raise LabError(f"{said}{path} is a folder; name a file")
    if not path.exists():
        raise LabError(
            f"{said}{path} does not exist; name a file, or none for the configuration that ships with the lab"
        )
    # a pipe has no other path
    return path.absolute(), "as given" if explicit is not None else f"as {VARIABLE} says"


def load_config(
    path: Path | str | None = None, *, environment: Mapping[str, str] | None = None, command: str = ""
) -> Configuration:
    """Read and check a configuration.

    Parameters
    ----------
    path
        The file; see `find_config`. What it leaves out is as in the file that ships with the lab.
    environment
        Variables; this process's unless given.
    command
        A command: variables that go before files are looked at for the keys alone that it reads, for a wrong one is
        none of the others' business. All are, unless given.

    Raises
    ------
    ConfigError
        If something is wrong, with all that is.
    LabError
        If the file does not exist.

    Examples
    --------
    >>> load_config(environment={}).settings.decision_engine.auto_deploy_threshold
    0.8
    """
    configuration, problems = check_config(path, environment=environment, command=command)
    if configuration is None:
        raise ConfigError(problems)
    return configuration


def check_config(
    path: Path | str | None = None, *, environment: Mapping[str, str] | None = None, command: str = ""
) -> tuple[Configuration | None, tuple[Problem, ...]]:
    """A configuration, or everything that is wrong with it.

    Parameters
    ----------
    path, environment, command
        As for `load_config`.

    Raises
    ------
    LabError
        If the file does not exist.
    """
    variables = dict(os.environ if environment is None else environment)
    chosen, how = _found(path, variables)
    own = resource(_SHIPPED)
    default, problems = read_layer(own, "default", variables)
    layers = [default]
    if chosen.resolve() != own.resolve():
        layer, found = read_layer(chosen, "file", variables)
        layers.append(layer)
        problems = (*problems, *found)
        if found and not layer.data:
            return None, problems  # nothing else can be said of a file that is none
    before_files = {
        key: variable
        for key, field in keys_of()
        if (variable := variable_of(field)) and (not command or command in reads_of(field))
    }
    layers.append(variables_layer(before_files, variables))
    return _Resolver(chosen, layers, how).resolve(problems)


class _Resolver:
    """Lays the files over one another and checks what comes out."""

    def __init__(self, path: Path, layers: list[Layer], how: str) -> None:
        self._path = path
        self._how = how
        self._layers = layers
        self._data: object = {}
        for layer in layers:
            self._data = _laid_over(self._data, layer.data)

    def resolve(self, problems: tuple[Problem, ...]) -> tuple[Configuration | None, tuple[Problem, ...]]:
        wrong = list(problems)
        told = {(one.key, one.file) for one in problems if one.key}
        services = tuple(SERVICES.values())
        missing: dict[str, tuple[str, ...]] = {}
        for key, variables in self._missing():
            field = field_at(key)
            if field is not None and any(key[: len(one)] == one for one in services) and _may_lack(key):
                missing[key_text(key)] = variables
            elif field is not None:
                lack = "which is not set; export it" if len(variables) == 1 else "which are not set; export them"
                message = f"needs {' and '.join(variables)}, {lack}, or write ${{{variables[0]}:-value}}"
                found = Problem(self._file_of(key), key_text(key), message, self._place(key))
                wrong.append(found)
                told.add((found.key, found.file))
        settings: Settings | None = None
        try:
            settings = Settings.model_validate(self._data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                found = self._explained(detail)
                if (found.key, found.file) not in told:
                    wrong.append(found)
        wrong += self._contradictions()
        if wrong or settings is None:
            return None, tuple(sorted(wrong, key=lambda one: (one.place is None, one.place or Place(0, 0))))
        origins = {key_text(key): self._origin(key) for key, _ in keys_of()}
        for key, field in keys_of():
            lacks = _may_lack(key) and not is_optional(field) and _value_at(settings, key) is None
            if lacks and key_text(key) not in missing:
                missing[key_text(key)] = ()
        notes = tuple(self._notes(settings, origins))
        shipped = not any(layer.kind == "file" for layer in self._layers)
        return Configuration(self._path, settings, origins, missing, notes, self._how, shipped), ()

    def _explained(self, detail: ErrorDetails) -> Problem:
        """One problem that pydantic found, in the lab's words."""
        key: Key = detail["loc"]
        place, context = self._place(key), detail.get("ctx", {})
        file, name = self._file_of(key), key_text(key)
        if detail["type"] == "extra_forbidden":
            return Problem(file, name, self._unknown(key), place)
        if detail["type"] == "rule":
            column = int(context["column"])
            start = self._layer_of(key).document.texts.get(key)
            exact = Place(start.line, start.column + column) if start is not None else place
            return Problem(file, name, f"is no rule: {context['problem']}", exact, str(context["pointed"]))
        value: object = detail["input"]
        allowed = allowed_at(key)
        variables = self._variables(key)
        if variables:
            return Problem(file, name, f"is taken from {', '.join(variables)}; allowed is {allowed}", place)
        if value is None:
            return Problem(file, name, f"has no value; allowed is {allowed}", place)
        # it may be or hold a secret
        if key[0] == "integrations" or is_secret(key) or (isinstance(value, str) and "://" in value):
            return Problem(file, name, f"has a value that is not allowed; allowed is {allowed}", place)
        if detail["type"] == "value_error" and str(context.get("error", "")) == "twice":
            return Problem(file, name, "names something twice; name each once", place)
        meant = meant_by(value, allowed)
        said = f"; did you mean {meant}? Allowed" if meant else "; allowed"
        return Problem(file, name, f"is {given(value)}{said} is {allowed}", place)

    def _unknown(self, key: Key) -> str:
        name = str(key[-1])
        names = tuple(str(part) for part in key[:-1])
        section = section_at(names)
        known = list(section.model_fields) if section is not None else list(Settings.model_fields)
        near = did_you_mean(name, known)
        if near:
            return f"is not a key{near}"
        elsewhere = [".".join(one) for one, _ in keys_of() if one[-1] == name]
        elsewhere += [one for one in _sections() if one.rpartition(".")[2] == name]
        if elsewhere:
            return f"is not a key here; it is at {' and at '.join(elsewhere[:3])}"
        return f"is not a key; choose among {', '.join(known)}"

    def _contradictions(self) -> Iterator[Problem]:
        """Numbers in the wrong order, also where something else is wrong; what is no number is told elsewhere."""
        for lower, upper in _ORDERED:
            bound, limit = self._number(lower), self._number(upper)
            if bound is None or limit is None or bound <= limit:
                continue
            key = lower if self._layer_of(lower).kind == "file" else upper
            message = (
                f"contradicts: {lower[-1]} is {bound:g} ({self._origin(lower)}) and above {upper[-1]}, "
                f"which is {limit:g} ({self._origin(upper)}); lower the first or raise the second"
            )
            yield Problem(self._file_of(key), key_text(key), message, self._place(key))

    def _number(self, key: tuple[str, ...]) -> float | None:
        """A value that is a number and not below 0; thresholds are told of elsewhere if they are above 1."""
        value: object = self._data
        for name in key:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except ValueError:
            return None
        return number if 0 <= number <= (1 if "threshold" in key[-1] else math.inf) else None

    def _notes(self, settings: Settings, origins: Mapping[str, Origin]) -> Iterator[str]:
        for key, _ in keys_of():
            origin = origins[key_text(key)]
            value = _value_at(settings, key)
            if is_secret(key) and origin.kind == "file" and isinstance(value, SecretStr):
                text = value.get_secret_value()
                if "://" not in text or "@" in text:
                    yield f"{key_text(key)} is written into the file itself; ${{VARIABLE}} keeps secrets out of files"

    def _missing(self) -> Iterator[tuple[Key, tuple[str, ...]]]:
        """Variables that are missed by values that count."""
        for layer in self._layers:
            for key, variables in layer.missing.items():
                if self._layer_of(key) is layer:
                    yield key, variables

    def _layer_of(self, key: Key) -> Layer:
        """The last file that says something of a path; the first if none does."""
        names = tuple(part for part in key if isinstance(part, str))
        for layer in reversed(self._layers):
            value: object = layer.data
            for name in names:
                if not isinstance(value, dict):
                    break
                if name not in value:
                    value = _NOTHING
                    break
                value = value[name]
            if value is not _NOTHING and not (value is None and section_at(names) is not None):
                return layer
        return self._layers[0]

    def _origin(self, key: Key) -> Origin:
        layer = self._layer_of(key)
        variables = self._variables(key)
        kind = "environment" if variables else layer.kind
        return Origin(kind, layer.file, self._place(key), variables, layer.kind != "default")

    def _variables(self, key: Key) -> tuple[str, ...]:
        used = self._layer_of(key).used
        return tuple(dict.fromkeys(one for at, names in used.items() if at[: len(key)] == key for one in names))

    def _place(self, key: Key) -> Place | None:
        """Of the key, or of the nearest section around it that the file has."""
        places = self._layer_of(key).document.places
        return next((places[key[:end]] for end in range(len(key), 0, -1) if key[:end] in places), None)

    def _file_of(self, key: Key) -> str:
        return self._layer_of(key).file


_NOTHING = object()


def _laid_over(base: object, over: object) -> object:
    """Sections key by key; everything else as a whole. A section that is left empty says nothing."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for name, value in over.items():
            merged[name] = _laid_over(base[name], value) if name in base else value
        return merged
    return base if over is None and isinstance(base, dict) else over


def _may_lack(key: Key) -> bool:
    """Whether a key may be without a value until something needs it."""
    field = field_at(key)
    return field is not None and NoneType in get_args(field.annotation)


def _value_at(settings: Settings, key: Key) -> object:
    value: object = settings
    for name in key:
        value = getattr(value, str(name))
    return value


def _sections() -> Iterator[str]:
    seen: dict[str, None] = {}
    for key, _ in keys_of():
        for end in range(1, len(key)):
            seen[".".join(key[:end])] = None
    yield from seen
