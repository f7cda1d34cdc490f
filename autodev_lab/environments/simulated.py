"""The simulated environment: evidence drawn from a task's hidden truth, thousands of tasks a second.

Every draw is a stable hash of (task, change, question), so that the same question has the same answer in any order, in
any process, for ever. What a candidate does depends on its edits alone: one edit that replaces the line of a template
by ``<template> <number>`` is the template's candidate of that number; anything else is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from autodev_lab.errors import LabError
from autodev_lab.records import (
    Candidate,
    CandidateStatus,
    Change,
    Cost,
    Diagnosis,
    Edit,
    ExposureReport,
    Inspection,
    Judgement,
    LineSpectrum,
    Stage,
    StreamItem,
    Task,
    TestReport,
    Truth,
    Verdict,
)
from autodev_lab.simulation import SimulatedTruth, SimulationParameters, chance, load_parameters

__all__ = ["SimulatedEnvironment", "SimulatedWorkspace"]

_MOST_SUSPECTS = 32
_HIGHEST_COMPLEXITY = 25


class SimulatedWorkspace:
    """A task's workspace: one file with a line ``<template> <number of candidates>`` for each template that applies."""

    def __init__(self, truth: SimulatedTruth, path: str, parameters: SimulationParameters) -> None:
        self._truth = truth
        self._path = path
        self._parameters = parameters
        self._plausible = dict(truth.plausible)

    @property
    def visible_tests(self) -> tuple[str, ...]:
        """Ids of the tests that may be run."""
        return tuple(_test(number) for number in range(self._parameters.visible_tests))

    def paths(self) -> tuple[str, ...]:
        """The one source file."""
        return (self._path,)

    def read(self, path: str) -> str:
        """Its text.

        Raises
        ------
        LabError
            If there is no such file.
        """
        if path != self._path:
            raise LabError(f"there is no {path} in the workspace; its only file is {self._path}")
        return "".join(f"{pattern} {self._parameters.sites}\n" for pattern, _ in self._truth.plausible)

    def evaluate(self, candidates: Sequence[Candidate]) -> tuple[Verdict, ...]:
        """Run the visible tests under each candidate; a failing one stops at its first failure."""
        return tuple(self._verdict(candidate) for candidate in candidates)

    def confirm(self, candidate: Candidate) -> Verdict:
        """The same verdict at no cost: claims of this world are true."""
        return replace(self._verdict(candidate), test_executions=0)

    def _verdict(self, candidate: Candidate) -> Verdict:
        name = candidate.id
        passes = self.passes(candidate.edits)
        if passes is None:
            return Verdict(name, CandidateStatus.INVALID, 0)
        if passes:
            return Verdict(name, CandidateStatus.PLAUSIBLE, self._parameters.visible_tests)
        return Verdict(name, CandidateStatus.FAILED, 1, _test(0))

    def passes(self, edits: tuple[Edit, ...]) -> bool | None:
        """Whether the visible tests pass under the edits; None when they are no candidate of this world."""
        if len(edits) != 1 or edits[0].path != self._path:
            return None
        pattern, _, number = edits[0].replacement.rstrip("\n").partition(" ")
        probability = self._plausible.get(pattern)
        if probability is None or not number.isdecimal() or int(number) >= self._parameters.sites:
            return None
        return chance(f"{self._truth.key}\x1f{pattern}\x1f{int(number)}") < probability


