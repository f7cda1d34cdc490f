"""What the servers of these tests have in common: ports, waiting until one answers, and stopping it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

GRACE = 8.0
"""Seconds after which a process that ignores SIGTERM, as R2R sometimes does, is killed."""

STARTING = 180.0
"""Seconds after which a server that does not answer is given up."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes], grace: float = GRACE) -> bool:
    """Stop a process; True when it had to be killed."""
    if process.poll() is not None:
        return False
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def wait_for(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    """Wait until a server answers; what it said otherwise is in the error."""
    late = time.monotonic() + STARTING
    while time.monotonic() < late and process.poll() is None:
        if ready():
            return
        time.sleep(0.2)
    raise RuntimeError(f"{process.args} did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
