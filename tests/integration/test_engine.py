"""The engine: same seed, same bytes, whatever the workers and whatever killed it; mistakes leave nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from autodev_lab.analysis.dictionary import COLUMNS, KEY
from autodev_lab.errors import LabError
from autodev_lab.experiments import Interrupted, RunResult, compare, load_run, run_experiment
from autodev_lab.experiments import engine as engine_module

SMALL: dict[str, object] = {
    "environment": "simulated",
    "packages": ("ant", "bee", "cat"),
    "tasks_per_package": 6,
    "pool_per_package": 9,
    "replicates": 2,
}


Undrawn = Callable[[], AbstractContextManager[None]]


def small(out: Path | None = None, *, workers: int = 1, seed: int = 0, **overrides: object) -> RunResult:
    merged = {**SMALL, **overrides}
    return run_experiment(
        "learning", profile="quick", seed=seed, overrides=merged, workers=workers, out=out, progress="quiet"
    )


def digest(path: Path) -> str:
    return hashlib.sha256((path / "outcomes.parquet").read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _runs_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return small(tmp_path_factory.mktemp("reference") / "run")


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory, without_figures: Undrawn) -> RunResult:
    with without_figures():
        return small(tmp_path_factory.mktemp("again") / "run")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, without_figures: Undrawn) -> RunResult:
    with without_figures():
        return small(tmp_path_factory.mktemp("other") / "run", seed=1)


def test_same_seed_same_bytes_and_another_seed_others(reference: RunResult, again: RunResult, other: RunResult) -> None:
    assert digest(again.path) == digest(reference.path)
    assert digest(other.path) != digest(reference.path)


@pytest.mark.usefixtures("undrawn")
def test_one_or_two_workers_same_bytes(reference: RunResult, tmp_path: Path) -> None:
    assert digest(small(tmp_path / "two", workers=2).path) == digest(reference.path)


def test_outcomes_are_paired_tidy_and_complete(reference: RunResult) -> None:
    run = reference.load()
    rows = run.outcomes
    assert list(rows.columns) == [column.name for column in COLUMNS]
    assert not rows.duplicated(list(KEY)).any()
    roots = rows[rows["depth"] == 0]
    streams = roots.groupby(["replicate", "arm", "twin"])["task_id"].agg(tuple)
    for _, arms in streams.groupby(level="replicate"):
        assert arms.nunique() == 1, "arms of a replicate see the same tasks in the same order"
        assert len(arms.iloc[0]) == 18
    assert streams.nunique() == 2
    assert not (rows["correct"] & ~rows["solved"]).any()
    assert not (rows["escaped"] & ~rows["deployed"]).any()
    assert (roots["candidates"] <= 10).all()


def test_no_wall_time_id_or_path_is_in_the_outcomes(reference: RunResult) -> None:
    data = (reference.path / "outcomes.parquet").read_bytes()
    for secret in (reference.id, str(reference.path), str(Path.cwd()), str(os.getpid()), time.strftime("%Y-%m")):
        assert secret.encode() not in data


def test_the_summary_is_strict_json_with_what_was_promised(reference: RunResult) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    summary = json.loads((reference.path / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert summary == reference.summary
    promised = ["experiment", "profile", "seed", "run_id", "environment", "confirmatory", "arms", "claims", "artifacts"]
    assert set(promised) <= set(summary)
    assert summary["confirmatory"] is False
    for arm in ("single", "team_isolated", "team_shared", "uniform", "placebo"):
        for name in (arm, f"{arm}_twin"):
            assert {"solved_at_K", "correct_at_K", "escaped", "candidates_mean", "throughput"} <= set(
                summary["arms"][name]
            )
    claims = {claim["id"]: claim for claim in summary["claims"]}
    promised = ["id", "statement", "endpoint", "threshold", "estimate", "ci", "n", "clusters", "noise_floor", "verdict"]
    assert set(claims) == {"collective_intelligence"}  # the other needs an arm that did not run
    assert all(set(promised) <= set(claim) for claim in claims.values())
    claim = claims["collective_intelligence"]
    assert (claim["clusters"], claim["n"]) == (3, 36)
    assert all(Path(path).exists() for path in summary["artifacts"].values())
    assert "exploratory" in reference.words


def test_resume_of_a_whole_run_changes_nothing(reference: RunResult) -> None:
    before = digest(reference.path)
    stamps = {path.name: path.stat().st_mtime_ns for path in (reference.path / "cells").iterdir()}
    again = run_experiment(resume=reference.path, progress="quiet")
    assert digest(again.path) == before
    assert {path.name: path.stat().st_mtime_ns for path in (reference.path / "cells").iterdir()} == stamps


@pytest.mark.usefixtures("undrawn")
def test_damaged_and_missing_cells_are_run_again(reference: RunResult, tmp_path: Path) -> None:
    run = Path(shutil.copytree(reference.path, tmp_path / "run"))
    cells = sorted((run / "cells").glob("*.parquet"))
    cells[0].write_bytes(cells[0].read_bytes()[:-7])
    cells[1].unlink()
    (run / "outcomes.parquet").unlink()
    with pytest.raises(LabError, match="no outcomes yet"):
        load_run(run)
    run_experiment(resume=run, workers=1, progress="quiet")
    assert digest(run) == digest(reference.path)


def test_an_interrupt_leaves_a_usable_partial_result(
    reference: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autodev_lab.experiments import jobs

    real, calls = jobs.run_stream, 0

    def interrupted(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return real(*args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "run_stream", interrupted)
        with pytest.raises(Interrupted, match="interrupted after 7 of 20 cells") as caught:
            small(tmp_path / "run")
    run = load_run(caught.value.path)
    assert run.summary["complete"] is False
    assert set(run.outcomes["arm"]) == {"single", "team_isolated", "team_shared", "uniform", "placebo"}
    assert "PARTIAL" in (run.path / "summary.txt").read_text("utf-8")
    run_experiment(resume=run.path, workers=1, progress="quiet")
    assert digest(run.path) == digest(reference.path)


def start(path: Path) -> subprocess.Popen[str]:
    """The same small run in a process that can be killed."""
    script = (
        "import sys, json\n"
        "from autodev_lab.experiments import run_experiment\n"
        "run_experiment('learning', profile='quick', overrides=json.loads(sys.argv[1]), workers=2, out=sys.argv[2],"
        " progress='quiet')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(SMALL), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers_of(path: Path) -> list[str]:
    """Command lines of live workers of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if "experiments.worker" in command and f"{path} " in command:
            found.append(command)
    return found


