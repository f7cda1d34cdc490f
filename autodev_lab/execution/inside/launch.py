"""Run one program in a room: the process that `run_sandboxed` starts. It ends when its lifeline closes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys

from . import linux
from .fork import fork_room
from .room import RoomSpec

__all__ = ["main"]

FAILED = 125


def main(given: int) -> int:
    """Read a request from standard input's first line, run it, return its exit status (125: no room).

    Standard input stays open as the lifeline; `given` is the descriptor the program gets as its standard input.
    """
    lifeline = 0
    request = json.loads(_line(lifeline))
    spec = RoomSpec.from_json(request["spec"])
    argv = [str(part) for part in request["argv"]]
    if spec.writable:
        _give(spec.writable, spec.uid)
    if sys.platform.startswith("linux"):
        linux.fix_addresses()

    def body() -> int:
        if request["cwd"]:
            os.chdir(request["cwd"])
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                try:
                    signal.signal(number, signal.SIG_DFL)
                except (OSError, ValueError):
                    continue
        import resource

        ceiling = int(request["cpu_seconds"])
        resource.setrlimit(resource.RLIMIT_CPU, (ceiling, ceiling + 1))
        program = os.fork()  # the first process of a PID namespace is deaf to signals; a program must not be it
        if program == 0:
            if sys.platform.startswith("linux"):
                linux.die_with_parent()
            os.dup2(given, 0)
            os.closerange(3, 256)
            os.execve(argv[0], argv, dict(spec.environment))
        while True:
            ended, status = os.wait()
            if ended == program:
                return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def complain(text: str) -> None:
        os.write(2, f"\0room: {text}\n".encode())

    keeper = fork_room(spec, body, complain, {given})
    with contextlib.suppress(OSError):  # it has done so itself by now, or is gone
        os.setpgid(keeper, keeper)
    status = _wait(keeper, lifeline)
    if spec.writable:
        _give(spec.writable, os.getuid())
    return FAILED if status == 70 else status


def _line(lifeline: int) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        piece = os.read(lifeline, 1 << 16)
        if not piece:
            os._exit(FAILED)
        data += piece
    return bytes(data)


def _wait(keeper: int, lifeline: int) -> int:
    """Wait for the keeper; when the lab's end of the lifeline closes, kill everything."""
    ended = os.pidfd_open(keeper) if hasattr(os, "pidfd_open") else -1
    killed = False
    while True:
        waiting = [lifeline] if not killed else []
        if ended >= 0:
            waiting.append(ended)
        ready, _, _ = select.select(waiting, [], [], None if ended >= 0 else 0.05)
        if lifeline in ready and not killed:
            os.killpg(keeper, signal.SIGKILL)
            killed = True
        done, status = os.waitpid(keeper, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _give(directory: str, uid: int | None) -> None:
    """Hand a directory to the room's user, or back; links are never followed."""
    if uid is None or os.getuid() != 0:
        return
    os.chown(directory, uid, uid, follow_symlinks=False)
    for base, names, files in os.walk(directory):
        for name in (*names, *files):
            os.chown(os.path.join(base, name), uid, uid, follow_symlinks=False)  # noqa: PTH118
