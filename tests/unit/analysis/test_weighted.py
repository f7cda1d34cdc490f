"""Intervals at matched coverage: they cover with few packages and few wrong changes, and never claim to be sure."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.risk_coverage import judge_gate, wrong_share
from autodev_lab.analysis.weighted import weighted_intervals

EXPERIMENTS = 2000
CORRELATION = 0.1


def changes(
    rng: np.random.Generator, packages: int, each: float, wrong: float, skill: float, cut: float
) -> pd.DataFrame:
    """Changes at a gate that knows as much as its skill; the sizes say nothing of them."""
    sizes = 1 + rng.poisson(each - 1, packages)
    strength = 1 / CORRELATION - 1
    chance = rng.beta(wrong * strength, (1 - wrong) * strength, packages)
    member = np.repeat(np.arange(packages), sizes)
    bad = rng.random(len(member)) < chance[member]
    score = skill * bad + rng.normal(size=len(member))
    return pd.DataFrame(
        {
            "package": member.astype(str),
            "correct": ~bad,
            "decision": np.where(score < cut, "AUTO_DEPLOY", "REQUEST_REVIEW"),
            "lines_changed": np.round(2 * rng.normal(size=len(member))),
        }
    )


def difference(rows: pd.DataFrame, control: str) -> float:
    """What a very large sample says."""
    deployed = (rows["decision"] == "AUTO_DEPLOY").to_numpy()
    wrong = 1.0 - rows["correct"].to_numpy(dtype=float)
    score = rows["lines_changed"] if control == "smallest_first" else np.zeros(len(rows))
    return float(wrong[deployed].mean()) - wrong_share(score, wrong, float(deployed.mean()))


@pytest.mark.parametrize("control", ["random", "smallest_first"])
@pytest.mark.parametrize(
    ("packages", "each", "wrong", "skill", "cut"),
    [(7, 3.5, 0.17, 0.0, 0.0), (7, 3.5, 0.17, 1.0, 0.0), (10, 15.0, 0.25, 1.0, 0.4)],
)
def test_the_gates_difference_is_covered(
    control: str, packages: int, each: float, wrong: float, skill: float, cut: float
) -> None:
    """Of 2,000 intervals of 95 % so few miss that the rate's upper 95 % bound is at most .07."""
    rng = np.random.default_rng(7)
    truth = difference(changes(rng, 20_000, each, wrong, skill, cut), control)
    missed = used = 0
    for _ in range(EXPERIMENTS):
        rows = changes(rng, packages, each, wrong, skill, cut)
        (found,) = judge_gate(rows, controls=[control])
        if found.coverage > 0:
            used += 1
            missed += not found.low <= truth <= found.high
    assert used > 0.99 * EXPERIMENTS
    assert upper_bound(missed, used) <= 0.07, f"{missed} of {used} missed"


def test_packages_that_agree_leave_a_width() -> None:
    rows = changes(np.random.default_rng(1), 7, 5.0, 0.2, 1.0, 0.0).assign(correct=True)
    (found,) = judge_gate(rows, controls=["random"])
    assert 0 < found.coverage < 1 and found.difference == 0.0
    assert found.low < -0.03 and found.high > 0.03


def test_a_gate_that_lets_everything_through_differs_from_none_for_sure() -> None:
    rows = changes(np.random.default_rng(1), 7, 5.0, 0.2, 1.0, 0.0).assign(decision="AUTO_DEPLOY")
    for one in judge_gate(rows, controls=["random", "smallest_first"]):
        assert (one.low, one.difference, one.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_what_one_package_alone_shows_is_unbounded() -> None:
    rows = changes(np.random.default_rng(1), 7, 5.0, 0.2, 1.0, 0.0)
    rows["decision"] = np.where(rows["package"] == "3", "AUTO_DEPLOY", "REQUEST_REVIEW")
    (found,) = judge_gate(rows, controls=["random"])
    assert (found.low, found.high) == (-math.inf, math.inf) and math.isfinite(found.difference)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1)), min_size=1, max_size=30))
def test_a_mean_lies_inside_its_interval(pairs: list[tuple[str, int]]) -> None:
    packages, outcomes = (list(side) for side in zip(*pairs, strict=True))
    value, low, high = weighted_intervals(
        lambda places: np.full((1, len(places)), 1 / len(places)), outcomes, packages, bounds=(0.0, 1.0)
    )
    assert value[0] == pytest.approx(np.mean(outcomes))
    assert low[0] <= value[0] + 1e-12 and high[0] >= value[0] - 1e-12
    assert (len(set(packages)) > 1) == math.isfinite(high[0])
