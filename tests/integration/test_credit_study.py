"""The study of credit: a placebo does nothing, a planted lesson shows, and shortcuts change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.studies.left_out import lessons_of, replay, split_tasks, taught
from autodev_lab.experiments.world_simulated import SimulatedWorld
from autodev_lab.platform import TeamSpec
from autodev_lab.streams.synthetic import SyntheticStream

SMALL: dict[str, object] = {"packages": ("ant", "bee", "cat", "dog"), "seeds": 1}


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


def credit(out: Path, *, workers: int = 1, **overrides: object) -> RunResult:
    return run_experiment(
        "memory_credit", profile="smoke", overrides={**SMALL, **overrides}, workers=workers, out=out, progress="quiet"
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return credit(tmp_path_factory.mktemp("credit") / "run")


@pytest.fixture(scope="module")
def rows(reference: RunResult) -> pd.DataFrame:
    return reference.load().outcomes


def findings(run: RunResult) -> Mapping[str, object]:
    found = run.summary["details"]
    assert isinstance(found, Mapping)
    return found


def test_a_placebo_that_nobody_finds_has_no_effect_at_all(reference: RunResult, rows: pd.DataFrame) -> None:
    told = findings(reference)["placebo"]
    assert told == {"found": 0, "largest_effect": 0.0, "rows": int((rows["arm"] == "placebo").sum())}
    lessons = rows[rows["arm"] == "lessons"]
    effects = [f"effect_{name}" for name in ("correct", "solved", "candidates")]
    assert (lessons.loc[~lessons["found"], effects] == 0.0).all().all()
    assert (lessons[effects].abs().sum() > 0).any(), "some lesson matters somewhere"


def test_a_planted_lesson_comes_out_on_top(reference: RunResult) -> None:
    planted, lessons = findings(reference)["planted"], findings(reference)["lessons"]
    assert isinstance(planted, list) and isinstance(lessons, list)
    for measure in ("effect", "saved"):
        assert max(one[measure] for one in planted) > max(one[measure] for one in lessons)
        mean = sum(one[measure] for one in planted) / len(planted)
        assert mean > 2 * abs(sum(one[measure] for one in lessons) / len(lessons))


def test_rows_pair_over_what_was_left_out(rows: pd.DataFrame) -> None:
    assert not rows.duplicated(["arm", "item"]).any()
    lessons = rows[rows["arm"] == "lessons"]
    assert len(lessons) == 16 * 80
    kept = lessons.groupby(["task_id", "seed_number"])[["correct_with", "candidates_with"]].nunique()
    assert (kept == 1).all().all(), "with all lessons a task ends in one way"


@pytest.mark.usefixtures("undrawn")
def test_one_or_two_workers_same_bytes(tmp_path: Path) -> None:
    tiny: dict[str, object] = {"packages": ("ant", "bee"), "tasks_per_package": 5, "lessons_per_package": 2}
    one, two = (credit(tmp_path / str(workers), workers=workers, **tiny) for workers in (1, 2))
    name = "outcomes.parquet"
    assert (one.path / name).read_bytes() == (two.path / name).read_bytes()


def test_tasks_that_did_not_find_a_lesson_end_the_same_when_they_are_run_without_it() -> None:
    items = list(SyntheticStream(60, seed=4, packages=["ant", "bee"]))
    world, team = SimulatedWorld(items), TeamSpec(budget=10)
    split = split_tasks(items, 4, 20, seed=0)
    assert not {one.task.id for one in split.lessons} & {one.task.id for one in split.stream}
    memory = taught(world, split.lessons, team, seed=0)
    whole = replay(world, memory, split.stream, team, 1)
    untouched = 0
    for lesson in lessons_of(memory, split.lessons):
        without = replay(world, memory, split.stream, team, 1, without=lesson.items)
        touched = [one for one in split.stream if whole[one.task.id].asked & lesson.items]
        alone = replay(world, memory, touched, team, 1, without=lesson.items)
        for task_id, end in whole.items():
            assert not without[task_id].asked & lesson.items
            if task_id in alone:
                assert alone[task_id] == without[task_id], "a task ends the same whatever is tried beside it"
            else:
                untouched += 1
                assert without[task_id] == end
    assert untouched
    assert isinstance(world.environment, SimulatedEnvironment)


@pytest.mark.sandbox
@pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code")
def test_on_a_real_package(tmp_path: Path) -> None:
    run = credit(
        tmp_path / "run",
        environment="repository",
        packages=(),
        tasks="data/tasks/pocketkit.jsonl",
        lessons_per_package=2,
        tasks_per_package=2,
    )
    assert findings(run)["placebo"] == {"found": 0, "largest_effect": 0.0, "rows": 2}
    assert set(run.load().outcomes["package"]) == {"pocketkit"}


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="ant has one task, too few to learn from"):
        split_tasks(list(SyntheticStream(1, seed=0, packages=["ant"])), 3, 3, seed=0)
    with pytest.raises(LabError, match="greater than or equal to 1"):
        credit(tmp_path / "run", seeds=0)