def gone(path: Path) -> bool:
    """Wait until no worker of the run is left."""
    for _ in range(1200):
        if not workers_of(path):
            return True
        time.sleep(0.05)
    return False


def kill_and_resume(path: Path, rng: random.Random) -> None:
    """Kill a run when a random number of cells is sealed, at a random moment after; then go on with it."""
    wanted = rng.randrange(0, 12)
    process = start(path)
    while process.poll() is None and len(list((path / "cells").glob("*.json"))) < wanted:
        time.sleep(0.005)
    time.sleep(rng.random() * 0.05)
    process.kill()
    process.communicate()
    assert gone(path), "no worker outlives a killed run"
    if (path / "spec.json").exists():
        run_experiment(resume=path, workers=rng.choice((1, 2)), progress="quiet")
    else:
        small(path)


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to find processes")


@needs_proc
@pytest.mark.usefixtures("undrawn")
def test_killed_and_resumed_same_bytes(reference: RunResult, tmp_path: Path) -> None:
    rng = random.Random(3)
    for number in range(2):
        kill_and_resume(tmp_path / f"run{number}", rng)
        assert digest(tmp_path / f"run{number}") == digest(reference.path)


@needs_proc
@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_killed_and_resumed_eighteen_times_more(reference: RunResult, tmp_path: Path) -> None:
    rng = random.Random(4)
    for number in range(18):
        kill_and_resume(tmp_path / f"run{number}", rng)
        assert digest(tmp_path / f"run{number}") == digest(reference.path)


@needs_proc
def test_ctrl_c_sums_up_and_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(path)
    while process.poll() is None and len(list((path / "cells").glob("*.json"))) < 3:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "Interrupted: interrupted after" in errors
    assert gone(path)
    assert load_run(path).summary["complete"] is False


