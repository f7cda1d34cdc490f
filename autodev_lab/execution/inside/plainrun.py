"""Plain pytest in a fresh interpreter, with a plugin that reports every test once."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Generator
from types import FrameType

import pytest

from .cover import watch_lines
from .running import Plan, TimeUp, message_of
from .supervise import SELF_STOPPED

__all__ = ["main"]


class _Reporter:
    """Pytest plugin: keeps the wanted tests in the wanted order and reports outcome, time, message and lines."""

    def __init__(self, descriptor: int, request: dict[str, object], plan: Plan) -> None:
        wanted = request["tests"]
        seconds = request["seconds"]
        assert isinstance(wanted, list) and isinstance(seconds, int | float)
        self._wanted = [str(name) for name in wanted]
        self._seconds = float(seconds)
        self._coverage = bool(request["coverage"])
        self._token = str(request["token"])
        self._descriptor = descriptor
        self._plan = plan
        self._outcome = ""
        self._message = ""
        self._swallowed = 0

    def _say(self, kind: str, body: object) -> None:
        data = f"{self._token} {kind} {json.dumps(body)}\n".encode("ascii")
        while data:
            data = data[os.write(self._descriptor, data) :]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found: dict[str, pytest.Item] = {}
        for item in items:
            found.setdefault(item.nodeid, item)
        items[:] = [found[name] for name in self._wanted if name in found]

    def _ring(self, number: int, frame: FrameType | None) -> None:
        self._swallowed += 1
        if self._swallowed > 5:
            os._exit(SELF_STOPPED)
        raise TimeUp

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._outcome, self._message, self._swallowed = "", "", 0
        lines: dict[str, list[int]] = {}
        signal.signal(signal.SIGPROF, self._ring)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, self._seconds, 0.1)
        try:
            if self._coverage:
                with watch_lines(self._plan.owns) as seen:
                    result = yield
                for path, line in sorted(seen):
                    lines.setdefault(path[len(self._plan.root) + 1 :], []).append(line)
            else:
                result = yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
        self._say("test", [item.nodeid, self._outcome, time.process_time() - started, self._message, lines])
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._note(report)
        if report.failed and call.excinfo is not None:
            self._message = message_of(call.excinfo.value, self._plan.root)
            if isinstance(call.excinfo.value, TimeUp):
                self._outcome = "timeout"
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport) -> None:
        """The worst of all phases; an expected failure arrives as skipped with a reason."""
        if report.failed and self._outcome != "timeout":
            self._outcome = "failed"
        elif report.skipped and self._outcome in ("", "passed"):
            self._outcome = "xfailed" if hasattr(report, "wasxfail") else "skipped"
        elif report.passed and report.when == "call" and not self._outcome:
            self._outcome = "passed"

    def pytest_sessionfinish(self) -> None:
        self._say("finished", None)


def main() -> int:
    """Run what standard input asks for; the report goes to what was standard output."""
    request = json.loads(sys.stdin.buffer.read())
    descriptor = os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    plan = Plan(
        root=request["root"],
        import_path=tuple(request["import_path"]),
        runner_path=(),
        package_path=request["package_path"],
        paths=tuple(request["paths"]),
        tests=tuple(request["test_paths"]),
    )
    sys.path[:] = [*plan.import_path, *[path for path in sys.path if path not in plan.import_path]]
    os.chdir(plan.root)
    plugin = _Reporter(descriptor, request, plan)
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-o", "addopts=", "--rootdir", plan.root]
    arguments += ["--continue-on-collection-errors"]
    status = pytest.main([*arguments, *plan.paths], plugins=[plugin])
    if status == pytest.ExitCode.USAGE_ERROR:
        status = pytest.main([*arguments, "-c", os.devnull, *plan.paths], plugins=[plugin])
    return int(status)
