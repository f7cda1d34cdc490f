"""Observed changes as files of a run: what comes out the same every time in one, and seconds in another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.studies.changes import ObservedChange, ObservedPackage
from autodev_lab.files import write_atomic
from autodev_lab.records import Edit

__all__ = ["is_observed", "join_packages", "read_packages", "read_seconds", "write_package"]


def is_observed(directory: RunDirectory, spec: str) -> bool:
    """Whether a package's changes were written."""
    return _place(directory, spec).with_suffix(".json").exists()


def write_package(directory: RunDirectory, spec: str, package: ObservedPackage) -> None:
    """Write what was seen of a package, given by its spec: seconds first, so that they are there when the rest is."""
    place = _place(directory, spec)
    data = asdict(package)
    write_atomic(place.with_suffix(".seconds"), json.dumps(data.pop("seconds")) + "\n")
    write_atomic(place.with_suffix(".json"), json.dumps(data, sort_keys=True) + "\n")


def read_seconds(directory: RunDirectory, spec: str) -> tuple[float, ...]:
    """Processor seconds of each test of a package."""
    return tuple(json.loads(_place(directory, spec).with_suffix(".seconds").read_text(encoding="utf-8")))


def join_packages(directory: RunDirectory, specs: Iterable[str]) -> None:
    """Write `tasks.jsonl`, a line a package."""
    lines = (_place(directory, spec).with_suffix(".json").read_text(encoding="utf-8") for spec in specs)
    write_atomic(directory.tasks, "".join(lines))


def read_packages(directory: RunDirectory) -> tuple[ObservedPackage, ...]:
    """The packages of `tasks.jsonl`, without seconds.

    Raises
    ------
    LabError
        If the file is damaged.
    """
    try:
        lines = directory.tasks.read_text(encoding="utf-8").splitlines()
        return tuple(_package(json.loads(line)) for line in lines)
    except (ValueError, TypeError, KeyError) as error:
        raise LabError(f"{directory.tasks} is damaged; start the run anew") from error


def _place(directory: RunDirectory, spec: str) -> Path:
    """Two specs, which may be paths, never share a place; the suffix is still to come."""
    digest = hashlib.sha256(spec.encode()).hexdigest()[:8]
    return directory.path / "tasks" / f"{re.sub(r'[^A-Za-z0-9_-]', '_', Path(spec).name)}-{digest}"


def _package(data: Mapping[str, object]) -> ObservedPackage:
    changes, tests, attrition = data["changes"], data["tests"], data["attrition"]
    assert isinstance(changes, list) and isinstance(tests, list) and isinstance(attrition, dict)
    return ObservedPackage(
        name=str(data["name"]),
        spec=str(data["spec"]),
        content_hash=str(data["content_hash"]),
        tests=tuple(map(str, tests)),
        changes=tuple(map(_change, changes)),
        attrition=attrition,
    )


def _change(data: Mapping[str, object]) -> ObservedChange:
    edits, asked = data["edits"], data["testmon"]
    assert isinstance(edits, list)
    return ObservedChange(
        id=str(data["id"]),
        kind=str(data["kind"]),
        edits=tuple(Edit(**edit) for edit in edits),
        failing=_numbers(data["failing"]),
        collectable=bool(data["collectable"]),
        line=_numbers(data["line"]),
        function=_numbers(data["function"]),
        file=_numbers(data["file"]),
        testmon=None if asked is None else _numbers(asked),
    )


def _numbers(value: object) -> tuple[int, ...]:
    assert isinstance(value, list)
    return tuple(map(int, value))
