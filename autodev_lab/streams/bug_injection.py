"""Inject bugs into a package and keep those its own tests notice: tasks with a known truth.

A fault becomes a task only if some visible test fails because of it, and if exactly the same tests fail when the
package is imported afresh with the fault in its files. Timeouts and crashes are no kills. What is left out on the way
is counted, so that the tasks' origin can be reported.
"""

from __future__ import annotations

import ast
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.sides import Side, assign_sides
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.execution.zygote import CandidateRun, Zygote
from autodev_lab.files import stable_seed
from autodev_lab.records import Candidate, CandidateStatus, StreamItem, Task, TaskKind
from autodev_lab.streams.baseline import Baseline
from autodev_lab.streams.confirmation import failing_after_import
from autodev_lab.streams.injected import BugInjectionStream, InjectedTruth, body_of, title_of
from autodev_lab.streams.mutations import Mutant, enumerate_mutants
from autodev_lab.streams.operators import choose_operators
from autodev_lab.streams.stratified import stratified

__all__ = ["BugInjectionStream", "Build", "InjectedTruth", "OperatorCount", "build_tasks"]

Progress = Callable[[int, int, str], None]

_BATCH = 24
_REASONS = (
    "built",
    "invalid",
    "duplicate",
    "survived",
    "timed_out",
    "crashed",
    "flaky",
    "differs_on_disk",
    "no_visible_killer",
    "surplus",
    "kept",
    "kept_without_exposure_killer",
    "kept_without_oracle_killer",
)


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """Of the faults one operator made: how many were run, and how many some test noticed."""

    run: int
    killed: int


@dataclass(frozen=True, slots=True)
class Build:
    """What building tasks came to.

    Parameters
    ----------
    items
        The tasks.
    attrition
        ``built`` faults, and of these ``invalid, duplicate, survived, timed_out, crashed, flaky, differs_on_disk,
        no_visible_killer, surplus`` left out, ``kept``; of the kept, ``kept_without_exposure_killer`` and
        ``kept_without_oracle_killer``. Tests: ``tests`` that count, and ``tests_failing_before, tests_flaky,
        tests_unstable`` (warm and plain pytest disagree) that do not.
    operators
        Kills by operator.
    """

    items: tuple[StreamItem, ...]
    attrition: Mapping[str, int]
    operators: Mapping[str, OperatorCount]


def build_tasks(
    subject: Subject,
    *,
    n: int,
    seed: int,
    report: SandboxReport,
    progress: Progress | None = None,
    operators: Iterable[str] | None = None,
) -> Build:
    """Make up to `n` tasks from a package: the same arguments give the same tasks.

    Parameters
    ----------
    subject
        The package.
    n
        Tasks wanted; fewer come back when the package has no more.
    seed
        Seed of the choice of faults and of the split of tests into sides.
    report
        What the sandbox isolates, from `autodev_lab.execution.sandbox.require`.
    progress
        Called with (tasks kept, tasks wanted, what goes on).
    operators
        Names of fault operators, or None for all.

    Raises
    ------
    LabError
        If `n` is not positive, an operator is unknown, or most tests fail before any bug.
    """
    if n < 1:
        raise LabError(f"{n} tasks were asked for; ask for at least 1")
    chosen = choose_operators(operators)
    say = progress or _silent
    say(0, n, f"collecting the tests of {subject.name} {subject.version}")
    with Zygote(subject.tree, report=report) as zygote:
        say(0, n, "running them before any bug")
        baseline = Baseline.measure(zygote, subject, report)
        sources = _sources(subject)
        mutants = [
            mutant
            for path, text in sources.items()
            for mutant in enumerate_mutants(path, text, chosen, baseline.covered.get(path, frozenset()))
        ]
        if not mutants:
            raise LabError(f"the tests of {subject.name} execute no line a bug could be put in; choose another package")
        return _Builder(subject, n, seed, zygote, baseline, sources, say).build(mutants)


def _silent(_kept: int, _wanted: int, _what: str) -> None:
    return None


