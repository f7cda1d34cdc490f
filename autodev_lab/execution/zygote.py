"""Evaluate candidates fast: tests collected once in a sandboxed process, which forks for every chunk of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.execution.batches import Batch, files_of
from autodev_lab.execution.chunk_log import ChunkLog
from autodev_lab.execution.inside.wire import Closed
from autodev_lab.execution.nursery import Nursery, Room
from autodev_lab.execution.runs import CandidateRun, TestRun
from autodev_lab.execution.sandbox import RUNNER_PACKAGES, Limits, SandboxReport
from autodev_lab.execution.screen import Screen
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Candidate

__all__ = ["NotCollected", "Zygote"]

_REHEARSED = 12  # quick tests tried at once for a control; most suites offer one among the first


class NotCollected(LabError):
    """No test of a tree can be collected: a matter of the tree, not of this machine."""


class Zygote:
    """One source tree, collected once by pytest in the sandbox.

    Parameters
    ----------
    tree
        The (faulty) tree.
    tests
        Node ids to keep, or None for all tests of the tree.
    report
        What this machine can isolate, from `require`.
    limits
        Limits of every process in the room.
    pool
        A nursery to share; without one the zygote starts its own.

    Attributes
    ----------
    tests
        Node ids of the tests collected.
    known
        The last run of each test without a candidate.
    collection_errors
        Place and message of every file that could not be collected.

    Raises
    ------
    NotCollected
        If no test can be collected.
    LabError
        If the sandbox cannot be built.
    """

    def __init__(
        self,
        tree: SourceTree,
        *,
        tests: Sequence[str] | None = None,
        report: SandboxReport,
        limits: Limits | None = None,
        pool: Nursery | None = None,
    ) -> None:
        if tree.package.partition(".")[0] in RUNNER_PACKAGES:
            raise LabError(
                f"{tree.package} is part of the test runner itself and cannot be tested by it; choose another"
            )
        self._tree = tree
        self._report = report
        self.limits = limits or Limits()
        self._only = None if tests is None else list(tests)
        self._own = pool is None
        self._nursery = pool or Nursery()
        self._room: Room | None = None
        self._unimported: Room | None = None
        self._screen = Screen(tree.root)
        self.known: dict[str, TestRun] = {}
        self._steady: dict[str, bool] = {}
        self.collection_errors: tuple[tuple[str, str], ...] = ()
        self.tests: tuple[str, ...] = ()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # ---------------------------------------------------------------------------------------------- room

    def collection(self, paths: Sequence[str], only: Sequence[str] | None) -> dict[str, object]:
        """What a room has to know to collect tests: of some paths, and of these only some node ids."""
        return {
            "import_root": self._tree.import_root,
            "package_path": self._tree.package_path,
            "paths": list(paths),
            "test_paths": list(self._tree.test_paths),
            "codes": self._nursery.codes.get(self._tree.package, {}),
            "only": None if only is None else list(only),
            "cpu_total": self.limits.cpu_seconds_total,
        }

    def _open(self) -> Room:
        """The room with the collected tests; a new one when the last has died."""
        if self._room is None:
            paths = self._tree.test_paths if self._only is None else files_of(self._only)
            room = self._nursery.room(self._tree, self._report, self.limits)
            try:
                reply = room.ask({"op": "collect"} | self.collection(paths, self._only))
            except Closed as error:
                room.close()
                raise NotCollected(
                    f"collecting the tests of {self._tree.package} ended the process; look at its imports"
                ) from error
            tests, errors, codes = reply["tests"], reply["errors"], reply.get("codes")
            if isinstance(codes, dict):
                self._nursery.codes.setdefault(self._tree.package, {}).update(codes)
            assert isinstance(tests, list) and isinstance(errors, list)
            self.tests = tuple(str(test) for test in tests)
            self.collection_errors = tuple((str(place), str(text)) for place, text in errors)
            if not self.tests:
                room.close()
                why = f" ({self.collection_errors[0][1].strip().splitlines()[-1]})" if errors else ""
                raise NotCollected(
                    f"pytest finds no tests in {self._tree.package}{why}; name a package that brings tests"
                )
            self._room = room
        return self._room

    def ask(self, request: Mapping[str, object]) -> dict[str, object] | None:
        """Ask the collected room; None when it died of the request (the next one gets a new room)."""
        try:
            return self._open().ask(request)
        except Closed:
            self._drop()
            return None

    def ask_unimported(self, request: Mapping[str, object]) -> dict[str, object] | None:
        """Ask a second room, in which nothing of the tree is imported; None when it died of the request."""
        if self._unimported is None:
            self._unimported = self._nursery.room(self._tree, self._report, self.limits)
        else:
            request = {key: value for key, value in request.items() if key != "codes"}
        try:
            return self._unimported.ask(request)
        except Closed:
            self._unimported.close()
            self._unimported = None
            return None

    def _drop(self) -> None:
        if self._room is not None:
            self._room.close()
            self._room = None

    def close(self) -> None:
        """End the rooms, and the nursery if it is this zygote's own."""
        self._drop()
        if self._unimported is not None:
            self._unimported.close()
            self._unimported = None
        if self._own:
            self._nursery.close()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------ baseline

    def run(self, tests: Sequence[str] | None = None, *, coverage: bool = False) -> tuple[TestRun, ...]:
        """Run tests on the tree as it is, in a fresh fork.

        Parameters
        ----------
        tests
            Node ids in the order wanted; None for all.
        coverage
            Also note the package's lines each test executes.
        """
        names = list(self.tests if tests is None else tests)
        self._check(names)
        seconds = self.limits.cpu_seconds_per_test * (20.0 if coverage else 4.0)
        order = {"ids": names, "seconds": [seconds] * len(names), "may_skip": [True] * len(names)}
        request = {"op": "run", "order": order, "coverage": coverage, "cpu_total": 4 * self.limits.cpu_seconds_total}
        reply = self.ask(request)
        if reply is None or reply["how"] != "complete":
            raise LabError(
                f"running the tests of {self._tree.package} ended their process; its tests interfere with the runner"
            )
        results = reply["results"]
        assert isinstance(results, list)
        runs = tuple(_test_run(name, result) for name, result in zip(names, results, strict=True))
        if not coverage:
            self.known.update((run.test_id, run) for run in runs)
        return runs

    def _check(self, names: Sequence[str]) -> None:
        unknown = sorted(set(names) - set(self.tests))
        if unknown:
            raise LabError(f"{unknown[0]} is no test of {self._tree.package}; use ids from Zygote.tests")

    # ---------------------------------------------------------------------------------------- candidates

    def evaluate(
        self, candidates: Sequence[Candidate], *, tests: Sequence[str], all_failures: bool = False, chunk: int = 40
    ) -> tuple[CandidateRun, ...]:
        """Run tests under each candidate.

        Parameters
        ----------
        candidates
            Candidates, edits relative to the tree as it is.
        tests
            Node ids in the order to run them; failing ones first saves most.
        all_failures
            Run all tests instead of stopping at the first failure.
        chunk
            Candidates evaluated in one fork.

        Returns
        -------
        tuple
            One claim a candidate, in order.
        """
        names = list(tests)
        self._check(names)
        missing = [name for name in names if name not in self.known]
        if missing:
            self.run(missing)
        found: dict[str, CandidateRun] = {}
        plain: dict[str, Candidate] = {}
        alone: dict[str, Candidate] = {}
        for candidate in candidates:
            (alone if self._screen.suspicious(candidate) else plain).setdefault(candidate.id, candidate)
        batch = Batch(self, names, all_failures, found)
        queue = list(plain.values())
        while queue:
            again, suspects = batch.shared(queue[:chunk])
            queue = again + queue[chunk:]
            alone.update((one.id, one) for one in suspects)
        for candidate in alone.values():
            if candidate.id not in found:
                batch.alone(candidate)
        return tuple(found[candidate.id] for candidate in candidates)

    def order(self, names: Sequence[str]) -> dict[str, object]:
        """Tests with what a room has to know of each: how long it may take, and whether it may be skipped."""
        known = [self.known[name] for name in names]
        return {
            "ids": list(names),
            "seconds": [self.limits.cpu_seconds_per_test + 10 * run.seconds for run in known],
            "may_skip": [run.outcome in ("skipped", "xfailed") for run in known],
        }

    def control(self, names: Sequence[str]) -> list[str]:
        """A test that fails without a candidate and one that passes: what a negative control must still show.

        Only tests that say the same when run again, after all others and in their process, can serve: some test suites
        change what they test. Which of them are quick is measured, so a result must not depend on the choice.
        """
        quickest = sorted(names, key=lambda name: self.known[name].seconds)
        failing = [name for name in quickest if self.known[name].outcome == "failed"]
        passing = [name for name in quickest if self.known[name].outcome == "passed"]
        return [*self._steadiest(failing, names)[:1], *self._steadiest(passing, names)[:1]]

    def _steadiest(self, wanted: Sequence[str], names: Sequence[str]) -> list[str]:
        for first in range(0, len(wanted), _REHEARSED):
            group = wanted[first : first + _REHEARSED]
            if new := [name for name in group if name not in self._steady]:
                again = self._rehearse(names, new)
                self._steady.update((name, again.get(name) == self.known[name].outcome) for name in new)
            if steady := [name for name in group if self._steady[name]]:
                return steady
        return []

    def _rehearse(self, names: Sequence[str], again: Sequence[str]) -> dict[str, str]:
        """Outcomes of some tests run again after all of them, on the tree as it is."""
        request = {
            "op": "chunk",
            "candidates": [[]],
            "order": self.order(names),
            "all": True,
            "control": self.order(again),
            "cpu_total": self.limits.cpu_seconds_total,
        }
        log = ChunkLog.read(self.ask(request) or {}, list(names))
        return {} if log is None else dict(zip(again, log.control or [], strict=False))


def _test_run(name: str, result: object) -> TestRun:
    assert isinstance(result, list)
    outcome, seconds, wall, message, lines = result
    covered = frozenset((str(path), int(line)) for path, numbers in lines.items() for line in numbers)
    passed = outcome in ("passed", "skipped", "xfailed")
    return TestRun(name, passed, float(seconds), str(message), covered, str(outcome), float(wall))
