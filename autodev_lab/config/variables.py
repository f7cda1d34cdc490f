"""`${NAME}` and `${NAME:-text}` in texts, from the environment's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Substituted", "VariableError", "substituted"]

_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-.*)?\Z", re.DOTALL)


class VariableError(Exception):
    """A reference that cannot be read."""


@dataclass(frozen=True, slots=True)
class Substituted:
    """A text with its variables put in.

    Parameters
    ----------
    text
        The result; not to be used where something is missing.
    used
        Variables that were there.
    fallen_back
        Variables that were not, and had a text to fall back on.
    missing
        Variables that were not, and had none.
    """

    text: str
    used: tuple[str, ...] = ()
    fallen_back: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def substituted(text: str, environment: Mapping[str, str]) -> Substituted:
    """Put variables into a text; one that is set and empty counts as not set, as in a shell's ``:-``.

    Parameters
    ----------
    text
        ``$${`` stands for ``${`` itself.
    environment
        The variables.

    Raises
    ------
    VariableError
        If a reference cannot be read.

    Examples
    --------
    >>> substituted("redis://${HOST:-localhost}:${PORT}", {"PORT": "6380"})
    Substituted(text='redis://localhost:6380', used=('PORT',), fallen_back=('HOST',), missing=())
    """
    used: list[str] = []
    fallen_back: list[str] = []
    missing: list[str] = []

    def put(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        if not found["end"]:
            raise VariableError("has ${ without }; write ${NAME}, ${NAME:-text}, or $${ for the characters themselves")
        inside = _INSIDE.match(found["inside"])
        if inside is None or (inside["fallback"] and "${" in inside["fallback"]):
            raise VariableError("has a ${...} that cannot be read; write ${NAME} or ${NAME:-text}, none within another")
        name, fallback = inside["name"], inside["fallback"]
        if value := environment.get(name, ""):
            used.append(name)
            return value
        if fallback is not None:
            fallen_back.append(name)
            return fallback[2:]
        missing.append(name)
        return ""

    result = _REFERENCE.sub(put, text)
    return Substituted(result, *(tuple(dict.fromkeys(names)) for names in (used, fallen_back, missing)))
