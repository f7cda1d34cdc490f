"""One task's faulty package: its files, its visible tests, what they cover, and candidates tried on it."""

from __future__ import annotations

import ast
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast, runtime_checkable

from autodev_lab.environments.bench import Bench
from autodev_lab.environments.cache import Json, ResultCache, key_of
from autodev_lab.environments.inspection import changed_lines, executable_lines
from autodev_lab.execution.plain import PlainRun
from autodev_lab.execution.sides import Side
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.execution.zygote import NotCollected, Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit, LineSpectrum, Verdict

__all__ = ["Evidence", "Faulty", "PlainEvidence", "RepositoryTruth", "RepositoryWorkspace", "SpecifiedTruth"]

HELD_OUT = (Side.EXPOSURE, Side.ORACLE)

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_VERSION = 8
"""Of what is kept: raise it when the meaning of a result changes."""


@runtime_checkable
class RepositoryTruth(Protocol):
    """What the environment needs to know of a task; any stream's truth that has it will do.

    ``edits`` make the pristine package faulty; ``split_seed`` splits its tests into sides; ``covering`` names, by
    side, tests that reach the faulty function.
    """

    @property
    def edits(self) -> tuple[Edit, ...]: ...
    @property
    def split_seed(self) -> int: ...
    @property
    def covering(self) -> Mapping[str, tuple[str, ...]]: ...


@runtime_checkable
class SpecifiedTruth(Protocol):
    """A truth that says which version of its package the edits fit, as `execution.subjects.obtain` takes it."""

    @property
    def package_spec(self) -> str: ...


class Evidence:
    """What the visible tests show on the faulty package: a typed view of what the cache keeps."""

    def __init__(self, kept: Json) -> None:
        data = cast("Mapping[str, Json]", kept)
        self.tests = tuple(cast("Sequence[str]", data["tests"]))
        self.lost = tuple(cast("Sequence[str]", data["lost"]))
        self.failing = tuple(cast("Sequence[str]", data["failing"]))
        self.messages = tuple(cast("Sequence[str]", data["messages"]))
        rows = cast("Sequence[tuple[str, int, int, int]]", data["spectrum"])
        self.spectrum = tuple(LineSpectrum(path, line, failed, passed) for path, line, failed, passed in rows)
        self._units = cast("Mapping[str, str]", data["units"])

    def reaching(self, units: Sequence[str]) -> tuple[str, ...]:
        """Tests to run for changes in some units: failing ones first, then passing ones that reach the units."""
        mask = 0
        for unit in units:
            mask |= int(self._units.get(unit, "0"), 16) if unit else (1 << len(self.tests)) - 1
        failing = set(self.failing)
        rest = (test for place, test in enumerate(self.tests) if mask >> place & 1 and test not in failing)
        return (*self.failing, *rest)


@dataclass(frozen=True, slots=True)
class PlainEvidence:
    """All visible tests under a change, run by plain pytest: which fail, and how many of its lines they execute."""

    passed: bool
    forged: bool
    failing: tuple[str, ...]
    changed_lines: int
    covered_lines: int


