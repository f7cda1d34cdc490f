"""Evaluate candidates fast: tests collected once in a sandboxed process, which forks for every chunk of candidates."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.execution.inside.room import RoomSpec
from autodev_lab.execution.inside.wire import Closed, receive, send
from autodev_lab.execution.sandbox import (
    RUNNER_PACKAGES,
    Limits,
    SandboxReport,
    boot_command,
    clean_environment,
    link_runner,
    room_spec,
    runner_roots,
)
from autodev_lab.execution.screen import Screen
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Candidate, CandidateStatus, Edit

__all__ = ["CandidateRun", "NotCollected", "Nursery", "Room", "TestRun", "Zygote"]

_LEADING = 3  # tests tried first after a fresh import; collecting them alone is much cheaper than all
_REHEARSED = 12  # quick tests tried at once for a control; most suites offer one among the first
_GUARD = 900.0  # wall seconds the lab waits for a room's answer per request; the room itself decides long before


class NotCollected(LabError):
    """No test of a tree can be collected: a matter of the tree, not of this machine."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """One test, run once.

    Parameters
    ----------
    test_id
        Node id, relative to the tree.
    passed
        Whether it did not fail; a skipped or expectedly failing test counts as passed.
    seconds
        CPU seconds of setup, call and teardown; measured, so for limits only.
    message
        One line about the failure, with the place in the tree; "" when it passed.
    lines
        Lines of the package it executed, (path relative to the tree, line); empty without coverage.
    outcome
        ``passed``, ``failed``, ``skipped``, ``xfailed``, ``timeout`` or ``crashed``.
    """

    test_id: str
    passed: bool
    seconds: float
    message: str
    lines: frozenset[tuple[str, int]]
    outcome: str = "passed"


@dataclass(frozen=True, slots=True)
class CandidateRun:
    """What the fast path claims about one candidate; a claimed pass is to be confirmed by `run_plain`."""

    candidate_id: str
    status: CandidateStatus
    test_executions: int
    failing: tuple[str, ...]


class Room:
    """The lab's end of one room: send a request, get its answer."""

    def __init__(self, nursery: Nursery, number: int, channel: socket.socket, home: str | None) -> None:
        self._nursery = nursery
        self._number = number
        self._channel = channel
        self._home = home

    def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """Send a request and wait for the answer.

        Raises
        ------
        Closed
            If the room died.
        LabError
            If the room reports an error of its own.
        """
        send(self._channel, request)
        return self.answer()

    def answer(self) -> dict[str, object]:
        """Wait for an answer."""
        try:
            reply = receive(self._channel)
        except TimeoutError as error:
            raise Closed("no answer") from error
        if "error" in reply:
            raise LabError(f"the sandbox failed ({reply['error']})")
        return reply

    def close(self) -> None:
        """End the room and everything in it."""
        self._channel.close()
        self._nursery.end(self._number)
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)


