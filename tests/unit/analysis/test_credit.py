"""Credit: observed and causal, on data whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.credit import agreement, causal_credit, observed_credit
from autodev_lab.errors import LabError


def test_a_task_counts_once_however_often_an_item_was_found_for_it() -> None:
    rows = pd.DataFrame(
        [
            ("t1", "a", 1, True),
            ("t1", "a", 2, True),
            ("t2", "a", 1, False),
            ("t2", "b", 2, False),
            ("t3", None, 0, True),
        ],
        columns=["task_id", "item", "rank", "correct"],
    ).assign(arm="x", twin=False, replicate=0)
    credit = observed_credit(rows, ["item"])
    assert credit.to_dict("index") == {
        "a": {"tasks": 2, "successes": 1, "share": 0.5},
        "b": {"tasks": 1, "successes": 0, "share": 0.0},
    }
    assert observed_credit(rows.assign(replicate=[0, 1, 0, 0, 0]), ["item"]).loc["a", "tasks"] == 3


def test_causal_credit_is_the_mean_over_tasks_of_the_means_over_seeds() -> None:
    rows = pd.DataFrame(
        [("a", "t1", 1.0), ("a", "t1", 0.0), ("a", "t2", 0.0), ("a", "t2", 0.0), ("b", "t1", 0.0), ("b", "t2", 0.0)],
        columns=["left_out", "task_id", "effect"],
    )
    credit = causal_credit(rows, "effect")
    assert credit.loc["a", "effect"] == pytest.approx(0.25)
    reach = 12.706 * np.std([0.5, 0.0], ddof=1) / math.sqrt(2)
    assert credit.loc["a", "high"] == pytest.approx(0.25 + reach, abs=1e-3)
    assert credit.loc["b", ["effect", "low", "high"]].tolist() == [0.0, 0.0, 0.0], "no effect anywhere is no effect"


def test_one_task_bounds_nothing() -> None:
    rows = pd.DataFrame({"left_out": ["a"], "task_id": ["t"], "effect": [1.0]})
    assert causal_credit(rows, "effect").loc["a", "high"] == math.inf


def test_rankings_that_are_the_same_agree_and_reversed_ones_do_not() -> None:
    tasks, items = 200, 8
    rng = np.random.default_rng(0)
    own = np.repeat(np.eye(items), tasks // items, axis=1)
    outcomes = (rng.random(tasks) < np.repeat(np.linspace(0.05, 0.95, items), tasks // items)).astype(np.float64)
    same = agreement(own * outcomes, own, outcomes, seed=1)
    assert same.value > 0.9 and same.low > 0.6
    assert (same.n, same.clusters) == (items, tasks)
    other = agreement(own * (1 - outcomes), own, outcomes, seed=1)
    assert other.value < -0.9 and other.high < -0.6


def test_the_interval_covers_zero_where_the_rankings_have_nothing_in_common() -> None:
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        own = (rng.random((12, 60)) < 0.3).astype(np.float64)
        outcomes = (rng.random(60) < 0.5).astype(np.float64)
        effects = own * rng.choice([-1.0, 0.0, 1.0], size=own.shape)
        one = agreement(effects, own, outcomes, seed=seed)
        missed += not one.low <= 0.0 <= one.high
    assert missed <= 6  # 5 % of 40 are 2; more than 6 have a chance below 1 % then


def test_too_little_to_rank_is_said_so() -> None:
    nothing = np.zeros((4, 5))
    found = np.ones((4, 5))
    assert math.isnan(agreement(nothing, found, np.ones(5)).value)
    assert agreement(nothing, nothing, np.ones(5)).n == 0
    with pytest.raises(LabError, match="a row an item"):
        agreement(nothing, found, np.ones(4))