class Faulty:
    """One task's package with the fault in it.

    Parameters
    ----------
    subject
        The pristine package.
    truth
        The fault and the split.
    bench, cache
        Where tests run and results are kept.
    """

    def __init__(self, subject: Subject, truth: RepositoryTruth, bench: Bench, cache: ResultCache) -> None:
        self.subject = subject
        self.truth = truth
        self.bench = bench
        self.cache = cache

    @cached_property
    def base(self) -> Json:
        """All that every result of this package depends on, for keys."""
        return [self.unfaulted, cast("Json", _rows(self.truth.edits))]

    @property
    def unfaulted(self) -> Json:
        """The same for the pristine package."""
        return [_VERSION, platform.python_version(), self.subject.content_hash, self.truth.split_seed]

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Text of every source file of the faulty package by path; tests are left out."""
        return _with_edits(self.pristine, self.truth.edits)

    @cached_property
    def pristine(self) -> Mapping[str, str]:
        """The same without the fault; for the judge alone."""
        tree = self.subject.tree
        start = tree.root / tree.package_path
        paths = [start] if start.is_file() else sorted(start.rglob("*.py"))
        names = (path.relative_to(tree.root).as_posix() for path in paths if "__pycache__" not in path.parts)
        tests = tuple(tree.test_paths)
        own = [name for name in names if not any(name == test or name.startswith(f"{test}/") for test in tests)]
        return {name: read_source(tree.root / name) for name in own}

    def changed(self, edits: Sequence[Edit]) -> Mapping[str, str]:
        """The faulty package's files with a change applied."""
        return _with_edits(self.files, edits)

    # --------------------------------------------------------------------------------------------- evidence

    def healthy(self, side: Side) -> tuple[str, ...]:
        """Tests of a side that pass on the pristine package, in every way in which they are run later.

        The others, and those that are skipped, say nothing about a fault or a change; a project's own test run would
        have set them aside.
        """
        key = key_of("healthy", self.unfaulted, side.value)
        return tuple(cast("Sequence[str]", self.cache.remember(key, lambda: self._passing(side))))

    def _passing(self, side: Side) -> Json:
        """Visible tests are run warm, and plain with coverage; the others plain, both sides in one process."""
        tree = self.bench.tree(self.subject, (side,), self.truth.split_seed, ())
        try:
            tests = self.bench.passing(tree) if side is Side.VISIBLE else self.bench.collect(tree)
        except NotCollected:  # no test of the package fell on this side
            return []
        if side is Side.VISIBLE:
            return _passed(self.bench.plain(tree, tests, coverage=True))
        passing = set(self._passing_held_out())
        return [test for test in tests if test in passing]

    def _passing_held_out(self) -> Sequence[str]:
        def run() -> Json:
            tree = self.bench.tree(self.subject, HELD_OUT, self.truth.split_seed, ())
            return _passed(self.bench.plain(tree, self.bench.collect(tree)))

        key = key_of("healthy held out", self.unfaulted)
        return cast("Sequence[str]", self.cache.remember(key, run))

    @cached_property
    def evidence(self) -> Evidence:
        """The visible tests on the faulty package, with coverage."""
        return Evidence(self.cache.remember(key_of("evidence", self.base), self._observe))

    def _observe(self) -> Json:
        healthy = self.healthy(Side.VISIBLE)
        zygote = self._zygote()
        known = set(zygote.tests) if zygote is not None else set()
        lost = [test for test in healthy if test not in known]
        kept = [test for test in healthy if test in known]
        runs = zygote.run(kept, coverage=True) if zygote is not None and kept else ()
        failed: dict[tuple[str, int], int] = {}
        passed: dict[tuple[str, int], int] = {}
        units: dict[str, int] = {}
        owners = {path: _units(text) for path, text in self.files.items()}
        for place, run in enumerate(runs):
            for path, line in run.lines:
                if path not in owners:
                    continue
                counts = passed if run.passed else failed
                counts[path, line] = counts.get((path, line), 0) + 1
                unit = f"{path}:{owners[path].get(line, '')}"
                units[unit] = units.get(unit, 0) | 1 << place
        spectrum: Json = [[*place, failed.get(place, 0), passed.get(place, 0)] for place in sorted({*failed, *passed})]
        return {
            "tests": [*kept, *lost],
            "lost": lost,
            "failing": [*(run.test_id for run in runs if not run.passed), *lost],
            "messages": [
                *(_ADDRESS.sub("0x...", run.message) for run in runs if not run.passed),
                *("cannot be collected: the package does not import" for _ in lost),
            ],
            "spectrum": spectrum,
            "units": {unit: f"{units[unit]:x}" for unit in sorted(units)},
        }

    def _zygote(self) -> Zygote | None:
        """The warm faulty package, or None when its tests cannot even be collected."""
        try:
            return self.bench.zygote(self.subject, self.truth.split_seed, self.truth.edits)
        except NotCollected:
            return None

    def units_of(self, edits: Sequence[Edit]) -> Iterator[str]:
        """Names of the units that edits lie in; "" for one outside every function, which any test may reach."""
        for edit in edits:
            owners = self._owners(edit.path)
            lines = range(edit.start_line, max(edit.end_line, edit.start_line) + 1)
            names = {owners.get(line, "") for line in lines}
            yield from (f"{edit.path}:{name}" if name else "" for name in sorted(names))

    def _owners(self, path: str) -> Mapping[int, str]:
        known: dict[str, Mapping[int, str]] = self.__dict__.setdefault("owners", {})
        if path not in known:
            known[path] = _units(self.files.get(path, ""))
        return known[path]

    # ------------------------------------------------------------------------------------------- candidates

    def verdicts(self, candidates: Sequence[Candidate]) -> tuple[Verdict, ...]:
        """Try candidates on the visible tests, fast; a batch is kept whole, and PLAUSIBLE is but a claim."""
        key = key_of("verdicts", self.base, [candidate.id for candidate in candidates])
        rows = cast(
            "Sequence[tuple[str, int, str | None]]", self.cache.remember(key, lambda: self._evaluate(candidates))
        )
        return tuple(
            Verdict(candidate.id, CandidateStatus(status), executions, failing)
            for candidate, (status, executions, failing) in zip(candidates, rows, strict=True)
        )

    def _evaluate(self, candidates: Sequence[Candidate]) -> Json:
        zygote = self._zygote()
        # without all tests in the warm process only plain runs can tell; a suite may also name its tests by chance
        if zygote is None or self.evidence.lost or not set(self.evidence.tests) <= set(zygote.tests):
            return [[CandidateStatus.PLAUSIBLE.value, 0, None] for _ in candidates]
        units = dict.fromkeys(unit for candidate in candidates for unit in self.units_of(candidate.edits))
        tests = self.evidence.reaching(tuple(units))
        runs = zygote.evaluate(candidates, tests=tests)
        return [[run.status.value, run.test_executions, run.failing[0] if run.failing else None] for run in runs]

    def confirmed(self, candidate: Candidate) -> Verdict:
        """What plain pytest says from files on disk; a claim alone is worth nothing."""
        seen = self.plain(candidate.edits)
        status = CandidateStatus.PLAUSIBLE
        if not seen.passed:
            status = CandidateStatus.FORGED if seen.forged else CandidateStatus.FAILED
        failing = seen.failing[0] if seen.failing else None
        return Verdict(candidate.id, status, len(self.evidence.tests), failing)

    def plain(self, edits: Sequence[Edit]) -> PlainEvidence:
        """All visible tests under a change, with coverage: confirmation and the tester's report are one run."""
        key = key_of("plain", self.base, cast("Json", _rows(edits)))
        kept = self.cache.remember(key, lambda: self._run_plain(edits))
        passed, forged, failing, changed, covered = cast("tuple[bool, bool, Sequence[str], int, int]", kept)
        return PlainEvidence(passed, forged, tuple(failing), changed, covered)

    def _run_plain(self, edits: Sequence[Edit]) -> Json:
        tree = self.bench.tree(self.subject, (Side.VISIBLE,), self.truth.split_seed, self.truth.edits)
        run = self.bench.plain(tree, self.evidence.tests, edits, coverage=True)
        failing = [one.test_id for one in run.runs if run.forged or not one.passed]
        lines = self._new_lines(edits)
        reached = {place for one in run.runs for place in one.lines}
        return [run.passed, run.forged, failing, len(lines), len(lines & reached)]

    def _new_lines(self, edits: Sequence[Edit]) -> frozenset[tuple[str, int]]:
        """Lines of code that a change adds or replaces; none in a file that no longer compiles."""
        after = self.changed(edits)
        return frozenset(
            (path, line)
            for path in dict.fromkeys(edit.path for edit in edits)
            for line in changed_lines(self.files.get(path, ""), after[path]) & executable_lines(after[path])
        )

    def held_out(self, edits: Sequence[Edit]) -> tuple[str, ...]:
        """Tests of the exposure and the oracle side that a change fails; both are run in one process."""
        if not (self.healthy(Side.EXPOSURE) or self.healthy(Side.ORACLE)):
            return ()
        tests = self._passing_held_out()
        key = key_of("held out", self.base, cast("Json", _rows(edits)))

        def run() -> Json:
            tree = self.bench.tree(self.subject, HELD_OUT, self.truth.split_seed, self.truth.edits)
            done = self.bench.plain(tree, tests, edits)
            return [one.test_id for one in done.runs if done.forged or not one.passed]

        return tuple(cast("Sequence[str]", self.cache.remember(key, run)))


