"""Calibration by step of the stream: what is counted at a place, and that there are few places."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.calibration_measures import brier_parts, calibration_error
from autodev_lab.analysis.calibration_path import calibration_path
from autodev_lab.errors import LabError


def outcomes(tasks: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    confidence = rng.random(tasks)
    rows = pd.DataFrame(
        {
            "index": np.arange(tasks) * 2,
            "depth": 0,
            "confidence": confidence,
            "correct": rng.random(tasks) < confidence,
            "decision": np.where(confidence > 0.5, "AUTO_DEPLOY", "REQUEST_REVIEW"),
        }
    )
    undecided = rows.assign(index=rows["index"] + 1, confidence=np.nan, decision=None)
    follow_up = rows.head(5).assign(depth=1, confidence=0.0)
    return pd.concat([undecided, follow_up, rows]).sample(frac=1.0, random_state=0)


def test_a_place_counts_the_decisions_up_to_it() -> None:
    rows = outcomes(2000)
    path = calibration_path(rows, steps=7)
    decided = rows[rows["confidence"].notna() & (rows["depth"] == 0)].sort_values("index")
    assert len(path) == 7 and path[-1].index == decided["index"].iloc[-1]
    for at in path:
        seen = decided[decided["index"] <= at.index]
        p, y = seen["confidence"].to_numpy(), seen["correct"].to_numpy(dtype=float)
        assert at.measures["n"] == len(seen)
        assert at.measures["brier"] == brier_parts(p, y).score
        assert at.measures["ece"] == calibration_error(p, y, simulations=1).ece
        assert at.measures["coverage"] == (p > 0.5).mean()
        assert at.measures["right"] == y[p > 0.5].mean()
    assert 0.8 < path[-1].measures["slope"] < 1.25, "the confidences are true"


@pytest.mark.parametrize(("tasks", "places"), [(0, 0), (9, 0), (10, 1), (12, 3)])
def test_there_is_nothing_before_ten_decisions(tasks: int, places: int) -> None:
    assert len(calibration_path(outcomes(tasks))) == places


def test_what_is_not_defined_is_left_out() -> None:
    rows = outcomes(40).assign(correct=True, decision="REQUEST_REVIEW")
    assert not {"slope", "right"} & set(calibration_path(rows)[-1].measures)
    with pytest.raises(LabError, match="steps is 0"):
        calibration_path(rows, steps=0)