def _sources(subject: Subject) -> dict[str, str]:
    """Text of each source file of the package that is no test, by path, in order."""
    root = subject.tree.root
    start = root / subject.tree.package_path
    texts: dict[str, str] = {}
    for path in [start] if start.is_file() else sorted(start.rglob("*.py")):
        relative = path.relative_to(root).as_posix()
        if path.is_symlink() or any(
            relative == test or relative.startswith(f"{test}/") for test in subject.tree.test_paths
        ):
            continue
        try:
            text = read_source(path)
            ast.parse(text)
        except (SyntaxError, UnicodeDecodeError):
            continue  # a template, or code of another Python: it is never executed here
        texts[relative] = text
    return texts


class _Builder:
    """Runs faults in a fixed order until enough of them are tasks."""

    def __init__(
        self,
        subject: Subject,
        n: int,
        seed: int,
        zygote: Zygote,
        baseline: Baseline,
        sources: Mapping[str, str],
        say: Progress,
    ) -> None:
        self._subject = subject
        self._n = n
        self._seed = seed
        self._zygote = zygote
        self._baseline = baseline
        self._sources = sources
        self._say = say
        split = assign_sides(subject, seed)
        self._sides = {test: split.of(test).value for test in baseline.tests}
        self._counts: Counter[str] = Counter()
        self._run: Counter[str] = Counter()
        self._killed: Counter[str] = Counter()
        self._known: set[str] = {_content(text) for text in sources.values()}
        self._pristine = frozenset(self._known)
        self._of_function: Counter[tuple[str, str]] = Counter()
        self._items: list[StreamItem] = []

    def build(self, mutants: Sequence[Mutant]) -> Build:
        """Go through the faults in stratified order; the cap on tasks a function doubles when they run out."""
        functions = len({(mutant.edit.path, mutant.qualname) for mutant in mutants})
        cap = max(2, math.ceil(3 * self._n / functions))
        waiting = stratified(mutants, stable_seed("faults", self._subject.content_hash, self._seed))
        while waiting and len(self._items) < self._n:
            put_off: list[Mutant] = []
            position = 0
            while position < len(waiting) and len(self._items) < self._n:
                batch: list[Mutant] = []
                pending: Counter[tuple[str, str]] = Counter()
                while position < len(waiting) and len(batch) < _BATCH:
                    mutant = waiting[position]
                    position += 1
                    place = (mutant.edit.path, mutant.qualname)
                    if self._of_function[place] + pending[place] >= cap:
                        put_off.append(mutant)
                        continue
                    pending[place] += 1
                    batch.append(mutant)
                self._try(batch)
                self._say(len(self._items), self._n, f"{self._counts['built']} bugs tried")
            waiting = put_off + waiting[position:] if len(self._items) < self._n else []
            cap *= 2
        return self._finish()

    def _try(self, batch: Sequence[Mutant]) -> None:
        groups: dict[tuple[str, ...], list[tuple[Mutant, Candidate]]] = {}
        for mutant in batch:
            self._counts["built"] += 1
            if self._is_new(mutant):
                tests = self._baseline.covering(mutant)
                groups.setdefault(tests, []).append((mutant, Candidate((mutant.edit,), mutant.operator)))
        verdicts: dict[str, CandidateRun] = {}
        for tests, members in groups.items():
            candidates = [candidate for _, candidate in members]
            if tests:
                runs = self._zygote.evaluate(candidates, tests=tests, all_failures=True)
                verdicts.update((run.candidate_id, run) for run in runs)
        covering = {candidate.id: tests for tests, members in groups.items() for _, candidate in members}
        for mutant in batch:
            candidate = Candidate((mutant.edit,), mutant.operator)
            if candidate.id in covering:
                self._judge(mutant, candidate, verdicts.get(candidate.id), covering[candidate.id])

    def _is_new(self, mutant: Mutant) -> bool:
        """Whether the faulty file can be parsed and its tree is neither the pristine one nor seen before."""
        try:
            text = apply_edits(self._sources[mutant.edit.path], [mutant.edit])
            content = _content(text)
            compile(text, mutant.edit.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            self._counts["invalid"] += 1
            return False
        key = f"{mutant.edit.path}:{content}"
        if content in self._pristine or key in self._known:
            self._counts["duplicate"] += 1
            return False
        self._known.add(key)
        return True

    def _judge(self, mutant: Mutant, candidate: Candidate, run: CandidateRun | None, covering: tuple[str, ...]) -> None:
        if run is not None and run.status is CandidateStatus.INVALID:
            self._counts["invalid"] += 1
            return
        self._run[mutant.operator] += 1
        if run is None or run.status is CandidateStatus.PLAUSIBLE:
            self._counts["survived"] += 1
            return
        if run.status is not CandidateStatus.FAILED:
            self._counts["timed_out" if run.status is CandidateStatus.TIMEOUT else "crashed"] += 1
            return
        self._killed[mutant.operator] += 1
        failing = set(run.failing)
        killing = tuple(test for test in covering if test in failing)
        if not any(self._sides[test] == Side.VISIBLE for test in killing):
            self._counts["no_visible_killer"] += 1
        elif len(self._items) >= self._n:
            self._counts["surplus"] += 1
        elif not self._is_confirmed(mutant, killing):
            again = self._zygote.evaluate([candidate], tests=killing, all_failures=True, chunk=1)[0]
            alike = again.status is CandidateStatus.FAILED and set(again.failing) == set(killing)
            self._counts["differs_on_disk" if alike else "flaky"] += 1
        else:
            self._keep(mutant, killing, covering)

    def _is_confirmed(self, mutant: Mutant, killing: tuple[str, ...]) -> bool:
        """Whether exactly the same tests fail, of all tests, when the package is imported with the fault in it."""
        text = self._sources[mutant.edit.path]
        return failing_after_import(self._zygote, mutant.edit, text, self._baseline.tests) == frozenset(killing)

    def _keep(self, mutant: Mutant, killing: tuple[str, ...], covering: tuple[str, ...]) -> None:
        subject = self._subject
        digest = hashlib.sha256(f"{subject.content_hash}\n{mutant.edit!r}".encode("utf-8", "surrogatepass")).hexdigest()
        task_id = f"{subject.name}-{subject.version}-{digest[:8]}"
        if any(item.task.id == task_id for item in self._items):
            self._counts["duplicate"] += 1
            return
        by_side = {side.value: tuple(test for test in killing if self._sides[test] == side) for side in Side}
        reached = {side.value: tuple(test for test in covering if self._sides[test] == side) for side in Side}
        for side in (Side.EXPOSURE, Side.ORACLE):
            if not by_side[side.value]:
                self._counts[f"kept_without_{side.value}_killer"] += 1
        visible = by_side[Side.VISIBLE.value]
        task = Task(
            id=task_id,
            package=subject.name,
            kind=TaskKind.INJECTED,
            title=title_of(subject, visible),
            body=body_of(subject, visible),
            metadata={"version": subject.version},
        )
        truth = InjectedTruth(
            task_id=task_id,
            package_spec=subject.spec or subject.name,
            package_hash=subject.content_hash,
            operator=mutant.operator,
            edits=(mutant.edit,),
            path=mutant.edit.path,
            qualname=mutant.qualname,
            split_seed=self._seed,
            killing=by_side,
            covering=reached,
        )
        self._of_function[(mutant.edit.path, mutant.qualname)] += 1
        self._counts["kept"] += 1
        self._items.append(StreamItem(task, truth))

    def _finish(self) -> Build:
        attrition = {name: self._counts[name] for name in _REASONS}
        attrition["tests"] = len(self._baseline.tests)
        attrition["tests_failing_before"] = self._baseline.failing
        attrition["tests_flaky"] = self._baseline.flaky
        attrition["tests_unstable"] = self._baseline.unstable
        operators = {name: OperatorCount(self._run[name], self._killed[name]) for name in sorted(self._run)}
        return Build(tuple(self._items), attrition, operators)


def _content(text: str) -> str:
    """Digest of a file's syntax tree: layout and comments make no difference."""
    return hashlib.sha256(ast.dump(ast.parse(text)).encode("utf-8", "surrogatepass")).hexdigest()
