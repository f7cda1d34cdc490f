"""Whether a run is as it was run, with what only the experiments know: which cells belong to its configuration."""

from __future__ import annotations

from pathlib import Path

from autodev_lab.analysis.seals import alterations, read_object
from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import conduct_of
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.provenance import code_hash
from autodev_lab.experiments.settings import Settings
from autodev_lab.resources import cache_directory

__all__ = ["all_alterations"]


def all_alterations(run: Path) -> tuple[str, ...]:
    """What `alterations` finds, and cells that were made from other inputs than the run says.

    A cell's key depends on the lab's code, so the keys of a run by other code are taken as they are.

    Returns
    -------
    tuple
        One clause a finding; empty when there is none.
    """
    found = alterations(run)
    directory = RunDirectory(run)
    provenance = read_object(directory.provenance)
    if found or provenance.get("code_hash") != code_hash():
        return found
    try:
        conduct = conduct_of(directory, Settings(str(cache_directory()), code_hash()))
    except LabError:
        return ("spec.json is not the configuration that was run",)
    if provenance.get("plugins", {}) != conduct.plugins():
        return found
    foreign = [
        cell.name
        for cell in conduct.cells
        if (seal := read_object(directory.cells / f"{cell.name}.json"))
        and seal.get("key") != conduct.key(cell, str(provenance.get("tasks_hash")))
    ]
    return tuple(f"cells/{name} is of another configuration, other tasks or other code" for name in foreign[:1])
