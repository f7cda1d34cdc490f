"""A model that was kept as plain data and read again predicts and explains the same, bit by bit."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from autodev_lab.decisions.calibrators import calibrator_from, calibrator_state, fit_calibrator
from autodev_lab.decisions.recorded.features import NUMBERS
from autodev_lab.decisions.recorded.models import MODELS, ChangeRisk, ProjectRate
from autodev_lab.decisions.recorded.sealing import model_from, model_state


def changes(n: int, seed: int) -> pd.DataFrame:
    """Features of two projects; some are missing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(1.0, 1.0, n) for name in NUMBERS})
    frame.loc[rng.random(n) < 0.2, "relative_size"] = np.nan
    return frame.assign(project=np.where(rng.random(n) < 0.85, "ant", "bee"))


HISTORY = changes(700, 0)
FAILED = np.random.default_rng(1).random(700) < 1 / (1 + np.exp(1.5 - HISTORY["la"]))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_is_read_back_is_the_same_model(name: str) -> None:
    model = MODELS[name]()
    model.fit(HISTORY, FAILED)
    state = model_state(model)
    text = json.dumps(state, allow_nan=False)
    again = model_from(json.loads(text))
    others = changes(50, 2).assign(project=["ant", "bee", "cow", "ant", "bee"] * 10)
    assert np.array_equal(model.risk(others), again.risk(others))
    assert repr(model.explain(others.iloc[[3]])) == repr(again.explain(others.iloc[[3]]))  # a value may be NaN
    assert json.dumps(model_state(again), allow_nan=False) == text


def test_a_model_of_another_kind_has_no_state() -> None:
    class Mine(ProjectRate):
        """Whatever it does, it is not what it derives from."""

    model: ChangeRisk = Mine()
    assert model_state(model) is None
    with pytest.raises(ValueError, match="no kind of model 'mine'"):
        model_from({"kind": "mine"})


@pytest.mark.parametrize("name", ["platt", "beta"])
@pytest.mark.parametrize("one_kind", [False, True])
def test_a_curve_of_weights_is_read_back(name: str, one_kind: bool) -> None:
    rng = np.random.default_rng(0)
    seen = rng.random(200)
    fitted = fit_calibrator(name, seen, np.ones(200) if one_kind else rng.random(200) < seen)
    state = calibrator_state(name, fitted)
    assert state is not None
    again = calibrator_from(json.loads(json.dumps(state)))
    assert np.array_equal(fitted.predict(seen), again.predict(seen))
    assert calibrator_state("isotonic", fit_calibrator("isotonic", seen, seen > 0.5)) is None
