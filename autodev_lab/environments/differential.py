"""Whether a changed function answers as the pristine one does, on inputs recorded from tests and mutated."""

from __future__ import annotations

from collections.abc import Sequence

from autodev_lab.environments.faulty import Faulty
from autodev_lab.records import Edit, Truth

__all__ = ["differential_agrees"]


def differential_agrees(faulty: Faulty, truth: Truth, edits: Sequence[Edit]) -> bool | None:
    """True or False where calls could be compared; None where there was nothing to compare."""
    return None
