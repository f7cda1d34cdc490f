"""What running tests in a room gives: one record a test, one claim a candidate."""

from __future__ import annotations

from dataclasses import dataclass

from autodev_lab.records import CandidateStatus

__all__ = ["CandidateRun", "TestRun"]


@dataclass(frozen=True, slots=True)
class TestRun:
    """One test, run once.

    Parameters
    ----------
    test_id
        Node id, relative to the tree.
    passed
        Whether it did not fail; a skipped or expectedly failing test counts as passed.
    seconds
        CPU seconds of setup, call and teardown; measured, so for limits only.
    message
        One line about the failure, with the place in the tree; "" when it passed.
    lines
        Lines of the package it executed, (path relative to the tree, line); empty without coverage.
    outcome
        ``passed``, ``failed``, ``skipped``, ``xfailed``, ``timeout`` or ``crashed``.
    wall_seconds
        Seconds by the clock, where they were measured: a processor clock may only tick while a timer watches it.
    """

    test_id: str
    passed: bool
    seconds: float
    message: str
    lines: frozenset[tuple[str, int]]
    outcome: str = "passed"
    wall_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CandidateRun:
    """What the fast path claims about one candidate; a claimed pass is to be confirmed by `run_plain`."""

    candidate_id: str
    status: CandidateStatus
    test_executions: int
    failing: tuple[str, ...]
