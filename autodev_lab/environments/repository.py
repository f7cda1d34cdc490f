"""The repository environment: real packages with a fault, their own tests split into sides, evidence from running them.

Agents see the visible side. Rollout stages draw from the exposure side. The oracle side is run by the judge alone,
who is the same object behind another protocol; agents hold it as an `Environment` only.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np

from autodev_lab.environments.bench import Bench
from autodev_lab.environments.cache import Json, ResultCache, key_of
from autodev_lab.environments.costs import (
    INSPECTION_SECONDS,
    ROLLBACK_SECONDS,
    WORKSPACE_SECONDS,
    test_cost,
)
from autodev_lab.environments.differential import differential_agrees
from autodev_lab.environments.faulty import Faulty, RepositoryTruth, RepositoryWorkspace, SpecifiedTruth
from autodev_lab.environments.inspection import inspect_change
from autodev_lab.errors import LabError
from autodev_lab.execution.sandbox import Limits, SandboxReport
from autodev_lab.execution.sides import Side
from autodev_lab.execution.subjects import Subject
from autodev_lab.files import stable_seed
from autodev_lab.protocols import Workspace
from autodev_lab.records import (
    Change,
    Cost,
    Diagnosis,
    ExposureReport,
    Inspection,
    Judgement,
    Stage,
    StreamItem,
    Task,
    TestReport,
    Truth,
)

__all__ = ["RepositoryEnvironment"]


class RepositoryEnvironment:
    """Real packages with a fault each. Implements `protocols.Environment` and `protocols.Oracle`; a context manager.

    Everything seen is kept on disk by content: a second run of the same candidates starts no process.

    Parameters
    ----------
    items
        The tasks and their truths (`environments.faulty.RepositoryTruth`).
    subjects
        The packages, by the spec a truth names (`environments.faulty.SpecifiedTruth`) or, where it names none, by the
        task's ``package``: tasks of one package may need several of its versions.
    cache
        SQLite file of results; processes may share it.
    report
        What this machine can isolate, from `execution.probing.require`.
    limits
        Of every sandboxed process.

    Raises
    ------
    LabError
        If a task's package is missing, or its truth is of another world.
    """

    name = "repository"

    def __init__(
        self,
        items: Sequence[StreamItem],
        subjects: Mapping[str, Subject],
        cache: Path,
        report: SandboxReport,
        limits: Limits | None = None,
    ) -> None:
        self._cache = ResultCache(cache)
        self._bench = Bench(report, limits or Limits())
        self._faulty: dict[str, Faulty] = {}
        for item in items:
            needed = item.truth.package_spec if isinstance(item.truth, SpecifiedTruth) else item.task.package
            subject = subjects.get(needed)
            if subject is None:
                raise LabError(f"task {item.task.id} needs the package {needed}; obtain it and pass it in")
            self._faulty[item.task.id] = Faulty(subject, _truth(item.truth), self._bench, self._cache)

    def close(self) -> None:
        """End all processes and remove all trees; what was seen stays in the cache."""
        self._bench.close()
        self._cache.close()

    def __enter__(self) -> RepositoryEnvironment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --------------------------------------------------------------------------------------------- evidence

    def workspace(self, task: Task) -> tuple[Workspace, Cost]:
        """Open a task's workspace."""
        return RepositoryWorkspace(self._of(task)), Cost(seconds=WORKSPACE_SECONDS)

    def diagnose(self, task: Task) -> tuple[Diagnosis, Cost]:
        """Run the visible tests on the faulty source, with coverage of the package's lines."""
        seen = self._of(task).evidence
        total = len(seen.tests)
        failed = len(seen.failing)
        diagnosis = Diagnosis(task.id, seen.failing, failed, total - failed, seen.spectrum, seen.messages)
        return diagnosis, test_cost(total, traced=True)

    def test(self, task: Task, change: Change) -> tuple[TestReport, Cost]:
        """Run all visible tests on the changed files, on disk, in a fresh process, with coverage of the change."""
        faulty = self._of(task)
        total = len(faulty.evidence.tests)
        seen = faulty.plain(change.edits)
        passed = total - len(seen.failing)
        report = TestReport(task.id, passed, seen.failing, seen.changed_lines, seen.covered_lines)
        return report, test_cost(total, traced=True)

    def inspect(self, task: Task, change: Change) -> tuple[Inspection, Cost]:
        """Lint, scan, count complexity and dependents; what the change adds counts."""
        faulty = self._of(task)
        key = key_of("inspect", faulty.base, change.candidate.id)
        kept = self._cache.remember(
            key, lambda: _counts(inspect_change("", faulty.files, faulty.changed(change.edits)))
        )
        return Inspection(task.id, *cast("Sequence[int]", kept)), Cost(seconds=INSPECTION_SECONDS)

    def expose(self, task: Task, change: Change, stage: Stage, share: float) -> tuple[ExposureReport, Cost]:
        """Expose the change to production traffic: exposure tests, those that reach the faulty function first.

        A share below 1 draws from the traffic that reaches the changed component (the tests named by the truth, or
        all of them when it names none) in an order of the task's own; the full share is every exposure test.

        Raises
        ------
        LabError
            If the share is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise LabError(f"share is {share}; it must lie above 0 and be at most 1")
        faulty = self._of(task)
        sample = self._traffic(task, faulty, share)
        broken = dict.fromkeys(faulty.held_out(change.edits))
        failed = tuple(test for test in sample if test in broken)
        return ExposureReport(task.id, stage, len(sample), failed), test_cost(len(sample))

    def _traffic(self, task: Task, faulty: Faulty, share: float) -> tuple[str, ...]:
        tests = faulty.healthy(Side.EXPOSURE)
        named = set(faulty.truth.covering.get(Side.EXPOSURE.value, ()))
        rng = np.random.default_rng(stable_seed("traffic", task.root))
        shuffled = [tests[place] for place in rng.permutation(len(tests)).tolist()]
        near = [test for test in shuffled if test in named] or shuffled
        if share < 1:
            return tuple(near[: math.ceil(share * len(near))])
        chosen = set(near)
        return (*near, *(test for test in shuffled if test not in chosen))

    def rollback(self, task: Task, change: Change) -> Cost:
        """Take the change out of production."""
        self._of(task)
        return Cost(seconds=ROLLBACK_SECONDS)

    # -------------------------------------------------------------------------------------------- judgement

    def judge(self, task: Task, truth: Truth, change: Change) -> Judgement:
        """Whether the change is correct: the same program as the pristine one, or in agreement on all held out.

        That is: the oracle and exposure tests that pass on the pristine package pass, and the function that was
        faulty answers recorded and mutated calls as the pristine one does.
        """
        faulty = self._of(task)
        if _same_program(faulty.pristine, faulty.changed(change.edits)):
            return Judgement(task.id, True, identical=True)
        oracle = self._verdict(faulty, Side.ORACLE, change)
        exposure = self._verdict(faulty, Side.EXPOSURE, change)
        agreed: bool | None = None
        if oracle is not False and exposure is not False:
            key = key_of("differential", faulty.base, change.candidate.id)
            kept = self._cache.remember(key, lambda: [differential_agrees(faulty, truth, change.edits)])
            agreed = cast("Sequence[bool | None]", kept)[0]
        correct = oracle is not False and exposure is not False and agreed is not False
        return Judgement(task.id, correct, oracle, exposure, agreed)

    def _verdict(self, faulty: Faulty, side: Side, change: Change) -> bool | None:
        if not faulty.healthy(side):
            return None
        return not set(faulty.healthy(side)) & set(faulty.held_out(change.edits))

    def _of(self, task: Task) -> Faulty:
        known = self._faulty.get(task.id) or self._faulty.get(task.root)
        if known is None:
            raise LabError(f"task {task.id} is not of this environment; make it with the stream that holds the task")
        return known


def _truth(truth: Truth) -> RepositoryTruth:
    if not isinstance(truth, RepositoryTruth):
        raise LabError(
            f"task {truth.task_id} holds no fault of a repository but {type(truth).__name__}; use its own environment"
        )
    return truth


def _same_program(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two sets of files hold the same code (layout and comments apart)."""
    if set(one) != set(other):
        return False
    try:
        return all(one[path] == other[path] or _dump(one[path]) == _dump(other[path]) for path in one)
    except SyntaxError:
        return False


def _dump(text: str) -> str:
    return ast.dump(ast.parse(text))


def _counts(seen: Inspection) -> Json:
    return [
        seen.lint,
        seen.security,
        seen.security_severe,
        seen.complexity_before,
        seen.complexity_after,
        seen.lines_added,
        seen.lines_removed,
        seen.files,
        seen.dependents,
        seen.dependencies,
        seen.modules,
    ]
