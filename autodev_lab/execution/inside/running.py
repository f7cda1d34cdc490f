"""Collect a tree's tests with pytest once, and run single tests without its reporting."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import unittest
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import pytest
from _pytest.config import Config, _prepareconfig
from _pytest.main import Session
from _pytest.nodes import Collector, Item
from _pytest.outcomes import skip, xfail
from _pytest.python import Function
from _pytest.runner import CallInfo
from _pytest.tmpdir import tmppath_result_key
from _pytest.warnings import catch_warnings_for_item

__all__ = ["Collected", "Plan", "Prepared", "TimeUp", "collect", "execute", "message_of", "prepare", "teardown"]

CodeKey = tuple[str, str, int]
_ARGUMENTS = ("-s", "--no-header", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-o", "addopts=")
_SPECIAL_MARKS = ("skip", "skipif", "xfail", "filterwarnings")
_SPECIAL_FIXTURES = {"caplog", "capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys", "subtests"}
_EARLY = ("pytest_addoption", "pytest_cmdline", "pytest_load_initial", "pytest_plugins", "pytest_sessionstart")
_HOOKS = (
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_protocol",
    "pytest_pyfunc_call",
)


class TimeUp(BaseException):
    """Raised by the timer in a test that has used its CPU time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to collect.

    Parameters
    ----------
    root
        The tree, as seen in the room.
    import_path
        Directories put before the standard library on ``sys.path``.
    runner_path
        Directories put after it, for pytest.
    package_path
        Package directory or module file below `root`.
    paths
        Test files and directories relative to `root`.
    only
        Node ids to keep, or None for all.
    trace
        Note which of the package's code runs while modules are imported.
    tests
        All test files and directories of the tree: they are not the package, even where they lie in it.
    """

    root: str
    import_path: tuple[str, ...]
    runner_path: tuple[str, ...]
    package_path: str
    paths: tuple[str, ...]
    only: frozenset[str] | None = None
    trace: bool = False
    tests: tuple[str, ...] = ()

    def owns(self, filename: str) -> bool:
        """Whether a source file belongs to the package under test."""
        if not _below(filename, f"{self.root}/{self.package_path}"):
            return False
        return not any(_below(filename, f"{self.root}/{one}") for one in self.tests if one and one != self.package_path)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class _Watcher:
    """Pytest plugin: notes collection errors, and failures that only a report tells (sub-tests).

    Where single tests are asked for, it also keeps pytest from making the others of their file: that takes longer than
    importing it.
    """

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.failed_reports = 0
        self._wanted: frozenset[str] | None = None

    def expect(self, paths: Sequence[str]) -> None:
        """Tell what will be collected."""
        names = [part.partition("[")[0] for path in paths for part in path.split("::")[1:]]
        self._wanted = frozenset(names) if all("::" in path for path in paths) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, name: str) -> list[Item] | None:
        return None if self._wanted is None or name in self._wanted else []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append((report.nodeid, str(report.longrepr)[-2000:]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed_reports += 1


@dataclass(slots=True)
class Collected:
    """A pytest session with its tests, ready to run any of them again and again."""

    plan: Plan
    session: Session
    items: dict[str, Item]
    errors: list[tuple[str, str]]
    watcher: _Watcher
    light: frozenset[str]
    warn: bool
    imported: set[CodeKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pytest session that has started but not looked at any test file."""

    session: Session
    watcher: _Watcher


def prepare(plan: Plan) -> Prepared | None:
    """Start pytest before anything of the tree is imported; None where a conftest has a word in how it starts."""
    texts = [path.read_text(errors="replace") for path in Path(plan.root).rglob("conftest.py")]
    if any(word in text for word in _EARLY for text in texts):
        return None
    started = _start(plan, "--noconftest")
    config = started.session.config
    config.hook.pytest_ignore_collect(collection_path=Path(plan.root), config=config)  # compiles its patterns
    Collector.repr_failure = _briefly  # type: ignore[method-assign, assignment]
    return started


