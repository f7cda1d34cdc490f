"""Tasks from steps in a package's history: older code put back into the newer version, kept if its tests notice.

Whatever the steps are (releases, commits), the newer version with its tests is the pristine package, and a fault is the
older code of what the step changed. A fault becomes a task by the rules for injected bugs, and three more: the package
can still be imported, the change was not seen before, and every test that fails on it fails on the older version too,
so that no failure comes from old and new code that never lived together.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.sides import Side, write_side_tree
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import SourceTree
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import StreamItem, TaskKind
from autodev_lab.streams.baseline import Baseline
from autodev_lab.streams.examination import Examination, Fault, Tests, package_sources
from autodev_lab.streams.historical import HistoricalTruth
from autodev_lab.streams.reversals import FileChange, Reversal, together

__all__ = ["HistoryBuild", "Step", "StepReport", "build_history", "sources_by_module"]

Progress = Callable[[int, int, str], None]

_LABEL = "historical"
_REASONS = (
    "steps",
    "steps_unusable",
    "steps_without_change",
    "steps_older_not_run",
    "relaid",
    "unresolved",
    "built",
    "invalid",
    "duplicate",
    "survived",
    "timed_out",
    "crashed",
    "no_visible_killer",
    "import_broken",
    "not_in_older",
    "flaky",
    "differs_on_disk",
    "surplus",
    "kept",
    "kept_without_exposure_killer",
    "kept_without_oracle_killer",
    "tests",
    "tests_failing_before",
    "tests_flaky",
    "tests_unstable",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a package's history.

    Parameters
    ----------
    subject
        The newer version, with its tests.
    older_sources
        The older version's files, from `sources_by_module`.
    older, newer
        What the versions are called.
    whole_first
        Whether all that changed is one fix (a commit), to be taken back as a whole if that will do, or many (a
        release), to be taken back one by one.
    """

    subject: Subject
    older_sources: Mapping[str, str]
    older: str
    newer: str
    whole_first: bool = False


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step came to: tasks kept, and why it was of no use ("" if it was of use)."""

    older: str
    newer: str
    kept: int
    unusable: str = ""


@dataclass(frozen=True, slots=True)
class HistoryBuild:
    """What building tasks from a history came to.

    Parameters
    ----------
    items
        The tasks.
    attrition
        ``steps`` looked at, of these ``steps_unusable`` (a version that cannot be had, or whose tests do not run here)
        and ``steps_without_change`` of code; ``steps_older_not_run`` counts those whose older version does not run
        here at all, so that ``not_in_older`` means nothing. ``relaid`` counts functions whose text changed and whose
        code did not, ``unresolved`` changes whose older code needs what cannot be put back with it.

        Of the ``built`` reversals, ``invalid, duplicate, survived, timed_out, crashed, no_visible_killer``,
        ``import_broken`` (tests can no longer be collected), ``not_in_older`` (a test fails that passes on the older
        version), ``flaky, differs_on_disk, surplus`` were left out and ``kept`` became tasks; of the kept,
        ``kept_without_exposure_killer`` and ``kept_without_oracle_killer``. ``tests`` that count and
        ``tests_failing_before, tests_flaky, tests_unstable`` that do not are summed over the newer versions.
    steps
        A line a step.
    """

    items: tuple[StreamItem, ...]
    attrition: Mapping[str, int]
    steps: tuple[StepReport, ...]


def build_history(
    steps: Iterable[Step | StepReport],
    *,
    n: int,
    seed: int,
    report: SandboxReport,
    progress: Progress | None = None,
) -> HistoryBuild:
    """Make up to `n` tasks from a history: the same arguments give the same tasks.

    Parameters
    ----------
    steps
        The history, in the order in which it is to be used; a step that cannot be had is given as its report. No more
        are drawn than needed.
    n
        Tasks wanted; fewer come back when the history has no more.
    seed
        Seed of the split of tests into sides.
    report
        What the sandbox isolates, from `autodev_lab.execution.probing.require`.
    progress
        Called with (tasks kept, tasks wanted, what goes on).

    Raises
    ------
    LabError
        If `n` is not positive.
    """
    if n < 1:
        raise LabError(f"{n} tasks were asked for; ask for at least 1")
    items: list[StreamItem] = []
    counts: Counter[str] = Counter()
    reports: list[StepReport] = []
    seen: set[str] = set()
    for step in steps:
        counts["steps"] += 1
        if isinstance(step, StepReport):
            counts["steps_unusable"] += 1
            reports.append(step)
            continue
        if progress is not None:
            progress(len(items), n, f"{step.subject.name}, from {step.older} to {step.newer}")
        try:
            kept, found = _StepBuilder(step, seed, report, seen).build(n - len(items))
        except LabError as error:
            counts["steps_unusable"] += 1
            reports.append(StepReport(step.older, step.newer, 0, str(error)))
            continue
        counts.update(found)
        items += kept
        reports.append(StepReport(step.older, step.newer, len(kept)))
        if len(items) >= n:
            break
    return HistoryBuild(tuple(items), {name: counts[name] for name in _REASONS}, tuple(reports))


def sources_by_module(
    subject: Subject, *, without: Collection[str] = (), also: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Text of each source file of a package by its path below the package; a single module is ``__init__.py``.

    Parameters
    ----------
    subject
        The package.
    without
        Files to leave out, as paths in its tree.
    also
        Texts of files to have instead or beside, by path in its tree.
    """
    kept = {path: text for path, text in package_sources(subject).items() if path not in without}
    return {_below(path, subject.tree): text for path, text in {**kept, **(also or {})}.items()}


