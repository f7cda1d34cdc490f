"""Patterns that were learned elsewhere and are not learned any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autodev_lab.records import Outcome, PatternRecord, PatternTrial, Task

__all__ = ["FrozenPatterns"]


class FrozenPatterns:
    """A library that is read and never written: what a team knew when it left its lessons.

    Parameters
    ----------
    records
        What is known of each pattern, as another library's `records` gave it.

    Examples
    --------
    >>> FrozenPatterns({"wrap-call": PatternRecord("wrap-call", 2.0, 9.0)}).records()["wrap-call"].tries
    9.0
    """

    def __init__(self, records: Mapping[str, PatternRecord]) -> None:
        self._records = MappingProxyType(dict(records))

    def records(self) -> Mapping[str, PatternRecord]:
        """What was known at the start."""
        return self._records

    def observe(self, task: Task, trials: Sequence[PatternTrial], *, agent_id: str, at: float) -> None:
        """Nothing is learned of attempts."""

    def settle(self, outcome: Outcome, *, agent_id: str, at: float) -> None:
        """Nothing is learned of outcomes."""
