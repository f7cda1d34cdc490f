"""A cache without room: one sentence, nothing corrupted, and the run goes on to the same bytes once there is room.

The cache is a small memory file system of the test's own, so that the disk is really full and for this test alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autodev_lab.environments.cache import ResultCache
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import run_experiment

SMALL: dict[str, object] = {"tasks_per_package": 1, "budget": 6, "arms": ("uniform",)}

SHARED_MEMORY = 32 << 10
"""What SQLite needs beside the results as soon as the file is opened."""

RUN = """
import json, os, sqlite3, subprocess, sys
from contextlib import closing
from pathlib import Path

room, place, run, workers, changes = sys.argv[1:6]
cache = os.environ["AUTODEV_CACHE"] = place
mount = lambda options: subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
lab = [sys.executable, "-c", "from autodev_lab.cli.main import run; run()", "run"]
rest = ["--workers", workers, "--offline", "--no-notebook", "--no-mlflow"]

def call(*words):
    done = subprocess.run([*lab, *words, *rest], capture_output=True, text=True)
    seen = {"status": done.returncode, "out": done.stdout, "err": done.stderr, "kept": None, "check": None}
    if Path(place, "results.sqlite").exists():
        with closing(sqlite3.connect(Path(place, "results.sqlite"))) as connection:
            seen["check"] = connection.execute("PRAGMA integrity_check").fetchall()
            seen["kept"] = connection.execute("SELECT count(*) FROM results").fetchone()[0]
    seen["building"] = [str(path) for path in Path(place).rglob(".building-*")]
    return seen

mount(f"size={room}")
changed = [word for key, value in json.loads(changes).items() for word in ("-p", f"{key}={value}")]
full = call("learning", "--profile", "smoke", *changed, "--out", run)
mount("remount,size=64m")
print(json.dumps([full, call("--resume", run) if Path(run).exists() else call("learning", "--profile", "smoke",
    *changed, "--out", run)]))
"""

WRITE = """
import os, subprocess, sys
from pathlib import Path
from autodev_lab.environments.cache import ResultCache
from autodev_lab.errors import LabError

place = Path(sys.argv[1])
for pages in range(1, 41):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "none", str(place)], check=True)
    caches, kept = [], 0
    try:
        caches += [ResultCache(place / "r.sqlite"), ResultCache(place / "r.sqlite")]
        for number in range(1000):
            assert caches[number % 2].remember(f"k{number}", lambda: [number, "x" * 300]) == [number, "x" * 300]
            kept = number + 1
        raise SystemExit("the disk was never full")
    except LabError as error:
        print(pages, kept, error)
    for one in caches:
        one.close()
    subprocess.run(["mount", "-o", "remount,size=8m", str(place)], check=True)
    with ResultCache(place / "r.sqlite") as again:
        for number in range(kept):
            assert again.get(f"k{number}") == [number, "x" * 300]
        assert again.remember("after", lambda: [1]) == [1]
    subprocess.run(["umount", str(place)], check=True)
"""


@dataclass(frozen=True)
class Reference:
    """Digest of the outcomes, and bytes of the unpacked package and of the results."""

    digest: str
    package: int
    results: int


@cache
def own_mounts() -> list[str] | None:
    """Words that start a command where it may mount what it likes, or None where this machine forbids it."""
    for words in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        try:
            done = subprocess.run(
                [*words, "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"], capture_output=True, check=False
            )
        except OSError:
            return None
        if done.returncode == 0:
            return words
    return None


def inside(script: str, *arguments: str) -> str:
    words = own_mounts()
    if words is None:
        pytest.skip("this machine lets nobody mount a file system of their own (unshare)")
    done = subprocess.run(
        [*words, sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.sandbox
@pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code")
@pytest.mark.parametrize(
    ("holds", "workers"),
    [("half the package", 1), ("most results", 1), ("most results", 2)],
)
def test_a_full_cache_is_told_and_the_run_goes_on_later(
    holds: str, workers: int, reference: Reference, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    package = holds == "half the package"
    # the log of the results takes more than they do themselves: the last ones do not fit
    room = str(reference.package // 2 if package else reference.package + SHARED_MEMORY + reference.results)
    changes = json.dumps({key: ",".join(value) if isinstance(value, tuple) else value for key, value in SMALL.items()})
    answer = inside(RUN, room, str(tmp_path / "cache"), str(tmp_path / "run"), str(workers), changes)
    full, later = seen = json.loads(answer)
    assert full["status"] == 2, full["err"]
    assert full["out"] == ""
    assert_one_sentence(full, "No space left" if package else "results.sqlite")
    assert later["status"] == 0, later["err"]
    if not package:
        assert full["kept"] > 0, "it was full in the middle and not at once"
        assert later["kept"] > full["kept"]
    for one in seen:
        assert one["check"] in (None, [["ok"]])
        assert one["building"] == []
    assert hashlib.sha256((tmp_path / "run" / "outcomes.parquet").read_bytes()).hexdigest() == reference.digest


def assert_one_sentence(seen: dict[str, Any], says: str) -> None:
    (sentence,) = [line for line in seen["err"].splitlines() if line.startswith("autodev-lab: ")]
    assert says in sentence
    assert "room" in sentence
    assert "Traceback" not in seen["err"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The same run with room enough: what came out, and the room it took."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AUTODEV_CACHE", str(folder / "cache"))
        run = run_experiment(
            "learning",
            profile="smoke",
            overrides=SMALL,
            workers=1,
            out=folder / "run",
            offline=True,
            progress="quiet",
        )
    page = os.sysconf("SC_PAGE_SIZE")
    files = [path for path in (folder / "cache" / "subjects").rglob("*") if path.is_file()]
    return Reference(
        hashlib.sha256((run.path / "outcomes.parquet").read_bytes()).hexdigest(),
        sum(-(-path.stat().st_size // page) * page for path in files),
        (folder / "cache" / "results.sqlite").stat().st_size,
    )


def test_wherever_the_disk_is_full_the_results_kept_stay_whole(tmp_path: Path) -> None:
    """Forty sizes, one page more each: the file cannot be made, cannot be opened, or cannot take another result."""
    (tmp_path / "cache").mkdir()
    told = inside(WRITE, str(tmp_path / "cache")).splitlines()
    assert len(told) == 40
    assert {"cannot open" in line for line in told} == {True, False}
    assert all("choose a writable place" in line for line in told)


def test_a_damaged_page_is_told_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with ResultCache(path) as kept:
        for number in range(200):
            kept.put(f"k{number}", ["x" * 300])
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    path.write_bytes(data)
    with ResultCache(path) as damaged:
        with pytest.raises(LabError, match=r"cannot read the cache .*remove the file"):
            damaged.get("k150")
        with pytest.raises(LabError, match="cannot write the cache"):
            damaged.put("new", ["y"])


def test_a_package_that_cannot_be_copied_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Where nobody may mount anything: files above a kilobyte cannot be written."""
    script = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "from autodev_lab.cli.main import run\n"
        "run()\n"
    )
    settings = {**os.environ, "AUTODEV_CACHE": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, "tasks", "build", "pocketkit", "--offline", "--sandbox", "weak", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**settings, "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_sentence({"err": done.stderr}, "pocketkit: File too large")
    assert len(done.stderr) < 400, "one reason, and not one for every file"
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix == ".py"]
