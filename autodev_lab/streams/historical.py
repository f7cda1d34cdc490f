"""Tasks from the history of packages: what only the environment knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autodev_lab.records import Edit, Truth
from autodev_lab.streams.injected import InjectedTruth

__all__ = ["BuiltTruth", "HistoricalTruth"]


@dataclass(frozen=True, slots=True)
class HistoricalTruth(Truth):
    """What only the environment knows of a historical task: a change of the package's own history, taken back.

    Parameters
    ----------
    task_id
        The task.
    package_spec
        What to give `autodev_lab.execution.subjects.obtain` to get the newer version.
    package_hash
        Content hash of the newer version's tree, which the edits fit.
    older, newer
        The two releases, or the two commits, between which the change was made.
    edits
        The older code, relative to the newer version's tree.
    places
        File and qualified name of every function or assignment that has its older code.
    interface_changed
        Whether one of these functions took other parameters then: more a missing feature than a bug.
    split_seed
        Seed of the split of tests into sides.
    killing, covering
        Tests that fail because of the older code, and tests that execute the code it replaces, by side, in collection
        order.
    """

    package_spec: str
    package_hash: str
    older: str
    newer: str
    edits: tuple[Edit, ...]
    places: tuple[tuple[str, str], ...]
    interface_changed: bool
    split_seed: int
    killing: Mapping[str, tuple[str, ...]] = field(hash=False)
    covering: Mapping[str, tuple[str, ...]] = field(hash=False)

    @property
    def path(self) -> str:
        """File of the first place."""
        return self.places[0][0]

    @property
    def qualname(self) -> str:
        """Qualified name of the first place."""
        return self.places[0][1]


BuiltTruth = InjectedTruth | HistoricalTruth
"""The truth of any task that `autodev-lab tasks build` makes."""
