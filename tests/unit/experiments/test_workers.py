"""Worker processes: mistakes and failures come back as such, and nothing outlives the run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.workers import InlineWorkers, Job, ProcessWorkers


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.done: list[Job] = []

    def progressed(self, job: Job, done: int, total: int) -> None:
        assert 0 <= done <= total

    def finished(self, job: Job, answer: Mapping[str, object]) -> None:
        self.done.append(job)


def prepared(path: Path) -> tuple[RunDirectory, list[str]]:
    plan = make_plan(
        load_experiment("learning"),
        profile="quick",
        overrides={"environment": "simulated", "packages": "a,b", "tasks_per_package": 3},
    )
    directory = RunDirectory(path)
    directory.write_json(directory.spec, plan.as_json())
    directory.tasks.write_text("{}\n", encoding="utf-8")
    return directory, [json.dumps(Settings(str(path / "cache"), "code").as_json())]


def test_jobs_are_done_in_other_processes(tmp_path: Path) -> None:
    directory, arguments = prepared(tmp_path)
    heard = Heard()
    jobs = [Job("cell", f"{arm}-r000") for arm in ("single", "uniform", "placebo")]
    with ProcessWorkers(tmp_path, 2, arguments) as workers:
        workers.run(jobs, heard)
    assert sorted(job.name for job in heard.done) == sorted(job.name for job in jobs)
    assert len(list(directory.cells.glob("*.json"))) == 3


def test_a_failure_in_a_worker_tells_its_trace(tmp_path: Path) -> None:
    _, arguments = prepared(tmp_path)
    with (
        ProcessWorkers(tmp_path, 2, arguments) as workers,
        pytest.raises(RuntimeError, match="KeyError: 'nobody-r000'"),
    ):
        workers.run([Job("cell", "nobody-r000"), Job("cell", "single-r000")], Heard())


def test_a_users_mistake_in_a_worker_stays_one(tmp_path: Path) -> None:
    """The task file vanishes while the run is under way."""
    directory, arguments = prepared(tmp_path)
    directory.spec.write_text(directory.spec.read_text("utf-8").replace('"published"', '"nonsense"'), encoding="utf-8")
    with ProcessWorkers(tmp_path, 1, arguments) as workers, pytest.raises(LabError, match="policy is 'nonsense'"):
        workers.run([Job("cell", "single-r000")], Heard())


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with ProcessWorkers(tmp_path, 1, ["{}"]) as workers, pytest.raises(RuntimeError, match="KeyError: 'cache'"):
        workers.run([Job("cell", "single-r000")], Heard())


def test_inline_workers_close_their_runner() -> None:
    class Runner:
        closed = False

        def run(self, job: Job, progress: Callable[[int, int], None]) -> Mapping[str, object]:
            progress(1, 2)
            return {"name": job.name}

        def close(self) -> None:
            self.closed = True

    runner, heard = Runner(), Heard()
    workers = InlineWorkers(runner)
    workers.run([Job("cell", "a"), Job("cell", "b")], heard)
    workers.close()
    assert [job.name for job in heard.done] == ["a", "b"]
    assert runner.closed


def test_what_starts_often_starts_light() -> None:
    """A run starts a process a core, each of which would import these anew; the run itself needs them late or never."""
    script = (
        "import sys\n"
        "heavy = {'lightgbm', 'matplotlib', 'mlflow', 'scipy.optimize', 'scipy.stats', 'sklearn'}\n"
        "import autodev_lab.experiments.worker\n"
        "print(sorted({*heavy, 'pandas', 'scipy.special'} & set(sys.modules)))\n"
        "import autodev_lab.experiments.engine, autodev_lab.experiments.teams\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
