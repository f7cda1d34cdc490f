"""Changes of a package with what was seen of its tests: which fail under each, and which execute what it changes."""

from __future__ import annotations

import ast
import functools
import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.sides import Side, write_side_tree
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.testmon import ask_testmon
from autodev_lab.execution.trees import apply_edits
from autodev_lab.execution.zygote import NotCollected, Zygote
from autodev_lab.files import stable_seed
from autodev_lab.records import Candidate, CandidateStatus, Edit, TaskKind
from autodev_lab.streams.baseline import Baseline
from autodev_lab.streams.confirmation import run_after_import
from autodev_lab.streams.examination import content_of, package_sources
from autodev_lab.streams.mutations import enumerate_mutants
from autodev_lab.streams.operators import choose_operators
from autodev_lab.streams.stratified import stratified

__all__ = ["ObservedChange", "ObservedPackage", "changed_lines", "observe"]

Numbers = tuple[int, ...]

_RUNS = 5
"""Runs that a test's time is the least of: noise only adds to it."""

_REASONS = (
    "tried",
    "duplicate",
    "invalid",
    "survived",
    "timed_out",
    "crashed",
    "flaky",
    "kept",
    "kept_indirect",
    "kept_uncollectable",
)


@dataclass(frozen=True, slots=True)
class ObservedChange:
    """A change that some test notices. Tests are numbers: places among the package's tests.

    Parameters
    ----------
    id
        Digest of the edits.
    kind
        ``injected`` or ``historical``.
    edits
        The change, relative to the package as it is.
    failing
        Tests that fail, or cannot be collected, when the package is imported with the change; all tests were run.
    collectable
        Whether all tests can still be collected; if not, most often the package can no longer be imported.
    line, function, file
        Tests that executed a changed line of the package as it is, a line of a changed function (of the file, for a
        line outside functions), a line of a changed file.
    testmon
        Tests that pytest-testmon would run again; None if it was not asked.
    """

    id: str
    kind: str
    edits: tuple[Edit, ...]
    failing: Numbers
    collectable: bool
    line: Numbers
    function: Numbers
    file: Numbers
    testmon: Numbers | None = None

    @property
    def indirect(self) -> bool:
        """Whether a test fails that executes no changed line: the change acts while modules are imported."""
        return not set(self.failing) <= set(self.line)


@dataclass(frozen=True, slots=True)
class ObservedPackage:
    """A package and its changes.

    Parameters
    ----------
    name, spec, content_hash
        The package; `spec` is what `autodev_lab.execution.subjects.obtain` takes.
    tests
        Node ids of the tests that count, in collection order.
    changes
        What was seen.
    attrition
        Changes ``tried``, and of these ``duplicate, invalid, survived, timed_out, crashed, flaky`` left out, and
        ``kept``; of the kept, ``kept_indirect`` and ``kept_uncollectable``. Tests: ``tests`` that count and
        ``tests_left_out``, which fail before any change, or in one run and not in another.
    seconds
        Seconds of each test in a warm process, by the clock; measured, so never part of the same bytes.
    """

    name: str
    spec: str
    content_hash: str
    tests: tuple[str, ...]
    changes: tuple[ObservedChange, ...]
    attrition: Mapping[str, int] = field(hash=False)
    seconds: tuple[float, ...] = ()


