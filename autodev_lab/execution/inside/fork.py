"""Fork a process into a room of its own, and let nothing of it outlive its parent."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from . import linux
from .room import RoomSpec, enter, leave_namespaces

__all__ = ["close_all_but", "fork_room"]


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor except the given ones and the three standard ones."""
    previous = 2
    for descriptor in sorted(keep | {4096}):
        if descriptor > 2:
            os.closerange(previous + 1, descriptor)
            previous = descriptor


def fork_room(spec: RoomSpec, body: Callable[[], int], complain: Callable[[str], None], keep: set[int]) -> int:
    """Fork a keeper outside and `body` in the room; the keeper ends with it, and it ends with the keeper.

    Parameters
    ----------
    spec
        The room.
    body
        Runs inside; its result is the exit status.
    complain
        Told, from inside or outside, why the room could not be built.
    keep
        Descriptors that stay open.

    Returns
    -------
    int
        Process id of the keeper. Killing it kills all that runs in the room.
    """
    parent = os.getpid()
    keeper = os.fork()
    if keeper:
        return keeper
    status = 70
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the lab's to answer
        close_all_but(keep)
        on_linux = sys.platform.startswith("linux")
        if on_linux:
            linux.die_with_parent()
            if os.getppid() != parent:
                os._exit(71)
        status = _keep(spec, body, complain, on_linux)
    except BaseException as error:
        complain(f"{type(error).__name__}: {error}")
    finally:
        os._exit(status)


def _keep(spec: RoomSpec, body: Callable[[], int], complain: Callable[[str], None], on_linux: bool) -> int:
    if spec.namespaces:
        leave_namespaces(spec)
    watch, alive = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.close(alive)
            enter(spec)
            if on_linux:
                linux.die_with_parent()
                os.set_blocking(watch, False)
                try:
                    orphaned = os.read(watch, 1) == b""
                except BlockingIOError:
                    orphaned = False
                if orphaned:
                    os._exit(71)
            os.close(watch)
            status = body()
        except BaseException as error:
            complain(f"{type(error).__name__}: {error}")
            if os.environ.get("AUTODEV_LAB_TRACE"):
                traceback.print_exc()
        finally:
            os._exit(status)
    os.close(watch)
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended) if os.WIFEXITED(ended) else 128 + os.WTERMSIG(ended)
