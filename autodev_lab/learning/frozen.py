"""What was learned elsewhere, and nothing more: a pattern learner that never learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autodev_lab.records import Outcome, PatternRecord, PatternTrial, Task

__all__ = ["FrozenPatterns"]


class FrozenPatterns:
    """A `PatternLearner` whose records are given once and stay as they are.

    A team with one has the knowledge of another and learns nothing of its own: what is left of its lead over a team
    that starts with nothing is worth of transfer, what a learning team gains on it is worth of learning.

    Parameters
    ----------
    records
        All that was learned elsewhere; copied, so that a learner that goes on learning does not change it.

    Examples
    --------
    >>> frozen = FrozenPatterns({"negate-condition": PatternRecord("negate-condition", 3.0, 20.0)})
    >>> frozen.records()["negate-condition"].tries
    20.0
    """

    def __init__(self, records: Mapping[str, PatternRecord]) -> None:
        self._records = MappingProxyType(dict(records))

    def records(self) -> Mapping[str, PatternRecord]:
        """The records it was made with, always."""
        return self._records

    def observe(self, task: Task, trials: Sequence[PatternTrial], *, agent_id: str, at: float) -> None:
        """Forget what an attempt showed."""

    def settle(self, outcome: Outcome, *, agent_id: str, at: float) -> None:
        """Forget what production showed."""
