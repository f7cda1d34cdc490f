"""Repeats a finished run from its own directory, and says whether the outcomes have the same bytes and what differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import AnyPlan, read_any_plan
from autodev_lab.experiments.directory import RunDirectory, create_run
from autodev_lab.experiments.engine import Options, execute
from autodev_lab.resources import runs_directory

__all__ = ["Difference", "Rerun", "rerun"]

_COMPARED: Mapping[str, str] = {
    "version": "version of the lab",
    "git_commit": "commit",
    "git_dirty": "uncommitted changes",
    "code_hash": "code",
    "dictionary_version": "data dictionary",
    "tasks_hash": "tasks",
    "python": "Python",
    "implementation": "Python implementation",
    "platform": "platform",
    "sandbox": "isolation",
}
"""Keys of `provenance.json` that say on what a run ran, with their names in words."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two runs did not have in common: what, then and now."""

    what: str
    then: str
    now: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of repeating a run.

    Parameters
    ----------
    run_id, again
        The run that was repeated, and the directory of the repetition.
    then, now
        SHA-256 of the outcomes of both.
    differences
        What the two ran on and did not have in common; there may be some although the outcomes are the same.
    """

    run_id: str
    again: Path
    then: str
    now: str
    differences: tuple[Difference, ...] = field(default=())

    @property
    def same(self) -> bool:
        """Whether the outcomes have the same bytes."""
        return self.then == self.now

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "run_id": self.run_id,
            "rerun": str(self.again),
            "same": self.same,
            "outcomes": {"then": self.then, "now": self.now},
            "differences": [{"what": one.what, "then": one.then, "now": one.now} for one in self.differences],
        }

    def in_words(self) -> str:
        """For people."""
        lines = [
            f"The outcomes of {self.run_id} and of {self.again} " + ("have the same bytes." if self.same else "DIFFER.")
        ]
        if self.differences:
            lines.append("What the two ran on and do not have in common:")
            lines += [f"  {one.what}: {one.then}, now {one.now}" for one in self.differences]
        elif not self.same:
            lines.append("They ran on the same version, code, packages, Python and platform: something is not seeded.")
        return "\n".join(lines)


def rerun(source: RunDirectory, *, out: Path | None = None, options: Options) -> Rerun:
    """Repeat a run: same plan, same seed, nothing else taken from anywhere.

    Parameters
    ----------
    source
        A run whose cells are all done; it is only read.
    out
        Folder for the repetition; a new one below ``runs`` unless given.
    options
        How to run; none of them changes an outcome.

    Raises
    ------
    LabError
        If the run is not finished, or something it needs cannot be had.
    """
    plan, then = _finished(source)
    result = execute(plan, create_run(runs_directory(), plan, out=out), options, fresh=True)
    again = RunDirectory(result.path)
    return Rerun(
        source.id,
        again.path,
        _sha256(source.outcomes),
        _sha256(again.outcomes),
        tuple(_differences(then, _read(again.provenance))),
    )


def _finished(source: RunDirectory) -> tuple[AnyPlan, Mapping[str, object]]:
    """Plan and provenance of a run that can be held against its repetition."""
    then = _read(source.provenance)
    try:
        plan = read_any_plan(source)
    except LabError as error:
        version, code = then.get("version"), then.get("code_hash")
        raise LabError(
            f"{source.spec} cannot be read by this lab; it was written by version {version} (code {code}): rerun it "
            "with that one"
        ) from error
    summary = _read(source.summary)
    if summary.get("complete") is not True or not source.outcomes.is_file():
        raise LabError(f"run {source.id} is not finished; go on with it with `autodev-lab run --resume {source.id}`")
    if plan.configuration_hash != then.get("configuration_hash"):
        raise LabError(
            f"{source.spec} is not the configuration that was run ({then.get('configuration_hash')}), or was written "
            "by another version of the lab; rerun a run that is as it was"
        )
    return plan, then


def _differences(then: Mapping[str, object], now: Mapping[str, object]) -> Iterator[Difference]:
    for key, what in _COMPARED.items():
        if then.get(key) != now.get(key):
            yield Difference(what, _word(then.get(key)), _word(now.get(key)))
    for key, what in (("packages", "package"), ("libraries", "library")):
        before, after = _mapping(then.get(key)), _mapping(now.get(key))
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield Difference(f"{what} {name}", _word(before.get(name)), _word(after.get(name)))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not known" if value is None else str(value)


def _read(path: Path) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise LabError(f"{path} is missing; name a finished run") from error
    except (OSError, ValueError) as error:
        raise LabError(f"{path} is damaged; name another run") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
