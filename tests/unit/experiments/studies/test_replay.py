"""Decisions made again: by all evidence as the gate made them, and worse without what tells changes apart."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.decisions.learned import LearnedRisk
from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.evidence import auc_loss
from autodev_lab.experiments.studies.replay import GROUPS, PastDecision, past_decisions, replay, shapley
from autodev_lab.records import Label, LabelSource

FACTORS = [name for names in GROUPS.values() for name in names]


def stream(count: int, seed: int = 0) -> list[PastDecision]:
    """Changes of which large ones are wrong."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        factors = {name: float(rng.random()) for name in FACTORS}
        right = factors["lines_changed"] < 0.5
        label = Label(f"t{number}", f"p{number % 4}", factors, 0.5, right, LabelSource.PERSON)
        made.append(PastDecision(label.task_id, label.package, factors, right, label))
    return made


def test_groups_are_the_factors_of_learned_risk() -> None:
    assert len(set(FACTORS)) == len(FACTORS) == 17


def test_what_tells_changes_apart_is_missed() -> None:
    decisions = stream(160)
    every = replay(decisions, GROUPS)
    without = replay(decisions, set(GROUPS) - {"change"})
    assert every[0].risk == pytest.approx(
        0.2 * decisions[0].factors["complexity"]
        + 0.3 * decisions[0].factors["test_coverage"]
        + 0.2 * decisions[0].factors["dependency"]
        + 0.15 * decisions[0].factors["historical_stability"]
        + 0.15 * decisions[0].factors["impact_radius"],
        abs=1e-6,
    ), "before there are labels it is the published formula"
    rows = pd.DataFrame(
        {
            "package": [one.package for one in decisions],
            "correct": [one.correct for one in decisions],
            "risk": [one.risk for one in every],
            "risk_without": [one.risk for one in without],
        }
    )
    value, low, high = auc_loss(rows.iloc[80:])
    assert value > 0.1 and low <= value <= high
    assert {one.risk for one in replay(decisions, ())} == {0.5}


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_shapley_values_share_out_the_whole(values: list[float]) -> None:
    sets = [frozenset(name for bit, name in enumerate("abc") if number >> bit & 1) for number in range(8)]
    worth = dict(zip(sets, values, strict=True))
    shared = sum(shapley(name, worth) for name in "abc")
    assert shared == pytest.approx(worth[frozenset("abc")] - worth[frozenset()])


def test_a_run_without_learned_risk_is_refused() -> None:
    rows = pd.DataFrame(
        {
            "arm": ["a"], "replicate": [0], "twin": [False], "index": [0], "task_id": ["t"], "package": ["p"],
            "correct": [True], "observed_success": [True], "label_source": ["person"], "propensity": [1.0],
            "risk": [0.1], "factors": [json.dumps({"complexity": 0.5})],
        }
    )  # fmt: skip
    with pytest.raises(LabError, match="no gate in run x has learned risk"):
        past_decisions(rows, "run x")
    with pytest.raises(LabError, match="run x has no decisions"):
        past_decisions(rows.drop(columns="factors"), "run x")
    assert LearnedRisk().explained == ()
