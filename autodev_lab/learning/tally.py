"""The running sums of one pattern: what was seen of it, each observation faded by the attempts since."""

from __future__ import annotations

from dataclasses import dataclass

from autodev_lab.learning.facts import Seen
from autodev_lab.records import ContextTally, PatternContext, PatternRecord

__all__ = ["Tally"]


@dataclass(frozen=True, slots=True)
class _Win:
    """A success that may still be taken back: the attempt that gave it, and where it was, if that is known."""

    attempt: int
    context: PatternContext | None


class Tally:
    """Sums of successes, tries, helpful and harmful changes of one pattern, in all and by context.

    Parameters
    ----------
    half_life
        Attempts after which an observation counts half; None for never.
    """

    def __init__(self, half_life: float | None) -> None:
        self._half_life = half_life
        self._attempt = 0
        self._sums = {"successes": 0.0, "tries": 0.0, "helpful": 0.0, "harmful": 0.0}
        self._successes_in: dict[PatternContext, float] = {}
        self._tries_in: dict[PatternContext, float] = {}
        self._wins: dict[str, list[_Win]] = {}

    def add(self, seen: Seen, task_id: str, attempt: int) -> None:
        """Add what was seen at the attempt of that number, from 1.

        A harmful change takes back the task's last success, at the weight it still has; a success that was never seen
        cannot be taken back.
        """
        self._fade(attempt)
        self._sums["successes"] += seen.successes
        self._sums["tries"] += seen.tries
        self._sums["helpful"] += seen.helpful
        self._sums["harmful"] += seen.harmful
        for context, tries in seen.tries_in.items():
            self._tries_in[context] = self._tries_in.get(context, 0.0) + tries
        for context, successes in seen.successes_in.items():
            self._successes_in[context] = self._successes_in.get(context, 0.0) + successes
        if seen.successes:
            places = [context for context, count in seen.successes_in.items() for _ in range(int(count))]
            unknown = [None] * (int(seen.successes) - len(places))
            self._wins.setdefault(task_id, []).extend(_Win(attempt, place) for place in (*unknown, *places))
        if seen.harmful:
            self._take_back(task_id)
        elif seen.helpful:
            self._wins.pop(task_id, None)

    def record(self, pattern: str, attempt: int) -> PatternRecord:
        """The record as it is at the attempt of that number; reading changes nothing, so all readers read the same."""
        weight = self._weight(attempt - self._attempt)
        tries = self._sums["tries"] * weight
        contexts = tuple(
            ContextTally(context, min(self._successes_in.get(context, 0.0), tried) * weight, tried * weight)
            for context, tried in sorted(self._tries_in.items())
        )
        # what fades is rounded, which must not show as less than none or more than all
        successes = min(max(0.0, self._sums["successes"] * weight), tries)
        helpful, harmful = self._sums["helpful"] * weight, self._sums["harmful"] * weight
        return PatternRecord(pattern, successes, tries, helpful, harmful, contexts)

    def _take_back(self, task_id: str) -> None:
        wins = self._wins.get(task_id)
        if not wins:
            return
        win = wins.pop()
        weight = self._weight(self._attempt - win.attempt)
        self._sums["successes"] -= weight
        if win.context is not None:
            self._successes_in[win.context] = max(0.0, self._successes_in[win.context] - weight)

    def _weight(self, age: int) -> float:
        return 1.0 if self._half_life is None else float(2.0 ** (-age / self._half_life))

    def _fade(self, attempt: int) -> None:
        weight = self._weight(attempt - self._attempt)
        self._attempt = attempt
        if weight == 1.0:
            return
        self._sums = {name: value * weight for name, value in self._sums.items()}
        self._successes_in = {context: value * weight for context, value in self._successes_in.items()}
        self._tries_in = {context: value * weight for context, value in self._tries_in.items()}
