"""Zygote, plain runs and function calls on a small package: swapping, fresh imports, fixtures, calls, no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.execution.calling import call_functions, record_calls
from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.plain import run_plain
from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.execution.trees import SourceTree, split_lines
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine has no isolation"),
]

MODULE = """\
import functools

LIMIT = 3


def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@traced
def double(x):
    return x * 2


def scale(x, factor=2):
    return x * factor


@functools.lru_cache
def cached(x):
    return x + 1


class Box:
    size = 2

    def __init__(self, value):
        self.value = value

    def grown(self, by=1):
        return self.value + by

    class Inner:
        def name(self):
            return "inner"


def spread(items):
    for item in items:
        yield item + LIMIT


def changed(items):
    items.append(1)
"""
TESTS = """\
import unittest

import pytest

from cage import Box, cached, changed, double, scale, spread


@pytest.fixture(scope="module")
def box():
    return Box(4)


def test_double():
    assert double(4) == 8


def test_scale():
    assert scale(3) == 6


def test_cached():
    assert cached(1) == 2


def test_box(box):
    assert box.grown() == 5 and Box.size == 2 and Box.Inner().name() == "inner"


@pytest.mark.parametrize("n", [1, 2])
def test_spread(n, shared):
    assert list(spread([n])) == [n + 3] and shared == "from conftest"


@pytest.mark.skip(reason="never")
def test_skipped():
    assert False


@pytest.mark.xfail(strict=True)
def test_expected():
    assert scale(1) == 3


class TestOld(unittest.TestCase):
    def setUp(self):
        self.x = 5

    def test_unit(self):
        self.assertEqual(double(self.x), 10)


def test_files(tmp_path, capsys):
    (tmp_path / "a").write_text("x")
    print("hello")
    assert capsys.readouterr().out == "hello\\n"
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> SourceTree:
    root = tmp_path_factory.mktemp("cage")
    (root / "src").mkdir()
    (root / "src" / "cage.py").write_text(MODULE)
    (root / "tests").mkdir()
    (root / "tests" / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture(scope='session')\ndef shared():\n    return 'from conftest'\n"
    )
    (root / "tests" / "test_cage.py").write_text(TESTS)
    (root / "setup.cfg").write_text("[tool:pytest]\naddopts = --no-such-option\n")
    return SourceTree(root, "cage", "src", "src/cage.py", ("tests",))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


@pytest.fixture(scope="module")
def zygote(tree: SourceTree, nursery: Nursery) -> Iterator[Zygote]:
    with Zygote(tree, report=probe(), pool=nursery) as made:
        yield made


def change(old: str, new: str) -> Candidate:
    """The edit that replaces the one line containing `old`."""
    lines = split_lines(MODULE)
    (number,) = [index for index, line in enumerate(lines, 1) if old in line]
    return Candidate((Edit("src/cage.py", number, number, lines[number - 1].replace(old, new)),), "test")


def test_baseline_knows_outcomes_and_lines(zygote: Zygote) -> None:
    runs = {run.test_id.partition("::")[2]: run for run in zygote.run(coverage=True)}
    assert all(run.passed for run in runs.values()), [run for run in runs.values() if not run.passed]
    assert runs["test_skipped"].outcome == "skipped"
    assert runs["test_expected"].outcome == "xfailed"
    assert ("src/cage.py", 20) in runs["test_scale"].lines
    assert {path for run in runs.values() for path, _ in run.lines} == {"src/cage.py"}


SWAPS = {
    "function": (change("return x * factor", "return x + factor"), "test_scale"),
    "decorated function": (change("return x * 2", "return x * 3"), "test_double"),
    "live closure": (change("return function(*args)", "return None"), "test_double"),
    "default": (change("factor=2", "factor=3"), "test_scale"),
    "cached function": (change("return x + 1", "return x + 2"), "test_cached"),
    "method": (change("return self.value + by", "return self.value - by"), "test_box"),
    "method default": (change("by=1", "by=2"), "test_box"),
    "nested class": (change('return "inner"', 'return "outer"'), "test_box"),
    "generator": (change("yield item + LIMIT", "yield item"), "test_spread[1]"),
    "module level": (change("LIMIT = 3", "LIMIT = 4"), "test_spread[1]"),
    "class attribute": (change("size = 2", "size = 3"), "test_box"),
}


@pytest.mark.parametrize("kind", sorted(SWAPS))
def test_every_kind_of_edit_takes_effect_and_is_undone(zygote: Zygote, tree: SourceTree, kind: str) -> None:
    candidate, killer = SWAPS[kind]
    nothing = change("    items.append(1)", "    items.append(1)  # nothing")
    before, broken, after = zygote.evaluate([nothing, candidate, nothing], tests=zygote.tests, all_failures=True)
    assert before.status is after.status is CandidateStatus.PLAUSIBLE
    assert broken.status is CandidateStatus.FAILED
    assert f"tests/test_cage.py::{killer}" in broken.failing
    plain = run_plain(tree, tests=zygote.tests, edits=candidate.edits, report=probe())
    assert tuple(run.test_id for run in plain.runs if not run.passed) == broken.failing
    assert not plain.forged and not plain.crashed


