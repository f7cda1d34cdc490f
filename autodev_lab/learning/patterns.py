"""The pattern library: successes and tries of every pattern, folded from a memory's log.

The library owns no state that matters: the memory's `patterns` collection is the log, the library a fold over it. Two
developers who share a memory therefore share a library, and two with a memory each do not; that is the whole
difference between the arms of the learning experiment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autodev_lab.protocols import Memory
from autodev_lab.records import MemoryItem, Outcome, PatternRecord, PatternTrial, Task

__all__ = ["PatternLibrary"]

_COLLECTION = "patterns"
_TRIES = "tries:"
_SUCCESSES = "successes:"


class PatternLibrary:
    """Counts, for every pattern, how often it was tried and how often that gave a change that lasted.

    A success is counted when a candidate passes the visible tests and taken back when production rolls it back: what
    is learned is what production showed, never what only the oracle knows.

    Parameters
    ----------
    memory
        Where observations are kept; sharing it shares the library.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> from autodev_lab.records import TaskKind
    >>> library = PatternLibrary(InMemoryMemory())
    >>> task = Task("t1", "toolz", TaskKind.INJECTED, "a test fails")
    >>> library.observe(task, [PatternTrial("negate-condition", 3, 1)], agent_id="developer-1", at=0.0)
    >>> library.records()["negate-condition"]
    PatternRecord(pattern='negate-condition', successes=1.0, tries=3.0)
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._cursor = -1
        self._records: dict[str, PatternRecord] = {}

    def records(self) -> Mapping[str, PatternRecord]:
        """What is known of each pattern now; patterns never tried are absent."""
        for item in self._memory.since(_COLLECTION, self._cursor):
            self._cursor = item.sequence
            self._fold(item)
        return MappingProxyType(self._records)

    def observe(self, task: Task, trials: Sequence[PatternTrial], *, agent_id: str, at: float) -> None:
        """Remember what an attempt showed; an attempt that tried nothing leaves no trace."""
        if not trials:
            return
        facts: dict[str, str | float | int | bool] = {"package": task.package, "kind": "trial"}
        for trial in trials:
            facts[_TRIES + trial.pattern] = trial.tries
            if trial.successes:
                facts[_SUCCESSES + trial.pattern] = trial.successes
        text = f"{task.title} {' '.join(trial.pattern for trial in trials if trial.successes)}"
        self._memory.add(MemoryItem(_COLLECTION, text, facts, task.id, agent_id, at))

    def settle(self, outcome: Outcome, *, agent_id: str, at: float) -> None:
        """Take back the success of the patterns of a change that production refused."""
        if outcome.success is not False or outcome.change is None:
            return
        facts: dict[str, str | float | int | bool] = {"kind": "outcome"}
        facts.update({_SUCCESSES + pattern: -1 for pattern in outcome.change.patterns})
        self._memory.add(MemoryItem(_COLLECTION, "rolled back", facts, outcome.task_id, agent_id, at))

    def _fold(self, item: MemoryItem) -> None:
        for key, value in item.facts.items():
            if key.startswith(_TRIES):
                self._add(key.removeprefix(_TRIES), 0.0, float(value))
            elif key.startswith(_SUCCESSES):
                self._add(key.removeprefix(_SUCCESSES), float(value), 0.0)

    def _add(self, pattern: str, successes: float, tries: float) -> None:
        old = self._records.get(pattern, PatternRecord(pattern, 0.0, 0.0))
        self._records[pattern] = PatternRecord(pattern, max(0.0, old.successes + successes), old.tries + tries)
