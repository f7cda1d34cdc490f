"""The layers of a configuration: its files, with the environment's variables put in, and variables that go before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.config.document import Document, Key, key_text, read_document
from autodev_lab.config.problems import Problem
from autodev_lab.config.variables import VariableError, substituted

__all__ = ["ENVIRONMENT", "Layer", "read_layer", "variables_layer"]

ENVIRONMENT = "environment"
"""What stands for a file where a value is taken from a variable alone."""

_RULES = ("decision_engine", "escalation_rules")
"""Where no variables are put in: a rule's characters are pointed at, and `$` means nothing in it."""

_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Layer:
    """One file with its variables put in, or the variables that go before all files."""

    kind: str
    file: str
    document: Document
    data: Mapping[str, object]
    used: Mapping[Key, tuple[str, ...]]
    missing: Mapping[Key, tuple[str, ...]]


def read_layer(path: Path, kind: str, environment: Mapping[str, str]) -> tuple[Layer, tuple[Problem, ...]]:
    file = str(path)
    text, problems = _text_of(path)
    document = Document({})
    if text is not None:
        document, problems = read_document(text, file)
    used: dict[Key, tuple[str, ...]] = {}
    missing: dict[Key, tuple[str, ...]] = {}
    wrong: list[Problem] = list(problems)

    def put(value: object, key: Key) -> object:
        if isinstance(value, dict):
            return {name: put(one, (*key, name)) for name, one in value.items()}
        if isinstance(value, list):
            return [put(one, (*key, index)) for index, one in enumerate(value)]
        if not isinstance(value, str) or "${" not in value or key[:2] == _RULES:
            return value
        try:
            found = substituted(value, environment)
        except VariableError as error:
            wrong.append(Problem(file, key_text(key), str(error), document.places.get(key)))
            return value
        if found.used:
            used[key] = found.used
        if found.missing:
            missing[key] = found.missing
            return None
        return found.text

    data = {name: put(value, (name,)) for name, value in document.data.items()}
    return Layer(kind, file, document, data, used, missing), tuple(wrong)


def variables_layer(variables: Mapping[tuple[str, ...], str], environment: Mapping[str, str]) -> Layer:
    """The values of keys whose variable is set; one that is set and empty counts as not set.

    Parameters
    ----------
    variables
        The variable of each key.
    environment
        The environment.
    """
    data: dict[str, object] = {}
    used: dict[Key, tuple[str, ...]] = {}
    for key, variable in variables.items():
        value = environment.get(variable, "")
        if not value:
            continue
        inner = data
        for name in key[:-1]:
            step = inner.setdefault(name, {})
            assert isinstance(step, dict)
            inner = step
        inner[key[-1]] = value
        used[key] = (variable,)
    return Layer(ENVIRONMENT, ENVIRONMENT, Document({}), data, used, {})


def _text_of(path: Path) -> tuple[str | None, tuple[Problem, ...]]:
    """The text of a file, or why it cannot be had. It is read once: it may be a pipe."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            return None, (Problem(str(path), "", f"is larger than {_LARGEST} bytes; that is no configuration"),)
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        return None, (Problem(str(path), "", f"is no UTF-8 text (byte {error.start + 1}); save it as UTF-8"),)
    except OSError as error:
        return None, (Problem(str(path), "", f"cannot be read ({error.strerror}); see to its permissions"),)
