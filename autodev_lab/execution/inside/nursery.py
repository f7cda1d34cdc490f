"""A warm interpreter outside every room: imports pytest once, then forks a process into a new room on request.

It never runs code of a subject; what it forks does. It ends when the lab's end of its socket closes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys

from . import linux
from .fork import fork_room
from .room import RoomSpec
from .wire import Closed, receive_with_descriptors, send

__all__ = ["main"]

_WARM = (
    *("pytest", "_pytest.config", "_pytest.python", "_pytest.doctest", "_pytest.unittest", "_pytest.assertion.rewrite"),
    *("_pytest.fixtures", "_pytest.runner", "_pytest.skipping", "_pytest.tmpdir", "_pytest.logging", "_pytest.recwarn"),
    *(
        "_pytest.monkeypatch",
        "_pytest.raises",
        "_pytest.subtests",
        "_pytest.threadexception",
        "_pytest.unraisableexception",
    ),
    *(
        "_pytest.capture",
        "_pytest.terminal",
        "_pytest.junitxml",
        "_pytest.pastebin",
        "_pytest.setuponly",
        "_pytest.setupplan",
    ),
    *("_pytest.stepwise", "_pytest.faulthandler", "_pytest.freeze_support", "_pytest.helpconfig", "_pytest.legacypath"),
    *(
        "_pytest.debugging",
        "_pytest.cacheprovider",
        "_pytest.warnings",
        "_pytest.python_api",
        "_pytest.pytester_assertions",
    ),
    *("unittest", "unittest.mock", "doctest", "decimal", "fractions", "datetime", "zoneinfo", "statistics", "random"),
    *("typing", "dataclasses", "asyncio", "concurrent.futures", "multiprocessing", "logging", "json", "csv", "sqlite3"),
    *(
        "hashlib",
        "uuid",
        "urllib.parse",
        "urllib.request",
        "http.client",
        "email",
        "html",
        "textwrap",
        "calendar",
        "bisect",
    ),
    *(
        "heapq",
        "numbers",
        "array",
        "pickle",
        "copy",
        "string",
        "locale",
        "gettext",
        "optparse",
        "argparse",
        "configparser",
    ),
    *("platform", "tempfile", "glob", "zipfile", "tarfile", "gzip", "bz2", "lzma", "ssl", "queue", "cmath", "math"),
)


def main(descriptor: int) -> int:
    """Serve until the lab is gone."""
    if sys.platform.startswith("linux") and linux.fix_addresses():
        os.execv(sys.orig_argv[0], sys.orig_argv)  # the layout of a program that runs stays what it is
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    with socket.socket(fileno=descriptor) as channel:
        hello, _ = receive_with_descriptors(channel)
        runner = hello["runner"]
        assert isinstance(runner, list)
        sys.path += [str(path) for path in runner]
        for name in _WARM:
            with contextlib.suppress(ImportError):  # names differ between versions of pytest and Python
                importlib.import_module(name)
        serving = importlib.import_module(f"{__package__}.serve")
        gc.collect()
        gc.freeze()
        send(channel, {"ready": True, "python": sys.version.split()[0]})
        keepers: dict[int, int] = {}
        while True:
            ready, _, _ = select.select([channel], [], [], 1.0)
            if not ready:
                if os.getppid() != parent:
                    break
                _reap(keepers)
                continue
            try:
                request, descriptors = receive_with_descriptors(channel)
            except (Closed, OSError):
                break
            _reap(keepers)
            if request["op"] == "room":
                given = descriptors[0]
                spec = RoomSpec.from_json(request["spec"])
                keepers[int(str(request["id"]))] = _room(given, spec, tuple(sys.path[-len(runner) :]), serving.serve)
                os.close(given)
            elif request["op"] == "close":
                _kill(keepers, int(str(request["id"])))
        for room in list(keepers):
            _kill(keepers, room)
    return 0


def _room(given: int, spec: RoomSpec, runner: tuple[str, ...], serve: object) -> int:
    assert callable(serve)

    def body() -> int:
        status = serve(given, spec, runner)
        assert isinstance(status, int)
        return status

    def complain(text: str) -> None:
        with socket.socket(fileno=os.dup(given)) as channel, contextlib.suppress(Closed):
            send(channel, {"error": text})

    return fork_room(spec, body, complain, {given})


def _reap(keepers: dict[int, int]) -> None:
    for room, keeper in list(keepers.items()):
        done, _ = os.waitpid(keeper, os.WNOHANG)
        if done:
            del keepers[room]


def _kill(keepers: dict[int, int], room: int) -> None:
    """Kill a room's keeper (with it, all in the room) and wait for it."""
    keeper = keepers.pop(room, None)
    if keeper is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(keeper, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(keeper, 0)
