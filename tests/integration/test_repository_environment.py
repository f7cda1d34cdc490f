"""The repository environment on the package that ships: evidence, secrecy, rollout, judgement and replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from autodev_lab.environments.bench import Bench
from autodev_lab.environments.repository import RepositoryEnvironment
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.sandbox import Limits
from autodev_lab.execution.sides import Side, assign_sides
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.protocols import Environment
from autodev_lab.records import (
    Candidate,
    CandidateStatus,
    Change,
    Edit,
    Plan,
    Stage,
    StreamItem,
    Task,
    TaskContext,
    TaskKind,
    Truth,
)
from autodev_lab.solvers.repair import RepairSolver, ochiai, order_named

PATH = "pocketkit/intervals.py"
SEED = 7


@dataclass(frozen=True)
class OneFault(Truth):
    edits: tuple[Edit, ...]
    path: str = PATH
    qualname: str = "Interval.__contains__"
    split_seed: int = SEED
    covering: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return obtain("pocketkit", cache=tmp_path_factory.mktemp("subjects"))


@pytest.fixture(scope="module")
def item(subject: Subject) -> StreamItem:
    lines = (subject.tree.root / PATH).read_text().splitlines()
    number = next(place for place, line in enumerate(lines, start=1) if "self.start <= point < self.end" in line)
    bug = Edit(PATH, number, number, lines[number - 1].replace("point < self", "point <= self") + "\n")
    return StreamItem(Task("one", "pocketkit", TaskKind.INJECTED, "intervals hold their end"), OneFault("one", (bug,)))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "results.sqlite"


@pytest.fixture(scope="module")
def world(subject: Subject, item: StreamItem, cache: Path) -> Iterator[RepositoryEnvironment]:
    with RepositoryEnvironment([item], {"pocketkit": subject}, cache, require(allow_weak=True)) as environment:
        yield environment


def change(item: StreamItem, old: str, new: str, world: RepositoryEnvironment) -> Change:
    text = world.workspace(item.task)[0].read(PATH)
    number = next(place for place, line in enumerate(text.splitlines(), start=1) if old in line)
    line = text.splitlines()[number - 1]
    return Change(item.task.id, (Edit(PATH, number, number, line.replace(old, new) + "\n"),), "", "by hand")


def right(item: StreamItem, world: RepositoryEnvironment) -> Change:
    return change(item, "point <= self.end", "point < self.end", world)


def test_the_diagnosis_names_the_fault(world: RepositoryEnvironment, item: StreamItem, subject: Subject) -> None:
    assert isinstance(world, Environment)
    diagnosis, cost = world.diagnose(item.task)
    assert diagnosis.failing
    assert diagnosis.total_failed + diagnosis.total_passed == cost.test_executions
    assert all(assign_sides(subject, SEED).of(test) is Side.VISIBLE for test in diagnosis.failing)
    assert all(line.path.startswith("pocketkit/") for line in diagnosis.spectrum)
    bug = item.truth.edits[0].start_line  # type: ignore[attr-defined]
    assert (PATH, bug) in [(one.path, one.line) for one in ochiai(diagnosis)[:5]]


def test_the_workspace_shows_the_faulty_source_and_visible_tests_only(
    world: RepositoryEnvironment, item: StreamItem, subject: Subject
) -> None:
    workspace, _ = world.workspace(item.task)
    assert "point <= self.end" in workspace.read(PATH)
    assert all(assign_sides(subject, SEED).of(test) is Side.VISIBLE for test in workspace.visible_tests)
    assert not any(path.startswith("tests") for path in workspace.paths())
    with pytest.raises(KeyError):
        workspace.read("tests/test_intervals.py")


def test_verdicts_tell_passing_from_failing_and_endless_candidates(
    world: RepositoryEnvironment, item: StreamItem
) -> None:
    workspace, _ = world.workspace(item.task)
    good = Candidate(right(item, world).edits, "p")
    worse = Candidate(change(item, "point <= self.end", "point is None", world).edits, "p")
    endless = Candidate(
        (Edit(PATH, good.edits[0].start_line, good.edits[0].start_line, "        while True:\n            pass\n"),),
        "p",
    )
    verdicts = workspace.evaluate([worse, good, endless])
    assert [one.status for one in verdicts] == [
        CandidateStatus.FAILED,
        CandidateStatus.PLAUSIBLE,
        CandidateStatus.TIMEOUT,
    ]
    assert verdicts[0].failing_test in workspace.visible_tests
    assert verdicts[1].test_executions > verdicts[0].test_executions
    assert workspace.confirm(good).test_executions == len(workspace.visible_tests)
    assert [workspace.confirm(one).plausible for one in (good, worse)] == [True, False]
    assert workspace.evaluate([]) == ()


def test_a_right_change_passes_everything(world: RepositoryEnvironment, item: StreamItem) -> None:
    fix = right(item, world)
    report, _ = world.test(item.task, fix)
    assert report.solved
    assert (report.changed_lines, report.coverage) == (1, 1.0)
    inspection, _ = world.inspect(item.task, fix)
    assert (inspection.lint, inspection.files, inspection.lines_added) == (0, 1, 1)
    assert not world.expose(item.task, fix, Stage.PRODUCTION, 1.0)[0].failed
    judgement = world.judge(item.task, item.truth, fix)
    assert judgement.correct
    assert judgement.identical


def test_another_program_with_the_same_answers_is_correct_too(world: RepositoryEnvironment, item: StreamItem) -> None:
    fix = change(item, "self.start <= point <= self.end", "not (point < self.start or point >= self.end)", world)
    judgement = world.judge(item.task, item.truth, fix)
    assert judgement.correct
    assert not judgement.identical
    assert judgement.oracle_passed is True
    assert judgement.exposure_passed is True


def test_a_wrong_change_is_seen_by_tests_and_judge(world: RepositoryEnvironment, item: StreamItem) -> None:
    wrong = change(item, "point <= self.end", "point is None", world)
    report, _ = world.test(item.task, wrong)
    assert report.failed
    assert not report.solved
    assert not world.judge(item.task, item.truth, wrong).correct


def test_exposure_samples_grow_and_hold_the_smaller_ones(
    world: RepositoryEnvironment, item: StreamItem, subject: Subject
) -> None:
    wrong = change(item, "point <= self.end", "True", world)
    reports = [world.expose(item.task, wrong, Stage.CANARY, share)[0] for share in (0.1, 0.5, 1.0)]
    sizes = [report.sampled for report in reports]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    for smaller, larger in pairwise(reports):
        assert set(smaller.failed) <= set(larger.failed)
    assert all(assign_sides(subject, SEED).of(test) is Side.EXPOSURE for test in reports[-1].failed)
    with pytest.raises(LabError, match="share"):
        world.expose(item.task, wrong, Stage.CANARY, 0.0)


def test_a_second_environment_replays_from_the_cache_without_a_process(
    world: RepositoryEnvironment, item: StreamItem, subject: Subject, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnosis, _ = world.diagnose(item.task)
    context = TaskContext(item.task, Plan("one", ochiai(diagnosis), 1.0, 200), diagnosis)
    solver = RepairSolver(order_named("uniform"))
    first = solver.solve(context, world.workspace(item.task)[0], 200, np.random.default_rng(0))
    judged = first[0].change and world.judge(item.task, item.truth, first[0].change)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay started a process")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with RepositoryEnvironment([item], {"pocketkit": subject}, cache, require(allow_weak=True)) as again:
        assert again.diagnose(item.task)[0] == diagnosis
        workspace = again.workspace(item.task)[0]
        assert solver.solve(context, workspace, 200, np.random.default_rng(0)) == first
        if first[0].change is not None:
            assert again.judge(item.task, item.truth, first[0].change) == judged


def test_a_follow_up_is_served_by_its_root(world: RepositoryEnvironment, item: StreamItem) -> None:
    follow_up = Task("one~1", "pocketkit", TaskKind.INJECTED, "again", parent="one", depth=1)
    assert world.diagnose(follow_up)[0].failing == world.diagnose(item.task)[0].failing
    with pytest.raises(LabError, match="not of this environment"):
        world.diagnose(Task("two", "pocketkit", TaskKind.INJECTED, "unknown"))


def test_a_package_that_no_longer_imports_fails_all_tests_and_can_be_mended(subject: Subject, cache: Path) -> None:
    broken = Edit(PATH, 1, 0, "import no_such_module\n")
    item = StreamItem(Task("broken", "pocketkit", TaskKind.INJECTED, "import fails"), OneFault("broken", (broken,)))
    with RepositoryEnvironment([item], {"pocketkit": subject}, cache, require(allow_weak=True)) as environment:
        diagnosis, _ = environment.diagnose(item.task)
        assert diagnosis.total_failed > 0
        workspace, _ = environment.workspace(item.task)
        mend, spoil = (Candidate((Edit(PATH, 1, 1, text),), "p") for text in ("", "import nothing_either\n"))
        assert all(one.plausible for one in workspace.evaluate([mend, spoil])), "warm, nothing can be told"
        assert [workspace.confirm(one).plausible for one in (mend, spoil)] == [True, False]


def test_missing_packages_and_foreign_truths_are_refused(subject: Subject, item: StreamItem, tmp_path: Path) -> None:
    report = require(allow_weak=True)
    with pytest.raises(LabError, match="needs the package"):
        RepositoryEnvironment([item], {}, tmp_path / "r.sqlite", report)
    foreign = StreamItem(item.task, Truth("one"))
    with pytest.raises(LabError, match="holds no fault"):
        RepositoryEnvironment([foreign], {"pocketkit": subject}, tmp_path / "r.sqlite", report)


def test_a_warm_package_outlives_the_trees_of_many_others(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autodev_lab.environments.bench._TREES", 1)
    faults = [Edit(PATH, 1, 0, f"# {number}\n") for number in range(3)]
    with Bench(require(allow_weak=True), Limits()) as bench:
        zygote = bench.zygote(subject, SEED, faults[:1])
        for fault in faults:
            bench.tree(subject, (Side.VISIBLE,), SEED, (fault,))
        nothing = Candidate((Edit(PATH, 2, 1, "LIMIT: int = 3\n"),), "p")  # module-level code: imported in a new room
        assert zygote.evaluate([nothing], tests=zygote.tests[:1])[0].status is CandidateStatus.PLAUSIBLE
