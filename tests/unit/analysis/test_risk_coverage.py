"""Risk-coverage curves: exact on ties, right about random and perfect orders, honest about what was not seen."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.risk_coverage import (
    area,
    blind_spots,
    compare_orders,
    curve,
    gate_rows,
    judge_gate,
    wrong_share,
)
from autodev_lab.errors import LabError

changes = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_ties_are_averaged_over_all_their_orders(pairs):
    score, wrong = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    orders = [order for order in itertools.permutations(range(len(pairs))) if np.all(np.diff(score[list(order)]) >= 0)]
    mean = np.mean([np.cumsum(wrong[list(order)]) for order in orders], axis=0) / np.arange(1, len(pairs) + 1)
    assert curve(score, wrong)["wrong"].to_numpy() == pytest.approx(mean)


@given(changes)
def test_the_random_order_is_flat_and_the_perfect_one_is_the_floor(pairs):
    score, wrong = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    flat = curve(np.zeros(len(wrong)), wrong)["wrong"]
    assert flat.to_numpy() == pytest.approx(np.full(len(wrong), wrong.mean()))
    assert area(wrong, wrong) <= area(score, wrong) + 1e-12
    assert area(score, wrong) <= area(1 - wrong, wrong) + 1e-12
    assert curve(score, wrong)["wrong"].iloc[-1] == pytest.approx(wrong.mean())


@given(changes, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pairs, shuffler):
    score, wrong = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    shuffler.shuffle(pairs)
    other_score, other_wrong = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    assert curve(score, wrong)["wrong"].to_numpy() == pytest.approx(curve(other_score, other_wrong)["wrong"])


@given(changes, st.floats(0.01, 1.0))
def test_a_share_lies_on_the_curve_and_between_its_points(pairs, coverage):
    score, wrong = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    points = curve(score, wrong)
    for covered, share in zip(points["coverage"], points["wrong"], strict=True):
        assert wrong_share(score, wrong, covered) == pytest.approx(share)
    taken = coverage * len(wrong)
    counts = np.concatenate([[0.0], np.cumsum(np.diff(points["wrong"] * points["covered"], prepend=0.0))])
    below, above = counts[int(np.floor(taken + 1e-9))], counts[min(len(wrong), int(np.ceil(taken - 1e-9)))]
    assert below - 1e-9 <= wrong_share(score, wrong, coverage) * taken <= above + 1e-9


@pytest.mark.parametrize("coverage", [0.0, -0.5, 1.01])
def test_a_coverage_is_a_share(coverage):
    with pytest.raises(LabError, match="above 0 and at most 1"):
        wrong_share([1.0], [1.0], coverage)


def outcomes(n=240, *, packages=6, skill=0.5, seed=0):
    """Rows as a run writes them: a risk that tells wrong changes as far as its skill goes; sizes tell nothing."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(n) < 0.3
    risk = np.clip(0.5 + skill * (wrong - 0.5) + rng.normal(0, 0.2, n), 0, 1)
    killable = rng.random(n) < 0.8
    return pd.DataFrame(
        {
            "package": [f"p{number % packages}" for number in range(n)],
            "depth": 0,
            "correct": ~wrong,
            "risk": risk,
            "confidence": 1 - risk,
            "lines_changed": rng.integers(1, 5, n),
            "decision": np.where(risk < 0.4, "AUTO_DEPLOY", "REQUEST_REVIEW"),
            "exposure_killable": killable,
            "exposure_passed": ~(wrong & killable),
            "escaped": wrong & ~killable & (risk < 0.4),
        }
    )


def test_an_order_with_skill_beats_controls_at_every_matched_coverage():
    for one in compare_orders(gate_rows(outcomes())):
        assert one.high < 0, one
        assert one.difference == pytest.approx(one.wrong - one.wrong_control)
        assert (one.n, one.clusters) == (240, 6)


def test_an_order_without_skill_does_not():
    differences = [
        one
        for seed in range(8)
        for one in compare_orders(gate_rows(outcomes(skill=0.0, seed=seed)), controls=("random",))
    ]
    assert abs(np.mean([one.difference for one in differences])) < 0.03
    assert np.mean([one.high < 0 or one.low > 0 for one in differences]) < 0.4


def test_the_gates_own_coverage_is_matched():
    rows = gate_rows(outcomes())
    verdicts = {one.control: one for one in judge_gate(rows)}
    deployed = rows["decision"] == "AUTO_DEPLOY"
    for one in verdicts.values():
        assert one.coverage == pytest.approx(deployed.mean())
        assert one.wrong == pytest.approx((~rows["correct"])[deployed].mean())
        assert one.escaped == pytest.approx((deployed & ~rows["correct"]).mean())
    assert verdicts["random"].wrong_control == pytest.approx((~rows["correct"]).mean())
    assert verdicts["random"].high < 0 <= verdicts["perfect"].difference


def test_a_gate_that_deploys_nothing_has_nothing_to_be_wrong_about():
    rows = gate_rows(outcomes().assign(decision="REQUEST_REVIEW"))
    one = judge_gate(rows)[0]
    assert one.coverage == 0.0 and one.escaped == 0.0
    assert np.isnan(one.wrong) and np.isnan(one.difference) and one.low == -np.inf


def test_one_package_gives_no_interval():
    (one,) = compare_orders(gate_rows(outcomes(packages=1)), controls=("random",), coverages=(0.5,))
    assert (one.low, one.high, one.clusters) == (-np.inf, np.inf, 1)


def test_only_original_tasks_with_a_decision_are_read():
    frame = outcomes(20)
    frame.loc[0, "depth"] = 1
    frame.loc[1, "decision"] = None
    assert len(gate_rows(frame)) == 18
    with pytest.raises(LabError, match="no change reached the gate"):
        gate_rows(frame.assign(decision=None))


def test_blind_spots_are_counted():
    frame = outcomes(8).assign(
        correct=[True, True, True, True, False, False, False, False],
        exposure_killable=[True, False, None, True, True, False, None, False],
        exposure_passed=[True, True, None, True, False, True, None, False],
        escaped=[False, False, False, False, False, True, False, False],
    )
    seen = blind_spots(gate_rows(frame))
    assert (seen.changes, seen.blind, seen.unknown, seen.wrong, seen.shown) == (8, 3, 2, 4, 2)
    assert (seen.wrong_blind, seen.escaped_blind, seen.production_power) == (2, 1, 0.5)


def test_unknown_orders_are_refused():
    with pytest.raises(LabError, match="'best' is not an order; choose among risk"):
        compare_orders(gate_rows(outcomes()), "best")
