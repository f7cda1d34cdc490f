"""Starting many alike processes quickly: one process that has imported everything forks them.

An agent's imports take over a second of processor time and some 100 MB; a forked child pays neither. The nursery is
started afresh (never forked from a notebook or a server with threads), has one thread, and opens nothing, so that what
its children inherit is code alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from autodev_lab.errors import LabError

__all__ = ["Child", "Nursery"]

_START_SECONDS = 60.0
_CLOSE_SECONDS = 2.0
_LAST_WORDS = 400


class Child:
    """A process that a nursery started.

    Parameters
    ----------
    pid
        Its process id.
    began
        When it was started, on the monotonic clock, in seconds.
    """

    def __init__(self, pid: int, began: float) -> None:
        self.pid = pid
        self.began = began
        self.status: int | None = None
        self._over = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self.status is None

    def signal(self, number: signal.Signals) -> bool:
        """Send it a signal; False if it is gone."""
        if self.status is not None:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; False when the time ran out."""
        return self._over.wait(max(0.0, seconds))

    def ended(self, status: int) -> None:
        """Take note of its end: exit status, or minus the signal that ended it."""
        self.status = status
        self._over.set()


class Nursery:
    """A process from which others are forked.

    Parameters
    ----------
    module
        Imported by the nursery; its ``main(arguments) -> int`` is what a child runs.
    environment
        Further environment variables. Secrets belong here, not in a child's arguments.
    log
        File to which the children's standard error goes; None is this process' own.

    Raises
    ------
    LabError
        If it cannot start.
    """

    def __init__(self, module: str, *, environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self._log = log
        # one thread each: processes are the parallelism here, and a process with threads must not fork
        single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        errors = None if log is None else log.open("ab")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autodev_lab.processes.forking", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **single, **(environment or {})},
                start_new_session=True,
            )
        finally:
            if errors is not None:
                errors.close()
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._lock = threading.Lock()
        self._started: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._reader.start()
        if self._heard() is None:
            self.close()
            raise LabError(f"the process that starts agents ended at once: {self.last_words()}", 1)

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can start more."""
        return self._process.poll() is None

    def start(self, arguments: Sequence[str]) -> Child:
        """Start a process.

        Raises
        ------
        LabError
            If the nursery is gone.
        """
        assert self._process.stdin is not None
        began = time.monotonic()
        try:
            self._process.stdin.write(json.dumps(list(arguments)) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pid = None
        else:
            pid = self._heard()
        if pid is None:
            raise LabError(f"the process that starts agents is gone: {self.last_words()}", 1)
        child = Child(pid, began)
        with self._lock:
            if pid in self._early:
                child.ended(self._early.pop(pid))
            else:
                self._children[pid] = child
        return child

    def kill(self) -> None:
        """End it without a chance to tidy up; its children see that it is gone, if they look."""
        self._process.kill()

    def close(self) -> None:
        """End it, and kill every child that has not ended."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_CLOSE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def last_words(self) -> str:
        """The end of the log, on one line."""
        if self._log is None:
            return f"exit status {self._process.poll()}"
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _LAST_WORDS))
            said = file.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"exit status {self._process.poll()}"

    def _heard(self) -> int | None:
        try:
            return self._started.get(timeout=_START_SECONDS)
        except queue.Empty:
            return None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, pid, status = json.loads(line)
            if what == "started":
                self._started.put(pid)
                continue
            with self._lock:
                child = self._children.pop(pid, None)
                if child is None:
                    self._early[pid] = status
                else:
                    child.ended(status)
        with self._lock:
            for child in self._children.values():  # killed with the nursery, or about to leave: nobody hears of them
                child.ended(-signal.SIGKILL)
            self._children.clear()
        self._started.put(None)
