"""What a researcher does in the first hour: the README's example, tasks of one's own, a solver on them, a story."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code"),
]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """The command line in an empty folder with a cache of its own."""
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        code = "from autodev_lab.cli.main import run; run()"
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


def test_the_readme_example_runs_as_printed(lab, tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len(example.strip().splitlines()) <= 12
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"abandoned\s+10", done.stdout)


def test_tasks_are_built_shown_and_solved(lab, tmp_path):
    lab("tasks", "build", "pocketkit", "--n", "4", "--seed", "7", "--out", "tasks.jsonl")
    assert len((tmp_path / "tasks.jsonl").read_text("utf-8").splitlines()) == 4
    assert "pocketkit" in lab("tasks", "show", "tasks.jsonl")
    words = ("solve", "tasks.jsonl", "--solver", "repair", "--budget", "10", "--order", "uniform", "--json")
    first, second = json.loads(lab(*words)), json.loads(lab(*words))
    assert first["n"] == 4
    assert first["solved"] == first["correct"] + first["escaped"]
    assert 4 <= first["candidates"] <= 40
    assert first["seconds"] > 0
    assert {key: first[key] for key in first if key != "seconds"} == {
        key: second[key] for key in second if key != "seconds"
    }


def test_a_source_folder_nobody_knows_is_a_subject_too(lab, tmp_path):
    package = tmp_path / "src" / "tinymath"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "def clamp(value, low, high):\n"
        "    if value < low:\n"
        "        return low\n"
        "    if value > high:\n"
        "        return high\n"
        "    return value\n",
        "utf-8",
    )
    tests = tmp_path / "src" / "tests"
    tests.mkdir()
    cases = [(5, 5), (-1, 0), (11, 10), (0, 0), (10, 10), (3, 3), (99, 10), (-7, 0), (1, 1), (9, 9)]
    lines = ["from tinymath import clamp", ""]
    for number, (value, expected) in enumerate(cases):
        lines += ["", f"def test_case_{number}():", f"    assert clamp({value}, 0, 10) == {expected}", ""]
    (tests / "test_tinymath.py").write_text("\n".join(lines), "utf-8")
    lab("tasks", "build", "./src", "--n", "3", "--seed", "1", "--out", "own.jsonl")
    result = json.loads(lab("solve", "own.jsonl", "--budget", "60", "--json"))
    assert result["n"] == 3
    assert result["solved"] >= 1
