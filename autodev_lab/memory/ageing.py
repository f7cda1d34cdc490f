"""Which items a search may find: by their facts, by when they are valid, and how much age takes from their score."""

from __future__ import annotations

from collections.abc import Mapping

from autodev_lab.records import MemoryItem

__all__ = ["decay", "matches"]


def matches(item: MemoryItem, filters: Mapping[str, str], at: float | None) -> bool:
    """Whether an item's facts equal `filters`, compared as text, and it is valid at that time.

    Examples
    --------
    >>> item = MemoryItem("tasks", "a test fails", {"tries": 3}, valid_until=10.0)
    >>> matches(item, {"tries": "3"}, None), matches(item, {}, 10.0)
    (True, False)
    """
    if at is not None and not item.valid_from <= at < item.valid_until:
        return False
    return all(key in item.facts and str(item.facts[key]) == value for key, value in filters.items())


def decay(item: MemoryItem, at: float | None) -> float:
    """The factor by which age lowers a score: one half for every half-life since the item was remembered.

    Examples
    --------
    >>> decay(MemoryItem("tasks", "a test fails", {}, at=10.0, half_life=5.0), 20.0)
    0.25
    """
    return 1.0 if at is None else 0.5 ** (max(0.0, at - item.at) / item.half_life)
