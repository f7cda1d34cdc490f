"""A configuration that was checked: its settings, where each comes from, and what services still lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from autodev_lab.config.problems import Place, Problem, did_you_mean
from autodev_lab.config.schema import PLACEHOLDER, Settings
from autodev_lab.errors import LabError

__all__ = ["SERVICES", "Configuration", "Origin"]

SERVICES: Mapping[str, tuple[str, ...]] = {
    "r2r": ("r2r",),
    "linear": ("integrations", "linear"),
    "github": ("integrations", "github"),
    "codegen": ("integrations", "codegen"),
    "redis": ("integrations", "redis"),
    "mlflow": ("integrations", "mlflow"),
}
"""Sections whose variables are missed only by what uses them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Parameters
    ----------
    kind
        ``"default"``: the lab's own file. ``"file"``: the user's. ``"environment"``: a variable that one of them names,
        or that goes before both.
    file
        The file.
    place
        Line and column of the key in that file.
    variables
        Variables put in.
    given
        Whether a file of the user's or a variable says so, and not the lab's own file alone.
    """

    kind: str
    file: str
    place: Place | None = None
    variables: tuple[str, ...] = ()
    given: bool = False

    def __str__(self) -> str:
        if self.variables:
            return f"environment ({', '.join(self.variables)})"
        return f"file, line {self.place.line}" if self.kind == "file" and self.place is not None else self.kind


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that was checked.

    Parameters
    ----------
    path
        The file.
    settings
        What holds.
    origins
        Where the value of each key comes from, by path as in ``decision_engine.policy``.
    missing
        Keys of services without a value, and the variables that would give one.
    notes
        What is allowed and worth a word.
    found
        How the file was found, in words.
    shipped
        Whether it is the lab's own, and no file of the user's was found.
    """

    path: Path
    settings: Settings
    origins: Mapping[str, Origin]
    missing: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    found: str = ""
    shipped: bool = False

    @property
    def words(self) -> str:
        """Which file was read, for people."""
        return f"configuration: {self.found}" if self.shipped else f"configuration: {self.path} ({self.found})"

    def value(self, key: str) -> object:
        """The value of a key, by its path; a secret stays wrapped.

        Raises
        ------
        LabError
            If there is no such key.
        """
        self._known(key)
        value: object = self.settings
        for name in key.split("."):
            value = getattr(value, name)
        return value

    def given(self, key: str) -> bool:
        """Whether the user says what a key is, in a file or by a variable.

        Raises
        ------
        LabError
            If there is no such key.
        """
        self._known(key)
        return self.origins[key].given

    def needed(self, key: str) -> str:
        """A text that a service cannot do without; a secret as it is.

        Parameters
        ----------
        key
            Its path, as in ``integrations.linear.api_key``.

        Raises
        ------
        LabError
            If it has no value, naming the key and the variable that would give it one.
        """
        value = self.value(key)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str) or text == PLACEHOLDER:
            raise LabError(str(Problem(self.origins[key].file, key, self._lack(key), self.origins[key].place)))
        return text

    def unready(self, service: str) -> tuple[Problem, ...]:
        """What a service lacks, one of `SERVICES`.

        Raises
        ------
        LabError
            If there is no such service.
        """
        if service not in SERVICES:
            known = ", ".join(SERVICES)
            near = did_you_mean(service, SERVICES)
            raise LabError(f"there is no service {service!r}{near or f'; choose among {known}'}")
        within = ".".join(SERVICES[service]) + "."
        found = []
        for key, origin in self.origins.items():
            example = key == "integrations.github.repo" and self.settings.integrations.github.repo == PLACEHOLDER
            if key.startswith(within) and (key in self.missing or example):
                found.append(Problem(origin.file, key, self._lack(key), origin.place))
        return tuple(found)

    def _known(self, key: str) -> None:
        if key not in self.origins:
            near = did_you_mean(key, self.origins)
            raise LabError(f"there is no key {key!r}{near or '; `autodev-lab config show` has them all'}")

    def _lack(self, key: str) -> str:
        variables = self.missing.get(key, ())
        if variables:
            one = len(variables) == 1
            verb, them = ("is", "it") if one else ("are", "them")
            return f"needs {' and '.join(variables)}, which {verb} not set; export {them}, see .env.example"
        if key == "integrations.github.repo" and key not in self.missing:
            return f"is still the example's {PLACEHOLDER}; name your repository as OWNER/NAME"
        return "is not given; write it into the file, a secret as ${VARIABLE}"
