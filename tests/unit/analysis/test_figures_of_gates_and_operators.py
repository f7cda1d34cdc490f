"""Risk-coverage, reliability and operator figures: what they count, and that they repeat to the byte."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.effects import matched_difference
from autodev_lab.analysis.figures import _of_package, render
from autodev_lab.analysis.gate_figures import reliability_figure, risk_coverage_figure
from autodev_lab.analysis.gates import gate_summaries
from autodev_lab.analysis.killing import killing_tests
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.operator_figure import operator_figure, operator_table
from autodev_lab.analysis.risk_coverage import compare_orders, wrong_band


def gated(packages: int = 6, each: int = 20) -> pd.DataFrame:
    """Changes at a gate whose confidence is true."""
    rng = np.random.default_rng(3)
    n = packages * each
    confidence = rng.uniform(0.2, 0.98, n)
    return pd.DataFrame(
        {
            "package": np.repeat([f"p{number}" for number in range(packages)], each),
            "depth": 0,
            "decision": np.where(confidence > 0.7, "AUTO_DEPLOY", "REQUEST_REVIEW"),
            "risk": 1 - confidence,
            "confidence": confidence,
            "lines_changed": rng.integers(1, 20, n),
            "correct": rng.random(n) < confidence,
        }
    )


def outcomes() -> pd.DataFrame:
    """Three operators; the first task of `swap` is repaired by two templates in two arms, `gone` by none."""
    rows = [
        ("a", "t1", "swap", True, ["one"]),
        ("b", "t1", "swap", True, ["two"]),
        ("a", "t2", "swap", False, ["one"]),
        ("b", "t2", "swap", True, ["one"]),
        ("a", "t3", "gone", False, []),
        ("b", "t3", "gone", False, ["two"]),
        ("a", "t4", None, True, ["one"]),
    ]
    frame = pd.DataFrame(rows, columns=["arm", "task_id", "operator", "correct", "patterns"])
    return frame.assign(package="p", depth=0, twin=False, replicate=0)


def test_a_task_counts_once_and_what_nothing_reached_is_shown() -> None:
    table = operator_table(outcomes())
    assert list(table.index) == ["swap", "gone"]
    assert table.loc["swap", ["n", "repaired", "one", "two"]].tolist() == [2, 2, 2, 1]
    assert table.loc["gone", ["n", "repaired", "one", "two"]].tolist() == [1, 0, 0, 0]
    assert (table["low"] < table["high"]).all()


def test_tasks_of_history_have_no_operator_figure() -> None:
    assert operator_table(outcomes().assign(operator=None)).empty
    assert operator_figure(outcomes().assign(operator=None), budget=5) is None


def test_the_band_is_that_of_the_order_and_holds_it() -> None:
    rows = gated()
    band = wrong_band(rows, "confidence", [0.25, 0.5, 1.0])
    assert ((band["low"] <= band["wrong"]) & (band["wrong"] <= band["high"])).all()
    matched = {one.coverage: one.wrong for one in compare_orders(rows, controls=["random"], coverages=[0.25, 0.5])}
    assert band.set_index("coverage")["wrong"].loc[[0.25, 0.5]].to_dict() == pytest.approx(matched)
    assert band["wrong"].iloc[0] < band["wrong"].iloc[-1], "a true confidence puts wrong changes last"


def test_tasks_without_a_killing_test_are_counted_once() -> None:
    rows = outcomes().assign(
        exposure_killable=[False, False, True, True, False, False, None],
        oracle_killable=[True, True, False, False, False, False, None],
    )
    found = killing_tests(rows)
    assert found.as_json() == {"tasks": 4, "unknown": 1, "no_exposure_test": 2, "no_oracle_test": 2, "neither": 1}
    assert "of 4 tasks 2 have no exposure test" in found.in_words() and "of 1 it is not known" in found.in_words()


def test_figures_say_their_n_and_repeat_to_the_byte() -> None:
    rows = gated()
    for draw in (risk_coverage_figure, reliability_figure):
        figure = draw(rows, arm="mine")
        (axes,) = figure.axes
        assert "mine" in axes.get_title() and "120" in axes.get_title()
        assert axes.get_xlabel() and axes.get_ylabel()
        assert render(figure, "png") == render(draw(rows, arm="mine"), "png")
    assert "no band" in risk_coverage_figure(gated(packages=1), arm="mine").axes[0].get_xlabel()
    heat = operator_figure(outcomes(), budget=5)
    assert heat is not None and "2 of 3 tasks" in heat.get_suptitle()


def test_a_gate_is_summed_up_by_where_its_wrong_changes_went() -> None:
    rows = pd.DataFrame(
        {
            "arm": "mine",
            "twin": False,
            "replicate": 0,
            "package": ["p", "p", "q", "q", "q", "q"],
            "depth": 0,
            "decision": [
                "AUTO_DEPLOY",
                "AUTO_DEPLOY",
                "DEPLOY_WITH_MONITORING",
                "REQUEST_REVIEW",
                "REQUEST_REVIEW",
                None,
            ],
            "deployed": [True, False, True, False, True, False],
            "stage": ["healthy", "rolled_back", "rolled_back", "declined", "healthy", "failed"],
            "correct": [True, False, False, False, True, False],
            "escaped": [False, False, True, False, False, False],
            "risk": [0.1, 0.2, 0.3, 0.4, 0.5, np.nan],
            "confidence": [0.9, 0.8, 0.7, 0.6, 0.5, np.nan],
            "lines_changed": [2, 2, 4, 6, 8, np.nan],
            "human_minutes": [0.0, 0.0, 0.0, 15.0, 15.0, 0.0],
            "exposure_killable": [True, True, False, True, True, True],
            "exposure_passed": [True, False, True, True, True, None],
        }
    )
    (found,) = gate_summaries(rows, ["mine", "absent"])
    assert (found.coverage.n, found.right.n, found.coverage.value, found.right.value) == (
        5,
        3,
        0.6,
        pytest.approx(1 / 3),
    )
    assert (found.wrong, found.stopped, found.rolled_back, found.escaped) == (3, 1, 1, 1)
    assert (found.to_review, found.approved, found.human_minutes) == (2, 0, 6.0)
    eager = rows.assign(deployed=True)
    assert gate_summaries(eager, ["mine"])[0].approved == 1, "a wrong change that a person let through"
    assert {one.control for one in found.matched} == {"random", "smallest_first"}
    assert (found.blind.blind, found.blind.shown) == (1, 1)
    told = "of 3 wrong ones it stopped 1 (a person approved 0 of these), the rollout 1, and 1 escaped (1 rolled"
    assert told in found.in_words() and "2 sent to review" in found.in_words()
    assert found.taken_back == 1, "it had reached production, unlike what the rollout stopped"
    assert 0 <= found.coverage.low < 0.6 < found.coverage.high <= 1
    quiet = gate_summaries(rows.assign(decision="REQUEST_REVIEW"), ["mine"])[0]
    assert quiet.matched == () and "not known" in quiet.in_words()
    assert quiet.as_json()["right"] is None


def test_of_what_is_no_share_a_package_has_an_interval_only_over_several_items() -> None:
    rate = Endpoint("rate", "rate", "tasks an hour", "throughput")
    one = _of_package(np.array([-40.0]), rate)
    assert one.value == -40.0 and one.low == -math.inf and one.high == math.inf
    few = _of_package(np.array([-40.0, -44.0, -36.0]), rate)
    assert few.low == pytest.approx(-40 - 4.302653 * 4 / math.sqrt(3)) and few.low < few.value < few.high
    share = _of_package(np.array([0.0, 0.0, 1.0]), Endpoint("found", "found", "share", "found", (0.0, 1.0)))
    assert share == matched_difference([0.0, 0.0, 1.0])