def observe(
    subject: Subject,
    *,
    injected: int,
    historical: Iterable[Sequence[Edit]] = (),
    testmon: bool = False,
    seed: int,
    report: SandboxReport,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> ObservedPackage:
    """Change a package again and again and run all its tests under each change.

    A change is kept if some test fails under it. All tests are run after a fresh import of the changed package; those
    that execute changed lines are also run by swapping the change into a warm process. If the two disagree, the fresh
    run is repeated, and the change is left out as flaky unless both fresh runs agree.

    Parameters
    ----------
    subject
        The package.
    injected
        Injected faults wanted: 0 makes none, and fewer come back when the package has no more.
    historical
        Edits of changes from the package's history, all of which are tried.
    testmon
        Whether to ask pytest-testmon too.
    seed
        Seed of the choice of faults.
    report
        What the sandbox isolates.
    progress
        Called with (changes kept, changes wanted).

    Raises
    ------
    LabError
        If most tests fail before any change, or no change is noticed.
    """
    given = tuple(tuple(edits) for edits in historical)
    with Nursery() as nursery, Zygote(subject.tree, report=report, pool=nursery) as zygote:
        baseline = Baseline.measure(zygote, subject, report)
        still = functools.partial(_still_collected, subject, report, nursery, frozenset(baseline.tests))
        observer = _Observer(zygote, baseline, package_sources(subject), still)
        kept: list[ObservedChange] = []
        wanted = injected + len(given)

        def keep(kind: TaskKind, edits: tuple[Edit, ...], covering: Collection[str]) -> None:
            found = observer.change(kind, edits, covering)
            if found is not None:
                kept.append(found)
                progress(len(kept), wanted)

        for edits in given:
            keep(TaskKind.HISTORICAL, edits, ())
        for edit, lines in observer.faults(stable_seed("changes", subject.content_hash, seed)):
            if len(kept) >= wanted or not injected:
                break
            keep(TaskKind.INJECTED, (edit,), baseline.covering(edit.path, *lines))
        if not kept:
            raise LabError(f"no change of {subject.name} is noticed by its own tests; choose another package")
        seconds = observer.seconds()
    changes = _with_testmon(subject, baseline.tests, kept, observer, report) if testmon else tuple(kept)
    left_out = baseline.failing + baseline.flaky + baseline.unstable
    counts = {name: observer.counts[name] for name in _REASONS}
    attrition = {**counts, "tests": len(baseline.tests), "tests_left_out": left_out}
    spec = subject.spec or subject.name
    return ObservedPackage(subject.name, spec, subject.content_hash, baseline.tests, changes, attrition, seconds)


def changed_lines(edits: Iterable[Edit]) -> Iterator[tuple[str, int]]:
    """Lines of the files as they are that edits touch; an insertion touches the lines before and after it.

    Examples
    --------
    >>> list(changed_lines([Edit("m.py", 4, 5, "x"), Edit("m.py", 9, 8, "y")]))
    [('m.py', 4), ('m.py', 5), ('m.py', 8), ('m.py', 9)]
    """
    for edit in edits:
        first, last = sorted((edit.start_line, edit.end_line))
        yield from ((edit.path, line) for line in range(max(1, first), last + 1))


class _Observer:
    """Runs changes of one package, each different tree once."""

    def __init__(
        self,
        zygote: Zygote,
        baseline: Baseline,
        sources: Mapping[str, str],
        collectable: Callable[[Sequence[Edit]], bool],
    ) -> None:
        self._zygote = zygote
        self._baseline = baseline
        self.sources = sources
        self._collectable = collectable
        self._number = {test: number for number, test in enumerate(baseline.tests)}
        self._known = {f"{path}:{content_of(text)}" for path, text in sources.items()}
        self._bodies = {path: tuple(_functions(text)) for path, text in sources.items()}
        self.counts: Counter[str] = Counter()

    def faults(self, seed: int) -> Iterator[tuple[Edit, tuple[int, int]]]:
        """Injected faults on lines that tests execute, in a stratified order, with the lines that reach each."""
        operators = choose_operators(None)
        mutants = [
            mutant
            for path, text in self.sources.items()
            for mutant in enumerate_mutants(path, text, operators, self._baseline.covered.get(path, frozenset()))
        ]
        yield from ((mutant.edit, mutant.lines) for mutant in stratified(mutants, seed))

    def changed(self, edits: Sequence[Edit]) -> dict[str, str]:
        """New texts of the files that edits change."""
        paths = dict.fromkeys(edit.path for edit in edits)
        return {path: apply_edits(self.sources[path], [edit for edit in edits if edit.path == path]) for path in paths}

    def change(self, kind: TaskKind, edits: tuple[Edit, ...], covering: Collection[str]) -> ObservedChange | None:
        """Run all tests under a change; None, and counted, if no test notices it or it cannot be judged."""
        self.counts["tried"] += 1
        try:
            texts = self.changed(edits)
            key = "\n".join(sorted(f"{path}:{content_of(text)}" for path, text in texts.items()))
        except (SyntaxError, ValueError, KeyError):
            self.counts["invalid"] += 1
            return None
        if key in self._known:
            self.counts["duplicate"] += 1
            return None
        self._known.add(key)
        line = self._executing(changed_lines(edits))
        failing = self._failing(edits, covering or [self._baseline.tests[number] for number in line])
        if failing is None:
            return None
        found = ObservedChange(
            id=hashlib.sha256(f"{edits!r}".encode("utf-8", "surrogatepass")).hexdigest()[:12],
            kind=kind.value,
            edits=edits,
            failing=failing,
            collectable=set(failing) <= set(line) or self._collectable(edits),
            line=line,
            function=self._executing(self._function_lines(edits)),
            file=self._executing((path, number) for path in texts for number in self._baseline.covered.get(path, ())),
        )
        self.counts["kept"] += 1
        self.counts["kept_indirect"] += found.indirect
        self.counts["kept_uncollectable"] += not found.collectable
        return found

    def _failing(self, edits: Sequence[Edit], covering: Collection[str]) -> Numbers | None:
        fresh = self._fresh(edits)
        if not fresh:
            return None
        if fresh != self._warm(edits, covering) and fresh != self._fresh(edits):
            self.counts["flaky"] += 1
            return None
        return tuple(sorted(self._number[test] for test in fresh))

    def _fresh(self, edits: Sequence[Edit]) -> frozenset[str]:
        run = run_after_import(self._zygote, edits, self.sources, self._baseline.tests)
        if run.status is CandidateStatus.FAILED:
            return frozenset(run.failing)
        reasons = {CandidateStatus.PLAUSIBLE: "survived", CandidateStatus.TIMEOUT: "timed_out"}
        reasons[CandidateStatus.INVALID] = "invalid"
        self.counts[reasons.get(run.status, "crashed")] += 1
        return frozenset()

    def _warm(self, edits: Sequence[Edit], covering: Collection[str]) -> frozenset[str]:
        if not covering:
            return frozenset()
        candidate = Candidate(tuple(edits), "observed")
        (run,) = self._zygote.evaluate([candidate], tests=list(covering), all_failures=True)
        return frozenset(run.failing) if run.status is CandidateStatus.FAILED else frozenset()

    def _executing(self, lines: Iterable[tuple[str, int]]) -> Numbers:
        reached_by = self._baseline.reached_by
        return tuple(sorted({number for place in lines for number in reached_by.get(place, ())}))

    def _function_lines(self, edits: Sequence[Edit]) -> Iterator[tuple[str, int]]:
        for path, line in changed_lines(edits):
            around = [body for body in self._bodies[path] if body[0] <= line <= body[1]]
            if around:
                first, last = min(around, key=lambda body: body[1] - body[0])
                yield from ((path, number) for number in range(first, last + 1))
            else:
                yield from ((path, number) for number in self._baseline.covered.get(path, ()))

    def seconds(self) -> tuple[float, ...]:
        """The least seconds of each test in some runs of all."""
        runs = [self._zygote.run(self._baseline.tests) for _ in range(_RUNS)]
        return tuple(min(one.wall_seconds for one in same) for same in zip(*runs, strict=True))


def _still_collected(
    subject: Subject, report: SandboxReport, nursery: Nursery, tests: frozenset[str], edits: Sequence[Edit]
) -> bool:
    """Whether all of some tests can be collected from files with the edits in them."""
    with tempfile.TemporaryDirectory() as folder:
        tree = write_side_tree(subject, tuple(Side), Path(folder) / "tree", seed=0, edits=edits)
        try:
            with Zygote(tree, report=report, pool=nursery) as zygote:
                return tests <= set(zygote.tests)
        except NotCollected:
            return False


def _functions(text: str) -> Iterator[tuple[int, int]]:
    """First and last line of every function, decorators included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            yield first, node.end_lineno or node.lineno


def _with_testmon(
    subject: Subject,
    tests: Sequence[str],
    changes: Sequence[ObservedChange],
    observer: _Observer,
    report: SandboxReport,
) -> tuple[ObservedChange, ...]:
    answer = ask_testmon(subject.tree, [observer.changed(one.edits) for one in changes], report=report)
    unknown = {number for number, test in enumerate(tests) if test not in answer.known}
    return tuple(
        replace(one, testmon=tuple(n for n, test in enumerate(tests) if n in unknown or test in selected))
        for one, selected in zip(changes, answer.selected, strict=True)
    )
