"""What is known of a change before it is deployed and says something about overfitting, as numbers.

A change that passes all visible tests may still be wrong: it fits the tests and not the intention (Smith et al. 2015,
"Is the cure worse than the disease?", ESEC/FSE). Nothing here runs code or looks at anything held out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from autodev_lab.records import Evidence

__all__ = ["WORDS", "lines_of", "measures_of"]

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "evaluations": "candidates tried before this one",
        "lines_changed": "size of the change",
        "edits": "places edited",
        "deletes_only": "code is removed and none put in its place",
        "early_exit": "exits put in",
        "new_literals": "literals put in that were not there",
        "suspiciousness": "suspicion of the changed lines",
        "failing_tests": "failing tests explained",
        "tests_through": "tests through the changed lines",
        "spread": "spread of suspicion",
        "reworks": "earlier changes that were refused",
    }
)
"""Every measure in words, for the reasons of a decision."""

_EXIT = re.compile(r"^\s*(?:return|raise|break|continue)\b")
_LITERAL = re.compile(r"(?<![\w.])\d+(?:\.\d+)?|\"[^\"]*\"|'[^']*'|\b(?:True|False|None)\b")


def lines_of(evidence: Evidence) -> int:
    """Lines that the change adds and removes."""
    return evidence.review.inspection.lines_added + evidence.review.inspection.lines_removed


def measures_of(evidence: Evidence) -> dict[str, float]:
    """Measures of a reviewed change; counts as natural logarithms of one more than the count.

    ================ ================================================================================================
    measure          what it is, and why it may tell a wrong change
    ================ ================================================================================================
    evaluations      candidates tried before the change was found: right patches are sparse among plausible ones, so
                     the longer the search, the likelier a chance hit (Long and Rinard 2016, "An analysis of the
                     search spaces for generate and validate patch generation systems", ICSE)
    lines_changed    lines added and removed (Kamei et al. 2013, "A large-scale empirical study of just-in-time quality
                     assurance", IEEE TSE 39(6): LA and LD)
    edits            places edited, less one (Kamei et al. 2013: entropy, NF)
    deletes_only     1 if code is removed and none is put in its place: most plausible patches of early systems were
                     such deletions, and wrong (Qi et al. 2015, "An analysis of patch plausibility and correctness for
                     generate-and-validate patch generation systems", ISSTA)
    early_exit       more return, raise, break or continue statements than before (Tan et al. 2016, "Anti-patterns in
                     search-based program repair", FSE: append early exit)
    new_literals     numbers, texts, True, False and None put in that the replaced lines do not have: a condition made
                     constant, or an answer made to fit one test (Tan et al. 2016: trivial condition)
    suspiciousness   highest Ochiai score of the changed lines, 0 if none was suspected: where tests fail, not merely
                     where they run (Abreu, Zoeteweij and van Gemund 2007)
    failing_tests    failing visible tests that the change makes pass: a weak specification is fitted by many patches
                     (Smith et al. 2015, on the coverage of the tests that guide a repair)
    tests_through    visible tests that execute the changed lines, from the Ochiai score s and F failing tests: F / s^2,
                     which is exact when every failing test executes the line. A passing test whose behaviour stays is
                     evidence for a patch (Xiong et al. 2018, "Identifying patch correctness in test-based program
                     repair", ICSE)
    spread           how widely suspicion is spread (the architect's complexity, 0 to 10)
    reworks          changes of this task that were refused before, and incidents it follows up
    ================ ================================================================================================

    Examples
    --------
    >>> sorted(WORDS)[:3]
    ['deletes_only', 'early_exit', 'edits']
    """
    change, plan = evidence.change, evidence.plan
    removed, added = _sides(change.diff)
    suspicion = _suspicion(evidence)
    through = plan.failing / suspicion**2 if suspicion > 0.0 else 0.0
    literals = _literals(added) - _literals(removed)
    return {
        "evaluations": math.log1p(change.evaluations),
        "lines_changed": math.log1p(lines_of(evidence)),
        "edits": float(max(0, len(change.edits) - 1)),
        "deletes_only": float(bool(removed) and not any(line.strip() not in ("", "pass") for line in added)),
        "early_exit": float(max(0, _exits(added) - _exits(removed))),
        "new_literals": float(len(literals)),
        "suspiciousness": suspicion,
        "failing_tests": math.log1p(plan.failing),
        "tests_through": math.log1p(through),
        "spread": plan.complexity,
        "reworks": float(evidence.reworks + evidence.task.depth),
    }


def _sides(diff: str) -> tuple[list[str], list[str]]:
    """Lines that a unified diff removes, and those that it adds."""
    lines = diff.splitlines()
    removed = [line[1:] for line in lines if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    return removed, added


def _exits(lines: Iterable[str]) -> int:
    return sum(_EXIT.match(line) is not None for line in lines)


def _literals(lines: Iterable[str]) -> set[str]:
    return {literal for line in lines for literal in _LITERAL.findall(line)}


def _suspicion(evidence: Evidence) -> float:
    touched = {
        (edit.path, line)
        for edit in evidence.change.edits
        for line in range(edit.start_line, max(edit.start_line, edit.end_line) + 1)
    }
    return max((one.suspiciousness for one in evidence.plan.suspects if (one.path, one.line) in touched), default=0.0)
