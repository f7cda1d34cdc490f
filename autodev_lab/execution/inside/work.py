"""The work done in forked children: candidates in a chunk, a fresh import, a baseline run, function calls."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType

from _pytest.nodes import Item

from .codes import Codes
from .cover import watch_lines
from .lines import LineEdit
from .running import Collected, Plan, Prepared, TimeUp, collect, execute, message_of, teardown
from .state import State
from .supervise import SELF_STOPPED, Reporter
from .swap import Invalid, NeedsImport, Swapper

__all__ = ["Job", "TestOrder", "allowance", "baseline", "chunk", "fresh"]

COLLECTION_SECONDS = 5.0
_GRACE = 1.0  # CPU seconds beyond a test's limit before the supervisor steps in
_SWALLOWED = 5  # timer signals a test may swallow before its process ends itself


@dataclass(frozen=True, slots=True)
class TestOrder:
    """Tests to run, in order, with what is known of them.

    Parameters
    ----------
    ids
        Node ids.
    seconds
        CPU seconds each may use.
    may_skip
        Whether each is skipped (or fails as expected) on the unchanged tree too; else skipping counts as failing.
    """

    ids: tuple[str, ...]
    seconds: tuple[float, ...]
    may_skip: tuple[bool, ...]

    @staticmethod
    def from_json(data: object) -> TestOrder:
        """The order sent by the lab."""
        if not isinstance(data, Mapping):
            raise ValueError("not a test order")
        return TestOrder(tuple(data["ids"]), tuple(data["seconds"]), tuple(data["may_skip"]))


@dataclass(frozen=True, slots=True)
class Job:
    """Candidates and the tests to run under each of them."""

    candidates: tuple[tuple[LineEdit, ...], ...]
    order: TestOrder
    all_failures: bool
    control: TestOrder

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Job:
        """The job sent by the lab."""
        candidates = data["candidates"]
        assert isinstance(candidates, list)
        edits = tuple(tuple((str(e[0]), int(e[1]), int(e[2]), str(e[3])) for e in one) for one in candidates)
        return Job(edits, TestOrder.from_json(data["order"]), bool(data["all"]), TestOrder.from_json(data["control"]))


class _Timer:
    """Raises `TimeUp` in a test that uses too much CPU time; ends the process when that is swallowed."""

    def __init__(self) -> None:
        self._count = 0
        signal.signal(signal.SIGPROF, self._ring)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > _SWALLOWED:
            os._exit(SELF_STOPPED)
        raise TimeUp

    @property
    def rang(self) -> bool:
        """Whether it has rung since the last start, even if that was swallowed."""
        return self._count > 0

    def start(self, seconds: float) -> None:
        self._count = 0
        signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def allowance(kind: str, body: object) -> float:
    """CPU seconds until the next record, from the record itself: a test's carries its limit."""
    if kind == "test" and isinstance(body, list) and len(body) == 2 and isinstance(body[1], int | float):
        return float(body[1]) + _GRACE
    return COLLECTION_SECONDS + _GRACE


def chunk(job: Job, collected: Collected, swapper: Swapper, state: State, report: Reporter) -> None:
    """Evaluate candidates one after the other in this process, then the control tests on the original code.

    Records: ``begin``, one ``test`` per test started, ``end`` with status, tests executed and failing tests; at last
    ``control`` with the outcomes of the control tests.
    """
    timer = _Timer()
    for edits in job.candidates:
        report("begin")
        try:
            swapper.swap(edits)
        except NeedsImport as reason:
            report("end", ["import", 0, [str(reason)]])
            continue
        except Invalid as reason:
            report("end", ["invalid", 0, [str(reason)]])
            continue
        try:
            result = _tests(job.order, collected, timer, report, job.all_failures)
        finally:
            swapper.restore()
            state.restore()
        report("end", result)
    outcomes = []
    for index, name in enumerate(job.control.ids):
        report("test", [-1, job.control.seconds[index]])
        outcomes.append(_one(collected, collected.items[name], None, timer, job.control.seconds[index])[0])
    report("control", outcomes)


def _tests(order: TestOrder, collected: Collected, timer: _Timer, report: Reporter, all_failures: bool) -> list[object]:
    failing: list[str] = []
    executed = 0
    items = [collected.items.get(name) for name in order.ids]
    for index, item in enumerate(items):
        executed += 1
        report("test", [index, order.seconds[index]])
        if item is None:  # with the candidate's code the test is not even collected
            outcome = "failed"
        else:
            later = items[index + 1] if index + 1 < len(items) else None
            outcome, _ = _one(collected, item, later, timer, order.seconds[index])
        if outcome == "passed" or (outcome in ("skipped", "xfailed") and order.may_skip[index]):
            continue
        failing.append(order.ids[index])
        if outcome == "timeout":
            teardown(collected)
            return ["timeout", executed, failing]
        if not all_failures:
            break
    teardown(collected)
    return ["failed" if failing else "passed", executed, failing]


def _one(
    collected: Collected, item: Item, later: Item | None, timer: _Timer, seconds: float
) -> tuple[str, BaseException | None]:
    timer.start(seconds)
    try:
        return execute(collected, item, later)
    except TimeUp as error:
        return "timeout", error
    finally:
        timer.stop()


def fresh(plan: Plan, job: Job, codes: Codes, prepared: Prepared | None, report: Reporter) -> None:
    """Import the tree with the one candidate's edits in its files, and run the tests once."""
    timer = _Timer()
    report("begin")
    report("load")
    try:
        codes.overlay(plan.root, job.candidates[0])
    except (OSError, ValueError) as reason:
        report("end", ["invalid", 0, [str(reason)]])
        return
    timer.start(COLLECTION_SECONDS)
    collected = None
    try:
        collected = collect(plan, prepared)
    except BaseException:  # the candidate's module level may raise anything
        collected = None
    finally:
        timer.stop()
    if collected is None or timer.rang:
        report("test", [0, COLLECTION_SECONDS])
        report("end", ["timeout" if timer.rang else "failed", 1, list(job.order.ids[:1])])
        return
    report("end", _tests(job.order, collected, timer, report, job.all_failures))


def baseline(order: TestOrder, collected: Collected, first: int, coverage: bool, report: Reporter) -> None:
    """Run tests on the tree as it is; a ``result`` each: outcome, CPU and wall seconds, message, lines by file."""
    timer = _Timer()
    items = [collected.items[name] for name in order.ids]
    root = collected.plan.root
    for index in range(first, len(items)):
        report("test", [index, order.seconds[index]])
        later = items[index + 1] if index + 1 < len(items) else None
        started, wall = time.process_time(), time.perf_counter()
        lines: dict[str, list[int]] = {}
        if coverage:
            with watch_lines(collected.plan.owns) as seen:
                outcome, error = _one(collected, items[index], later, timer, order.seconds[index])
            for path, line in sorted(seen):
                lines.setdefault(path[len(root) + 1 :], []).append(line)
        else:
            outcome, error = _one(collected, items[index], later, timer, order.seconds[index])
        seconds = [time.process_time() - started, time.perf_counter() - wall]
        report("result", [outcome, *seconds, message_of(error, root) if outcome != "passed" else "", lines])
    teardown(collected)
