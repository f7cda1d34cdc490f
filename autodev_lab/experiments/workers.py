"""Running jobs in worker processes that cannot outlive the run.

Workers are started as ``python -m autodev_lab.experiments.worker``, each in a process group of its own, and speak one
line of JSON at a time over their standard streams. That, and not a ready-made process pool, because a pool imports
the user's script again (which then needs a ``__main__`` guard), and because its idle workers survive a killed parent:
here a worker sees its standard input end, whatever ended it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

from autodev_lab.errors import LabError

__all__ = ["InlineWorkers", "Job", "Listener", "ProcessWorkers", "Runner", "Workers"]

GRACE_SECONDS = 5.0
"""How long a worker may take to close its sandbox before it is killed."""

Answer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Job:
    """Something a worker can do: ``kind`` is ``"build"`` (a package's tasks), ``"task"`` (explore it) or ``"cell"``."""

    kind: str
    name: str


class Runner(Protocol):
    """Does jobs in this process."""

    def run(self, job: Job, progress: Callable[[int, int], None]) -> Answer:
        """Do one job; `progress` takes (done, total)."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Listener(Protocol):
    """Hears of progress."""

    def progressed(self, job: Job, done: int, total: int) -> None:
        """A job is under way."""
        ...

    def finished(self, job: Job, answer: Answer) -> None:
        """A job is done."""
        ...


class Workers(Protocol):
    """Does many jobs, here or elsewhere."""

    def run(self, jobs: Sequence[Job], listener: Listener) -> None:
        """Do all jobs; the first failure ends the rest."""
        ...

    def close(self) -> None:
        """End every worker."""
        ...


class InlineWorkers:
    """One worker: this process."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(self, jobs: Sequence[Job], listener: Listener) -> None:
        """Do the jobs one after the other."""
        for job in jobs:

            def progressed(done: int, total: int, job: Job = job) -> None:
                listener.progressed(job, done, total)

            listener.finished(job, self._runner.run(job, progressed))

    def close(self) -> None:
        """Close the runner."""
        self._runner.close()


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[str]
    errors: IO[bytes]
    job: Job | None = None
    reader: threading.Thread | None = None


@dataclass(slots=True)
class _Heard:
    worker: _Worker
    message: Mapping[str, object] | None = field(default=None)


class ProcessWorkers:
    """Several worker processes.

    Parameters
    ----------
    directory
        Run directory; a worker reads the plan there.
    count
        Number of processes.
    arguments
        Further command-line arguments of the worker module.
    """

    def __init__(self, directory: Path, count: int, arguments: Iterable[str] = ()) -> None:
        self._command = [sys.executable, "-m", "autodev_lab.experiments.worker", str(directory), *arguments]
        self._count = count
        self._workers: list[_Worker] = []
        self._heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()

    def __enter__(self) -> ProcessWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, jobs: Sequence[Job], listener: Listener) -> None:
        """Do all jobs, each on the next worker that is free, in the order given."""
        waiting = deque(jobs)
        while len(self._workers) < min(self._count, len(jobs)):
            self._workers.append(self._start())
        for worker in self._workers:
            if waiting:
                self._give(worker, waiting.popleft())
        open_jobs = len(jobs)
        while open_jobs:
            heard = self._heard.get()
            worker, message, job = heard.worker, heard.message, heard.worker.job
            if message is None or job is None:
                raise RuntimeError(f"a worker process ended unexpectedly: {self._last_words(worker)}")
            event = message.get("event")
            if event == "progress":
                listener.progressed(job, int(str(message["done"])), int(str(message["total"])))
            elif event == "mistake":
                raise LabError(str(message["message"]), int(str(message["exit_code"])))
            elif event == "failure":
                raise RuntimeError(f"{job.kind} {job.name} failed in a worker process:\n{message['trace']}")
            else:
                worker.job = None
                open_jobs -= 1
                answer = message["answer"]
                listener.finished(job, answer if isinstance(answer, dict) else {})
                if waiting:
                    self._give(worker, waiting.popleft())

    def close(self) -> None:
        """End all workers: their input ends, then, after a grace, they and all they started are killed."""
        workers, self._workers = self._workers, []
        for worker in workers:
            if worker.process.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.process.stdin.close()
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(GRACE_SECONDS)
            # the group is swept even when its leader went by itself
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()
            if worker.reader is not None:
                worker.reader.join()
            if worker.process.stdout is not None:
                worker.process.stdout.close()
            worker.errors.close()

    def _start(self) -> _Worker:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        worker = _Worker(process, errors)
        worker.reader = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        worker.reader.start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            self._heard.put(_Heard(worker, json.loads(line)))
        self._heard.put(_Heard(worker))

    @staticmethod
    def _give(worker: _Worker, job: Job) -> None:
        assert worker.process.stdin is not None
        worker.job = job
        # a worker that is gone is reported by its reader
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.write(json.dumps({"kind": job.kind, "name": job.name}) + "\n")
            worker.process.stdin.flush()

    @staticmethod
    def _last_words(worker: _Worker) -> str:
        code = worker.process.wait()
        worker.errors.seek(0, os.SEEK_END)
        worker.errors.seek(max(0, worker.errors.tell() - 4000))
        return f"exit status {code}\n{worker.errors.read().decode('utf-8', 'replace')}"