class SimulatedEnvironment:
    """The simulated world as an Environment and an Oracle.

    Parameters
    ----------
    items
        The stream's items; their truths must be `SimulatedTruth`. Follow-ups share the truth of their root.
    parameters
        The world; the shipped one unless given.

    Raises
    ------
    LabError
        If an item's truth is of another kind.

    Examples
    --------
    >>> from autodev_lab.records import TaskKind
    >>> truth = SimulatedTruth("t", "k", 0, 0.5, (("template-01", 1.0),), 0.0, 0.5)
    >>> task = Task("t", "p", TaskKind.SYNTHETIC, "a test fails")
    >>> environment = SimulatedEnvironment([StreamItem(task, truth)])
    >>> workspace, cost = environment.workspace(task)
    >>> workspace.read("p.py")
    'template-01 20\\n'
    >>> workspace.evaluate([Candidate((Edit("p.py", 1, 1, "template-01 0\\n"),), "template-01")])[0].plausible
    True
    """

    def __init__(self, items: Iterable[StreamItem], parameters: SimulationParameters | None = None) -> None:
        self._parameters = load_parameters() if parameters is None else parameters
        self._truths: dict[str, SimulatedTruth] = {}
        self._spectra: dict[tuple[str, int, int], tuple[LineSpectrum, ...]] = {}
        for item in items:
            if not isinstance(item.truth, SimulatedTruth):
                raise LabError(
                    f"task {item.task.id} is not of the simulated world; use the environment of its own kind "
                    f"({item.task.kind})"
                )
            self._truths[item.task.id] = item.truth

    @property
    def name(self) -> str:
        """Short name, part of every verdict."""
        return "simulated"

    # ---------------------------------------------------------------------------------------- environment

    def workspace(self, task: Task) -> tuple[SimulatedWorkspace, Cost]:
        """Open a task's workspace."""
        return self._workspace(task), Cost(seconds=self._parameters.workspace_seconds)

    def diagnose(self, task: Task) -> tuple[Diagnosis, Cost]:
        """Run the visible tests on the faulty source: the harder the task, the more lines look suspicious."""
        p = self._parameters
        truth = self._truth(task)
        failed = 1 + int(3 * chance(f"{truth.key}\x1ffailing"))
        spectrum = self._spectrum(_path(task), failed, 1 + int(_MOST_SUSPECTS * truth.difficulty))
        diagnosis = Diagnosis(
            task.id, tuple(_test(n) for n in range(failed)), failed, max(0, p.visible_tests - failed), spectrum
        )
        return diagnosis, Cost(test_executions=p.visible_tests, seconds=p.diagnose_seconds)

    def test(self, task: Task, change: Change) -> tuple[TestReport, Cost]:
        """Run all visible tests on the change; coverage of its lines is drawn line by line."""
        p = self._parameters
        key = self._key(task, change)
        passed = bool(self._workspace(task).passes(change.edits))
        lines = _changed_lines(key)
        covered = sum(chance(f"{key}\x1fcovered\x1f{line}") < p.coverage for line in range(lines))
        report = TestReport(
            task.id, p.visible_tests if passed else p.visible_tests - 1, () if passed else (_test(0),), lines, covered
        )
        return report, Cost(test_executions=p.visible_tests, seconds=p.test_seconds)

    def inspect(self, task: Task, change: Change) -> tuple[Inspection, Cost]:
        """Look at the change: wrong ones are flagged more often, and harder tasks lie in more complex code."""
        p = self._parameters
        truth = self._truth(task)
        key = self._key(task, change)
        flag = p.review_power if self._defective(truth, change) else p.review_false_alarm
        noise = chance(f"{key}\x1fcomplexity")
        complexity = 1 + int(_HIGHEST_COMPLEXITY * (0.7 * truth.difficulty + 0.3 * chance(f"{truth.key}\x1fcode")))
        others = p.modules - 1
        inspection = Inspection(
            task_id=task.id,
            lint=int(chance(f"{key}\x1flint") < flag),
            security=0,
            security_severe=0,
            complexity_before=complexity,
            complexity_after=complexity + (noise < 0.1) + (noise < 0.02),
            lines_added=_changed_lines(key),
            lines_removed=1,
            files=1,
            dependents=int((others + 1) * chance(f"{truth.key}\x1fdependents") ** 2),
            dependencies=int((others + 1) * chance(f"{truth.key}\x1fdependencies") ** 2),
            modules=p.modules,
        )
        return inspection, Cost(seconds=p.inspect_seconds)

    def expose(self, task: Task, change: Change, stage: Stage, share: float) -> tuple[ExposureReport, Cost]:
        """Expose the change to the first checks of production traffic; the smaller sample lies in the larger."""
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share must be more than 0 and at most 1, not {share!r}")
        sampled = max(1, round(share * self._parameters.exposure_tests))
        report = ExposureReport(task.id, stage, sampled, self._shown(task, change, sampled))
        return report, Cost(test_executions=sampled, seconds=self._parameters.expose_seconds)

    def rollback(self, task: Task, change: Change) -> Cost:
        """Take the change out of production."""
        return Cost(seconds=self._parameters.workspace_seconds)

    # --------------------------------------------------------------------------------------------- oracle

    def judge(self, task: Task, truth: Truth, change: Change) -> Judgement:
        """Say whether the change is right: it passes the visible tests and has no latent defect."""
        known = self._truth(task)
        correct = bool(self._workspace(task).passes(change.edits)) and not self._defective(known, change)
        exposed = not self._shown(task, change, self._parameters.exposure_tests)
        identical = correct and not self._different(known, change)
        return Judgement(task.id, correct, correct, exposed, correct, identical)

    # ------------------------------------------------------------------------------------------ machinery

    def _truth(self, task: Task) -> SimulatedTruth:
        try:
            return self._truths[task.root]
        except KeyError:
            raise LabError(
                f"task {task.id} is not in this simulated world; build the environment from the stream that has it"
            ) from None

    def _workspace(self, task: Task) -> SimulatedWorkspace:
        return SimulatedWorkspace(self._truth(task), _path(task), self._parameters)

    def _spectrum(self, path: str, failed: int, lines: int) -> tuple[LineSpectrum, ...]:
        """The same records for all tasks that look the same: making them anew would be the dearest part of a task."""
        key = (path, failed, lines)
        if key not in self._spectra:
            self._spectra[key] = tuple(LineSpectrum(path, line, failed, line - 1) for line in range(1, lines + 1))
        return self._spectra[key]

    def _key(self, task: Task, change: Change) -> str:
        return _content(self._truth(task), change)

    def _different(self, truth: SimulatedTruth, change: Change) -> bool:
        return chance(f"{_content(truth, change)}\x1fdifferent") < truth.different

    def _defective(self, truth: SimulatedTruth, change: Change) -> bool:
        if not self._different(truth, change):
            return False
        return chance(f"{_content(truth, change)}\x1fdefect") < self._parameters.defect_given_different

    def _shown(self, task: Task, change: Change, sampled: int) -> tuple[str, ...]:
        """Production checks among the first `sampled` that fail; all of them when even the visible tests do."""
        truth = self._truth(task)
        if not self._workspace(task).passes(change.edits):
            return tuple(f"production::check_{number}" for number in range(sampled))
        if not self._defective(truth, change):
            return ()
        key = self._key(task, change)
        return tuple(
            f"production::check_{number}"
            for number in range(sampled)
            if chance(f"{key}\x1fexposure\x1f{number}") < truth.reveal
        )


def _content(truth: SimulatedTruth, change: Change) -> str:
    """Names a task and a change's content, never its provenance."""
    edits = "\x1f".join(f"{e.path}\x1f{e.start_line}\x1f{e.end_line}\x1f{e.replacement}" for e in change.edits)
    return f"{truth.key}\x1f{edits}"


def _path(task: Task) -> str:
    return f"{task.package}.py"


def _test(number: int) -> str:
    return f"tests/test_simulated.py::test_{number}"


def _changed_lines(key: str) -> int:
    """One to six changed lines, small changes being the most frequent."""
    return 1 + int(6 * chance(f"{key}\x1flines") ** 3)
