"""The pattern library: what was seen of every pattern, folded from a memory's log.

The library owns no state that matters: the memory's `patterns` collection is the log, the library a fold over it. Two
developers who share a memory therefore share a library, and two with a memory each do not; that is the whole
difference between the arms of the learning experiment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autodev_lab.errors import LabError
from autodev_lab.learning.facts import facts_of_outcome, facts_of_trials, seen_in
from autodev_lab.learning.tally import Tally
from autodev_lab.pattern_rates import PatternOffer, RatePrior
from autodev_lab.protocols import Memory
from autodev_lab.records import MemoryItem, Outcome, PatternContext, PatternRecord, PatternTrial, Task

__all__ = ["PatternLibrary"]

_COLLECTION = "patterns"


class PatternLibrary:
    """Counts, for every pattern, how often it was tried, how often that gave a change, and what became of these.

    A success is counted when a candidate passes the visible tests and taken back when production rolls it back or a
    person declines it: what is learned is what was shown, never what only the oracle knows.

    Parameters
    ----------
    memory
        Where observations are kept; sharing it shares the library.
    half_life
        Attempts after which evidence counts half; by default it never fades. Age is counted in attempts, not in
        seconds: a team that is idle forgets nothing (the discount a round of Garivier and Moulines 2011, "On
        upper-confidence bound policies for switching bandit problems", ALT).

    Raises
    ------
    LabError
        If the half-life is not above 0.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> from autodev_lab.records import TaskKind
    >>> library = PatternLibrary(InMemoryMemory())
    >>> task = Task("t1", "toolz", TaskKind.INJECTED, "a test fails")
    >>> library.observe(task, [PatternTrial("negate-condition", 3, 1)], agent_id="developer-1", at=0.0)
    >>> record = library.records()["negate-condition"]
    >>> record.successes, record.tries
    (1.0, 3.0)
    """

    def __init__(self, memory: Memory, *, half_life: float | None = None) -> None:
        if half_life is not None and not 0 < half_life < math.inf:
            raise LabError(f"half_life is {half_life}; it counts attempts and must be above 0 (None: nothing fades)")
        self._memory = memory
        self._half_life = half_life
        self._cursor = -1
        self._attempts = 0
        self._tallies: dict[str, Tally] = {}
        self._records: dict[str, PatternRecord] = {}
        self._changed: dict[str, None] = {}

    def records(self) -> Mapping[str, PatternRecord]:
        """What is known of each pattern now; patterns never tried are absent."""
        for item in self._memory.since(_COLLECTION, self._cursor):
            self._cursor = item.sequence
            self._fold(item)
        # what fades has changed whenever anything has
        stale = self._tallies if self._half_life is not None and self._changed else self._changed
        for pattern in stale:
            self._records[pattern] = self._tallies[pattern].record(pattern, self._attempts)
        self._changed = {}
        return MappingProxyType(self._records)

    def retrieve(
        self, context: PatternContext | None = None, k: int = 5, *, prior: RatePrior | None = None
    ) -> tuple[PatternOffer, ...]:
        """The best patterns for a context, and why: see `PatternRates.offers`.

        Parameters
        ----------
        context
            Where a change is sought; None for anywhere.
        k
            Patterns to return at most.
        prior
            How records are read; as the learned order reads them unless given.
        """
        return (prior or RatePrior()).of(self.records()).offers(context, k)

    def observe(self, task: Task, trials: Sequence[PatternTrial], *, agent_id: str, at: float) -> None:
        """Remember what an attempt showed; an attempt that tried nothing leaves no trace."""
        if not trials:
            return
        worked = (trial.pattern for trial in trials if trial.successes)
        text = " ".join(part for part in (task.title, task.body, *worked) if part)
        facts = {"package": task.package, "kind": "trial", **facts_of_trials(trials)}
        self._memory.add(MemoryItem(_COLLECTION, text, facts, task.id, agent_id, at))

    def settle(self, outcome: Outcome, *, agent_id: str, at: float) -> None:
        """Remember whether a change lasted; nothing where nothing was shown of it."""
        if outcome.success is None or outcome.change is None:
            return
        facts = {"kind": "outcome", **facts_of_outcome(outcome.change.patterns, outcome.success)}
        text = "lasted" if outcome.success else "rolled back"
        self._memory.add(MemoryItem(_COLLECTION, text, facts, outcome.task_id, agent_id, at))

    def _fold(self, item: MemoryItem) -> None:
        self._attempts += item.facts.get("kind") == "trial"
        for seen in seen_in(item):
            tally = self._tallies.get(seen.pattern)
            if tally is None:
                tally = self._tallies[seen.pattern] = Tally(self._half_life)
            tally.add(seen, item.task_id, self._attempts)
            self._changed[seen.pattern] = None