def _below(path: str, tree: SourceTree) -> str:
    return "__init__.py" if path == tree.package_path else path.removeprefix(f"{tree.package_path}/")


def _in_tree(name: str, tree: SourceTree) -> str:
    if not tree.package_path.endswith(".py"):
        return f"{tree.package_path}/{name}"
    return tree.package_path if name == "__init__.py" else f"{tree.package_path}.absent/{name}"


class _StepBuilder:
    """Takes back the changes of one step until enough of them are tasks."""

    def __init__(self, step: Step, seed: int, report: SandboxReport, seen: set[str]) -> None:
        self._step = step
        self._seed = seed
        self._report = report
        self._seen = seen
        self._sources = package_sources(step.subject)
        self._counts: Counter[str] = Counter()
        self._items: list[StreamItem] = []
        self._fails_on_older: frozenset[str] | None = None

    def build(self, wanted: int) -> tuple[list[StreamItem], Counter[str]]:
        """Tasks and counts; nothing is run when no code changed."""
        changes = [change for path in self._sources if (change := self._change(path)) is not None]
        self._counts["relaid"] += sum(change.relaid for change in changes)
        if not any(change.changed for change in changes):
            self._counts["steps_without_change"] += 1
            return [], self._counts
        with Nursery() as nursery, Zygote(self._step.subject.tree, report=self._report, pool=nursery) as zygote:
            baseline = Baseline.measure(zygote, self._step.subject, self._report)
            examination = Examination(self._step.subject, self._seed, zygote, baseline, self._sources)
            for rounds in self._rounds(changes):
                before = len(self._items)
                for reversals in rounds:
                    self._try(reversals, examination, nursery, wanted)
                    if len(self._items) > before:
                        break
                if len(self._items) >= wanted:
                    break
            self._counts["unresolved"] += sum(change.unresolved for change in changes)
            self._counts.update(examination.counts)
            self._counts.update(examination.attrition(()))
        return self._items, self._counts

    def _change(self, path: str) -> FileChange | None:
        older = self._step.older_sources.get(_below(path, self._step.subject.tree))
        newer = self._sources[path]
        return None if older is None or older == newer else FileChange(path, older, newer)

    def _rounds(self, changes: Sequence[FileChange]) -> Iterator[Iterator[list[Reversal]]]:
        """What to try, in groups; of each group's attempts the next is made only if those before gave no task."""
        if self._step.whole_first:
            yield self._attempts(changes, whole_first=True)
        else:
            yield from (self._attempts([change], whole_first=False) for change in changes)

    def _attempts(self, changes: Sequence[FileChange], *, whole_first: bool) -> Iterator[list[Reversal]]:
        joint = [whole] if (whole := together(changes)) is not None else []
        if whole_first:
            yield joint
        yield [reversal for change in changes for reversal in change.reversals()]
        if not whole_first:
            yield joint

    def _try(self, reversals: Sequence[Reversal], examination: Examination, nursery: Nursery, wanted: int) -> None:
        faults: dict[Fault, Reversal] = {}
        for reversal in reversals:
            self._counts["built"] += 1
            if reversal.identity in self._seen:
                self._counts["duplicate"] += 1
                continue
            self._seen.add(reversal.identity)
            faults[self._fault(reversal, examination.baseline)] = reversal
        for fault, killing in examination.noticed(tuple(faults)):
            if len(self._items) >= wanted:
                self._counts["surplus"] += 1
            elif not self._still_imports(fault, examination.baseline, nursery):
                self._counts["import_broken"] += 1
            elif not set(killing) <= self._failing_on_older(examination.baseline, nursery):
                self._counts["not_in_older"] += 1
            elif examination.confirms(fault, killing):
                self._keep(faults[fault], fault, killing, examination)

    def _fault(self, reversal: Reversal, baseline: Baseline) -> Fault:
        tests = baseline.tests if reversal.at_import else _reaching(reversal, baseline)
        return Fault(reversal.edits, _LABEL, tests)

    def _still_imports(self, fault: Fault, baseline: Baseline, nursery: Nursery) -> bool:
        """Whether all tests can still be collected from files with the fault in them."""
        with tempfile.TemporaryDirectory() as folder:
            tree = write_side_tree(
                self._step.subject, tuple(Side), Path(folder) / "tree", seed=self._seed, edits=fault.edits
            )
            try:
                with Zygote(tree, report=self._report, pool=nursery) as zygote:
                    return set(baseline.tests) <= set(zygote.tests)
            except LabError:
                return False

    def _failing_on_older(self, baseline: Baseline, nursery: Nursery) -> frozenset[str]:
        """The newer version's tests that fail on the older version's code: all of them if it does not run here."""
        if self._fails_on_older is None:
            with tempfile.TemporaryDirectory() as folder:
                tree = self._older_tree(Path(folder) / "tree")
                try:
                    with Zygote(tree, report=self._report, pool=nursery) as zygote:
                        passing = {run.test_id for run in zygote.run() if run.outcome == "passed"}
                except LabError:
                    self._counts["steps_older_not_run"] += 1
                    passing = set()
            self._fails_on_older = frozenset(baseline.tests) - passing
        return self._fails_on_older

    def _older_tree(self, destination: Path) -> SourceTree:
        """The newer version's tree with the older version's code."""
        subject, older = self._step.subject, self._step.older_sources
        tree = write_side_tree(subject, tuple(Side), destination, seed=self._seed)
        for path in self._sources:
            (destination / path).unlink()
        for name, text in older.items():
            target = destination / _in_tree(name, subject.tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8", "surrogatepass"))
        return tree

    def _keep(self, reversal: Reversal, fault: Fault, killing: Tests, examination: Examination) -> None:
        task = examination.task(fault, killing, TaskKind.HISTORICAL)
        if task is None:
            return
        subject = self._step.subject
        near = {*_reaching(reversal, examination.baseline), *killing} if reversal.reach else {*fault.covering}
        covering = tuple(test for test in examination.baseline.tests if test in near)
        truth = HistoricalTruth(
            task_id=task.id,
            package_spec=subject.spec or subject.name,
            package_hash=subject.content_hash,
            older=self._step.older,
            newer=self._step.newer,
            edits=fault.edits,
            places=reversal.places,
            interface_changed=reversal.interface_changed,
            split_seed=self._seed,
            killing=examination.by_side(killing),
            covering=examination.by_side(covering),
        )
        self._items.append(StreamItem(task, truth))


def _reaching(reversal: Reversal, baseline: Baseline) -> Tests:
    """Tests that execute a function which gets its older code."""
    reached = {test for path, first, last in reversal.reach for test in baseline.covering(path, first, last)}
    return tuple(test for test in baseline.tests if test in reached)
