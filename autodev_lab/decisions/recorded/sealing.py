"""Fitted risk models and calibrators as plain data, to be kept and read again without running anything that was kept.

Trees are kept in LightGBM's own text format, all else as numbers. What is read back predicts the same, bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import Booster, LGBMClassifier

from autodev_lab.decisions.calibrators import calibrator_from, calibrator_state
from autodev_lab.decisions.recorded.features import NUMBERS
from autodev_lab.decisions.recorded.models import (
    Boosting,
    ChangeRisk,
    Logistic,
    OneEach,
    ProjectLines,
    ProjectRate,
    Published,
    _Rates,
)
from autodev_lab.decisions.recorded.networks import Blend, Networks, scores_from

__all__ = ["calibrator_from", "calibrator_state", "model_from", "model_state"]

Floats = npt.NDArray[np.float64]
State = Mapping[str, object]

_TEXTS = ("project",)


def model_state(model: ChangeRisk) -> dict[str, object] | None:
    """A fitted model as plain data; None for a kind that is not known here, which has to be fitted again.

    Examples
    --------
    >>> model_state(ProjectRate())["kind"]
    'project'
    """
    if type(model) in (Published, ProjectRate):
        rates = cast("Published | ProjectRate", model)._rates
        return {"kind": "published" if type(model) is Published else "project", "rates": _rates_state(rates)}
    if type(model) is ProjectLines:
        table = [[project, cell, value] for (project, cell), value in model._table.items()]
        return {
            "kind": "project_lines",
            "rates": _rates_state(model._rates),
            "edges": model._edges.tolist(),
            "table": table,
        }
    if type(model) is Logistic:
        return {
            "kind": "logistic",
            "projects": list(model._places._names),
            "mean": model._mean.tolist(),
            "scale": model._scale.tolist(),
            "weights": np.asarray(model._model.coef_, dtype=np.float64)[0].tolist(),
            "intercept": float(model._model.intercept_[0]),
        }
    if type(model) is Boosting and model._model is not None:
        return {
            "kind": "trees",
            "projects": list(model._places._names),
            "typical": _frame_state(model._typical),
            "trees": str(model._model.booster_.model_to_string()),
        }
    if type(model) is OneEach:
        own = {
            name: [[weight, model_state(one)] for weight, one in parts] for name, parts in sorted(model._own.items())
        }
        shared = model_state(model._shared)
        if shared is None or any(state is None for parts in own.values() for _, state in parts):
            return None
        return {"kind": "one_each", "shared": shared, "own": own, "typical": _frame_state(model._typical)}
    if type(model) is Networks and model._scores is not None:
        return {
            "kind": "networks",
            "projects": list(model._names),
            "middle": model._middle.tolist(),
            "quantiles": np.asarray(model._scores.quantiles_, dtype=np.float64).tolist(),
            "networks": [[[weights.tolist(), bias.tolist()] for weights, bias in one] for one in model._models],
            "typical": _frame_state(model._typical),
        }
    if type(model) is Blend:
        parts = [[weight, model_state(one)] for weight, one in model._parts]
        alone = {name: model_state(one) for name, one in sorted(model._own.items())}
        if any(state is None for _, state in parts) or any(state is None for state in alone.values()):
            return None
        return {"kind": "blend", "parts": parts, "own": alone, "typical": _frame_state(model._typical)}
    return None


def model_from(state: State) -> ChangeRisk:
    """The model of `model_state`.

    Raises
    ------
    KeyError, TypeError, ValueError, LightGBMError
        If the data are none that it gives.
    """
    kind = state["kind"]
    if kind == "published":
        published = Published()
        _set_rates(published._rates, state["rates"])
        return published
    if kind == "project":
        rate = ProjectRate()
        _set_rates(rate._rates, state["rates"])
        return rate
    if kind == "project_lines":
        lines = ProjectLines()
        _set_rates(lines._rates, state["rates"])
        lines._edges = _floats(state["edges"])
        lines._table = {(str(one[0]), int(str(one[1]))): float(str(one[2])) for one in _rows(state["table"])}
        return lines
    if kind == "logistic":
        return _logistic(state)
    if kind == "trees":
        trees = Boosting()
        trees._places._names = tuple(str(name) for name in _list(state["projects"]))
        trees._typical = _frame(state["typical"])
        trees._model = cast("LGBMClassifier", _Trees(str(state["trees"])))
        return trees
    if kind == "one_each":
        each = OneEach()
        shared = model_from(_mapping(state["shared"]))
        if not isinstance(shared, Boosting):
            raise ValueError("what projects share is no boosting")
        each._shared = shared
        each._typical = _frame(state["typical"])
        each._own = {
            str(name): tuple((float(str(part[0])), model_from(_mapping(part[1]))) for part in _rows(parts))
            for name, parts in _mapping(state["own"]).items()
        }
        return each
    if kind == "networks":
        return _networks(state)
    if kind == "blend":
        blend = Blend()
        blend._typical = _frame(state["typical"])
        blend._parts = tuple((float(str(part[0])), model_from(_mapping(part[1]))) for part in _rows(state["parts"]))
        blend._own = {name: _logistic(_mapping(one)) for name, one in _mapping(state["own"]).items()}
        return blend
    raise ValueError(f"there is no kind of model {kind!r}")


class _Trees:
    """What a classifier of LightGBM is asked for, on trees that were read."""

    def __init__(self, text: str) -> None:
        self.booster_ = Booster(model_str=text)

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """Shape (n, 2): of success, and of failure."""
        failing = np.asarray(self.booster_.predict(rows, num_threads=1), dtype=np.float64)
        return np.column_stack([1.0 - failing, failing])


def _logistic(state: State) -> Logistic:
    model = Logistic()
    model._places._names = tuple(str(name) for name in _list(state["projects"]))
    model._mean, model._scale = _floats(state["mean"]), _floats(state["scale"])
    weights = _floats(state["weights"])
    if len(weights) != len(NUMBERS) + len(model._places._names) or len(model._mean) != len(NUMBERS):
        raise ValueError("the weights are not those of the features")
    model._model.coef_, model._model.intercept_ = weights[np.newaxis, :], _floats([state["intercept"]])
    model._model.classes_, model._model.n_features_in_ = np.array([False, True]), len(weights)
    return model


def _networks(state: State) -> Networks:
    model = Networks()
    model._names = tuple(str(name) for name in _list(state["projects"]))
    model._typical = _frame(state["typical"])
    model._middle = pd.Series(_floats(state["middle"]), index=list(NUMBERS))
    model._scores = scores_from(_matrix(state["quantiles"]))
    model._models = [
        tuple((_matrix(layer[0]).astype(np.float32), _floats(layer[1]).astype(np.float32)) for layer in _rows(one))
        for one in _list(state["networks"])
    ]
    if any(one[0][0].shape[0] != len(NUMBERS) + len(model._names) for one in model._models):
        raise ValueError("the weights are not those of the features")
    return model


def _matrix(values: object) -> Floats:
    return np.array([_floats(row) for row in _list(values)], dtype=np.float64)


def _rates_state(rates: _Rates) -> dict[str, object]:
    return {"overall": rates.overall, "of": dict(rates._of)}


def _set_rates(rates: _Rates, state: object) -> None:
    known = _mapping(state)
    rates.overall = float(str(known["overall"]))
    rates._of = {str(name): float(str(value)) for name, value in _mapping(known["of"]).items()}


def _frame_state(frame: pd.DataFrame) -> dict[str, list[object]]:
    """Columns; a number that is none is None, for JSON has no other."""
    return {
        str(name): [
            one if isinstance(one, str) else None if math.isnan(float(one)) else float(one) for one in frame[name]
        ]
        for name in frame.columns
    }


def _frame(state: object) -> pd.DataFrame:
    columns = {name: _list(values) for name, values in _mapping(state).items()}
    return pd.DataFrame(
        {name: [str(one) for one in values] if name in _TEXTS else _floats(values) for name, values in columns.items()}
    )


def _floats(values: object) -> Floats:
    return np.array([math.nan if one is None else float(str(one)) for one in _list(values)], dtype=np.float64)


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return value


def _rows(value: object) -> list[Sequence[object]]:
    return [_list(row) for row in _list(value)]


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("an object is expected")
    return value
