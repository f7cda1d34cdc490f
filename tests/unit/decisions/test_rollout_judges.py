"""Judges of stages, and the requests that they are shown: what is drawn, how often good changes are blamed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autodev_lab.decisions import FixedStages, RequestTarget, RolloutPlan, Ruling, StageRule, make_rollout
from autodev_lab.decisions.rollout_judges import first_failure, mann_whitney
from autodev_lab.errors import LabError
from autodev_lab.records import Change, Cost, ExposureReport, Stage, Task, TaskKind, Traffic


class World:
    """Some exposure tests, of which the change breaks some."""

    def __init__(self, tests: int, broken: int) -> None:
        self.seen = tests, broken

    def expose(self, task: Task, change: Change, stage: Stage, share: float) -> tuple[ExposureReport, Cost]:
        tests, broken = self.seen
        return ExposureReport(task.id, stage, tests, tuple(f"test_{one}" for one in range(broken))), Cost()


def requests(tests: int, broken: int, *, noise: float = 0.0) -> RequestTarget:
    task = Task("t", "toolz", TaskKind.SYNTHETIC, "a test fails")
    return RequestTarget(World(tests, broken), task, Change("t", (), "", "s"), noise=noise)  # type: ignore[arg-type]


def test_both_sides_fail_by_chance_alike_and_the_change_by_what_it_breaks() -> None:
    batch = requests(20, 0, noise=0.1).expose(Stage.CANARY, 20_000)
    assert batch is not None and (batch.exposed, batch.baseline_exposed) == (20_000, 20_000)
    for failed in (batch.failed, batch.baseline_failed):
        assert stats.binomtest(failed, 20_000, 0.1).pvalue > 1e-4
    some = requests(20, 5).expose(Stage.PRODUCTION, 20_000)
    assert some is not None and some.baseline_failed == 0
    assert stats.binomtest(some.failed, 20_000, 0.25).pvalue > 1e-4


def test_the_same_change_sees_the_same_requests_and_every_batch_is_new() -> None:
    first, again = (requests(20, 5, noise=0.05) for _ in range(2))
    batches = [[target.expose(Stage.CANARY, 200) for _ in range(4)] for target in (first, again)]
    assert batches[0] == batches[1] and len(set(batches[0])) > 1
    assert first.expose(Stage.STAGING, 200) != batches[0][0]


def test_without_exposure_tests_there_is_no_traffic() -> None:
    assert requests(0, 0).expose(Stage.CANARY, 20) is None


def test_a_stage_of_fixed_size_asks_for_what_is_left_of_it() -> None:
    stages = FixedStages(first_failure, RolloutPlan((StageRule(Stage.CANARY, 0.1, 50, 50),), batch=20))
    asked = []
    while True:
        asked.append(stages.wanted)
        if stages.observe(Traffic(0, stages.wanted, 3, stages.wanted)) is Ruling.PROMOTE:
            break
    assert asked == [20, 20, 10]


def test_mann_whitney_blames_a_good_change_in_about_its_level_and_finds_a_bad_one() -> None:
    rng = np.random.default_rng(0)

    def blamed(rate: float) -> int:
        batches = ([Traffic(int(k), 200, int(j), 200)] for k, j in rng.binomial(200, (rate, 0.1), size=(400, 2)))
        return sum(bool(mann_whitney(one, True)) for one in batches)

    assert stats.binomtest(blamed(0.1), 400, 0.05).pvalue > 1e-3
    assert blamed(0.25) > 380


def test_mann_whitney_looks_at_seconds_too() -> None:
    slow = Traffic(0, 30, 0, 30, tuple(2.0 + one / 30 for one in range(30)), tuple(1.0 + one / 30 for one in range(30)))
    assert "seconds" in mann_whitney([slow], True)


def test_noise_has_to_be_a_share() -> None:
    with pytest.raises(LabError, match="noise is 1"):
        requests(20, 0, noise=1.0)
    with pytest.raises(LabError, match="traffic_noise is -0"):
        make_rollout("sequential", noise=-0.1)
