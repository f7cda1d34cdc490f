"""Virtual seconds that looking at the world takes: constants, so that the same seed gives the same bytes.

They are of the order seen with small pure-Python packages on one core, where a fresh pytest process takes one to three
seconds before its first test. Nothing measured ever enters an outcome: a slow machine and a fast one tell the same
virtual time.
"""

from __future__ import annotations

from autodev_lab.records import Cost

__all__ = [
    "INSPECTION_SECONDS",
    "PYTEST_START_SECONDS",
    "ROLLBACK_SECONDS",
    "TEST_SECONDS",
    "TRACED_TEST_SECONDS",
    "WORKSPACE_SECONDS",
    "test_cost",
]

PYTEST_START_SECONDS = 1.5
"""Starting pytest and collecting, once a process."""

TEST_SECONDS = 0.01
"""One test case."""

TRACED_TEST_SECONDS = 0.03
"""One test case with line coverage (tracing costs one to nine times the test)."""

WORKSPACE_SECONDS = 2.0
"""Checking a working copy out."""

INSPECTION_SECONDS = 2.0
"""Linter, security scanner and complexity on the files of one change."""

ROLLBACK_SECONDS = 30.0
"""Taking a change out of production."""


def test_cost(executions: int, *, traced: bool = False) -> Cost:
    """Cost of one pytest process that runs some test cases.

    Examples
    --------
    >>> test_cost(100)
    Cost(candidates=0, test_executions=100, tokens=0, seconds=2.5)
    """
    each = TRACED_TEST_SECONDS if traced else TEST_SECONDS
    return Cost(test_executions=executions, seconds=PYTEST_START_SECONDS + each * executions)