def _briefly(collector: Collector, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """What to say of a file that cannot be collected: nobody reads more, and a traceback costs more than an import."""
    return excinfo.exconly()


def _start(plan: Plan, *arguments: str) -> Prepared:
    _set_path(plan)
    watcher = _Watcher()
    session = Session.from_config(_configure(plan, watcher, arguments))
    session.config.hook.pytest_sessionstart(session=session)
    return Prepared(session, watcher)


def _load_conftests(config: Config, plan: Plan) -> None:
    """Import the conftests a `prepare` has left out."""
    known = config.known_args_namespace
    if known.noconftest:
        known.noconftest = config.option.noconftest = False
        known.file_or_dir = list(plan.paths)
        config.pytest_load_initial_conftests(config)


def _set_path(plan: Plan) -> None:
    standard = [path for path in sys.path if path not in plan.runner_path and path not in plan.import_path]
    sys.path[:] = [*plan.import_path, *standard, *plan.runner_path]
    sys.path_importer_cache.clear()


def collect(plan: Plan, prepared: Prepared | None = None) -> Collected:
    """Import the tree and collect its tests.

    Raises
    ------
    Exception
        Whatever stops pytest itself; errors of single files are kept in the result.
    """
    seen: set[CodeType] = set()
    with _tracing(seen) if plan.trace else contextlib.nullcontext():
        started = _start(plan) if prepared is None else prepared
        session, watcher, config = started.session, started.watcher, started.session.config
        config.args[:] = plan.paths
        watcher.expect(plan.paths)
        _load_conftests(config, plan)
        try:
            config.hook.pytest_collection(session=session)
        except (pytest.UsageError, Session.Interrupted, Session.Failed) as error:
            watcher.errors.append(("", str(error)))
    items: dict[str, Item] = {}
    for item in getattr(session, "items", []):
        if plan.only is None or item.nodeid in plan.only:
            items.setdefault(item.nodeid, item)
    custom = any(_foreign(config, name) for name in _HOOKS)
    warn = bool(config.getini("filterwarnings"))
    light = frozenset(node for node, item in items.items() if not custom and not warn and _is_light(item))
    imported = {
        (code.co_filename, code.co_qualname, code.co_firstlineno) for code in seen if plan.owns(code.co_filename)
    }
    return Collected(plan, session, items, watcher.errors, watcher, light, warn, imported)


def _configure(plan: Plan, watcher: _Watcher, arguments: Sequence[str]) -> Config:
    """Configuration with the subject's own ini file where pytest accepts it, without where it does not."""
    os.chdir(plan.root)
    base = [*_ARGUMENTS, *arguments, "--rootdir", plan.root]
    try:
        config = _prepareconfig([*base, *plan.paths], plugins=[watcher])
        config._do_configure()
    except (Exception, SystemExit):
        config = _prepareconfig([*base, "-c", os.devnull, *plan.paths], plugins=[watcher])
        config._do_configure()
    return config


@contextlib.contextmanager
def _tracing(seen: set[CodeType]) -> Iterator[None]:
    """Note every code object that starts to run; a local trace function is never installed, so lines cost nothing."""

    def note(frame: FrameType, event: str, argument: object) -> None:
        seen.add(frame.f_code)

    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(None)


def _foreign(config: Config, name: str) -> bool:
    """Whether a conftest or the subject's plugin hooks into running tests."""
    return any(
        not str(getattr(one.function, "__module__", "")).startswith(("_pytest", "_lab_inside", "autodev_lab"))
        for one in getattr(config.hook, name).get_hookimpls()
    )


def _is_light(item: Item) -> bool:
    """Whether setup, call and teardown are all there is to a test, so that pytest's hooks can be left out."""
    return (
        type(item) is Function
        and not inspect.iscoroutinefunction(item.obj)
        and not inspect.isasyncgenfunction(item.obj)
        and not any(item.get_closest_marker(mark) for mark in _SPECIAL_MARKS)
        and not _SPECIAL_FIXTURES & set(item.fixturenames)
    )


# ------------------------------------------------------------------------------------------------- running

Outcome = tuple[str, BaseException | None]  # "passed", "failed", "skipped", "xfailed" or "timeout", and why


def execute(collected: Collected, item: Item, nextitem: Item | None) -> Outcome:
    """Run one test: setup, call, teardown; what pytest would call failed is failed, in any phase."""
    if collected.warn or item.get_closest_marker("filterwarnings"):
        with catch_warnings_for_item(config=item.config, ihook=item.ihook, when="runtest", item=item):
            return _execute(collected, item, nextitem)
    return _execute(collected, item, nextitem)


def _execute(collected: Collected, item: Item, nextitem: Item | None) -> Outcome:
    light = item.nodeid in collected.light
    before = collected.watcher.failed_reports
    state = item.session._setupstate
    has_request = hasattr(item, "_request")
    if has_request and not item._request:  # type: ignore[attr-defined]
        item._initrequest()  # type: ignore[attr-defined]
    item.stash[tmppath_result_key] = {}  # what pytest's report would leave for the teardown of tmp_path
    phase = "setup"
    error: BaseException | None = None
    try:
        if light:
            state.setup(item)
            phase = "call"
            assert isinstance(item, Function)
            item.obj(**{name: item.funcargs[name] for name in item._fixtureinfo.argnames})
        else:
            hook = item.ihook
            hook.pytest_runtest_setup(item=item)
            phase = "call"
            hook.pytest_runtest_call(item=item)
    except BaseException as raised:
        error = raised
    if error is None:
        recorded = getattr(item, "_excinfo", None)
        if recorded:
            error = recorded[0].value
    if getattr(item, "_excinfo", None):
        item._excinfo = None  # type: ignore[attr-defined]
    outcome = "passed" if error is None and phase == "call" else _judge(item, error, phase)
    if outcome == "passed" and not light and _strictly_unexpected(item):
        outcome = "failed"
    try:
        if light:
            state.teardown_exact(nextitem)
        else:
            item.ihook.pytest_runtest_teardown(item=item, nextitem=nextitem)
    except BaseException as raised:
        if outcome != "timeout":
            outcome, error = ("timeout" if isinstance(raised, TimeUp) else "failed"), raised
    finally:
        if has_request:
            item._request = False  # type: ignore[attr-defined]
            item.funcargs = None  # type: ignore[attr-defined]
    if collected.watcher.failed_reports != before and outcome != "timeout":
        outcome = "failed"
    return outcome, error


def _judge(item: Item, error: BaseException | None, phase: str) -> str:
    if isinstance(error, TimeUp):
        return "timeout"
    if isinstance(error, skip.Exception | unittest.SkipTest):
        return "skipped"
    if isinstance(error, xfail.Exception):
        return "xfailed"
    if error is not None and item.get_closest_marker("xfail"):
        return {"skipped": "xfailed", "passed": "passed"}.get(_report(item, error, phase), "failed")
    return "failed"


def _strictly_unexpected(item: Item) -> bool:
    return item.get_closest_marker("xfail") is not None and _report(item, None, "call") == "failed"


def _report(item: Item, error: BaseException | None, phase: str) -> str:
    """Pytest's own word on a test with an xfail mark (conditions, raises, strict)."""

    def again() -> None:
        if error is not None:
            raise error

    call = CallInfo.from_call(again, when="setup" if phase == "setup" else "call")
    outcome: str = item.ihook.pytest_runtest_makereport(item=item, call=call).outcome
    return outcome


def teardown(collected: Collected) -> None:
    """Tear down every fixture that is still alive, whatever it raises."""
    with contextlib.suppress(BaseException):
        collected.session._setupstate.teardown_exact(None)


def message_of(error: BaseException | None, root: str) -> str:
    """One short, machine-independent line about a failure."""
    if error is None:
        return ""
    try:
        text = str(error).strip() or type(error).__name__
    except BaseException:
        text = "unprintable error"
    name = type(error).__name__
    line = ""
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.startswith(root):
            line = f" at {filename[len(root) + 1 :]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{name}: {text[:600]}{line}".replace(root + "/", "")


Runner = Callable[[Sequence[str]], None]
