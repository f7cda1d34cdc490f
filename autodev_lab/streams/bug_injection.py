"""Inject bugs into a package and keep those its own tests notice: tasks with a known truth.

A fault becomes a task only if some visible test fails because of it, and if exactly the same tests fail when the
package is imported afresh with the fault in its files. Timeouts and crashes are no kills. What is left out on the way
is counted, so that the tasks' origin can be reported.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autodev_lab.errors import LabError
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.zygote import Zygote
from autodev_lab.files import stable_seed
from autodev_lab.records import StreamItem, TaskKind
from autodev_lab.streams.baseline import Baseline
from autodev_lab.streams.examination import Examination, Fault, Tests, package_sources
from autodev_lab.streams.injected import BugInjectionStream, InjectedTruth
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
        What the sandbox isolates, from `autodev_lab.execution.probing.require`.
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
        sources = package_sources(subject)
        mutants = [
            mutant
            for path, text in sources.items()
            for mutant in enumerate_mutants(path, text, chosen, baseline.covered.get(path, frozenset()))
        ]
        if not mutants:
            raise LabError(f"the tests of {subject.name} execute no line a bug could be put in; choose another package")
        return _Builder(Examination(subject, seed, zygote, baseline, sources), n, say).build(mutants)


def _silent(_kept: int, _wanted: int, _what: str) -> None:
    return None


class _Builder:
    """Runs faults in a fixed order until enough of them are tasks."""

    def __init__(self, examination: Examination, n: int, say: Progress) -> None:
        self._examination = examination
        self._n = n
        self._say = say
        self._of_function: Counter[tuple[str, str]] = Counter()
        self._items: list[StreamItem] = []

    def build(self, mutants: Sequence[Mutant]) -> Build:
        """Go through the faults in stratified order; the cap on tasks a function doubles when they run out."""
        functions = len({(mutant.edit.path, mutant.qualname) for mutant in mutants})
        cap = max(2, math.ceil(3 * self._n / functions))
        examination = self._examination
        waiting = stratified(mutants, stable_seed("faults", examination.subject.content_hash, examination.seed))
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
                self._say(len(self._items), self._n, f"{examination.counts['built']} bugs tried")
            waiting = put_off + waiting[position:] if len(self._items) < self._n else []
            cap *= 2
        operators = {
            name: OperatorCount(count, examination.killed[name]) for name, count in sorted(examination.run.items())
        }
        return Build(tuple(self._items), examination.attrition(_REASONS), operators)

    def _try(self, batch: Sequence[Mutant]) -> None:
        examination = self._examination
        faults = {self._fault(mutant): mutant for mutant in batch}
        examination.counts["built"] += len(batch)
        for fault, killing in examination.noticed(tuple(faults)):
            if len(self._items) >= self._n:
                examination.counts["surplus"] += 1
            elif examination.confirms(fault, killing):
                self._keep(faults[fault], fault, killing)

    def _fault(self, mutant: Mutant) -> Fault:
        tests = self._examination.baseline.covering(mutant.edit.path, *mutant.lines)
        return Fault((mutant.edit,), mutant.operator, tests)

    def _keep(self, mutant: Mutant, fault: Fault, killing: Tests) -> None:
        examination = self._examination
        task = examination.task(fault, killing, TaskKind.INJECTED)
        if task is None:
            return
        subject = examination.subject
        truth = InjectedTruth(
            task_id=task.id,
            package_spec=subject.spec or subject.name,
            package_hash=subject.content_hash,
            operator=mutant.operator,
            edits=fault.edits,
            path=mutant.edit.path,
            qualname=mutant.qualname,
            split_seed=examination.seed,
            killing=examination.by_side(killing),
            covering=examination.by_side(fault.covering),
        )
        self._of_function[(mutant.edit.path, mutant.qualname)] += 1
        self._items.append(StreamItem(task, truth))
