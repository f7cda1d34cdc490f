"""The engine on a real package: same seed, same bytes, from a cold or a warm cache, with one worker or two, or killed.

What `test_engine.py` proves in the simulated world is proved here where tests really run in sandboxed processes.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import RunResult, run_experiment

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.usefixtures("undrawn"),
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code"),
]

SMALL: dict[str, object] = {"tasks_per_package": 4, "budget": 8, "arms": ("team_shared", "uniform")}
"""Four tasks of the package that ships, four cells."""


class Family(Protocol):
    """The processes below the test; see `conftest.py`."""

    def gone(self) -> bool: ...


def small(
    out: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, *, workers: int = 1, seed: int = 0, **overrides: object
) -> RunResult:
    """The small run with a cache of the test's choice."""
    monkeypatch.setenv("AUTODEV_CACHE", str(cache))
    return run_experiment(
        "learning",
        profile="smoke",
        seed=seed,
        overrides={**SMALL, **overrides},
        workers=workers,
        out=out,
        offline=True,
        progress="quiet",
    )


def digest(path: Path) -> str:
    return hashlib.sha256((path / "outcomes.parquet").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the reference run: cold before it, warm after."""
    return tmp_path_factory.mktemp("kept") / "cache"


@pytest.fixture(scope="module")
def reference(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return small(tmp_path_factory.mktemp("reference") / "run", kept, monkeypatch)


def test_the_reference_run_has_something_to_repeat(reference: RunResult) -> None:
    """Equal bytes would say little if nothing had been tried, solved and refused in the run."""
    rows = reference.load().outcomes
    assert reference.summary["complete"] is True
    assert len(rows[rows["depth"] == 0]) == 16
    assert rows["solved"].any()
    assert not rows["solved"].all()
    assert rows["candidates"].nunique() > 2
    assert rows["test_executions"].nunique() > 4


def test_another_seed_other_bytes(
    reference: RunResult, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a copy: other tests count what the reference run alone keeps
    shutil.copytree(kept, tmp_path / "cache")
    assert digest(small(tmp_path / "run", tmp_path / "cache", monkeypatch, seed=1).path) != digest(reference.path)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process and those it starts put what they need for a while."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_a_cold_cache_and_two_workers_same_bytes(
    reference: RunResult, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """The reference run was cold too, in one process."""
    again = small(tmp_path / "run", tmp_path / "cache", monkeypatch, workers=2)
    assert digest(again.path) == digest(reference.path)
    assert family.gone(), "no process outlives the run"
    assert list(scratch.iterdir()) == [], "no tree of a task is left behind"


def test_a_run_in_one_process_leaves_nothing_behind(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    tiny = {"tasks_per_package": 1, "budget": 4, "arms": ("uniform",), "twins": False}
    made = small(tmp_path / "run", tmp_path / "cache", monkeypatch, **tiny)
    assert made.summary["complete"] is True
    assert family.gone(), "no process outlives the run"
    assert list(scratch.iterdir()) == [], "no tree of a task is left behind"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_warm_cache_same_bytes(
    workers: int, reference: RunResult, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = small(tmp_path / "run", kept, monkeypatch, workers=workers)
    assert digest(again.path) == digest(reference.path)


def start(path: Path, workers: int) -> subprocess.Popen[str]:
    """The same small run, begun or gone on with, in a process that can be killed."""
    script = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from autodev_lab.experiments import run_experiment\n"
        "path = Path(sys.argv[3])\n"
        "begun = (path / 'spec.json').exists()\n"
        "what = {'resume': path} if begun else {'name': 'learning', 'profile': 'smoke', 'out': path,"
        " 'overrides': json.loads(sys.argv[1])}\n"
        "run_experiment(**what, workers=int(sys.argv[2]), offline=True, progress='quiet')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(SMALL), str(workers), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def results_in(cache: Path) -> int:
    """How many results a cache holds so far: how far a run is, whatever the machine's speed."""
    path = cache / "results.sqlite"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.Error:
        return 0  # it is being made


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(3))
def test_killed_twice_and_resumed_same_bytes(
    turn: int, reference: RunResult, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    """Killed in the first half of its results, gone on with, killed in the second half, gone on with."""
    rng = random.Random(f"kill {turn}")
    path, cache = tmp_path / "run", tmp_path / "cache"
    monkeypatch.setenv("AUTODEV_CACHE", str(cache))
    total = results_in(kept)
    assert total > 20
    for wanted in (rng.randrange(0, total // 2), rng.randrange(total // 2, total * 9 // 10)):
        process = start(path, workers=rng.choice((1, 2)))
        while process.poll() is None and results_in(cache) < wanted:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.1)
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"it was over before it was killed: {errors}"
        assert family.gone(), "no process outlives a killed run"
        assert not (path / "outcomes.parquet").exists()
    run_experiment(resume=path, workers=rng.choice((1, 2)), offline=True, progress="quiet")
    assert digest(path) == digest(reference.path)
    with closing(sqlite3.connect(cache / "results.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
