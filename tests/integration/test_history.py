"""Tasks from versions of a small package made here: what is kept, what is left out and counted, and that it works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.sides import Side, assign_sides
from autodev_lab.execution.subjects import obtain, pinned_subjects
from autodev_lab.execution.trees import apply_edits, read_source
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.solving import solve_items
from autodev_lab.experiments.world_repository import open_repository
from autodev_lab.records import Change, TaskKind
from autodev_lab.resources import resource
from autodev_lab.solvers.repair import RepairSolver
from autodev_lab.streams.historical import HistoricalTruth
from autodev_lab.streams.history import HistoryBuild, Step, StepReport, build_history, sources_by_module
from autodev_lab.streams.injected import BugInjectionStream
from autodev_lab.streams.jsonl import read_tasks, write_tasks
from autodev_lab.streams.release_history import read_releases
from autodev_lab.testing import check_environment, check_stream

pytestmark = pytest.mark.sandbox

OLDER = '''
LIMIT = 1


def low(a, b):
    """The lower one."""
    return a if a > b else b


def high(values):
    return max(values)


def unnoticed(a):
    return a + 1


def first(values):
    return values[0]


def both(a, b):
    return part(a, b) * 2


def part(a, b):
    return a * b


def early():
    return 1


TABLE = {"early": early()}
'''

NEWER = '''
"""A new docstring."""

LIMIT = 3


def low(a, b):
    """The lower one of two."""
    return a if a < b else b


def high(values):
    # nothing but words has changed
    return max(values)


def unnoticed(a):
    return 1 + a


def first(values, default=None):
    return values[0] if values else default


def both(a, b):
    return part(a, b)


def part(a, b):
    return a * b * 2


def early():
    return 2


TABLE = {"early": early()}


def added():
    return "new"
'''

TESTS = "from tiny import LIMIT, TABLE, both, early, first, high, low, part, unnoticed\n\n" + "".join(
    f"""
def test_low_{index}():
    assert low({index}, 9) == {index} == low(9, {index})

def test_first_{index}():
    assert first([{index}]) == {index} and first([], {index}) == {index}

def test_limit_{index}():
    assert LIMIT == 3 and high([{index}, 9]) == 9

def test_both_{index}():
    assert both({index}, 2) == 4 * {index} and unnoticed({index}) == {index} + 1

def test_early_{index}():
    assert early() == 2

def test_table_{index}():
    assert TABLE == {{"early": 2}}

