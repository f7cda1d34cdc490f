"""Running many schedules in this process and adding up what came of them."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from autodev_lab.chaos.rules import Rule
from autodev_lab.chaos.schedule import Mechanism, draw_schedule
from autodev_lab.chaos.world import run_schedule

__all__ = ["Tally", "quiet_agents", "run_batch"]


@dataclass(slots=True)
class Tally:
    """What came of some schedules; grows as batches are added.

    Parameters
    ----------
    schedules, violations
        How many were run, and how many of them broke a rule.
    calls
        Commands that reached the ledger.
    virtual_seconds
        Their lengths in virtual time, together.
    injected
        Faults that struck, by kind.
    rules
        Schedules by the rule of their first violation.
    first
        Number of the first schedule that broke each rule.
    """

    schedules: int = 0
    violations: int = 0
    calls: int = 0
    virtual_seconds: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add what came of other schedules; the order in which tallies are added does not matter."""
        self.schedules += other.schedules
        self.violations += other.violations
        self.calls += other.calls
        self.virtual_seconds += other.virtual_seconds
        self.injected.update(other.injected)
        self.rules.update(other.rules)
        for rule, index in other.first.items():
            self.first[rule] = min(index, self.first.get(rule, index))

    def counterexample(self) -> int | None:
        """The schedule to look at: the first that broke a promise, or else the first that answered otherwise."""
        promises = [index for rule, index in self.first.items() if rule != Rule.TRANSITION]
        return min(promises or self.first.values(), default=None)


def run_batch(seed: int, indices: Iterable[int], disable: Mechanism | None = None) -> Tally:
    """Draw and run some schedules of a seed.

    Examples
    --------
    >>> tally = run_batch(1, range(3))
    >>> tally.schedules, tally.violations
    (3, 0)
    """
    tally = Tally()
    with quiet_agents(), _uncollected():
        for index in indices:
            run = run_schedule(draw_schedule(seed, index, disable))
            tally.schedules += 1
            tally.calls += len(run.history)
            tally.virtual_seconds += run.ended_at
            tally.injected.update(run.counts())
            if run.violations:
                rule = run.violations[0].rule.value
                tally.violations += 1
                tally.rules[rule] += 1
                tally.first.setdefault(rule, index)
    return tally


@contextlib.contextmanager
def quiet_agents() -> Iterator[None]:
    """Keep agents from telling of every refusal: here refusals are what is looked for."""
    logger = logging.getLogger("autodev_lab.agents.base")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the cyclic collector away: it would walk all modules again and again, and a schedule leaves no cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
