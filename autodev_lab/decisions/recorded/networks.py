"""Risk models on recorded changes with neural networks: smooth where trees go in steps, so that a mean errs less."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import QuantileTransformer
from threadpoolctl import threadpool_limits

from autodev_lab.decisions.recorded.explaining import Contribution, by_replacement
from autodev_lab.decisions.recorded.features import NUMBERS
from autodev_lab.decisions.recorded.models import (
    LEAST_OF_PROJECT,
    Boosting,
    ChangeRisk,
    Logistic,
    checked_labels,
)
from autodev_lab.errors import LabError

__all__ = ["Blend", "Network", "Networks", "scores_from"]

Floats = npt.NDArray[np.float64]

Singles = npt.NDArray[np.float32]
Network = tuple[tuple[Singles, Singles], ...]
"""Weights, of shape (from, to), and intercepts of each layer."""

_NEAREST = 1e-4
_FARTHEST = 3.0
_QUANTILES = 200
_BATCH = 256
_TYPICAL = 64


class Networks:
    """A few small networks of two hidden layers on normal scores of the features and on the project; the mean of their
    log-odds.

    Normal scores (a feature's place among those of the history, as a quantile of the normal distribution) keep outliers
    of counts from ruling; a missing feature is a typical one. The number of passes over the history is what keeps a
    network from learning it by heart.

    Parameters
    ----------
    count
        Networks, which differ in their seed alone.
    layers, passes, ridge, rate
        Hidden units, passes over the history, weight decay, and step size. The defaults were tried on validation inside
        the training part (docs/recorded-changes.md).
    """

    def __init__(
        self,
        *,
        count: int = 3,
        layers: tuple[int, ...] = (48, 16),
        passes: int = 10,
        ridge: float = 1e-3,
        rate: float = 2e-3,
    ) -> None:
        self._count, self._layers, self._passes, self._ridge, self._rate = count, layers, passes, ridge, rate
        self._names: tuple[str, ...] = ()
        self._middle = pd.Series(dtype=np.float64)
        self._scores: QuantileTransformer | None = None
        self._models: list[Network] = []
        self._typical = pd.DataFrame()

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._names = tuple(sorted({str(name) for name in history["project"]}))
        self._typical = history.iloc[np.linspace(0, len(history) - 1, _TYPICAL).astype(np.int64)]
        numbers = _numbers(history)
        self._middle = numbers.median().fillna(0.0)
        self._scores = QuantileTransformer(
            n_quantiles=min(_QUANTILES, len(history)), output_distribution="normal", random_state=0
        ).fit(numbers.fillna(self._middle))
        rows = self._rows(history)
        self._models = [self._fitted(rows, labels, seed) for seed in range(self._count)]

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        if not self._models:
            raise LabError("a risk model was asked before it was fitted; call fit first")
        rows = self._rows(changes)
        with threadpool_limits(1):
            odds = [_log_odds(_forward(model, rows)) for model in self._models]
        return np.asarray(expit(np.mean(odds, axis=0)), dtype=np.float64)

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        return by_replacement(self.risk, change, self._typical)

    def _fitted(self, rows: Singles, labels: npt.NDArray[np.bool_], seed: int) -> Network:
        model = MLPClassifier(
            self._layers,
            alpha=self._ridge,
            batch_size=min(_BATCH, len(labels)),
            learning_rate_init=self._rate,
            max_iter=self._passes,
            random_state=seed,
        )
        # one thread: sums in one order give the same bytes
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # it stops early on purpose
            model.fit(rows, labels)
        return tuple(zip(model.coefs_, model.intercepts_, strict=True))

    def _rows(self, changes: pd.DataFrame) -> Singles:
        assert self._scores is not None
        numbers = self._scores.transform(_numbers(changes).fillna(self._middle))
        projects = changes["project"].astype(str).to_numpy()
        indicators = [projects == name for name in self._names]
        placed = np.column_stack([np.clip(numbers, -_FARTHEST, _FARTHEST), *indicators])
        return placed.astype(np.float32)


class Blend:
    """Boosting and networks on all projects, and logistic regression on each by itself: a weighted mean of log-odds.

    Trees and networks err in different places, so their mean errs less than either. Weights were chosen on validation
    inside the training part (docs/recorded-changes.md).
    """

    def __init__(self) -> None:
        self._parts: tuple[tuple[float, ChangeRisk], ...] = (
            (2.0, Boosting(trees=300, rate=0.04)),
            (2.0, Networks()),
        )
        self._own: dict[str, Logistic] = {}
        self._typical = pd.DataFrame()

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._typical = history.iloc[np.linspace(0, len(history) - 1, _TYPICAL).astype(np.int64)]
        for _, model in self._parts:
            model.fit(history, labels)
        self._own = {}
        for name, rows in history.groupby("project", sort=True).indices.items():
            if len(rows) >= LEAST_OF_PROJECT and 0 < labels[rows].sum() < len(rows):
                self._own[str(name)] = Logistic()
                self._own[str(name)].fit(history.iloc[rows], labels[rows])

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        odds: Floats = np.sum([weight * _log_odds(model.risk(changes)) for weight, model in self._parts], axis=0)
        total = np.full(len(changes), sum(weight for weight, _ in self._parts))
        for name, rows in changes.groupby("project", sort=True).indices.items():
            if str(name) in self._own:
                odds[rows] += _log_odds(self._own[str(name)].risk(changes.iloc[rows]))
                total[rows] += 1.0
        return np.asarray(expit(odds / total), dtype=np.float64)

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        return by_replacement(self.risk, change, self._typical)


def scores_from(quantiles: Floats) -> QuantileTransformer:
    """The transformation into normal scores with these quantiles of the features, of shape (quantiles, features)."""
    scores = QuantileTransformer(n_quantiles=len(quantiles), output_distribution="normal", random_state=0)
    scores.quantiles_, scores.references_ = quantiles, np.linspace(0.0, 1.0, len(quantiles), endpoint=True)
    scores.n_quantiles_, scores.n_features_in_ = quantiles.shape
    scores.feature_names_in_ = np.array(NUMBERS, dtype=object)
    return scores


def _numbers(changes: pd.DataFrame) -> pd.DataFrame:
    """Features but for the project; recorded data hold numbers so near 0 that to divide by them is not finite."""
    numbers = changes[list(NUMBERS)].astype(np.float64)
    return numbers.mask(numbers.abs() < np.finfo(np.float64).tiny, 0.0)


def _forward(network: Network, rows: Singles) -> Floats:
    """Probability of failing: rectified units, then a logistic one."""
    *hidden, (last, bias) = network
    for weights, intercepts in hidden:
        rows = np.maximum(rows @ weights + intercepts, np.float32(0))
    return np.asarray(expit(rows @ last + bias)[:, 0], dtype=np.float64)


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _NEAREST, 1.0 - _NEAREST))
    return odds
