"""The worker process: reads jobs from standard input, one line of JSON each, and answers on standard output.

It ends as soon as its input ends, in the middle of a job too, so it cannot outlive the run that started it.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import Conduct, conduct_of
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import GRACE_SECONDS, Job

__all__ = ["main"]

PROGRESS_SECONDS = 0.2
"""Progress is told at most this often."""


def main(arguments: list[str]) -> int:
    """Serve jobs for the run directory ``arguments[0]`` with the settings ``arguments[1]`` (JSON)."""
    # what libraries print must not end up among the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # a terminal's interrupt is the parent's to handle, and the parent may itself be started with it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    runner = conduct_of(RunDirectory(Path(arguments[0])), Settings.from_json(json.loads(arguments[1])))
    try:
        while (job := jobs.get()) is not None:
            _answer(runner, job, answers)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    finally:
        # nobody is left to hear of it: the interrupt that ends a job must not cut the clean-up short
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        runner.close()
    return 0


def _answer(runner: Conduct, job: Job, answers: TextIO) -> None:

    def say(message: Mapping[str, object]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    told = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= PROGRESS_SECONDS or done == total:
            told = time.monotonic()
            say({"event": "progress", "done": done, "total": total})

    try:
        answer = runner.run(job, progress)
    except LabError as error:
        say({"event": "mistake", "message": str(error), "exit_code": error.exit_code})
    except Exception:
        say({"event": "failure", "trace": traceback.format_exc()})
    else:
        say({"event": "done", "answer": dict(answer)})


def _read_jobs(jobs: queue.SimpleQueue[Job | None]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        jobs.put(Job(message["kind"], message["name"]))
    jobs.put(None)
    # the run is over or dead: interrupt a job under way so that sandboxes are closed, then leave for certain
    time.sleep(0.2)
    with contextlib.suppress(RuntimeError):
        _thread.interrupt_main()
    time.sleep(GRACE_SECONDS / 2)
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
