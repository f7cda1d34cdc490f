"""The safety experiment on recorded changes: a promise that is kept, no label known too early, honest words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from autodev_lab.analysis.recorded_changes import auc, auc_within, oracle_coverage, policy_figures, worst_window
from autodev_lab.cli.main import app
from autodev_lab.decisions.guarantee import FixedSequences, Promise
from autodev_lab.decisions.recorded.models import Logistic
from autodev_lab.decisions.recorded.reading import DAY, MEASURES, read_changes
from autodev_lab.errors import LabError
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.studies.recorded_certificates import certificates_of
from autodev_lab.experiments.studies.recorded_labels import Labels
from autodev_lab.experiments.studies.recorded_policies import split_by_time, try_frozen, try_rolling

ASKED = ("auc", "auc_within", "brier", "ece", "ece_null", "coverage", "success", "coverage_oracle", "worst_window")
ARMS = ("deploy_all", "project_lines", "boosting", "random", "smallest_first")


def folder(place: Path, *, n: int = 700, seed: int = 0, dated: bool = False, delay: float = 200.0) -> Path:
    """Two projects of two years in which large changes fail; the failing share is about a fifth."""
    place.mkdir(exist_ok=True)
    for number, name in enumerate(("ant", "bee")):
        rng = np.random.default_rng([seed, number])
        frame = pd.DataFrame({measure: rng.geometric(0.05, n) for measure in MEASURES})
        times = 1.4e9 + np.sort(rng.uniform(0, 4 * 365 * DAY, n))
        bug = rng.random(n) < 1 / (1 + np.exp(-(3.0 * np.log(frame["la"]) - 11.0 - number)))
        frame = frame.assign(_id=[f"{name}{k}" for k in range(n)], date=times, bug=bug.astype(int), fix=0)
        if dated:
            frame["fix_date"] = (times + rng.exponential(delay * DAY, n)) * np.where(bug, 1.0, np.nan)
        frame.rename(columns={"entropy": "entrophy"}).to_csv(place / f"{name}.csv")
    return place


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("data") / "changes")


@pytest.fixture(scope="module")
def result(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run_experiment(
        "safety",
        profile="smoke",
        overrides={"data": str(data), "arms": ARMS, "window_days": 60},
        out=tmp_path_factory.mktemp("runs") / "run",
        workers=1,
        progress="quiet",
    )


def test_every_policy_has_every_figure_pooled_and_by_project(result: RunResult) -> None:
    assert result.summary["experiment"] == "safety_changes" and result.summary["complete"]
    details = result.summary["details"]
    arms = result.summary["arms"]
    assert isinstance(details, dict) and isinstance(arms, dict)
    assert set(details["policies"]) == set(arms) == set(ARMS)
    for arm, told in details["policies"].items():
        assert set(told["projects"]) == {"ant", "bee"}
        for one in (told["pooled"], *told["projects"].values()):
            assert {*ASKED, "success_ci"} <= set(one)
            assert one["n"] in (280, 140)
            if one["success"] is not None:
                low, high = one["success_ci"]
                assert low <= one["success"] <= high
        assert arms[arm]["auc"] == told["pooled"]["auc"]
    everything = details["policies"]["deploy_all"]["pooled"]
    assert everything["coverage"] == 1.0 and everything["auc"] == 0.5
    assert "recorded success" in result.words and "attrition.csv" in result.words


def test_what_can_be_learned_is_learned_and_keeps_the_promise(result: RunResult) -> None:
    policies = result.summary["details"]["policies"]  # type: ignore[index]
    best, table = (policies[arm]["pooled"] for arm in ("boosting", "project_lines"))
    assert best["auc"] > 0.7
    assert best["coverage"] > 0.2 and best["success"] > 0.95
    assert best["coverage"] <= best["coverage_oracle"]
    assert table["coverage"] > 0.0
    assert best["worst_window"] <= best["success"]
    assert len(best["certificates"]) == 1 and best["certificates"][0]["threshold"] is not None


def test_what_blocks_would_certify_stands_beside_what_changes_do(result: RunResult) -> None:
    policies = result.summary["details"]["policies"]  # type: ignore[index]
    for arm in ("project_lines", "boosting"):
        for one in (policies[arm]["pooled"], *policies[arm]["projects"].values()):
            forms = one["certified_by"]
            assert set(forms) == {"changes", "weeks", "mean_of_weeks"}
            assert (forms["changes"]["coverage"], forms["changes"]["success"]) == (one["coverage"], one["success"])
            assert forms["weeks"]["coverage"] <= forms["changes"]["coverage"]
    assert not policies["deploy_all"]["pooled"]["certified_by"]
    assert "Deployed by what certifies: changes" in result.words


def test_the_share_of_successes_is_a_claim_with_its_coverage(result: RunResult) -> None:
    claims = {one["id"]: one for one in result.summary["claims"]}  # type: ignore[attr-defined]
    assert set(claims) == {"bug_escape_random", "bug_escape_smallest_first", "recorded_auto_deployment"}
    one, pooled = claims["recorded_auto_deployment"], result.summary["details"]["policies"]["boosting"]["pooled"]  # type: ignore[index]
    assert one["estimate"] == pytest.approx(pooled["success"])
    assert one["coverage"] == pytest.approx(pooled["coverage"])
    assert one["ci"][0] <= one["estimate"] <= one["ci"][1]
    assert one["cluster"] == "project-week" and one["clusters"] > 20
    assert not one["confirmatory"] and one["verdict"] in {"supported", "undecided", "refuted"}
    assert "deployed_success of boosting" in result.words


def test_weeks_that_share_their_luck_certify_nothing_that_is_not_kept() -> None:
    """Half the weeks are good (100 %) and half bad (89.6 %): 94.8 % in all, and blocks do not take it for more."""
    rng = np.random.default_rng(3)
    wrong = {"changes": 0, "weeks": 0, "mean_of_weeks": 0}
    for _ in range(60):
        weeks = np.repeat(np.arange(12), 60)
        success = rng.random(len(weeks)) < np.where(rng.random(12) < 0.5, 1.0, 0.896)[weeks]
        confidence = np.full(len(weeks), 0.9)
        grid = FixedSequences((0.5,), (0,))
        for form, certificate in certificates_of(confidence, success, weeks, Promise(), grid).items():
            wrong[form] += certificate.threshold is not None
    assert wrong["weeks"] <= 6 and wrong["mean_of_weeks"] <= 6
    assert wrong["changes"] > 6, "single changes are not exchangeable here"


def test_controls_deploy_as_many_and_let_more_bugs_through(result: RunResult) -> None:
    arms = result.summary["arms"]
    assert isinstance(arms, dict)
    for control in ("random", "smallest_first"):
        assert arms[control]["deployed_alone"] == pytest.approx(arms["boosting"]["deployed_alone"])
        pooled = result.summary["details"]["policies"]["boosting"]["pooled"]  # type: ignore[index]
        assert 1 - arms[control]["success"] == pytest.approx(pooled[control], abs=1e-9)
    assert arms["random"]["bug_escape"] > 2 * arms["boosting"]["bug_escape"]


def test_its_figures_are_there_and_the_same_seed_gives_the_same(result: RunResult, data: Path, tmp_path: Path) -> None:
    artifacts = result.summary["artifacts"]
    assert isinstance(artifacts, dict)
    assert {"figure_success_by_coverage", "figure_reliability_boosting"} <= set(artifacts)
    asked = {"data": str(data), "arms": ("deploy_all", "project_lines"), "window_days": 60}
    other = run_experiment("safety", profile="smoke", overrides=asked, out=tmp_path / "again", progress="quiet")
    ours = result.load().outcomes
    ours = ours[ours["arm"].isin(asked["arms"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(other.load().outcomes.reset_index(drop=True), ours)


def test_labels_after_the_training_part_and_the_test_labels_move_no_decision(data: Path) -> None:
    changes = read_changes(data).frame
    splits = split_by_time(changes, train=0.6, calibrate=0.2)
    assert changes["time"].iloc[splits.train].max() < changes["time"].iloc[splits.calibrate].min()
    assert changes["time"].iloc[splits.calibrate].max() < changes["time"].iloc[splits.test].min()
    turned = changes.copy()
    turned.loc[turned.index[splits.test], "failed"] = ~turned["failed"].iloc[splits.test]
    labels = Labels(dated=False, settle=30 * DAY, horizon=1.0)
    first, second = (try_frozen(one, splits, Logistic, Promise(), "beta").rows for one in (changes, turned))
    pd.testing.assert_frame_equal(first.drop(columns="failed"), second.drop(columns="failed"))
    first, second = (
        try_rolling(one, splits, Logistic, Promise(), "beta", labels=labels, origins=1).rows
        for one in (changes, turned)
    )
    pd.testing.assert_frame_equal(first.drop(columns="failed"), second.drop(columns="failed"))


def test_other_projects_teach_a_rolling_policy_what_was_known_and_no_more(data: Path) -> None:
    changes = read_changes(data).frame
    one = changes[changes["project"] == "ant"].reset_index(drop=True)
    others = changes[changes["project"] == "bee"].reset_index(drop=True)
    splits = split_by_time(one, train=0.6, calibrate=0.2)
    labels, now = Labels(dated=False, settle=30 * DAY, horizon=1.0), one["time"].iloc[splits.test.start]
    late = others["time"] > now - 30 * DAY
    assert 50 < late.sum() < len(others) - 50

    def confidence(taught: pd.DataFrame | None) -> list[float]:
        rows = try_rolling(one, splits, Logistic, Promise(), "beta", labels=labels, origins=1, others=taught).rows
        return [float(value) for value in rows["confidence"]]

    turned = others.assign(failed=others["failed"] ^ late)
    taught = confidence(others)
    assert taught == confidence(turned)
    assert taught != confidence(None)


def test_with_dates_nothing_is_learned_before_it_is_known(tmp_path: Path) -> None:
    changes = read_changes(folder(tmp_path / "dated", dated=True)).frame
    splits = split_by_time(changes, train=0.6, calibrate=0.2)
    now = float(changes["time"].iloc[splits.test.start])
    hidden = changes.copy()
    late = hidden["known"] > now
    assert late.sum() > 20
    hidden.loc[late, "failed"] = False
    hidden.loc[late, "known"] = np.nan
    labels = Labels(dated=True, settle=90 * DAY, horizon=365 * DAY)
    first, second = (
        try_rolling(one, splits, Logistic, Promise(), "beta", labels=labels, origins=1).rows
        for one in (changes, hidden)
    )
    pd.testing.assert_frame_equal(first.drop(columns="failed"), second.drop(columns="failed"))


def test_thresholds_of_a_rolling_certificate_come_from_changes_that_do_not_certify() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"project": "ant", "time": np.arange(1000.0) * DAY, "failed": rng.random(1000) < 0.02})
    frame["known"] = np.nan
    confidence = rng.random(1000)
    labels, now = Labels(dated=False, settle=400 * DAY, horizon=1.0), 1000 * DAY
    grid = labels.thresholds(frame, confidence, now)
    assert grid is not None and len(grid.starts) == 1
    assert set(grid.thresholds) <= set(FixedSequences.of(confidence[-399:], coverages=(0.2,)).thresholds)
    moved = np.where(np.arange(1000) < 600, 0.5, confidence)
    assert labels.thresholds(frame.assign(failed=True), moved, now) == grid
    kept = labels.certificates(frame, confidence, now, Promise(), grid)
    assert kept["changes"].n > 100 and kept["changes"].threshold in grid.thresholds
    assert Labels(dated=False, settle=50 * DAY, horizon=1.0).thresholds(frame, confidence, now) is None


def test_with_dates_young_changes_certify_too_once_delays_are_known() -> None:
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(0, 2000 * DAY, 3000))
    failed = rng.random(3000) < 0.02
    known = np.where(failed, times + rng.exponential(60 * DAY, 3000), np.nan)
    frame = pd.DataFrame({"project": "ant", "time": times, "failed": failed, "known": known})
    labels = Labels(dated=True, settle=90 * DAY, horizon=700 * DAY)
    found = labels.certificates(frame, np.full(3000, 0.9), 2000 * DAY, Promise())
    assert set(found) == {"changes", "weeks", "mean_of_weeks", "observed"}
    assert found["observed"].n > found["changes"].n > 1500
    early = frame[frame["time"] < 300 * DAY]
    nothing = labels.certificates(early, np.full(len(early), 0.9), 300 * DAY, Promise())
    assert all(one.threshold is None for one in nothing.values())


def test_certifying_on_young_labels_breaks_a_promise_that_mature_ones_keep() -> None:
    rng = np.random.default_rng(0)
    mature, young = [], []
    for _ in range(20):
        n = 8000
        times = np.sort(rng.uniform(0, 1500 * DAY, n))
        # two kinds of change, of which 98.5 % and 89.5 % succeed in truth
        confidence = rng.choice([0.99, 0.9], n)
        failed = rng.random(n) > confidence - 0.005
        known = np.where(failed, times + rng.uniform(0, 1000 * DAY, n), np.nan)
        frame = pd.DataFrame({"project": "ant", "time": times, "failed": failed, "known": known})
        for kept, is_young in ((mature, False), (young, True)):
            labels = Labels(dated=True, settle=30 * DAY, horizon=1000 * DAY, young=is_young)
            certificate = labels.certificates(frame, confidence, 1500 * DAY, Promise())["changes"]
            # both together succeed in 94 %, the first alone in 98.5 %
            kept.append(certificate.threshold is not None and certificate.threshold <= 0.9)
    assert not any(mature)
    assert np.mean(young) > 0.8


def test_figures_of_a_policy_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "package": ["a", "a", "b", "b"],
            "time": [0.0, 1.0, 2.0, 3.0],
            "lines": [4.0, 3.0, 2.0, 1.0],
            "failed": [0.0, 1.0, 0.0, 1.0],
            "confidence": [0.9, 0.2, 0.8, 0.85],
            "deployed": [1.0, 0.0, 1.0, 0.0],
        }
    )
    found = policy_figures(rows, promised=0.95, window_seconds=10.0)
    assert (found.auc, found.auc_within, found.coverage, found.success) == (0.75, 0.5, 0.5, 1.0)
    assert (found.random, found.smallest_first, found.failures) == (0.5, 0.5, 0.0)
    assert found.coverage_oracle == 0.25
    assert np.isnan(found.worst_window), "too few were deployed in any window"
    many = pd.concat([rows] * 30, ignore_index=True)
    assert worst_window(many.assign(deployed=1.0), 2.0)[0] == 0.5
    assert np.isnan(auc([0.5, 0.6], [0, 0])) and np.isnan(auc_within(rows.assign(failed=0.0)))
    assert oracle_coverage([0.5, 0.5], [0, 1], 0.9) == 0.0


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"data": ""}, "name recorded changes with -p data=DIR"),
        ({"data": "nowhere"}, "nowhere does not exist"),
        ({"packages": "cat"}, "no project 'cat'"),
        ({"train": 0.8, "calibrate": 0.19}, "at most 0.95"),
        ({"calibrator": "crystal"}, "platt, isotonic, beta, venn_abers"),
        ({"promise": 1.0}, "promise is 1.0"),
        ({"confidence": 0}, "confidence is 0"),
        ({"promise": 0.99, "confidence": 0.99}, "takes 459 changes or more that all succeed, and 280 certify here"),
        ({"blocks": "days"}, "'changes', 'weeks' or 'mean_of_weeks'"),
        ({"arms": "random"}, "as many changes as boosting, which does not run"),
        ({"colour": "red"}, "'colour'"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_sentence(
    overrides: dict[str, object], words: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=words) as refused:
        run_experiment(
            "safety", overrides={"data": str(data), **overrides}, out=tmp_path / "run", workers=1, progress="quiet"
        )
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists(), "nothing is left behind"


def test_too_short_a_follow_up_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    place = folder(tmp_path / "dated", n=300, dated=True)
    with pytest.raises(LabError, match="leaves 0 changes with 0 failures to count"):
        run_experiment("safety", overrides={"data": str(place), "follow_up_days": 9999}, out=tmp_path / "run")


def test_a_dry_run_says_what_it_would_take(data: Path) -> None:
    answer = CliRunner().invoke(app, ["run", "safety", "-p", f"data={data}", "--dry-run"])
    assert answer.exit_code == 0, answer.output
    assert "a study of recorded_changes" in answer.output
