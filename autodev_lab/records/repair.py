"""Looking for a change: what the tests show, where it may be, what was tried, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from autodev_lab.records.quick_init import quick_init
from autodev_lab.records.retrieval import Retrieval
from autodev_lab.records.tasks import Cost

__all__ = [
    "Attempt",
    "Candidate",
    "CandidateStatus",
    "Change",
    "ContextTally",
    "Diagnosis",
    "Edit",
    "LineSpectrum",
    "PatternContext",
    "PatternTrial",
    "Plan",
    "Suspect",
    "TestReport",
    "Verdict",
]


class CandidateStatus(StrEnum):
    """What running a candidate showed."""

    PLAUSIBLE = "plausible"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INVALID = "invalid"
    FORGED = "forged"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace whole lines of one file.

    Parameters
    ----------
    path
        File, relative to the workspace root, with forward slashes.
    start_line, end_line
        First and last line replaced, 1-based and inclusive; an insertion *before* line n has
        ``start_line == n`` and ``end_line == n - 1``.
    replacement
        The new text, ending in a newline unless it is empty (a deletion).
    """

    path: str
    start_line: int
    end_line: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible change before anything is known of it: the edits and the pattern that made them."""

    edits: tuple[Edit, ...]
    pattern: str

    @property
    def id(self) -> str:
        """Content hash of the edits (16 hexadecimal digits): equal edits are the same candidate."""
        digest = hashlib.sha256()
        for edit in self.edits:
            for part in (edit.path, str(edit.start_line), str(edit.end_line), edit.replacement):
                digest.update(part.encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What evaluating one candidate on the visible tests showed.

    ``test_executions`` counts the tests run until the verdict was known; ``failing_test`` is the first failure.
    """

    candidate_id: str
    status: CandidateStatus
    test_executions: int
    failing_test: str | None = None

    @property
    def plausible(self) -> bool:
        """Whether every visible test passed."""
        return self.status is CandidateStatus.PLAUSIBLE


@dataclass(frozen=True, slots=True)
class Change:
    """A proposed patch with its provenance.

    Parameters
    ----------
    task_id
        The task it answers.
    edits
        What it does to the workspace.
    diff
        The same as a unified diff, for people.
    solver
        Name of the solver that made it.
    patterns
        Patterns used.
    evaluations
        Candidates evaluated before this one was found, itself included.
    """

    task_id: str
    edits: tuple[Edit, ...]
    diff: str
    solver: str
    patterns: tuple[str, ...] = ()
    evaluations: int = 0

    @property
    def candidate(self) -> Candidate:
        """The change without its provenance."""
        return Candidate(self.edits, "+".join(self.patterns))


@dataclass(frozen=True, slots=True)
class LineSpectrum:
    """How many failing and passing visible tests executed one line."""

    path: str
    line: int
    failed: int
    passed: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Evidence about what is wrong: the failing visible tests and the coverage spectrum.

    ``total_failed`` and ``total_passed`` count visible tests; ``messages`` holds one failure text per failing test.
    """

    task_id: str
    failing: tuple[str, ...]
    total_failed: int
    total_passed: int
    spectrum: tuple[LineSpectrum, ...] = ()
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line that may hold the fault; suspiciousness in [0, 1], higher is more suspect."""

    path: str
    line: int
    suspiciousness: float


@quick_init
@dataclass(frozen=True, slots=True)
class Plan:
    """What the architect hands on: where to look, how hard it looks, how much to spend.

    ``complexity`` is on the specification's scale from 0 to 10; ``budget`` is in candidates;
    ``similar`` names past tasks found in memory; ``failing`` counts the failing visible tests; ``retrieved`` is all
    that the memory was asked for it.
    """

    task_id: str
    suspects: tuple[Suspect, ...]
    complexity: float
    budget: int
    similar: tuple[str, ...] = ()
    failing: int = 0
    retrieved: tuple[Retrieval, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class PatternContext:
    """Where a pattern was tried, in words that mean the same in every package; an empty one is not known.

    Parameters
    ----------
    statement
        Kind of the statement changed, as Python's syntax tree names it: ``"If"``, ``"Return"``, ``"Assign"``.
    failure
        Class of the exception of the first failing test: ``"AssertionError"``, ``"TypeError"``.
    place
        How suspicious the statement is: its rank among the suspicious ones, in buckets that grow.
    """

    statement: str = ""
    failure: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class ContextTally:
    """Successes and tries of a pattern in one context, as weights in a record and as counts in a trial."""

    context: PatternContext
    successes: float
    tries: float


@dataclass(frozen=True, slots=True)
class PatternTrial:
    """One pattern's record within one attempt: how often it was tried and whether it produced the change.

    ``contexts`` says where, as far as the solver knows; its tries and successes are among those of the trial.
    """

    pattern: str
    tries: int
    successes: int
    contexts: tuple[ContextTally, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a solver came back with: a change, or None when its budget ran out, and what it tried.

    ``retrieved`` is what the developer asked its memory beforehand.
    """

    task_id: str
    change: Change | None
    trials: tuple[PatternTrial, ...] = ()
    cost: Cost = field(default_factory=Cost)
    retrieved: tuple[Retrieval, ...] = ()


@dataclass(frozen=True, slots=True)
class TestReport:
    """The visible tests under the change, from files on disk, and the coverage of the changed lines.

    ``changed_lines`` and ``covered_lines`` count executable lines of the change.
    """

    __test__ = False  # not a pytest class

    task_id: str
    passed: int
    failed: tuple[str, ...]
    changed_lines: int
    covered_lines: int

    @property
    def solved(self) -> bool:
        """Whether all visible tests passed (and there were any)."""
        return self.passed > 0 and not self.failed

    @property
    def coverage(self) -> float:
        """Share of the changed executable lines that visible tests execute; 1 when nothing executable changed."""
        return self.covered_lines / self.changed_lines if self.changed_lines else 1.0
