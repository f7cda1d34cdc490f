"""Claims at a position, claims of a share, and what breaks a claim's seal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from autodev_lab.analysis.claims import Claim, PositionClaim, ShareClaim, judge, judge_all, parse_claim, read_claims
from autodev_lab.analysis.metrics import Endpoint, paired_totals, window
from autodev_lab.analysis.rulings import Ruling
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS, endpoint_of_any_study
from autodev_lab.errors import LabError
from autodev_lab.resources import resource

COMMON: dict[str, object] = {
    "statement": "s",
    "experiment": "made_up",
    "environment": "repository",
    "endpoint": "correct_at_K",
    "registered": {"full": "abc"},
}
RELATIVE: dict[str, object] = {**COMMON, "id": "r", "treatment": "b", "baseline": "a", "threshold": 0.3}
AT: dict[str, object] = {**RELATIVE, "kind": "relative_at", "id": "w", "at": 100, "window": 25}
SHARE: dict[str, object] = {**COMMON, "kind": "share", "id": "s", "treatment": "gate", "threshold": 0.95}
KEYS = [
    *("id", "kind", "statement", "endpoint", "treatment", "baseline", "threshold", "estimate", "ci", "n", "clusters"),
    *("cluster", "p", "p_holm", "method", "coverage", "coverage_ci", "noise_floor", "verdict", "confirmatory"),
    *("confirmatory_lost", "why"),
]


def sealed(entry: dict[str, object]) -> Claim:
    return parse_claim({**entry, "digest": parse_claim(entry).content_digest})


@pytest.fixture
def frame(experiment: Callable[..., Any]) -> pd.DataFrame:
    drawn = experiment(np.random.default_rng(5), packages=10, tasks=40, replicates=2, effect=1.2, safe=0.99)
    outcomes: pd.DataFrame = drawn.frame()
    return outcomes


def test_a_claim_at_a_position_is_about_its_window(frame: pd.DataFrame) -> None:
    judged = judge(sealed(AT), frame, confirmatory=True)
    rows = {arm: frame[(frame["arm"] == arm) & ~frame["twin"]] for arm in ("a", "b")}
    near = {arm: some[some["index"].between(74, 124)] for arm, some in rows.items()}
    totals = paired_totals(near["b"], near["a"], "correct")
    assert judged.effect.n == 2 * 51
    assert judged.effect.estimate == pytest.approx(totals["treatment"].sum() / totals["baseline"].sum() - 1)
    pd.testing.assert_frame_equal(judged.totals, totals)
    # what lies outside the window is no evidence
    changed = frame.copy()
    changed.loc[~changed["index"].between(74, 124), "correct"] = True
    assert judge(sealed(AT), changed, confirmatory=True).as_json() == judged.as_json()
    assert set(window(rows["a"], 1, 0)["index"]) == {0}


def test_a_stream_that_ends_too_early_leaves_it_undecided(frame: pd.DataFrame) -> None:
    judged = judge(sealed(AT), frame[frame["index"] < 124], confirmatory=True)
    assert judged.ruling is Ruling.UNDECIDED
    assert judged.effect.why == "no stream of this run reaches position 125, for it ends at 124"
    assert judge(sealed(AT), frame[frame["index"] < 125], confirmatory=True).effect.n == 2 * 51


def test_a_share_counts_what_was_deployed_without_a_human(frame: pd.DataFrame) -> None:
    judged = judge(sealed(SHARE), frame, confirmatory=True)
    rows = frame[(frame["arm"] == "gate") & ~frame["twin"]]
    alone = rows[rows["deployed"]]
    assert judged.effect.estimate == alone["correct"].mean()
    assert (judged.effect.n, judged.effect.clusters) == (len(alone), 10)
    assert judged.coverage is not None
    assert judged.coverage.value == len(alone) / len(rows)
    told = judged.as_json()
    assert (told["kind"], told["baseline"], told["coverage"]) == ("share", None, judged.coverage.value)
    # what a person let through, and what never reached production, is another matter
    changed = frame.copy()
    changed.loc[changed["decision"] == "REQUEST_REVIEW", "correct"] = False
    assert judge(sealed(SHARE), changed, confirmatory=True).as_json() == told


@pytest.mark.parametrize(
    ("safe", "ruling"), [(1.0, Ruling.SUPPORTED), (0.6, Ruling.REFUTED)], ids=["supported", "refuted"]
)
def test_the_verdict_on_a_share(frame: pd.DataFrame, safe: float, ruling: Ruling) -> None:
    changed = frame.copy()
    chance = np.random.default_rng(1).random(len(changed))
    changed["correct"] = chance < safe
    assert judge(sealed({**SHARE, "threshold": 0.9}), changed, confirmatory=False).ruling is ruling
    no_twins = changed[~changed["twin"]]
    assert judge(sealed(SHARE), no_twins, confirmatory=False).ruling is Ruling.NO_TWINS


@pytest.mark.parametrize("entry", [RELATIVE, AT, SHARE], ids=["relative", "relative_at", "share"])
def test_an_arm_without_data_leaves_a_claim_undecided(frame: pd.DataFrame, entry: dict[str, object]) -> None:
    claim = sealed(entry)
    for outcomes in (frame.iloc[:0], frame[frame["arm"] != claim.treatment], frame[frame["depth"] > 0]):
        judged = judge(claim, outcomes, confirmatory=True)
        assert judged.ruling is Ruling.UNDECIDED
        assert f"no finished task of {claim.treatment}" in judged.effect.why
        told = json.loads(json.dumps(judged.as_json(), allow_nan=False))
        assert (told["estimate"], told["ci"], told["p"], told["n"]) == (None, [None, None], None, 0)


def test_no_package_in_common_and_nothing_deployed(frame: pd.DataFrame) -> None:
    apart = frame.copy()
    apart.loc[apart["arm"] == "b", "package"] += "-other"
    judged = judge(sealed(RELATIVE), apart, confirmatory=True)
    assert "no finished task in common" in judged.effect.why
    judged = judge(sealed(SHARE), frame.assign(deployed=False), confirmatory=True)
    assert judged.effect.why == "no task was deployed without a human"
    assert judged.coverage is not None
    assert judged.coverage.value == 0.0
    assert judged.ruling is Ruling.UNDECIDED
    one = judge(sealed(SHARE), frame[frame["package"] == "p03"], confirmatory=True)
    assert (one.ruling, one.effect.low, one.effect.high) == (Ruling.UNDECIDED, 0.0, 1.0)
    assert "one package" in one.effect.why


def test_a_family_has_holm_and_bonferroni_over_all_its_claims(frame: pd.DataFrame) -> None:
    family = [sealed(entry) for entry in (RELATIVE, AT, SHARE)]
    asked = {"experiment": "made_up", "environment": "repository", "configuration_hash": "abc"}
    judged = judge_all(family, frame, **asked)
    assert [one.claim.kind for one in judged] == ["relative", "relative_at", "share"]
    assert all(one.confirmatory for one in judged)
    assert all(list(one.as_json()) == KEYS for one in judged)
    smallest = min(judged, key=lambda one: one.p)
    assert smallest.p_holm == pytest.approx(min(1.0, 3 * smallest.p))
    for one in judged:
        assert one.p <= one.p_holm <= 1
        assert judge(one.claim, frame, confirmatory=True, level=1 - 0.05 / 3).effect == one.effect
    # a claim about an arm that was not to run is left out, and still counts
    (alone,) = judge_all(family, frame, **asked, arms=["gate"])
    assert alone.p_holm == pytest.approx(min(1.0, 3 * alone.p))
    # an arm that was to run and did not is said
    absent = judge_all(family, frame[frame["arm"] == "gate"], **asked, arms=["a", "b", "gate"])
    assert [one.ruling for one in absent][:2] == [Ruling.UNDECIDED] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.29},
        {"statement": "s, nearly"},
        {"endpoint": "solved_at_K"},
        {"treatment": "c"},
        {"environment": "simulated"},
        {"window": 24},
        {"at": 99},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_claim_changed_after_registration_is_confirmed_by_no_run(change: dict[str, object]) -> None:
    before = sealed(AT)
    after = parse_claim({**before.model_dump(), **change})
    assert before.broken_seal == ""
    assert "was changed after registration" in after.broken_seal
    assert f"registered {before.digest}" in after.broken_seal
    assert parse_claim({**before.model_dump(), "registered": {"full": "other"}}).broken_seal == ""


def test_a_broken_seal_is_told(frame: pd.DataFrame) -> None:
    tampered = parse_claim({**sealed(RELATIVE).model_dump(), "threshold": 0.1})
    told = judge(tampered, frame, confirmatory=True).as_json()
    assert told["confirmatory"] is False
    assert "changed after registration" in str(told["confirmatory_lost"])
    bare = judge(parse_claim(RELATIVE), frame, confirmatory=True)
    assert not bare.confirmatory
    assert "without a digest" in bare.confirmatory_lost
    assert judge(parse_claim({**RELATIVE, "registered": {}}), frame, confirmatory=False).confirmatory_lost == ""


def test_form_is_part_of_a_claim() -> None:
    """The same words as another kind are another claim; folding of the text is not."""
    assert parse_claim(RELATIVE).content_digest != parse_claim({**AT, "id": "r"}).content_digest
    folded = parse_claim({**RELATIVE, "statement": "two\n  words"})
    assert folded.content_digest == parse_claim({**RELATIVE, "statement": "two words"}).content_digest


def test_kinds_are_told_apart_and_checked() -> None:
    assert [type(parse_claim(entry)) for entry in (RELATIVE, AT, SHARE)] == [Claim, PositionClaim, ShareClaim]
    for entry in (
        {**RELATIVE, "kind": "beauty"},
        {**RELATIVE, "baseline": ""},
        {**RELATIVE, "at": 100},
        {**AT, "at": 10},
        {**AT, "window": -1},
        {**SHARE, "baseline": "a"},
        {**SHARE, "threshold": 1.0},
        {**SHARE, "endpoint": "candidates_mean"},
    ):
        with pytest.raises(ValueError):
            parse_claim(entry)
    with pytest.raises(ValidationError, match="is a ShareClaim"):
        Claim.model_validate({**RELATIVE, "kind": "share"})


def test_a_wrong_claim_in_a_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    for entry, says in (
        ({**SHARE, "threshold": 2}, "threshold: "),
        ({**AT, "kind": "maybe"}, "kind 'maybe' is not one of relative, relative_at, share"),
        ({**AT, "window": 100}, "window 100 reaches before the first task"),
    ):
        path.write_text(yaml.safe_dump({"claims": [entry]}), encoding="utf-8")
        with pytest.raises(LabError, match="not a file of claims") as refused:
            read_claims(path)
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_claims_that_ship_are_those_of_the_lab() -> None:
    claims = {claim.id: claim for claim in read_claims(resource("experiments/claims.yaml"))}
    assert {name: (claim.kind, claim.threshold) for name, claim in claims.items()} == {
        "collective_intelligence": ("relative", 0.30),
        "continuous_learning": ("relative_at", 0.15),
        "safe_auto_deployment": ("share", 0.95),
        "hybrid_beats_keyword": ("study", 0.25),
        "bug_escape_random": ("study", 0.6667),
        "bug_escape_smallest_first": ("study", 0.6667),
        "recorded_auto_deployment": ("share", 0.95),
        "coordination_without_orchestrator": ("study", -0.05),
        "no_task_lost": ("study", -0.001),
        "scaling_to_twenty": ("study", -0.1),
        "test_selection": ("study", -0.02),
    }
    assert not any(claim.broken_seal for claim in claims.values())


OF_A_STUDY: dict[str, object] = {
    **SHARE,
    "environment": "study",
    "endpoint": "deployed_success",
    "registered": {},
    "id": "of_a_study",
}


def decided(rng: np.random.Generator, *, success: float, weeks: int = 60, each: int = 15, shared: float = 0.1) -> Any:
    """Rows of one arm of a study: changes of two projects by weeks that share their luck, two in three deployed."""
    chance = rng.beta(success * (1 / shared - 1), (1 - success) * (1 / shared - 1), 2 * weeks)
    block = np.repeat(np.arange(2 * weeks), each)
    good = (rng.random(len(block)) < chance[block]).astype(float)
    deployed = rng.random(len(block)) < 2 / 3
    return pd.DataFrame(
        {
            "arm": "gate",
            "package": np.where(block % 2, "ant", "bee"),
            "item": np.arange(len(block)),
            "block": (block // 2).astype(float),
            "deployed_success": np.where(deployed, good, np.nan),
        }
    )


def test_a_share_of_a_study_is_over_project_weeks_and_has_no_noise() -> None:
    claim = parse_claim(OF_A_STUDY)
    rows = decided(np.random.default_rng(0), success=0.99)
    judged = judge(claim, rows, confirmatory=False)
    assert judged.effect.estimate == rows["deployed_success"].mean()
    assert judged.effect.n == rows["deployed_success"].notna().sum()
    assert judged.effect.clusters == 120 and judged.as_json()["cluster"] == "project-week"
    assert judged.coverage is not None
    assert judged.coverage.value == pytest.approx(rows["deployed_success"].notna().mean())
    assert (judged.ruling, judged.noise_floor) == (Ruling.SUPPORTED, 0.0)
    assert list(judged.totals.index) == ["ant", "bee"]
    (one,) = judge_all(
        [claim], rows, experiment="made_up", environment="study", configuration_hash="abc", arms=["gate"]
    )
    assert not one.confirmatory
    with pytest.raises(LabError, match="of kind share in environment study"):
        judge_all([claim], rows, experiment="made_up", environment="repository", configuration_hash="abc")


@pytest.mark.parametrize("lacking", ["rows", "deployed"])
def test_a_share_of_a_study_that_deploys_nothing_is_undecided(lacking: str) -> None:
    rows = decided(np.random.default_rng(1), success=0.99)
    rows = rows.iloc[:0] if lacking == "rows" else rows.assign(deployed_success=np.nan)
    judged = judge(parse_claim(OF_A_STUDY), rows, confirmatory=False)
    assert judged.ruling is Ruling.UNDECIDED and "deployed nothing" in judged.effect.why


@pytest.mark.parametrize(
    "wrong", [{"endpoint": "correct_at_K"}, {"environment": "repository"}, {"endpoint": "bug_escape"}]
)
def test_a_share_names_an_endpoint_of_its_world(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        parse_claim({**OF_A_STUDY, **wrong})


def test_a_share_of_a_study_is_wrongly_supported_seldom_and_rightly_often() -> None:
    """Changes of a project-week are correlated by .1, as is allowed for."""
    claim, rng = parse_claim(OF_A_STUDY), np.random.default_rng(2)
    found = {
        true: sum(
            judge(claim, decided(rng, success=true), confirmatory=False).ruling is Ruling.SUPPORTED for _ in range(runs)
        )
        for true, runs in ((0.95, 60), (0.98, 15))
    }
    assert found[0.95] <= 4  # nominal 2.5 %; more than 4 of 60 would come in one run of 200
    assert found[0.98] >= 12


def test_the_name_of_an_endpoint_means_the_same_in_every_study() -> None:
    named: dict[str, Endpoint] = {}
    for endpoints in STUDY_ENDPOINTS.values():
        for name, endpoint in endpoints.items():
            assert named.setdefault(name, endpoint) == endpoint == endpoint_of_any_study(name)
