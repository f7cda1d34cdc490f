"""Copies of installed packages: files of the environment the lab runs in, taken out so that rooms need not see it."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from packaging.requirements import Requirement

from autodev_lab.execution.fetching import normalise

__all__ = ["copy_distribution", "copy_installed", "installed_with_tests"]


def installed_with_tests(name: str) -> importlib.metadata.Distribution | None:
    """The installed distribution of a name, if it brings its tests."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.suffix == ".py" and {"tests", "test"} & set(file.parts[:-1]) and file.name.startswith("test"):
            return distribution
    return None


def copy_installed(requirements: tuple[str, ...], destination: Path) -> None:
    """Copy installed packages, and what they need in turn, into a folder that does not exist yet."""
    destination.mkdir(parents=True)
    waiting, done = list(requirements), set[str]()
    while waiting:
        requirement = Requirement(waiting.pop(0))
        name = normalise(requirement.name)
        if name in done or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        done.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an optional part that is not installed: the package's tests cope with that here too
        copy_distribution(distribution, destination)
        waiting += distribution.requires or []


def copy_distribution(distribution: importlib.metadata.Distribution, destination: Path) -> None:
    """Copy the files of one installed distribution into a folder."""
    destination.mkdir(parents=True, exist_ok=True)
    for file in distribution.files or ():
        if ".." in file.parts or file.suffix == ".pyc" or file.is_absolute():
            continue
        source = Path(str(distribution.locate_file(file)))
        if source.is_file():
            target = destination / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