class Nursery:
    """A warm interpreter (standard library and pytest imported) from which rooms are forked in milliseconds.

    Safe to share between threads. Close it, or use it as a context manager; it also ends when this process does,
    however that ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                boot_command("nursery", theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUTODEV_LAB_TRACE") else subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=clean_environment("/nonexistent") | {"HOME": "/"},
                cwd="/",
                start_new_session=True,
            )
        finally:
            theirs.close()
        ours.settimeout(_GUARD)
        self._channel = ours
        self.codes: dict[str, dict[str, object]] = {}  # compiled files by package; latest content of each path
        try:
            send(ours, {"runner": runner_roots()})
            receive(ours)
        except Closed as error:
            self.close()
            raise LabError("the test runner's process did not start; check that pytest works here") from error

    def room(self, tree: SourceTree | None, report: SandboxReport, limits: Limits, edits: Sequence[Edit] = ()) -> Room:
        """Fork a process into a new room, with a copy of a tree to which edits are applied.

        Raises
        ------
        LabError
            If the room cannot be built, or the edits do not fit.
        """
        home = None if report.namespaces else os.path.realpath(tempfile.mkdtemp(prefix="autodev-lab-"))
        spec = room_spec(report, limits, home=home or "/lab")
        if tree is not None:
            spec = _with_tree(spec, tree, edits)
        if home is not None:
            link_runner(home)
        ours, theirs = socket.socketpair()
        with self._lock:
            number = next(self._numbers)
            try:
                send(self._channel, {"op": "room", "id": number, "spec": spec.to_json()}, [theirs.fileno()])
            except Closed as error:
                raise LabError("the test runner's process has died; run again") from error
            finally:
                theirs.close()
        ours.settimeout(_GUARD)
        room = Room(self, number, ours, home)
        try:
            room.answer()
        except Closed as error:
            room.close()
            raise LabError("the sandbox ended while it was built; check memory and limits of this machine") from error
        except LabError:
            room.close()
            raise
        return room

    def end(self, number: int) -> None:
        """Kill a room."""
        with self._lock, contextlib.suppress(Closed):
            send(self._channel, {"op": "close", "id": number})

    def close(self) -> None:
        """End the nursery and every room."""
        self._channel.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_tree(spec: RoomSpec, tree: SourceTree, edits: Sequence[Edit]) -> RoomSpec:
    home = spec.home
    first = f"{home}/tree/{tree.import_root}".rstrip("/")
    spec = replace(
        spec,
        tree=os.path.realpath(tree.root),
        edits=tuple((edit.path, edit.start_line, edit.end_line, edit.replacement) for edit in edits),
        dependencies=os.path.realpath(tree.dependencies) if tree.dependencies else "",
    )
    path = ":".join(part for part in (first, spec.dependencies_inside) if part)
    return replace(spec, environment=(*spec.environment, ("PYTHONPATH", path)))


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
        self._limits = limits or Limits()
        self._only = None if tests is None else list(tests)
        self._own = pool is None
        self._nursery = pool or Nursery()
        self._room: Room | None = None
        self._unimported: Room | None = None
        self._screen = Screen(tree.root)
        self._known: dict[str, TestRun] = {}
        self._steady: dict[str, bool] = {}
        self.collection_errors: tuple[tuple[str, str], ...] = ()
        self.tests: tuple[str, ...] = ()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # ---------------------------------------------------------------------------------------------- room

    def _collection(self, paths: Sequence[str], only: Sequence[str] | None) -> dict[str, object]:
        return {
            "import_root": self._tree.import_root,
            "package_path": self._tree.package_path,
            "paths": list(paths),
            "test_paths": list(self._tree.test_paths),
            "codes": self._nursery.codes.get(self._tree.package, {}),
            "only": None if only is None else list(only),
            "cpu_total": self._limits.cpu_seconds_total,
        }

    def _open(self) -> Room:
        """The room with the collected tests; a new one when the last has died."""
        if self._room is None:
            paths = self._tree.test_paths if self._only is None else _files(self._only)
            room = self._nursery.room(self._tree, self._report, self._limits)
            try:
                reply = room.ask({"op": "collect"} | self._collection(paths, self._only))
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
            self._unimported = self._nursery.room(self._tree, self._report, self._limits)
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
        seconds = self._limits.cpu_seconds_per_test * (20.0 if coverage else 4.0)
        order = {"ids": names, "seconds": [seconds] * len(names), "may_skip": [True] * len(names)}
        request = {"op": "run", "order": order, "coverage": coverage, "cpu_total": 4 * self._limits.cpu_seconds_total}
        reply = self.ask(request)
        if reply is None or reply["how"] != "complete":
            raise LabError(
                f"running the tests of {self._tree.package} ended their process; its tests interfere with the runner"
            )
        results = reply["results"]
        assert isinstance(results, list)
        runs = tuple(_test_run(name, result) for name, result in zip(names, results, strict=True))
        if not coverage:
            self._known.update((run.test_id, run) for run in runs)
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
        missing = [name for name in names if name not in self._known]
        if missing:
            self.run(missing)
        found: dict[str, CandidateRun] = {}
        plain: dict[str, Candidate] = {}
        alone: dict[str, Candidate] = {}
        for candidate in candidates:
            (alone if self._screen.suspicious(candidate) else plain).setdefault(candidate.id, candidate)
        batch = _Batch(self, names, all_failures, found)
        queue = list(plain.values())
        while queue:
            again, suspects = batch.shared(queue[:chunk])
            queue = again + queue[chunk:]
            alone.update((one.id, one) for one in suspects)
        for candidate in alone.values():
            if candidate.id not in found:
                batch.alone(candidate)
        return tuple(found[candidate.id] for candidate in candidates)

    def _order(self, names: Sequence[str]) -> dict[str, object]:
        known = [self._known[name] for name in names]
        return {
            "ids": list(names),
            "seconds": [self._limits.cpu_seconds_per_test + 10 * run.seconds for run in known],
            "may_skip": [run.outcome in ("skipped", "xfailed") for run in known],
        }

    def _control(self, names: Sequence[str]) -> list[str]:
        """A test that fails without a candidate and one that passes: what a negative control must still show.

        Only tests that say the same when run again, after all others and in their process, can serve: some test suites
        change what they test. Which of them are quick is measured, so a result must not depend on the choice.
        """
        quickest = sorted(names, key=lambda name: self._known[name].seconds)
        failing = [name for name in quickest if self._known[name].outcome == "failed"]
        passing = [name for name in quickest if self._known[name].outcome == "passed"]
        return [*self._steadiest(failing, names)[:1], *self._steadiest(passing, names)[:1]]

    def _steadiest(self, wanted: Sequence[str], names: Sequence[str]) -> list[str]:
        for first in range(0, len(wanted), _REHEARSED):
            group = wanted[first : first + _REHEARSED]
            if new := [name for name in group if name not in self._steady]:
                again = self._rehearse(names, new)
                self._steady.update((name, again.get(name) == self._known[name].outcome) for name in new)
            if steady := [name for name in group if self._steady[name]]:
                return steady
        return []

    def _rehearse(self, names: Sequence[str], again: Sequence[str]) -> dict[str, str]:
        """Outcomes of some tests run again after all of them, on the tree as it is."""
        request = {
            "op": "chunk",
            "candidates": [[]],
            "order": self._order(names),
            "all": True,
            "control": self._order(again),
            "cpu_total": self._limits.cpu_seconds_total,
        }
        log = _Log.read(self.ask(request) or {}, list(names))
        return {} if log is None else dict(zip(again, log.control or [], strict=False))


class _Batch:
    """One call of `Zygote.evaluate`: how the claims of chunks become verdicts."""

    def __init__(self, zygote: Zygote, names: list[str], all_failures: bool, found: dict[str, CandidateRun]) -> None:
        self._zygote = zygote
        self._names = names
        self._all = all_failures
        self._found = found
        self._control = zygote._control(names)

    def _request(self, candidates: Sequence[Candidate], names: Sequence[str] | None = None) -> dict[str, object]:
        return {
            "op": "chunk",
            "candidates": [
                [[edit.path, edit.start_line, edit.end_line, edit.replacement] for edit in one.edits]
                for one in candidates
            ],
            "order": self._zygote._order(self._names if names is None else names),
            "all": self._all,
            "control": self._zygote._order(self._control),
            "cpu_total": self._zygote._limits.cpu_seconds_total,
        }

    def shared(self, candidates: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Evaluate candidates in one fork; returns those not reached and those to be tried alone."""
        reply = self._zygote.ask(self._request(candidates))
        if reply is None:
            return [], candidates
        log = _Log.read(reply, self._names)
        if log is None or len(log.ended) > len(candidates) or (log.how == "complete" and not self._controlled(log)):
            return [], candidates
        suspects = []
        for candidate, end in zip(candidates, log.ended, strict=False):
            if end[0] == "import":
                self._imported(candidate)
            elif end[0] == "passed" and log.how != "complete":
                suspects.append(candidate)  # nothing confirmed this claim: its process did not reach the control
            else:
                self._found[candidate.id] = _claim(candidate, end)
        reached = len(log.ended)
        if log.how == "complete":
            return [], candidates[reached:]
        if reached < len(candidates) and log.running:
            self._found[candidates[reached].id] = _broken(candidates[reached], log, self._names)
            reached += 1
        elif reached < len(candidates):
            return [], candidates[reached:] + suspects
        return candidates[reached:], suspects

    def alone(self, candidate: Candidate) -> None:
        """Evaluate one candidate in a fork of its own, with the control after it."""
        reply = self._zygote.ask(self._request([candidate]))
        if reply is None:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.CRASHED, 1, tuple(self._names[:1]))
            return
        log = _Log.read(reply, self._names)
        if log is None or len(log.ended) > 1:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.FORGED, 0, ())
        elif log.ended and log.ended[0][0] == "import":
            self._imported(candidate)
        elif log.ended and (log.ended[0][0] != "passed" or (log.how == "complete" and self._controlled(log))):
            self._found[candidate.id] = _claim(candidate, log.ended[0])
        elif log.ended:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.FORGED, int(log.ended[0][1]), ())
        else:
            self._found[candidate.id] = _broken(candidate, log, self._names)

    def _imported(self, candidate: Candidate) -> None:
        """Evaluate one candidate by a fresh import, its edits in the files of a room of its own."""
        first = self._names[0].partition("::")[0] if self._names else ""
        leading = list(itertools.takewhile(lambda name: name.partition("::")[0] == first, self._names[:_LEADING]))
        result = self._fresh(candidate, leading)
        if len(leading) < len(self._names) and (self._all or result.status is CandidateStatus.PLAUSIBLE):
            result = self._fresh(candidate, self._names)
        self._found[candidate.id] = result

    def _fresh(self, candidate: Candidate, names: list[str]) -> CandidateRun:
        """Import and run some of the tests in a fork of a process that has not imported the package."""
        paths = names if len(names) <= _LEADING else _files(names)
        request = self._request([candidate], names) | {"op": "fresh"} | self._zygote._collection(paths, None)
        reply = self._zygote.ask_unimported(request)
        log = _Log("crashed", [], False, 1, []) if reply is None else _Log.read(reply, names)
        if log is None or len(log.ended) > 1:
            return CandidateRun(candidate.id, CandidateStatus.FORGED, 0, ())
        if log.ended and (log.how == "complete" or log.ended[0][0] != "passed"):
            return _claim(candidate, log.ended[0])
        return _broken(candidate, log, names)

    def _controlled(self, log: _Log) -> bool:
        return log.control == [self._zygote._known[name].outcome for name in self._control]


