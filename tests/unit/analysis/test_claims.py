"""Claims, metrics and figures on outcomes made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.claims import Claim, judge, judge_all, read_claims
from autodev_lab.analysis.figures import arms_figure, learning_curve, paired_differences, render
from autodev_lab.analysis.frames import Run, arm_rows, read_run
from autodev_lab.analysis.metrics import arm_metrics, paired_totals, twin_differences
from autodev_lab.analysis.statistics import Ruling
from autodev_lab.errors import LabError

CLAIM = Claim(
    id="better",
    statement="b is at least 30 % better than a",
    experiment="made_up",
    environment="repository",
    treatment="b",
    baseline="a",
    endpoint="correct_at_K",
    threshold=0.3,
    registered={"full": "abc"},
)
CLAIM = CLAIM.model_copy(update={"digest": CLAIM.content_digest})
TASKS, PACKAGES = 40, 8


def outcomes(*, gain: float, twins: bool = True, follow_up: bool = False, seed: int = 0) -> pd.DataFrame:
    """Arm b is right wherever a is, and on `gain` (relative) more tasks of every package."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(PACKAGES):
        base = 14 + number % 3
        for arm, right in (("a", base), ("b", round(base * (1 + gain)))):
            for twin in (False, True) if twins else (False,):
                hits = right + (int(rng.integers(-1, 2)) if twin else 0)
                rows += [_row(arm, twin, f"p{number}", task, correct=task < hits) for task in range(TASKS)]
    if follow_up:
        rows += [{**_row("a", False, "p0", 0, correct=True), "task_id": "p0-0~1", "depth": 1} for _ in range(1)]
    return pd.DataFrame(rows)


def _row(arm: str, twin: bool, package: str, task: int, *, correct: bool) -> dict[str, object]:
    return {
        "arm": arm,
        "twin": twin,
        "replicate": 0,
        "package": package,
        "task_id": f"{package}-{task}",
        "index": task * PACKAGES + int(package[1:]),
        "depth": 0,
        "solved": correct,
        "correct": correct,
        "escaped": False,
        "deployed": task % 2 == 0,
        "decision": "AUTO_DEPLOY" if task % 4 == 0 else "DEPLOY_WITH_MONITORING" if task % 4 == 2 else "REQUEST_REVIEW",
        "candidates": 3 if correct else 10,
        "cell_busy_seconds": 1000.0,
    }


@pytest.mark.parametrize(
    ("gain", "ruling"),
    [(0.8, Ruling.SUPPORTED), (0.15, Ruling.REFUTED), (0.3, Ruling.UNDECIDED), (0.0, Ruling.BELOW_NOISE)],
)
def test_the_verdict_follows_the_effect(gain: float, ruling: Ruling) -> None:
    judged = judge(CLAIM, outcomes(gain=gain), confirmatory=False)
    assert judged.ruling is ruling
    assert judged.effect.estimate == pytest.approx(gain, abs=0.05)
    assert (judged.effect.n, judged.effect.clusters) == (TASKS * PACKAGES, PACKAGES)


def test_without_twins_nothing_is_decided() -> None:
    judged = judge(CLAIM, outcomes(gain=0.8, twins=False), confirmatory=False)
    assert judged.ruling is Ruling.NO_TWINS
    assert judged.as_json()["noise_floor"] is None


def test_follow_ups_are_not_evidence() -> None:
    plain = judge(CLAIM, outcomes(gain=0.5), confirmatory=False)
    more = judge(CLAIM, outcomes(gain=0.5, follow_up=True), confirmatory=False)
    assert plain.as_json() == more.as_json()
    rows = arm_rows(outcomes(gain=0.5, follow_up=True), "a")
    assert arm_metrics(rows)["correct_at_K"].n == TASKS * PACKAGES


@pytest.mark.parametrize(
    ("experiment", "environment", "configuration", "expected"),
    [
        ("made_up", "repository", "abc", [True]),
        ("made_up", "repository", "other", [False]),
        ("made_up", "repository", "", [False]),
        ("made_up", "simulated", "abc", [False]),
        ("another", "repository", "abc", []),
    ],
)
def test_only_the_registered_run_confirms(
    experiment: str, environment: str, configuration: str, expected: list[bool]
) -> None:
    judged = judge_all(
        [CLAIM],
        outcomes(gain=0.5),
        experiment=experiment,
        environment=environment,
        configuration_hash=configuration,
    )
    assert [one.confirmatory for one in judged] == expected


