"""What is wrong with a configuration: one sentence a problem, with its place, and all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autodev_lab.errors import LabError

__all__ = ["ConfigError", "Place", "Problem", "did_you_mean"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column in a file, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    file
        The file.
    key
        Path of the key, as in ``decision_engine.auto_deploy_threshold``; empty where there is none.
    message
        What is wrong and what is allowed; never a secret.
    place
        Where, or None if it is nowhere in the file.
    pointed
        Lines to show below: a rule, and a caret under what is wrong with it.
    """

    file: str
    key: str
    message: str
    place: Place | None = None
    pointed: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place is not None else self.file
        return f"{where}: {' '.join((self.key, self.message)).strip()}"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "file": self.file,
            "line": self.place.line if self.place is not None else None,
            "column": self.place.column if self.place is not None else None,
            "key": self.key,
            "message": self.message,
            "pointed": self.pointed,
        }


class ConfigError(LabError):
    """A configuration that cannot be used; `problems` has everything that is wrong with it.

    Parameters
    ----------
    problems
        At least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = str(self.problems[0])
        more = len(self.problems) - 1
        told = f"{first} (and {more} more; `autodev-lab config check` shows all)" if more else first
        super().__init__(told)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'this'?`` where a known name is near, else nothing.

    Examples
    --------
    >>> did_you_mean("auto_deploy_treshold", ["auto_deploy_threshold", "policy"])
    "; did you mean 'auto_deploy_threshold'?"
    >>> did_you_mean("colour", ["policy"])
    ''
    """
    folded = {one.lower().replace("-", "_"): one for one in known}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), list(folded), n=1, cutoff=0.7)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
