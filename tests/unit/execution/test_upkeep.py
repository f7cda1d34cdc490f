"""The cache: what is in it, what pruning takes, and that nothing goes while a lab is running on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.environments.cache import ResultCache
from autodev_lab.execution.shelf import Shelf
from autodev_lab.execution.subjects import obtain
from autodev_lab.execution.upkeep import Entry, contents, to_go

FILL = """
import sys
from pathlib import Path
from autodev_lab.execution.subjects import obtain
obtain("pocketkit", cache=Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a real subject, an archive, results, and what a killed process left."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AUTODEV_CACHE", str(folder))
    subprocess.run([sys.executable, "-c", FILL, str(folder)], check=True, input=b"", capture_output=True)
    (folder / "archives").mkdir()
    (folder / "archives" / "ant-1.0.tar.gz").write_bytes(b"x" * 1000)
    (folder / "archives" / ".fetch-killed").mkdir()
    with ResultCache(folder / "results.sqlite") as results:
        results.put("a", 1)
    return folder


def lab(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["cache", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def kinds(cache: Path) -> list[str]:
    return sorted(entry.kind for entry in contents(cache))


def age(path: Path, days: float) -> None:
    moment = path.stat().st_mtime - days * 86_400
    os.utime(path, (moment, moment))


def test_show_lists_everything(cache: Path) -> None:
    assert kinds(cache) == ["archive", "rest", "results", "subject"]
    shown = json.loads(lab("show", "--json"))
    assert sum(entry["size"] for entry in shown["entries"]) == shown["size"] > 1000
    assert "pocketkit-1.0.0" in lab("show") and "ant-1.0.tar.gz" in lab("show")


def test_what_is_old_goes_and_a_use_makes_it_new(cache: Path) -> None:
    (subject,) = (entry for entry in contents(cache) if entry.kind == "subject")
    mark = subject.path / "subject.json"
    age(mark, 40)
    age(cache / "archives" / "ant-1.0.tar.gz", 40)
    assert "2 entries" not in lab("prune", "--older-than", "30", "--dry-run"), "remains go as well"
    assert kinds(cache) == ["archive", "rest", "results", "subject"], "a dry run removes nothing"
    assert Shelf(cache / "subjects").load(subject.name) is not None
    lab("prune", "--older-than", "30")
    assert kinds(cache) == ["results", "subject"]
    age(mark, 40)
    lab("prune", "--older-than", "30")
    assert kinds(cache) == ["results"]
    assert not [path for path in (cache / "subjects").iterdir() if not path.name.endswith(".lock")]


def test_everything_can_go_and_comes_back(cache: Path, tmp_path: Path) -> None:
    lab("prune", "--max-size", "0")
    assert kinds(cache) == []
    with ResultCache(cache / "results.sqlite") as results:
        assert results.get("a") is None
        results.put("a", 2)
        assert results.get("a") == 2
    assert obtain("pocketkit", cache=cache).version == "1.0.0"


def test_nothing_goes_while_a_lab_is_running(cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FILL, str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None and running.stdin is not None
        assert running.stdout.readline() == b"held\n"
        assert "is in use by a running lab" in lab("prune", "--max-size", "0", code=2)
        assert kinds(cache) == ["archive", "rest", "results", "subject"]
        assert "4 entries" in lab("prune", "--max-size", "0", "--dry-run")
        running.stdin.close()
        running.wait()
    lab("prune", "--max-size", "0")
    assert kinds(cache) == []


def test_mistakes_are_one_sentence_and_no_cache_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "none"))
    assert "say what may go" in lab("prune", code=2)
    assert "--older-than is -1.0" in lab("prune", "--older-than", "-1", code=2)
    assert "--max-size is nan" in lab("prune", "--max-size", "nan", code=2)
    assert "0 entries" in lab("show")
    assert "0 entries" in lab("prune", "--max-size", "1")
    assert not (tmp_path / "none").exists()


@given(
    st.lists(st.tuples(st.sampled_from(["subject", "archive", "results", "rest"]), st.integers(0, 10**9))),
    st.floats(0, 5),
)
def test_what_stays_fits_and_is_the_most_recent(drawn: list[tuple[str, int]], limit: float) -> None:
    entries = tuple(
        Entry(kind, str(number), Path(str(number)), size, float(number)) for number, (kind, size) in enumerate(drawn)
    )
    going = to_go(entries, older_than=None, max_size=limit)
    staying = [entry for entry in entries if entry not in going]
    assert sum(entry.size for entry in staying) <= limit * 1e9
    assert not any(entry.kind == "rest" for entry in staying)
    gone = [entry for entry in going if entry.kind != "rest"]
    assert all(one.used < other.used for one in gone for other in staying)
    if gone:
        youngest = max(gone, key=lambda entry: entry.used)
        assert sum(entry.size for entry in staying) + youngest.size > limit * 1e9, "no more goes than must"
