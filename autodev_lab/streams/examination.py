"""Examine possible faults of a package: run them, confirm those that a visible test notices, count what is left out.

This is the part that injected bugs and historical tasks share: whatever a fault's origin, it becomes a task by the
same rules and is missing from the tasks for the same counted reasons.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autodev_lab.execution.runs import CandidateRun
from autodev_lab.execution.sides import Side, assign_sides
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit, Task, TaskKind
from autodev_lab.streams.baseline import Baseline
from autodev_lab.streams.confirmation import failing_after_import
from autodev_lab.streams.injected import body_of, title_of

__all__ = ["Examination", "Fault", "Tests", "content_of", "package_sources"]

Tests = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A possible fault of a package.

    Parameters
    ----------
    edits
        The fault, relative to the pristine tree.
    label
        What made it; runs and kills are counted by it.
    covering
        Tests that execute the code it changes, in collection order.
    """

    edits: tuple[Edit, ...]
    label: str
    covering: Tests

    @property
    def candidate(self) -> Candidate:
        """The same in the form the runner takes."""
        return Candidate(self.edits, self.label)


def package_sources(subject: Subject) -> dict[str, str]:
    """Text of each source file of a package that is Python and no test, by path, in order."""
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


def content_of(text: str) -> str:
    """Digest of a file's syntax tree: layout and comments make no difference.

    Raises
    ------
    SyntaxError
        If the text is not Python.
    """
    return hashlib.sha256(ast.dump(ast.parse(text)).encode("utf-8", "surrogatepass")).hexdigest()


class Examination:
    """Finds out which faults of one package can be tasks.

    Parameters
    ----------
    subject
        The pristine package.
    seed
        Seed of the split of tests into sides.
    zygote
        The pristine tree, collected.
    baseline
        Its tests before any fault.
    sources
        Its files, from `package_sources`.

    Attributes
    ----------
    counts
        Why faults are no tasks: ``invalid, duplicate, survived, timed_out, crashed, no_visible_killer, flaky,
        differs_on_disk``; also ``kept``, ``kept_without_exposure_killer`` and ``kept_without_oracle_killer``.
    run, killed
        By label: faults that were run, and faults that some test notices.
    """

    def __init__(
        self, subject: Subject, seed: int, zygote: Zygote, baseline: Baseline, sources: Mapping[str, str]
    ) -> None:
        self.subject = subject
        self.seed = seed
        self.zygote = zygote
        self.baseline = baseline
        self.sources = sources
        split = assign_sides(subject, seed)
        self._sides = {test: split.of(test) for test in baseline.tests}
        self._pristine = {path: content_of(text) for path, text in sources.items()}
        self._known: set[str] = set()
        self._ids: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.run: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()

    def noticed(self, faults: Sequence[Fault]) -> Iterator[tuple[Fault, Tests]]:
        """Run faults warm; those that a visible test notices come back with all tests that do, the rest is counted."""
        groups: dict[Tests, list[Fault]] = {}
        new = [fault for fault in faults if self._is_new(fault)]
        for fault in new:
            groups.setdefault(fault.covering, []).append(fault)
        verdicts: dict[str, CandidateRun] = {}
        for tests, members in groups.items():
            if tests:
                runs = self.zygote.evaluate([one.candidate for one in members], tests=tests, all_failures=True)
                verdicts.update((run.candidate_id, run) for run in runs)
        for fault in new:
            killing = self._killing(fault, verdicts.get(fault.candidate.id))
            if killing:
                yield fault, killing

    def _is_new(self, fault: Fault) -> bool:
        """Whether the faulty files can be parsed and their trees are neither the pristine ones nor seen before."""
        keys: list[str] = []
        try:
            for path in dict.fromkeys(edit.path for edit in fault.edits):
                text = apply_edits(self.sources[path], [edit for edit in fault.edits if edit.path == path])
                content = content_of(text)
                compile(text, path, "exec", dont_inherit=True)
                if content != self._pristine[path]:
                    keys.append(f"{path}:{content}")
        except (SyntaxError, ValueError):
            self.counts["invalid"] += 1
            return False
        key = "\n".join(sorted(keys))
        if not keys or key in self._known:
            self.counts["duplicate"] += 1
            return False
        self._known.add(key)
        return True

    def _killing(self, fault: Fault, run: CandidateRun | None) -> Tests:
        """Tests that fail because of a fault; none when no visible one does."""
        if run is not None and run.status is CandidateStatus.INVALID:
            self.counts["invalid"] += 1
            return ()
        self.run[fault.label] += 1
        if run is None or run.status is CandidateStatus.PLAUSIBLE:
            self.counts["survived"] += 1
            return ()
        if run.status is not CandidateStatus.FAILED:
            self.counts["timed_out" if run.status is CandidateStatus.TIMEOUT else "crashed"] += 1
            return ()
        self.killed[fault.label] += 1
        failing = set(run.failing)
        killing = tuple(test for test in fault.covering if test in failing)
        if not any(self._sides[test] is Side.VISIBLE for test in killing):
            self.counts["no_visible_killer"] += 1
            return ()
        return killing

    def confirms(self, fault: Fault, killing: Tests) -> bool:
        """Whether exactly the same tests fail, of all tests, when the package is imported with the fault in it.

        If not, it is counted as ``differs_on_disk``, or as ``flaky`` when a second warm run differs too.
        """
        seen = failing_after_import(self.zygote, fault.edits, self.sources, self.baseline.tests)
        if seen == frozenset(killing):
            return True
        again = self.zygote.evaluate([fault.candidate], tests=killing, all_failures=True, chunk=1)[0]
        alike = again.status is CandidateStatus.FAILED and set(again.failing) == set(killing)
        self.counts["differs_on_disk" if alike else "flaky"] += 1
        return False

    def task(self, fault: Fault, killing: Tests, kind: TaskKind) -> Task | None:
        """The task of a confirmed fault, counted as kept; None (a duplicate) when its id is taken.

        It says which visible tests fail and nothing of the fault.
        """
        subject = self.subject
        edits = fault.edits[0] if len(fault.edits) == 1 else fault.edits
        digest = hashlib.sha256(f"{subject.content_hash}\n{edits!r}".encode("utf-8", "surrogatepass")).hexdigest()
        task_id = f"{subject.name}-{subject.version}-{digest[:8]}"
        if task_id in self._ids:
            self.counts["duplicate"] += 1
            return None
        self._ids.add(task_id)
        by_side = self.by_side(killing)
        for side in (Side.EXPOSURE, Side.ORACLE):
            if not by_side[side.value]:
                self.counts[f"kept_without_{side.value}_killer"] += 1
        self.counts["kept"] += 1
        visible = by_side[Side.VISIBLE.value]
        return Task(
            id=task_id,
            package=subject.name,
            kind=kind,
            title=title_of(subject, visible),
            body=body_of(subject, visible),
            metadata={"version": subject.version},
        )

    def by_side(self, tests: Tests) -> dict[str, Tests]:
        """Tests by the side they are on, in their order."""
        return {side.value: tuple(test for test in tests if self._sides[test] is side) for side in Side}

    def attrition(self, reasons: Sequence[str]) -> dict[str, int]:
        """Counts by reason, and what became of the package's own tests."""
        return {name: self.counts[name] for name in reasons} | {
            "tests": len(self.baseline.tests),
            "tests_failing_before": self.baseline.failing,
            "tests_flaky": self.baseline.flaky,
            "tests_unstable": self.baseline.unstable,
        }
