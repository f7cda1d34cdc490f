"""The nursery's own side: ``python -m autodev_lab.processes.forking MODULE``.

One line of JSON on standard input is the arguments of a child; lines of ``[what, pid, status]`` on standard output say
what came of it. When standard input ends, the children are killed: nothing outlives whoever asked for it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

__all__: list[str] = []

FAILED = 70
"""Exit status of a child that ended with an exception."""


def _child(main: Callable[[list[str]], int], arguments: list[str]) -> NoReturn:
    """Be a child: nothing of the nursery's but its code and its standard error."""
    status = FAILED
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.closerange(3, 64)
        status = main(arguments)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else FAILED
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _say(what: str, pid: int, status: int) -> None:
    sys.stdout.write(json.dumps([what, pid, status]) + "\n")
    sys.stdout.flush()


def run(module: str) -> None:
    """Fork children until standard input ends."""
    main: Callable[[list[str]], int] = importlib.import_module(module).main
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chosen = selectors.DefaultSelector()
    chosen.register(sys.stdin.fileno(), selectors.EVENT_READ)
    chosen.register(woken, selectors.EVENT_READ)
    alive: set[int] = set()
    asked = b""
    _say("started", 0, 0)
    try:
        while True:
            ready = {key.fd for key, _ in chosen.select()}
            if woken in ready:
                os.read(woken, 4096)
            while alive:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                alive.discard(pid)
                _say("ended", pid, os.waitstatus_to_exitcode(status))
            if sys.stdin.fileno() not in ready:
                continue
            read = os.read(sys.stdin.fileno(), 65536)
            if not read:
                return
            *lines, asked = (asked + read).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    _child(main, json.loads(line))
                alive.add(pid)
                _say("started", pid, 0)
    finally:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        run(sys.argv[1])
