"""Which lines of the package a piece of work executes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

__all__ = ["watch_lines"]

Line = tuple[str, int]


@contextlib.contextmanager
def watch_lines(owns: Callable[[str], bool]) -> Iterator[set[Line]]:
    """Collect (file, line) of all lines executed in files that `owns` accepts.

    On Python 3.12 and later `sys.monitoring` reports each line once and then leaves it alone (PEP 669), at next to no
    cost; on 3.11 a trace function does, only in frames of the package's files.
    """
    lines: set[Line] = set()
    if sys.version_info >= (3, 12):
        with _monitoring(owns, lines):
            yield lines
        return

    known: dict[CodeType, bool] = {}

    def local(frame: FrameType, event: str, argument: object) -> object:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def entered(frame: FrameType, event: str, argument: object) -> object:
        code = frame.f_code
        ours = known.get(code)
        if ours is None:
            ours = known[code] = owns(code.co_filename)
        return local if ours else None

    previous = sys.gettrace()
    sys.settrace(entered)  # type: ignore[arg-type]
    try:
        yield lines
    finally:
        sys.settrace(previous)


@contextlib.contextmanager
def _monitoring(owns: Callable[[str], bool], lines: set[Line]) -> Iterator[None]:
    monitoring = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    tool = monitoring.COVERAGE_ID

    def on_line(code: CodeType, number: int) -> object:
        if owns(code.co_filename):
            lines.add((code.co_filename, number))
        return monitoring.DISABLE

    monitoring.use_tool_id(tool, "autodev-lab")
    monitoring.register_callback(tool, monitoring.events.LINE, on_line)
    monitoring.restart_events()
    monitoring.set_events(tool, monitoring.events.LINE)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)
