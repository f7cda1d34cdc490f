"""The collections of every memory, and what is said when another one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from autodev_lab.errors import LabError

__all__ = ["COLLECTIONS", "collection_named"]

COLLECTIONS = ("codebase", "tasks", "patterns", "decisions")
"""The collections of the specification."""

Collection = TypeVar("Collection")


def collection_named(name: str, held: Mapping[str, Collection]) -> Collection:
    """What a memory holds of a collection.

    Raises
    ------
    LabError
        If there is no such collection.

    Examples
    --------
    >>> collection_named("tasks", {"tasks": [1, 2]})
    [1, 2]
    """
    try:
        return held[name]
    except KeyError:
        raise LabError(f"there is no memory collection {name!r}; choose one of {', '.join(COLLECTIONS)}") from None
