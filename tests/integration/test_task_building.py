"""Building tasks for real: the sandbox runs a package's tests under injected bugs."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.sides import Side, assign_sides, write_side_tree
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.execution.zygote import Zygote
from autodev_lab.resources import resource
from autodev_lab.streams.bug_injection import InjectedTruth, build_tasks
from autodev_lab.streams.jsonl import read_tasks, write_tasks

pytestmark = pytest.mark.sandbox

CODE = """
def total(values, start=0):
    for value in values:
        start += value
    return start


def describe(number):
    if number < 0:
        return "negative"
    return "zero" if number == 0 else "positive"
"""


@pytest.fixture(scope="module")
def report() -> SandboxReport:
    try:
        return require()
    except LabError as error:
        pytest.skip(str(error))


def make(root: Path, tests: str) -> Subject:
    (root / "tiny").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "tiny" / "__init__.py").write_text(CODE)
    (root / "tests" / "test_tiny.py").write_text("import random\nfrom tiny import describe, total\n" + tests)
    return obtain(str(root), cache=root.parent / "cache", offline=True)


def test_same_arguments_same_bytes(tmp_path: Path, report: SandboxReport) -> None:
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    for name in ("first", "second"):
        build = build_tasks(subject, n=8, seed=3, report=report)
        assert len(build.items) == build.attrition["kept"] == 8
        write_tasks(tmp_path / f"{name}.jsonl", build.items)
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()
    assert len({item.task.id for item in build.items}) == 8
    left = sum(count for reason, count in build.attrition.items() if not reason.startswith(("built", "kept_", "tests")))
    assert left == build.attrition["built"]
    assert sum(count.killed for count in build.operators.values()) >= 8


def test_truth_holds_and_the_task_does_not_tell(tmp_path: Path, report: SandboxReport) -> None:
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    build = build_tasks(subject, n=4, seed=5, report=report, operators=["comparison_swap", "wrong_default"])
    split = assign_sides(subject, 5)
    for index, item in enumerate(build.items):
        truth = item.truth
        assert isinstance(truth, InjectedTruth)
        assert truth.operator in ("comparison_swap", "wrong_default")
        for side in Side:
            assert set(truth.killing[side]) <= set(truth.covering[side])
            assert all(split.of(test) is side for test in truth.covering[side])
        assert truth.killing["visible"]
        text = read_source(subject.tree.root / truth.path)
        assert apply_edits(text, truth.edits) != text
        assert truth.operator not in item.task.body
        assert truth.path not in item.task.body
        tree = write_side_tree(
            subject, [Side.VISIBLE], tmp_path / f"visible{index}", seed=truth.split_seed, edits=truth.edits
        )
        with Zygote(tree, report=report) as zygote:
            assert all(split.of(test) is Side.VISIBLE for test in zygote.tests)
            assert {run.test_id for run in zygote.run() if not run.passed} == set(truth.killing["visible"])


def test_prebuilt_tasks_fit_the_bundled_subject(tmp_path: Path) -> None:
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    items = read_tasks(resource("data/tasks/pocketkit.jsonl"), {"pocketkit": subject})
    assert len(items) == 60
    for item in items:
        truth = item.truth
        assert isinstance(truth, InjectedTruth)
        assert truth.killing["visible"]
        compile(apply_edits(read_source(subject.tree.root / truth.path), truth.edits), truth.path, "exec")


@pytest.mark.slow
def test_the_prebuilt_file_can_be_built_again(tmp_path: Path, report: SandboxReport) -> None:
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    write_tasks(tmp_path / "again.jsonl", build_tasks(subject, n=60, seed=7, report=report).items)
    assert (tmp_path / "again.jsonl").read_bytes() == resource("data/tasks/pocketkit.jsonl").read_bytes()


def test_a_bug_that_acts_while_importing_is_no_task(tmp_path: Path, report: SandboxReport) -> None:
    """`zero` runs at import, so that a fault in it also fails the test of LIMITS, which never executes it."""
    (tmp_path / "a" / "tiny").mkdir(parents=True)
    (tmp_path / "a" / "tests").mkdir()
    (tmp_path / "a" / "tiny" / "__init__.py").write_text(
        "def zero():\n    return 0\n\n\nLIMITS = {'low': zero()}\n\n\ndef one():\n    return 1\n"
    )
    (tmp_path / "a" / "tests" / "test_tiny.py").write_text(
        "from tiny import LIMITS, one, zero\n\n\n"
        "def test_zero():\n    assert zero() == 0\n\n\ndef test_limits():\n    assert LIMITS['low'] == 0\n\n\n"
        "def test_zero_again():\n    assert not zero()\n\n\ndef test_one():\n    assert one() == 1\n\n\n"
        "def test_one_again():\n    assert one() > 0\n\n\ndef test_one_more():\n    assert one()\n"
    )
    subject = obtain(str(tmp_path / "a"), cache=tmp_path / "cache", offline=True)
    build = build_tasks(subject, n=20, seed=1, report=report, operators=["wrong_constant", "missing_return"])
    assert build.attrition["differs_on_disk"] >= 1
    assert {item.truth.qualname for item in build.items if isinstance(item.truth, InjectedTruth)} == {"one"}


def test_a_test_that_plain_pytest_sees_otherwise_does_not_count(tmp_path: Path, report: SandboxReport) -> None:
    tests = (
        "import sys\n\ndef test_sum():\n    assert total([1]) == 1\n\ndef test_word():\n"
        "    assert describe(0) == 'zero'\n\ndef test_kind():\n    assert describe(1) == 'positive'\n\n"
        "def test_process():\n    assert total([1]) == 1 and ('plainrun' in str(sys.orig_argv)) is False\n"
    )
    build = build_tasks(make(tmp_path / "a", tests), n=5, seed=1, report=report)
    assert build.attrition["tests_unstable"] == 1
    assert build.attrition["tests"] == 3


def test_tests_that_fail_before_any_bug(tmp_path: Path, report: SandboxReport) -> None:
    broken = make(tmp_path / "a", "def test_a():\n    assert total([1]) == 2\n")
    with pytest.raises(LabError, match="1 of 1 tests of a fail before any bug"):
        build_tasks(broken, n=1, seed=1, report=report)


def test_failing_and_flaky_tests_are_left_out_and_counted(tmp_path: Path, report: SandboxReport) -> None:
    tests = "".join(  # of every four, two are visible
        f"def test_sum{index}():\n    assert total([1, 2]) == 3\n    assert total([]) == 0\n"
        "    assert total([5], 1) == 6\n\n"
        f"def test_word{index}():\n"
        "    assert [describe(n) for n in (-1, 0, 1)] == ['negative', 'zero', 'positive']\n\n"
        for index in range(4)
    )
    tests += (
        "SEEN = []\n\ndef test_notes():\n    SEEN.append(1)\n\n"
        "def test_flaky():\n    assert SEEN and total([1])\n\n"
        "def test_failing():\n    assert total([1]) == 7\n"
    )
    build = build_tasks(make(tmp_path / "a", tests), n=50, seed=1, report=report)
    assert build.attrition["tests_failing_before"] == 1
    assert build.attrition["tests_flaky"] == 1
    assert 5 <= len(build.items) < 50
    mentioned = {
        test
        for item in build.items
        if isinstance(item.truth, InjectedTruth)
        for tests_ in item.truth.covering.values()
        for test in tests_
    }
    assert not [test for test in mentioned if test.endswith(("flaky", "failing"))]


def test_a_bug_that_never_ends_is_no_kill(tmp_path: Path, report: SandboxReport) -> None:
    subject = make(tmp_path / "a", "def test_only():\n    assert total([1]) == 1\n")
    module = tmp_path / "b"
    (module / "tiny").mkdir(parents=True)
    (module / "tests").mkdir()
    (module / "tiny" / "__init__.py").write_text("def count(n):\n    while n > 0:\n        n -= 1\n    return n\n")
    (module / "tests" / "test_tiny.py").write_text(
        "from tiny import count\n\ndef test_only():\n    assert count(3) == 0\n"
    )
    endless = obtain(str(module), cache=tmp_path / "cache", offline=True)
    assert endless.content_hash != subject.content_hash
    build = build_tasks(endless, n=20, seed=1, report=report, operators=["arithmetic_swap", "removed_assignment"])
    assert build.attrition["timed_out"] == 2
    assert not build.items


def test_bad_arguments(tmp_path: Path, report: SandboxReport) -> None:
    subject = obtain("pocketkit", cache=tmp_path, offline=True)
    with pytest.raises(LabError, match="at least 1"):
        build_tasks(subject, n=0, seed=1, report=report)
    with pytest.raises(LabError, match="unknown fault operator"):
        build_tasks(subject, n=1, seed=1, report=report, operators=["nonsense"])
