"""A package's tests before any bug: which of them can be trusted, and what each of them executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.execution.plain import run_plain
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.zygote import Zygote

__all__ = ["Baseline"]

_LEAST_PASSING = 0.5


@dataclass(frozen=True, slots=True)
class Baseline:
    """The tests that can be trusted, in collection order, and what each of them executes.

    ``covered`` maps a path to the lines that some test executes; ``reached_by`` maps a (path, line) to the indices of
    the tests that execute it. Left out and counted are ``failing`` tests, ``flaky`` ones, whose warm runs differ, and
    ``unstable`` ones, on which the warm process and plain pytest in a process of its own disagree.
    """

    tests: tuple[str, ...]
    covered: Mapping[str, frozenset[int]]
    reached_by: Mapping[tuple[str, int], tuple[int, ...]]
    failing: int
    flaky: int
    unstable: int

    @staticmethod
    def measure(zygote: Zygote, subject: Subject, report: SandboxReport) -> Baseline:
        """Run all tests in order, with coverage, backwards, and by plain pytest from disk."""
        first = zygote.run()
        traced = {run.test_id: run for run in zygote.run(coverage=True)}
        backwards = {run.test_id: run for run in zygote.run([run.test_id for run in reversed(first)])}
        plain = run_plain(subject.tree, tests=[run.test_id for run in first], report=report)
        cold = {run.test_id: run.passed for run in plain.runs}
        failing = flaky = unstable = 0
        tests: list[str] = []
        for run in first:
            verdicts = {run.passed, traced[run.test_id].passed, backwards[run.test_id].passed}
            if len(verdicts) > 1:
                flaky += 1
            elif run.passed is not cold[run.test_id]:
                unstable += 1
            elif not run.passed:
                failing += 1
            elif run.outcome == "passed":
                tests.append(run.test_id)
        if len(tests) < _LEAST_PASSING * (len(first) - sum(run.outcome in ("skipped", "xfailed") for run in first)):
            message = (
                next(run.message for run in first if not run.passed)
                if failing
                else "they pass in one run and fail in another"
            )
            raise LabError(
                f"{failing + flaky + unstable} of {len(first)} tests of {subject.name} fail before any bug "
                f"({message[:120]}); give a package whose tests pass here, or its missing dependencies"
            )
        if not tests:
            raise LabError(f"all tests of {subject.name} are skipped here; give a package whose tests run")
        covered: dict[str, set[int]] = {}
        reached: dict[tuple[str, int], list[int]] = {}
        for index, test in enumerate(tests):
            for path, line in sorted(traced[test].lines):
                covered.setdefault(path, set()).add(line)
                reached.setdefault((path, line), []).append(index)
        return Baseline(
            tuple(tests),
            {path: frozenset(lines) for path, lines in covered.items()},
            {place: tuple(indices) for place, indices in reached.items()},
            failing,
            flaky,
            unstable,
        )

    def covering(self, path: str, first: int, last: int) -> tuple[str, ...]:
        """Tests that execute any of some lines (inclusive range), in collection order."""
        indices: set[int] = set()
        for line in range(first, last + 1):
            indices.update(self.reached_by.get((path, line), ()))
        return tuple(self.tests[index] for index in sorted(indices))