def test_a_family_widens_every_interval() -> None:
    frame = outcomes(gain=0.5, seed=2)
    frame.loc[frame["package"] == "p1", "correct"] &= frame["index"] % 3 > 0
    alone = judge_all([CLAIM], frame, experiment="made_up", environment="repository", configuration_hash="")
    other = CLAIM.model_copy(update={"id": "other", "treatment": "not run"})
    both = judge_all([CLAIM, other], frame, experiment="made_up", environment="repository", configuration_hash="")
    assert [one.claim.id for one in both] == ["better"], "arms that were not run cannot be judged"
    assert both[0].effect.high > alone[0].effect.high
    assert both[0].effect.low < alone[0].effect.low


def test_arms_with_no_task_in_common() -> None:
    frame = outcomes(gain=0.5)
    frame.loc[frame["arm"] == "b", "task_id"] += "-other"
    judged = judge(CLAIM, frame, confirmatory=False)
    assert judged.ruling is Ruling.UNDECIDED
    assert (judged.effect.n, math.isnan(judged.effect.estimate)) == (0, True)
    assert "no finished task in common" in judged.effect.why


def test_totals_and_twins_are_paired_by_task() -> None:
    frame = outcomes(gain=0.5)
    totals = paired_totals(arm_rows(frame, "b"), arm_rows(frame, "a"), "correct")
    assert list(totals.index) == [f"p{number}" for number in range(PACKAGES)]
    assert (totals["treatment"] > totals["baseline"]).all()
    twins = twin_differences(arm_rows(frame, "a"), arm_rows(frame, "a_twin"), "correct")
    assert twins["difference"].abs().max() == 1
    assert len(twins) == PACKAGES


def test_figures_are_drawn_and_repeat_to_the_byte() -> None:
    frame = outcomes(gain=0.5)
    judged = judge(CLAIM, frame, confirmatory=False)
    metrics = {arm: arm_metrics(arm_rows(frame, arm)) for arm in ("a", "b")}
    for draw in (
        lambda: paired_differences(judged, arm_rows(frame, "b"), arm_rows(frame, "a")),
        lambda: learning_curve(frame, ["a", "b"], budget=10, banded=["a"]),
        lambda: arms_figure(metrics, budget=10),
    ):
        svg = render(draw(), "svg")
        assert svg == render(draw(), "svg")
        assert b"n = " in svg
        assert render(draw(), "png").startswith(b"\x89PNG")


def test_figures_of_one_package_draw_no_interval() -> None:
    frame = outcomes(gain=0.5)
    frame = frame[frame["package"] == "p0"]
    judged = judge(CLAIM, frame, confirmatory=False)
    assert judged.effect.why.startswith("one package")
    assert b"unbounded" in render(paired_differences(judged, arm_rows(frame, "b"), arm_rows(frame, "a")), "svg")


def test_files_of_claims_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    for text in ("claims: 3", "claims:\n  - id: x\n", "a: [", "{}"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LabError, match="not a file of claims"):
            read_claims(path)
    entry = (
        "  - {id: x, statement: s, experiment: e, environment: repository, treatment: b, baseline: a, "
        "endpoint: correct_at_K, threshold: 0.3, registered: {}}\n"
    )
    path.write_text("claims:\n" + entry * 2, encoding="utf-8")
    with pytest.raises(LabError, match="registers a claim twice"):
        read_claims(path)
    path.write_text("claims:\n" + entry.replace("correct_at_K", "beauty"), encoding="utf-8")
    with pytest.raises(LabError, match="not a file of claims"):
        read_claims(path)


def test_reading_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not a run directory"):
        read_run(tmp_path)
    (tmp_path / "spec.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LabError, match="no outcomes yet"):
        read_run(tmp_path)
    (tmp_path / "outcomes.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(LabError, match="not a readable outcomes file"):
        read_run(tmp_path)
    outcomes(gain=0.1).to_parquet(tmp_path / "outcomes.parquet")
    with pytest.raises(LabError, match="lacks the columns"):
        read_run(tmp_path)
    assert Run.__doc__
