"""A library as one file: patterns that one team learned, for another to begin with.

    {"format": "autodev-lab patterns", "version": 1, "origin": "...", "patterns": [
      {"pattern": "wrap-call", "successes": 2.0, "tries": 9.0, "helpful": 1.0, "harmful": 0.0, "contexts": [
        {"statement": "Return", "failure": "TypeError", "place": "first", "successes": 2.0, "tries": 4.0}]}]}

Patterns and their contexts are in alphabetical order, so equal libraries are equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autodev_lab.errors import LabError
from autodev_lab.files import write_atomic
from autodev_lab.records import ContextTally, PatternContext, PatternRecord

__all__ = ["FORMAT", "VERSION", "PatternFile", "read_patterns", "write_patterns"]

FORMAT = "autodev-lab patterns"
VERSION = 1

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Tally(_Strict):
    """One context of one pattern."""

    statement: str
    failure: str
    place: str
    successes: Weight
    tries: Weight

    @property
    def context(self) -> PatternContext:
        return PatternContext(self.statement, self.failure, self.place)


class _Pattern(_Strict):
    """One pattern."""

    pattern: str
    successes: Weight
    tries: Weight
    helpful: Weight
    harmful: Weight
    contexts: tuple[_Tally, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> _Pattern:
        if self.successes > self.tries or any(one.successes > one.tries for one in self.contexts):
            raise ValueError(f"{self.pattern!r} has more successes than tries")
        # weights that have faded are rounded
        if sum(one.tries for one in self.contexts) > self.tries * (1 + 1e-9):
            raise ValueError(f"{self.pattern!r} has more tries in its contexts than in all")
        if len({one.context for one in self.contexts}) < len(self.contexts):
            raise ValueError(f"{self.pattern!r} has a context twice")
        return self


class PatternFile(_Strict):
    """What a file of patterns holds.

    Parameters
    ----------
    format, version
        Which kind of file it is.
    origin
        Where it was learned, in words.
    patterns
        One entry a pattern.
    """

    format: Literal["autodev-lab patterns"]
    version: Literal[1]
    origin: str
    patterns: tuple[_Pattern, ...]

    @model_validator(mode="after")
    def _names_each_once(self) -> PatternFile:
        if len({one.pattern for one in self.patterns}) < len(self.patterns):
            raise ValueError("a pattern is named twice")
        return self

    @classmethod
    def of(cls, records: Mapping[str, PatternRecord], origin: str) -> PatternFile:
        """What a library knows, as a file."""
        patterns = tuple(
            _Pattern(
                pattern=name,
                successes=record.successes,
                tries=record.tries,
                helpful=record.helpful,
                harmful=record.harmful,
                contexts=tuple(
                    _Tally(
                        statement=tally.context.statement,
                        failure=tally.context.failure,
                        place=tally.context.place,
                        successes=tally.successes,
                        tries=tally.tries,
                    )
                    for tally in sorted(record.contexts, key=lambda tally: tally.context)
                ),
            )
            for name, record in sorted(records.items())
        )
        return cls(format=FORMAT, version=VERSION, origin=origin, patterns=patterns)

    def records(self) -> dict[str, PatternRecord]:
        """What the file says, as a library's records."""
        return {
            one.pattern: PatternRecord(
                one.pattern,
                one.successes,
                one.tries,
                one.helpful,
                one.harmful,
                tuple(ContextTally(tally.context, tally.successes, tally.tries) for tally in one.contexts),
            )
            for one in self.patterns
        }


def write_patterns(path: Path, records: Mapping[str, PatternRecord], *, origin: str) -> None:
    """Write what is known of patterns.

    Parameters
    ----------
    path
        The file; replaced whole or not at all.
    records
        As a library's `records` gives them.
    origin
        Where they were learned, in words; no path and nothing secret.

    Raises
    ------
    LabError
        If the file cannot be written.
    """
    data = PatternFile.of(records, origin).model_dump(mode="json")
    write_atomic(path, json.dumps(data, indent=1, allow_nan=False) + "\n")


def read_patterns(path: Path) -> PatternFile:
    """Read what `write_patterns` wrote.

    Raises
    ------
    LabError
        If the file is missing, broken, of another kind or of a newer version of the lab.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}; name a file of patterns") from error
    except (ValueError, RecursionError) as error:
        raise LabError(f"{path} is no JSON; make it anew with `autodev-lab patterns export`") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise LabError(f"{path} is no file of patterns; make one with `autodev-lab patterns export`")
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise LabError(f"{path} has version {version} and this lab reads up to {VERSION}; update the lab")
    try:
        return PatternFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise LabError(
            f"{path} is damaged at {where} ({first['msg']}); make it anew with `autodev-lab patterns export`"
        ) from error