def test_chunks_and_forks_agree(zygote: Zygote) -> None:
    candidates = [candidate for candidate, _ in SWAPS.values()]
    together = zygote.evaluate(candidates, tests=zygote.tests)
    assert together == zygote.evaluate(candidates, tests=zygote.tests, chunk=1)


def test_text_that_is_no_python_is_invalid(zygote: Zygote) -> None:
    (run,) = zygote.evaluate([change("return x * factor", "return x *")], tests=zygote.tests)
    assert (run.status, run.test_executions) == (CandidateStatus.INVALID, 0)


def test_calls_are_described_and_told_apart(tree: SourceTree, nursery: Nursery) -> None:
    inputs = ["((1,), {})", "((2,), {'factor': 5})", "(('a', 'b'), {})"]
    arguments = {"module": "cage", "qualname": "scale", "inputs": inputs, "report": probe(), "pool": nursery}
    assert call_functions(tree, **arguments) == ("2", "10", "raises TypeError")  # type: ignore[arg-type]
    edits = SWAPS["function"][0].edits
    assert call_functions(tree, edits=edits, **arguments)[:2] == ("3", "7")  # type: ignore[arg-type]


def test_calls_show_laziness_and_changed_arguments(tree: SourceTree, nursery: Nursery) -> None:
    common = {"module": "cage", "inputs": ["(([1],), {})"], "report": probe(), "pool": nursery}
    assert call_functions(tree, qualname="spread", **common) == ("iterator[4]",)  # type: ignore[arg-type]
    assert call_functions(tree, qualname="changed", **common) == ("None leaving (([1, 1], ), {}, )",)  # type: ignore[arg-type]


def test_calls_of_tests_are_recorded(tree: SourceTree, nursery: Nursery, zygote: Zygote) -> None:
    found = record_calls(tree, tests=zygote.tests, module="cage", qualname="scale", report=probe(), pool=nursery)
    assert found == ("((3, 2), {})", "((1, 2), {})")


def test_a_suite_that_cannot_run_twice_does_not_make_its_fix_a_forgery(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text("def double(x):\n    return x * 3\n")
    (tmp_path / "test_small.py").write_text(
        "import sys, time\nfrom small import double\n\n\n"
        "def test_once():\n    assert not hasattr(sys, 'ran')\n    sys.ran = True\n\n\n"
        "def test_double():\n    assert double(2) == 4\n\n\n"
        "def test_slow():\n    started = time.process_time()\n"
        "    while time.process_time() < started + 0.05:\n        pass\n"
    )
    tree = SourceTree(tmp_path, "small", "", "small.py", ("test_small.py",))
    fix = Candidate((Edit("small.py", 2, 2, "    return x * 2\n"),), "test")
    with Zygote(tree, report=probe(), pool=nursery) as zygote:
        (run,) = zygote.evaluate([fix], tests=zygote.tests)
    assert run.status is CandidateStatus.PLAUSIBLE


def test_a_tree_without_tests_is_refused_in_one_sentence(tree: SourceTree, nursery: Nursery) -> None:
    empty = SourceTree(tree.root, "cage", "src", "src/cage.py", ("src",))
    with pytest.raises(LabError, match="finds no tests"):
        Zygote(empty, report=probe(), pool=nursery)


def test_nothing_survives_when_the_lab_is_killed(tree: SourceTree, tmp_path: Path) -> None:
    script = tmp_path / "lab.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from autodev_lab.execution.probing import probe\n"
        "from autodev_lab.execution.trees import SourceTree\n"
        "from autodev_lab.execution.zygote import Zygote\n"
        "from autodev_lab.records import Candidate, Edit\n"
        f"tree = SourceTree(Path({str(tree.root)!r}), 'cage', 'src', 'src/cage.py', ('tests',))\n"
        "zygote = Zygote(tree, report=probe())\n"
        "print(zygote._nursery._process.pid, flush=True)\n"
        "endless = Candidate((Edit('src/cage.py', 20, 20, '    import time; time.sleep(3600)\\n'),), 'x')\n"
        "zygote.evaluate([endless], tests=zygote.tests)\n"
    )
    lab = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert lab.stdout is not None
    nursery = int(lab.stdout.readline())
    tribe = {nursery}
    for _ in range(20):
        tribe |= {pid for pid, parent in _parents().items() if parent in tribe}
        time.sleep(0.05)
    assert len(tribe) >= 3
    os.kill(lab.pid, signal.SIGKILL)
    lab.wait()
    lab.stdout.close()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and tribe & set(_parents()):
        time.sleep(0.05)
    assert not tribe & set(_parents())


def _parents() -> dict[int, int]:
    """Parent of every living process (zombies have ended)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found[int(entry.name)] = int(fields[1])
    return found
