"""Fork a child for hostile work, believe only what carries its token in the right order, and leave nothing running."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import linux

__all__ = ["Ended", "Reporter", "supervise"]

POLL = 0.1
IDLE = 5.0  # seconds in which nothing in the room ran or was ready to run: it sleeps or waits for ever
WALL = 600.0  # last resort; reached only by work that trickles
SELF_STOPPED = 98  # exit status of a child whose timer was swallowed again and again
_LARGEST = 64 << 20


class Reporter:
    """The child's end: one line a record, each with the token and its number."""

    def __init__(self, descriptor: int, token: str) -> None:
        self._descriptor = descriptor
        self._token = token
        self._sequence = 0

    def __call__(self, kind: str, body: object = None) -> None:
        """Send one record."""
        data = f"{self._token} {self._sequence} {kind} {json.dumps(body)}\n".encode("ascii")
        self._sequence += 1
        while data:
            data = data[os.write(self._descriptor, data) :]


@dataclass(slots=True)
class Ended:
    """How a child ended and what it said until then.

    ``how`` is ``complete`` (it said "done" and nothing after), ``timeout``, ``crashed`` or ``garbled`` (something else
    wrote to its pipe).
    """

    how: str = "crashed"
    records: list[tuple[str, object]] = field(default_factory=list)


def supervise(
    work: Callable[[Reporter], None],
    *,
    close: list[int],
    alone: bool,
    cpu_total: float,
    allowance: Callable[[str, object], float],
    lifeline: int,
    scratch: str,
) -> Ended:
    """Run `work` in a forked child and read its records.

    Parameters
    ----------
    work
        Runs in the child; whatever it leaves behind is killed.
    close
        Descriptors the child must not have.
    alone
        This process is the first of a PID namespace: whatever else lives in it is the child's and is killed.
    cpu_total
        CPU seconds after which the kernel kills the child.
    allowance
        CPU seconds the child may use after a record before the next one.
    lifeline
        Descriptor of the lab; when its other end closes everything ends.
    scratch
        Directory emptied afterwards.
    """
    reading, writing = os.pipe()
    token = secrets.token_hex(12)
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            os.close(reading)
            for descriptor in close:
                os.close(descriptor)
            if sys.platform.startswith("linux"):
                linux.die_with_parent()
            ceiling = int(cpu_total) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (ceiling, ceiling))
            report = Reporter(writing, token)
            work(report)
            report("done")
        finally:
            os._exit(0)
    os.close(writing)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    try:
        return _listen(reading, child, token, allowance, lifeline)
    finally:
        os.close(reading)
        _clear(child, alone)
        _empty(scratch)


def _listen(reading: int, child: int, token: str, allowance: Callable[[str, object], float], lifeline: int) -> Ended:
    result = Ended()
    buffer = bytearray()
    received = 0
    spent = _cpu(child)
    allowed = allowance("start", None)
    room: float | None = None  # CPU seconds of the whole room when it was last seen after a record
    started = quiet = time.monotonic()
    seen = 0.0
    while True:
        ready, _, _ = select.select([reading, lifeline], [], [], POLL)
        if reading in ready:
            piece = os.read(reading, 1 << 16)
            if not piece:
                result.how = _how(child, result, bool(buffer))
                return result
            received += len(piece)
            buffer += piece
            count = len(result.records)
            if received > _LARGEST or not _parse(buffer, token, result):
                result.how = "garbled"
                return result
            if result.records and result.records[-1][0] == "done":
                result.how = "garbled" if buffer else "complete"
                return result
            if len(result.records) > count:
                allowed = allowance(*result.records[-1])
                spent, quiet, room = _cpu(child), time.monotonic(), None
            continue
        if lifeline in ready and _gone(lifeline):
            os._exit(0)
        now = time.monotonic()
        if _cpu(child) - spent > allowed or now - started > WALL:
            result.how = "timeout"
            return result
        ready_to_run, used = _room(child)
        if room is None or used < room:
            room, seen = used, used
        if used - room > allowed:  # its children count: a fork bomb shares out what it uses
            result.how = "timeout"
            return result
        if ready_to_run or used != seen:
            seen, quiet = used, now
        elif now - quiet > IDLE:
            result.how = "timeout"
            return result


def _gone(lifeline: int) -> bool:
    """Whether the lab closed its end (a request that waits there is no reason to stop)."""
    import socket

    with socket.socket(fileno=os.dup(lifeline)) as channel:
        try:
            return channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def _parse(buffer: bytearray, token: str, result: Ended) -> bool:
    """Take whole records off the buffer; False when something is there that the child's reporter did not write."""
    while (end := buffer.find(b"\n")) >= 0:
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        if result.records and result.records[-1][0] == "done":
            return False
        try:
            given, number, kind, body = line.decode("ascii").split(" ", 3)
            if given != token or int(number) != len(result.records):
                return False
            result.records.append((kind, json.loads(body)))
        except ValueError:
            return False
    return len(buffer) < 8 << 20


def _how(child: int, result: Ended, rest: bool) -> str:
    """What the end of the pipe means; the pipe may be closed by a child that goes on running."""
    if rest:
        return "garbled"
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        try:
            done, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            return "crashed"
        if done:
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == SELF_STOPPED:
                return "timeout"
            stopped = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGPROF)
            return "timeout" if stopped else "crashed"
        time.sleep(0.005)
    return "crashed"


def _cpu(child: int) -> float:
    """CPU seconds of a process, by its clock (clock_getcpuclockid(3): the id is built from the process id)."""
    if not sys.platform.startswith("linux"):
        return 0.0
    try:
        return time.clock_gettime((~child << 3) | 2)
    except OSError:
        return 0.0


def _room(child: int) -> tuple[bool, float]:
    """Whether anything in the room runs or is ready to, and the CPU seconds its living processes have used.

    A process that is ready but gets no processor on a busy machine counts as running, so the verdict on a sleeper does
    not depend on the machine's load.
    """
    mine = os.getpid()
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()] if mine == 1 else [str(child)]  # noqa: PTH208
    except OSError:
        return False, _cpu(child)
    ticks, ready = 0, False
    for name in names:
        if name == str(mine):
            continue
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{name}/task"):  # noqa: PTH208
                with open(f"/proc/{name}/task/{thread}/stat", "rb") as stream:  # noqa: PTH123
                    fields = stream.read().rpartition(b")")[2].split()
                ready = ready or fields[0] in (b"R", b"D")
                ticks += int(fields[11]) + int(fields[12])
    return ready, ticks / os.sysconf("SC_CLK_TCK")


def _clear(child: int, alone: bool) -> None:
    """Kill the child and all it started."""
    with contextlib.suppress(OSError):
        os.kill(-1 if alone else child, signal.SIGKILL)
    if not alone:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(child, 0)
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _empty(scratch: str) -> None:
    for folder in (scratch, "/dev/shm") if os.getpid() == 1 else (scratch,):
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)  # noqa: PTH108
