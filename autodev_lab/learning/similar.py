"""What was tried on similar tasks, counted on top of what is known of patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.learning.facts import Seen, seen_in
from autodev_lab.records import ContextTally, MemoryHit, PatternContext, PatternRecord

__all__ = ["SimilarFixes"]


@dataclass(frozen=True, slots=True)
class SimilarFixes:
    """Lets attempts on similar tasks count more than others.

    An attempt that memory found counts `weight` times its score over the best hit's, beside the once that it counts in
    the library (where there is one). The weight is a house rule and was not fitted to anything.

    Parameters
    ----------
    weight
        How often the most similar attempt counts.

    Raises
    ------
    LabError
        If the weight is not above 0.

    Examples
    --------
    >>> from autodev_lab.records import MemoryItem
    >>> item = MemoryItem("patterns", "test_a fails", {"tries:wrap-call": 2, "successes:wrap-call": 1})
    >>> record = SimilarFixes(3.0).records({}, [MemoryHit(item, 1.5)])["wrap-call"]
    >>> record.successes, record.tries
    (3.0, 6.0)
    """

    weight: float = 3.0

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise LabError(f"the weight of similar fixes is {self.weight}; it must be above 0")

    def records(self, known: Mapping[str, PatternRecord], hits: Sequence[MemoryHit]) -> dict[str, PatternRecord]:
        """What is known of patterns with what the hits say of them.

        Parameters
        ----------
        known
            As a library's `records` gives it.
        hits
            Of the collection ``patterns``, best first.
        """
        records = dict(known)
        best = max((hit.score for hit in hits), default=0.0)
        for hit in hits if best > 0 else ():
            for seen in seen_in(hit.item):
                before = records.get(seen.pattern, PatternRecord(seen.pattern, 0.0, 0.0))
                records[seen.pattern] = _with(before, seen, self.weight * hit.score / best)
        return records


def _with(record: PatternRecord, seen: Seen, weight: float) -> PatternRecord:
    """A record with one item's observations added at a weight."""
    tallies: dict[PatternContext, tuple[float, float]] = {
        one.context: (one.successes, one.tries) for one in record.contexts
    }
    for context, tries in seen.tries_in.items():
        successes, tried = tallies.get(context, (0.0, 0.0))
        tallies[context] = (successes + weight * seen.successes_in.get(context, 0.0), tried + weight * tries)
    return PatternRecord(
        record.pattern,
        record.successes + weight * seen.successes,
        record.tries + weight * seen.tries,
        record.helpful + weight * seen.helpful,
        record.harmful + weight * seen.harmful,
        tuple(ContextTally(context, *tallies[context]) for context in sorted(tallies)),
    )
