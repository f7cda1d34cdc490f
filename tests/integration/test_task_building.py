"""Building tasks for real: the sandbox runs a package's tests under injected bugs."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.execution.sandbox import SandboxReport, require
from autodev_lab.execution.sides import Side, side_of, write_side_tree
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


def visible_names(count: int, seed: int) -> list[str]:
    return [name for index in range(99) if side_of(name := f"test_{index}", seed) is Side.VISIBLE][:count]


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
    for index, item in enumerate(build.items):
        truth = item.truth
        assert isinstance(truth, InjectedTruth)
        assert truth.operator in ("comparison_swap", "wrong_default")
        for side in Side:
            assert set(truth.killing[side]) <= set(truth.covering[side])
            assert all(side_of(test, truth.split_seed) is side for test in truth.covering[side])
        assert truth.killing["visible"]
        text = read_source(subject.tree.root / truth.path)
        assert apply_edits(text, truth.edits) != text
        assert truth.operator not in item.task.body
        assert truth.path not in item.task.body
        tree = write_side_tree(
            subject, [Side.VISIBLE], tmp_path / f"visible{index}", seed=truth.split_seed, edits=truth.edits
        )
        with Zygote(tree, report=report) as zygote:
            assert all(side_of(test, truth.split_seed) is Side.VISIBLE for test in zygote.tests)
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


def test_tests_that_fail_before_any_bug(tmp_path: Path, report: SandboxReport) -> None:
    broken = make(tmp_path / "a", "def test_a():\n    assert total([1]) == 2\n")
    with pytest.raises(LabError, match="1 of 1 tests of a fail before any bug"):
        build_tasks(broken, n=1, seed=1, report=report)


def test_failing_and_flaky_tests_are_left_out_and_counted(tmp_path: Path, report: SandboxReport) -> None:
    good, other, third, flaky, failing = visible_names(5, 1)
    tests = (
        f"def {good}():\n    assert total([1, 2]) == 3\n    assert total([]) == 0\n\n"
        f"def {other}():\n    assert [describe(n) for n in (-1, 0, 1)] == ['negative', 'zero', 'positive']\n\n"
        f"def {third}():\n    assert total([5], 1) == 6\n\n"
        f"SEEN = []\n\ndef test_notes():\n    SEEN.append(1)\n\n"
        f"def {flaky}():\n    assert SEEN and total([1])\n\n"
        f"def {failing}():\n    assert total([1]) == 7\n"
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
    assert not [test for test in mentioned if test.endswith((flaky, failing))]


def test_a_bug_that_never_ends_is_no_kill(tmp_path: Path, report: SandboxReport) -> None:
    (name,) = visible_names(1, 1)
    subject = make(tmp_path / "a", f"def {name}():\n    assert total([1]) == 1\n")
    module = tmp_path / "b"
    (module / "tiny").mkdir(parents=True)
    (module / "tests").mkdir()
    (module / "tiny" / "__init__.py").write_text("def count(n):\n    while n > 0:\n        n -= 1\n    return n\n")
    (module / "tests" / "test_tiny.py").write_text(
        f"from tiny import count\n\ndef {name}():\n    assert count(3) == 0\n"
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
