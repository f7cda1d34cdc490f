"""Confirm a fault by a fresh import of the changed package, with every test: what it does as a file on disk.

A warm process shows what the tests that execute a fault make of it. A fault that already acts while modules are
imported (a default computed once, a table filled by a decorator, a class body) reaches other tests too, or stops
them from being collected; only a fresh import and all tests show that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autodev_lab.execution.runs import CandidateRun
from autodev_lab.execution.trees import split_lines
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit

__all__ = ["failing_after_import", "run_after_import"]

_UNSWAPPABLE = "\nif not __name__:\n    pass\n"
"""A statement without effect at module level: code with it cannot be swapped in, so that it is imported afresh."""


def failing_after_import(
    zygote: Zygote, edits: Sequence[Edit], sources: Mapping[str, str], tests: Sequence[str]
) -> frozenset[str]:
    """Which tests fail when the package is imported with a fault in its files.

    Parameters
    ----------
    zygote
        The pristine tree.
    edits
        The fault.
    sources
        The pristine files by path.
    tests
        Tests that pass on the pristine tree.

    Returns
    -------
    frozenset
        All tests when the package can no longer be imported, or ends or blocks its process.
    """
    run = run_after_import(zygote, edits, sources, tests)
    if run.status is CandidateStatus.PLAUSIBLE:
        return frozenset()
    return frozenset(run.failing if run.status is CandidateStatus.FAILED else tests)


def run_after_import(
    zygote: Zygote, edits: Sequence[Edit], sources: Mapping[str, str], tests: Sequence[str]
) -> CandidateRun:
    """Run all of some tests after the package was imported with a fault in its files; see `failing_after_import`."""
    path = edits[0].path
    end = len(split_lines(sources[path]))
    changed = Candidate((*edits, Edit(path, end + 1, end, _UNSWAPPABLE)), "confirmation")
    return zygote.evaluate([changed], tests=tests, all_failures=True)[0]