"""
    for index in range(1, 5)
)


def make(root: Path, code: str, tests: str = TESTS) -> Path:
    (root / "tiny").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "pyproject.toml").write_text(f'[project]\nname = "tiny"\nversion = "{root.name}"\n')
    (root / "tiny" / "__init__.py").write_text(code)
    (root / "tests" / "test_tiny.py").write_text(tests)
    return root


@pytest.fixture(scope="module")
def report() -> SandboxReport:
    try:
        return require()
    except LabError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def step(folder: Path) -> Step:
    older = obtain(str(make(folder / "1.0", OLDER)), cache=folder / "cache", offline=True)
    newer = obtain(str(make(folder / "1.1", NEWER)), cache=folder / "cache", offline=True)
    return Step(newer, sources_by_module(older), "1.0", "1.1")


@pytest.fixture(scope="module")
def build(step: Step, report: SandboxReport) -> HistoryBuild:
    return build_history([step], n=20, seed=3, report=report)


def truths(build: HistoryBuild) -> Iterator[HistoricalTruth]:
    for item in build.items:
        assert isinstance(item.truth, HistoricalTruth)
        yield item.truth


def test_changes_that_tests_notice_are_tasks_and_the_rest_is_counted(build: HistoryBuild) -> None:
    assert {truth.qualname: truth.interface_changed for truth in truths(build)} == {
        "LIMIT": False,
        "low": False,
        "first": True,
    }
    counted = {reason: count for reason, count in build.attrition.items() if count}
    assert counted.pop("kept_without_exposure_killer", 0) <= 3
    assert counted.pop("kept_without_oracle_killer", 0) <= 3
    assert counted == {
        "steps": 1,
        "relaid": 1,
        "built": 7,
        "survived": 1,  # unnoticed: other code that does the same
        "not_in_older": 2,  # both and part: together they are right in either version
        "differs_on_disk": 1,  # early: it already acts while the module is imported
        "kept": 3,
        "tests": 24,
    }
    assert build.steps == (StepReport("1.0", "1.1", 3),)


def test_truths_hold_and_tasks_do_not_tell(build: HistoryBuild, step: Step) -> None:
    split = assign_sides(step.subject, 3)
    text = read_source(step.subject.tree.root / "tiny" / "__init__.py")
    for item, truth in zip(build.items, truths(build), strict=True):
        assert item.task.kind is TaskKind.HISTORICAL
        assert (item.task.package, item.task.metadata) == ("tiny", {"version": "1.1"})
        assert (truth.older, truth.newer, truth.path) == ("1.0", "1.1", "tiny/__init__.py")
        assert truth.killing["visible"]
        for side in Side:
            assert set(truth.killing[side]) <= set(truth.covering[side])
            assert all(split.of(test) is side for test in truth.covering[side])
        faulty = apply_edits(text, truth.edits)
        older, newer = {"low": ("a > b", "a < b"), "LIMIT": ("= 1", "= 3"), "first": ("(values)", "default")}[
            truth.qualname
        ]
        assert older in faulty and faulty.count(newer) < text.count(newer)
        told = item.task.title + item.task.body
        assert "1.0" not in told and truth.path not in told and "return" not in told
    check_stream(BugInjectionStream(build.items, "history"))


def test_the_same_history_gives_the_same_bytes(
    build: HistoryBuild, step: Step, report: SandboxReport, tmp_path: Path
) -> None:
    write_tasks(tmp_path / "one.jsonl", build.items)
    again = build_history([step], n=20, seed=3, report=report)
    write_tasks(tmp_path / "two.jsonl", again.items)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert again.attrition == build.attrition
    assert read_tasks(tmp_path / "one.jsonl", {step.subject.spec: step.subject}) == build.items


def test_a_repeated_step_brings_duplicates_and_no_more_is_made_than_asked_for(
    step: Step, report: SandboxReport
) -> None:
    twice = build_history([step, step], n=20, seed=3, report=report)
    assert (len(twice.items), twice.attrition["duplicate"]) == (3, 7)
    few = build_history([step, step], n=2, seed=3, report=report)
    assert (len(few.items), few.attrition["steps"]) == (2, 1)
    with pytest.raises(LabError, match="ask for at least 1"):
        build_history([step], n=0, seed=3, report=report)


def test_versions_that_are_of_no_use_are_counted_and_the_others_used(
    step: Step, report: SandboxReport, folder: Path
) -> None:
    wrong = make(folder / "1.2", NEWER, "def test_a():\n    assert False\n")
    failing = Step(obtain(str(wrong), cache=folder / "cache", offline=True), step.older_sources, "1.0", "1.2")
    alike = Step(step.subject, sources_by_module(step.subject), "1.1", "1.1.post1")
    gone = StepReport("0.8", "0.9", 0, "there is no 0.8")
    build = build_history([gone, alike, failing, step], n=20, seed=3, report=report)
    assert len(build.items) == 3
    assert [build.attrition[name] for name in ("steps", "steps_unusable", "steps_without_change")] == [4, 2, 1]
    assert [bool(one.unusable) for one in build.steps] == [True, False, True, False]
    assert "fail before any bug" in build.steps[2].unusable


def test_older_code_that_cannot_be_imported_is_no_task(report: SandboxReport, tmp_path: Path) -> None:
    older = "from tiny.gone import helper\n\n\ndef f(a):\n    return helper(a)\n"
    newer = "def f(a):\n    return a\n"
    tests = "".join(
        f"from tiny import f\n\n\ndef test_f{index}():\n    assert f({index}) == {index}\n\n\n" for index in range(4)
    )
    subject = obtain(str(make(tmp_path / "2.0", newer, tests)), cache=tmp_path / "cache", offline=True)
    step = Step(subject, {"__init__.py": older, "gone.py": "def helper(a):\n    return -a\n"}, "1.9", "2.0")
    build = build_history([step], n=5, seed=1, report=report)
    assert not build.items
    assert build.attrition["import_broken"] == build.attrition["built"] - build.attrition["duplicate"] > 0


def test_changes_that_only_make_sense_together_are_taken_back_together(report: SandboxReport, tmp_path: Path) -> None:
    """Neither half alone is what the older version did; a fix of two functions is one task."""
    older = "def f(a):\n    return g(a)\n\n\ndef g(a):\n    return a\n"
    newer = "def f(a):\n    return g(a, 1)\n\n\ndef g(a, more):\n    return a + more\n"
    tests = "from tiny import f\n\n\n" + "".join(
        f"def test_f{index}():\n    assert f({index}) == {index + 1}\n\n\n" for index in range(3)
    ) + "def test_kind():\n    assert isinstance(f(2), int)\n"  # fmt: skip
    subject = obtain(str(make(tmp_path / "2.0", newer, tests)), cache=tmp_path / "cache", offline=True)
    for whole_first, built in ((False, 3), (True, 1)):
        step = Step(subject, {"__init__.py": older}, "1.9", "2.0", whole_first)
        build = build_history([step], n=5, seed=1, report=report)
        (truth,) = truths(build)
        assert truth.places == (("tiny/__init__.py", "f"), ("tiny/__init__.py", "g"))
        assert apply_edits(newer, truth.edits) == older
        assert (build.attrition["built"], build.attrition["not_in_older"]) == (built, built - 1)


def test_a_module_that_became_a_package_is_still_compared(report: SandboxReport, tmp_path: Path) -> None:
    (tmp_path / "old" / "tests").mkdir(parents=True)
    (tmp_path / "old" / "tiny.py").write_text(OLDER)
    (tmp_path / "old" / "tests" / "test_tiny.py").write_text(TESTS)
    older = obtain(str(tmp_path / "old"), cache=tmp_path / "cache", offline=True)
    newer = obtain(str(make(tmp_path / "1.1", NEWER)), cache=tmp_path / "cache", offline=True)
    build = build_history([Step(newer, sources_by_module(older), "1.0", "1.1")], n=1, seed=3, report=report)
    assert [truth.qualname for truth in truths(build)] == ["LIMIT"]


def test_several_versions_of_one_package_are_one_world(
    build: HistoryBuild, step: Step, report: SandboxReport, folder: Path
) -> None:
    newest = make(folder / "1.3", NEWER.replace("return a if a < b else b", "return min(a, b)"))
    subject = obtain(str(newest), cache=folder / "cache", offline=True)
    later = build_history([Step(subject, step.older_sources, "1.0", "1.3")], n=2, seed=3, report=report)
    items = (*later.items, *build.items)
    assert {item.task.package for item in items} == {"tiny"}
    assert len({item.truth.package_spec for item in items if isinstance(item.truth, HistoricalTruth)}) == 2
    world = open_repository(items, Settings(str(folder / "cache"), "test", True, False))
    try:
        result = solve_items(items, world, RepairSolver(), budget=20, seed=1)
        assert [row.task_id for row in result.rows] == [item.task.id for item in items]
        low = next(item for item in build.items if item.truth.qualname == "low")  # type: ignore[attr-defined]
        row = next(row for row in result.rows if row.task_id == low.task.id)
        assert row.solved and row.correct
        number = NEWER.split("\n").index("    return a if a < b else b") + 1
        right = low.truth.edits[0]  # type: ignore[attr-defined]
        assert (right.start_line, right.end_line) == (number - 1, number)
        faulty = world.environment.workspace(low.task)[0].read("tiny/__init__.py").split("\n")
        place = faulty.index("    return a if a > b else b") + 1
        mend = type(right)("tiny/__init__.py", place, place, "    return a if a < b else b\n")
        check_environment(world.environment, low.task, Change(low.task.id, (mend,), "", "by hand"))
        assert world.oracle.judge(low.task, low.truth, Change(low.task.id, (mend,), "", "by hand")).correct
    finally:
        world.close()


def test_the_command_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("packages: [{name: tiny}]\n")
    Path("one.yaml").write_text("packages: [{name: tiny, releases: {'1.0': ab}}]\n")
    for arguments, said in (
        (["none.yaml", "--from", "releases"], "none.yaml does not exist"),
        (["bad.yaml", "--from", "releases"], "bad.yaml is no description of releases"),
        (["one.yaml", "--from", "releases"], "fewer than two releases of tiny"),
        (["tiny", "--from", "releases", "--offline"], "cannot be listed offline"),
        (["nowhere", "--from", "git"], "nowhere does not exist"),
        ([".", "--from", "git"], "is no git repository"),
    ):
        done = CliRunner().invoke(app, ["tasks", "build", *arguments, "--sandbox", "weak"])
        assert done.exit_code != 0 and said in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_releases_out_of_reach_are_attrition(
    report: SandboxReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    description = tmp_path / "history.yaml"
    description.write_text("packages:\n  - name: tiny-nowhere\n    releases: {'1.1': 'ab', '1.0': 'cd'}\n")
    done = CliRunner().invoke(app, ["tasks", "build", str(description), "--from", "releases", "--offline"])
    assert done.exit_code != 0
    assert "no change in the history of" in done.stderr and "offline" in done.stderr


@pytest.mark.subjects
def test_real_releases(report: SandboxReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "tasks.jsonl"
    arguments = ["--from", "releases", "--releases", "6", "--n", "1", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, ["tasks", "build", "xmltodict", *arguments])
    if done.exit_code != 0 and ("cannot list" in done.stderr or "cannot fetch" in done.stderr):
        pytest.skip(done.stderr)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["n"] == len(read_tasks(out)) == told["attrition"]["kept"] == 1
    (package,) = told["packages"]
    assert package["package"] == "xmltodict"
    assert 1 <= len(package["steps"]) == told["attrition"]["steps"] <= 5


def test_the_shipped_description_can_be_read() -> None:
    described = read_releases(resource("data/history.yaml"))
    held_out = {pin.name for pin in pinned_subjects().values() if pin.role == "held_out"}
    assert len(described) >= 5
    assert not held_out & {one.package for one in described}
    for one in described:
        versions = [Version(release.version) for release in one.releases]
        assert versions == sorted(versions, reverse=True)
        assert all(re.fullmatch(r"[0-9a-f]{64}", release.sha256) for release in one.releases)
