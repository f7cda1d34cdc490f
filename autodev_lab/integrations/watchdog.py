"""Kills a process once whoever started it is gone: ``python -I -S watchdog.py PID``, whose standard input is a pipe.

The pipe ends when its other end is closed, and that happens however the starter ends, SIGKILL included. A signal at the
parent's death (prctl) would not do: it comes when the *thread* ends that started the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

__all__ = ["main"]


def main(pid: int) -> None:
    """Wait for the end of standard input, then kill a process."""
    handle = None
    if sys.platform == "linux":  # a handle stays with its process; a number may go to another one meanwhile
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(pid)
    while sys.stdin.buffer.read(4096):
        pass
    with contextlib.suppress(ProcessLookupError):
        if handle is None:
            os.kill(pid, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(handle, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
