"""A campaign: many schedules of one seed, in one process or several, and a shrunk counterexample if any breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from autodev_lab.chaos.batch import Tally, quiet_agents, run_batch
from autodev_lab.chaos.schedule import Mechanism, Schedule, draw_schedule, write_schedule
from autodev_lab.chaos.shrinking import shrink
from autodev_lab.chaos.worker import Share, batches
from autodev_lab.chaos.world import run_schedule
from autodev_lab.errors import LabError

__all__ = ["Campaign", "run_campaign"]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What came of a campaign.

    Parameters
    ----------
    seed, disable
        What was asked.
    tally
        What came of its schedules.
    seconds
        How long they took, without the shrinking.
    broke
        What a counterexample breaks, in one sentence; empty without one.
    counterexample
        Where it was written, or None.
    """

    seed: int
    disable: Mechanism | None
    tally: Tally
    seconds: float
    broke: str = ""
    counterexample: Path | None = None

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        tally = self.tally
        return {
            "seed": self.seed,
            "disable": None if self.disable is None else self.disable.value,
            "schedules": tally.schedules,
            "violations": tally.violations,
            "schedules_per_s": round(tally.schedules / self.seconds, 1),
            "counterexample": None if self.counterexample is None else str(self.counterexample),
            "broke": self.broke or None,
            "first_violation": tally.counterexample(),
            "rules": dict(sorted(tally.rules.items())),
            "injected": dict(sorted(tally.injected.items())),
            "calls": tally.calls,
            "virtual_seconds": round(tally.virtual_seconds, 1),
        }


def run_campaign(
    schedules: int,
    *,
    seed: int = 0,
    disable: Mechanism | None = None,
    workers: int = 1,
    out: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> Campaign:
    """Run schedules 0, 1, 2 ... of a seed; the tally does not depend on the number of workers.

    Parameters
    ----------
    schedules
        How many, at least 1.
    seed, disable
        As for `autodev_lab.chaos.schedule.draw_schedule`.
    workers
        Processes, at least 1.
    out
        Folder for a counterexample; it is made when there is one.
    progress
        Told how many schedules are done.

    Raises
    ------
    LabError
        If a number is out of range, a worker fails, or the counterexample cannot be written.
    """
    if schedules < 1 or workers < 1:
        raise LabError(f"{schedules} schedules on {workers} workers cannot be run; both must be at least 1")
    begun = time.perf_counter()
    tally = (
        _inline(seed, schedules, disable, progress)
        if workers == 1
        else _apart(seed, schedules, disable, workers, progress)
    )
    seconds = time.perf_counter() - begun
    index = tally.counterexample()
    if index is None:
        return Campaign(seed, disable, tally, seconds)
    schedule, broke = shrunk(draw_schedule(seed, index, disable))
    path = out / f"chaos-{disable.value if disable else 'whole'}-{seed}-{index}.json"
    write_schedule(path, schedule, broke)
    return Campaign(seed, disable, tally, seconds, broke, path)


def shrunk(schedule: Schedule) -> tuple[Schedule, str]:
    """A small schedule that breaks the same rule as `schedule`, and the sentence that says what breaks."""
    with quiet_agents():
        small = shrink(schedule, run_schedule(schedule).violations[0].rule)
        return small, run_schedule(small).violations[0].sentence


def _inline(seed: int, schedules: int, disable: Mechanism | None, progress: Callable[[int], None]) -> Tally:
    tally = Tally()
    for indices in batches(Share(seed, schedules, disable, 0, 1)):
        tally.add(run_batch(seed, indices, disable))
        progress(tally.schedules)
    return tally


def _apart(
    seed: int, schedules: int, disable: Mechanism | None, workers: int, progress: Callable[[int], None]
) -> Tally:
    """Spread the batches over processes; the first that fails ends the others."""
    tally, lock = Tally(), threading.Lock()
    command = [sys.executable, "-m", "autodev_lab.chaos.worker"]
    shares = [
        Share(seed, schedules, None if disable is None else disable.value, worker, workers) for worker in range(workers)
    ]
    processes = [
        subprocess.Popen([*command, json.dumps(asdict(share))], stdout=subprocess.PIPE, text=True) for share in shares
    ]

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            heard = json.loads(line)
            heard["injected"], heard["rules"] = Counter(heard["injected"]), Counter(heard["rules"])
            with lock:
                tally.add(Tally(**heard))
                progress(tally.schedules)

    threads = [threading.Thread(target=listen, args=(process,), daemon=True) for process in processes]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [process.wait() for process in processes]
        if any(statuses):
            raise LabError("a worker of the campaign failed, see above; run with --workers 1 to see where")
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    return tally
