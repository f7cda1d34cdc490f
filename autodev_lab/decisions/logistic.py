"""Ridge logistic regression on what checks that err have shown of changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.labels import LabelQuality, weight_of
from autodev_lab.records import Label

__all__ = ["SoftLogistic", "fit_labels"]

Floats = npt.NDArray[np.float64]

_FARTHEST = 3.0
_EM_STEPS = 4
_TOLERANCE = 1e-6
_MOST_ITERATIONS = 100


class SoftLogistic:
    """Probability that a row is a success, fitted by scikit-learn.

    A row whose label is p counts as a success with weight p and as a failure with weight 1 - p. Features are
    standardised by the (weighted) rows themselves and cut at three standard deviations, so that a change unlike any
    before is not extrapolated to.

    Parameters
    ----------
    strength
        Inverse of the ridge penalty (scikit-learn's ``C``); small is strongly regularised.

    Examples
    --------
    >>> model = SoftLogistic(strength=1.0)
    >>> model.fit(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.1, 0.2, 0.8, 0.9]), np.ones(4))
    >>> [round(float(p), 2) for p in model.probability(np.array([[0.0], [3.0]]))]
    [0.28, 0.72]
    """

    def __init__(self, *, strength: float) -> None:
        self._strength = strength
        self._mean: Floats = np.zeros(0)
        self._scale: Floats = np.ones(0)
        self._coefficients: Floats = np.zeros(0)
        self._intercept = 0.0

    def fit(self, rows: Floats, labels: Floats, weights: Floats) -> None:
        """Fit anew.

        Parameters
        ----------
        rows
            Features, of shape (n, p).
        labels
            Probability that each row is a success, of shape (n,); not all 0 and not all 1.
        weights
            Of shape (n,), positive.
        """
        from sklearn.linear_model import LogisticRegression  # here: it takes a second, and most gates never fit

        self._mean = np.average(rows, axis=0, weights=weights)
        spread = np.sqrt(np.average((rows - self._mean) ** 2, axis=0, weights=weights))
        self._scale = np.where(spread > _TOLERANCE, spread, 1.0)
        placed = self._placed(rows)
        model = LogisticRegression(
            C=self._strength, solver="newton-cholesky", tol=_TOLERANCE, max_iter=_MOST_ITERATIONS
        )
        model.fit(
            np.vstack([placed, placed]),
            np.repeat([1, 0], len(rows)),
            sample_weight=np.concatenate([weights * labels, weights * (1.0 - labels)]),
        )
        self._coefficients = np.asarray(model.coef_[0], dtype=np.float64)
        self._intercept = float(model.intercept_[0])

    def probability(self, rows: Floats) -> Floats:
        """Probability of success, of shape (n,), for features of shape (n, p)."""
        log_odds = self._placed(rows) @ self._coefficients + self._intercept
        odds: Floats = 1.0 / (1.0 + np.exp(-log_odds))
        return odds

    def contributions(self, row: Floats) -> Floats:
        """What each feature adds to the log-odds of success, against an average row; of shape (p,)."""
        parts: Floats = self._placed(row[np.newaxis, :])[0] * self._coefficients
        return parts

    @property
    def coefficients(self) -> Floats:
        """Log-odds of success per standard deviation of each feature, of shape (p,)."""
        return self._coefficients

    def _placed(self, rows: Floats) -> Floats:
        placed: Floats = np.clip((rows - self._mean) / self._scale, -_FARTHEST, _FARTHEST)
        return placed


def fit_labels(model: SoftLogistic, rows: Floats, labels: Sequence[Label], quality: LabelQuality) -> None:
    """Fit a model to the probability that a change is right, by labels of checks that err.

    What a label says of its change depends on how likely such a change was right to begin with, so labels and model are
    improved in turns (expectation-maximisation; Magder and Hughes 1997), four times. One pseudo-outcome of each
    kind is spread over the rows (Platt 1999), so that labels of one kind alone do not make it certain.

    Parameters
    ----------
    model
        What is fitted.
    rows
        Features of the labelled changes, of shape (n, p).
    labels
        The n labels; at least one.
    quality
        Error rates of the checks.
    """
    weights = np.array([weight_of(label) for label in labels])
    pseudo = 1.0 / len(labels)
    right = np.full(len(labels), 0.5)
    for _ in range(_EM_STEPS):
        read = [quality.right(label, float(base)) for label, base in zip(labels, right, strict=True)]
        model.fit(rows, (weights * np.array(read) + pseudo) / (weights + 2.0 * pseudo), weights + 2.0 * pseudo)
        right = model.probability(rows)