End = tuple[str, int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Log:
    """A chunk's records, checked: nothing missing, nothing twice, nothing that cannot be."""

    how: str
    ended: list[End]
    running: bool
    started: int
    control: list[str] | None

    @staticmethod
    def read(reply: Mapping[str, object], names: Sequence[str]) -> _Log | None:
        """The log of a reply, or None when it is not what an honest chunk writes."""
        records = reply.get("records")
        how = str(reply.get("how"))
        if not isinstance(records, list) or how not in ("complete", "timeout", "crashed"):
            return None
        ended: list[End] = []
        running, started, expected = False, 0, 0
        control: list[str] | None = None
        for kind, body in records:
            if kind == "begin" and not running and control is None:
                running, started, expected = True, 0, 0
            elif kind == "test" and running and body[0] == expected:
                started, expected = started + 1, expected + 1
            elif (kind == "test" and not running and body[0] == -1) or (kind == "load" and running and not started):
                continue
            elif kind == "end" and running:
                end = _end(body, names, started)
                if end is None:
                    return None
                ended.append(end)
                running = False
            elif kind == "control" and not running and isinstance(body, list):
                control = [str(one) for one in body]
            elif kind != "done":
                return None
        return _Log(how, ended, running, started, control)


def _end(body: object, names: Sequence[str], started: int) -> End | None:
    """A candidate's end record if it fits what was seen to start."""
    if not isinstance(body, list) or len(body) != 3 or not isinstance(body[2], list):
        return None
    status, count, failing = str(body[0]), body[1], tuple(str(one) for one in body[2])
    if status in ("import", "invalid"):
        return (status, 0, ()) if started == 0 else None
    if status == "passed" and (count != len(names) or started != len(names) or failing):
        return None
    if status in ("failed", "timeout") and (count != started or not failing or not set(failing) <= set(names)):
        return None
    return (status, started, failing) if status in ("passed", "failed", "timeout") else None


_STATUS = {
    "passed": CandidateStatus.PLAUSIBLE,
    "failed": CandidateStatus.FAILED,
    "timeout": CandidateStatus.TIMEOUT,
    "crashed": CandidateStatus.CRASHED,
    "invalid": CandidateStatus.INVALID,
}


def _claim(candidate: Candidate, end: End) -> CandidateRun:
    return CandidateRun(candidate.id, _STATUS[end[0]], end[1], end[2])


def _broken(candidate: Candidate, log: _Log, names: Sequence[str]) -> CandidateRun:
    """A candidate under which the process ended: the test that ran then is the one that failed."""
    how = log.how if log.how in _STATUS and log.how != "complete" else "crashed"
    failing = tuple(names[log.started - 1 : log.started]) if log.started else ()
    return CandidateRun(candidate.id, _STATUS[how], log.started, failing)


def _files(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name.partition("::")[0] for name in names))


def _test_run(name: str, result: object) -> TestRun:
    assert isinstance(result, list)
    outcome, seconds, message, lines = result
    covered = frozenset((str(path), int(line)) for path, numbers in lines.items() for line in numbers)
    passed = outcome in ("passed", "skipped", "xfailed")
    return TestRun(name, passed, float(seconds), str(message), covered, str(outcome))