def test_two_runs_in_one_directory(reference: RunResult) -> None:
    with pytest.raises(LabError, match="already holds a run"):
        small(reference.path)
    directory = engine_module.RunDirectory(reference.path)
    with directory.lock(), pytest.raises(LabError, match="is being written by another run"):
        run_experiment(resume=reference.path, progress="quiet")


@pytest.mark.usefixtures("undrawn")
def test_a_full_disk_is_told_and_the_run_goes_on_later(
    reference: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for a few cells only: the files written are whole, and `resume` finds them."""
    import errno

    from autodev_lab import files

    real, left = os.fsync, 14

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    path = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(LabError, match="No space left"):
            small(path)
    assert not list(path.rglob(".*.parquet.*")), "no temporary file is left"
    assert list((path / "cells").glob("*.json"))
    run_experiment(resume=path, workers=1, progress="quiet")
    assert digest(path) == digest(reference.path)


def test_a_run_that_fails_at_once_leaves_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(LabError, match="names for its packages"):
        small(path, packages=())
    assert not path.exists()


def test_compare_pairs_tasks(reference: RunResult, again: RunResult, other: RunResult) -> None:
    run = reference.load()
    pair = compare(run.arm("team_shared"), run.arm("uniform"))
    assert pair.both + pair.only_a + pair.only_b + pair.neither == len(pair.paired) == 36
    assert len(pair.discordant) == pair.only_a + pair.only_b
    assert (pair.discordant["correct_a"] != pair.discordant["correct_b"]).all()
    whole = compare(run, again.load())
    assert whole.discordant.empty
    with pytest.raises(LabError, match="no arm 'solo'"):
        run.arm("solo")
    with pytest.raises(LabError, match="more than one arm"):
        compare(run.outcomes, run.outcomes)
    with pytest.raises(LabError, match="no task in common"):
        compare(run.arm("single"), other.load().arm("single"))


def test_resume_keeps_to_its_own_experiment(reference: RunResult) -> None:
    with pytest.raises(LabError, match="is a run of learning, not of safety"):
        run_experiment("safety", resume=reference.path)
    with pytest.raises(LabError, match="name an experiment"):
        run_experiment()


LESSONS: dict[str, object] = {"arms": "uniform,frozen,oracle", "lesson_packages": "eel,fox", "lessons_per_package": 8}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("shift", ["", "packages"])
def test_lessons_give_the_same_bytes_and_rows_of_the_stream_alone(tmp_path: Path, shift: str) -> None:
    overrides = LESSONS if not shift else {"arms": LESSONS["arms"], "shift": shift}
    first = small(tmp_path / "one", **overrides)
    cell = next((first.path / "cells").glob("frozen-*.parquet"))
    assert digest(small(tmp_path / "two", workers=2, **overrides).path) == digest(first.path)
    rows = first.load().outcomes
    assert set(rows["package"]) == {"ant", "bee", "cat"}
    roots = rows[rows["depth"] == 0]
    streams = roots.groupby(["replicate", "arm", "twin"])[["task_id", "index"]].agg(tuple)
    for _, arms in streams.groupby(level="replicate"):
        assert arms["task_id"].nunique() == arms["index"].nunique() == 1, "tasks pair, whatever the parts"
    assert (roots.groupby(["arm", "twin", "replicate"])["index"].nunique() == 18).all()
    cell.unlink()
    run_experiment(resume=first.path, workers=1, progress="quiet")
    assert digest(first.path) == digest(tmp_path / "two")


@pytest.mark.usefixtures("undrawn")
def test_what_was_learned_elsewhere_helps_and_so_does_the_oracle(tmp_path: Path) -> None:
    """The made-up world has the same families of faults everywhere; see simulation.yaml."""
    size = {"tasks_per_package": 60, "pool_per_package": 60, "lessons_per_package": 60, "replicates": 1, "budget": 5}
    run = small(tmp_path / "run", **{**LESSONS, **size})
    correct = run.load().outcomes.query("depth == 0").groupby("arm")["correct"].mean()
    assert correct["uniform"] < correct["frozen"]
    assert correct["uniform"] < correct["oracle"]