class RepositoryWorkspace:
    """What a solver sees of a task: the faulty source, and candidates tried on it (see `protocols.Workspace`)."""

    def __init__(self, faulty: Faulty) -> None:
        self._faulty = faulty

    @property
    def visible_tests(self) -> tuple[str, ...]:
        """Ids of the tests that may be run."""
        return self._faulty.evidence.tests

    def paths(self) -> tuple[str, ...]:
        """Source files of the package."""
        return tuple(self._faulty.files)

    def read(self, path: str) -> str:
        """Text of one source file of the faulty package.

        Raises
        ------
        KeyError
            If the package has no such file; tests and files elsewhere cannot be read.
        """
        return self._faulty.files[path]

    def evaluate(self, candidates: Sequence[Candidate]) -> tuple[Verdict, ...]:
        """Try each candidate in a process that is warm; PLAUSIBLE is a claim, see `confirm`."""
        return self._faulty.verdicts(candidates) if candidates else ()

    def confirm(self, candidate: Candidate) -> Verdict:
        """Run all visible tests by plain pytest on files on disk, in a fresh process."""
        return self._faulty.confirmed(candidate)


def _passed(run: PlainRun) -> list[Json]:
    """Tests that passed; none of a parametrised test of which a case was not found again under its name."""
    unstable = {one.test_id.partition("[")[0] for one in run.runs if one.outcome == "crashed"}
    return [
        one.test_id for one in run.runs if one.outcome == "passed" and one.test_id.partition("[")[0] not in unstable
    ]


def _with_edits(files: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    result = dict(files)
    for path in dict.fromkeys(edit.path for edit in edits):
        result[path] = apply_edits(result.get(path, ""), [edit for edit in edits if edit.path == path])
    return result


def _rows(edits: Sequence[Edit]) -> list[list[str | int]]:
    return [[edit.path, edit.start_line, edit.end_line, edit.replacement] for edit in edits]


def _units(text: str) -> dict[int, str]:
    """Outermost function around each line, as its first line; lines outside every function are left out."""
    owners: dict[int, str] = {}
    try:
        stack: list[ast.AST] = [ast.parse(text)]
    except SyntaxError:
        return owners
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for line in range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1):
                owners[line] = str(node.lineno)
        else:
            stack.extend(ast.iter_child_nodes(node))
    return owners
