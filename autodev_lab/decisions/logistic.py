"""Ridge logistic regression on what checks that err have shown of changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.labels import LabelQuality, Tally, weight_of
from autodev_lab.records import Label

__all__ = ["LabelLogistic"]

Floats = npt.NDArray[np.float64]

_FARTHEST = 3.0
_SMALLEST = 1e-6


class LabelLogistic:
    """Probability that a change is right, from labels whose checks err at stated rates.

    A check shows a success with probability ``q = b + (a - b) p`` when a change is right with probability p: a and b
    are the rates of `LabelQuality`, and p is logistic in the features. The weighted likelihood of what was shown is
    maximised with a ridge penalty (Magder and Hughes 1997). scikit-learn's logistic regression takes a label for the
    truth, so the likelihood is written out here and handed to scipy. One pseudo-outcome of each kind is spread over the
    rows (Platt 1999), so that labels of one kind alone do not make it certain. Features are standardised by the
    weighted rows themselves and cut at three standard deviations, so that a change unlike any before is not
    extrapolated to.

    Parameters
    ----------
    strength
        Inverse of the ridge penalty (scikit-learn's ``C``); small is strongly regularised.

    Examples
    --------
    >>> labels = [Label(f"t{n}", "p", {}, 0.2, success=n > 5) for n in range(12)]
    >>> model = LabelLogistic(strength=1.0)
    >>> model.fit(np.arange(12.0)[:, np.newaxis], labels, LabelQuality(production_power=1.0))
    >>> [round(float(p), 2) for p in model.probability(np.array([[0.0], [11.0]]))]
    [0.1, 0.9]
    """

    def __init__(self, *, strength: float) -> None:
        self._strength = strength
        self._mean: Floats = np.zeros(0)
        self._scale: Floats = np.ones(0)
        self._coefficients: Floats = np.zeros(0)
        self._intercept = 0.0

    def fit(self, rows: Floats, labels: Sequence[Label], quality: LabelQuality) -> None:
        """Fit anew.

        Parameters
        ----------
        rows
            Features of the labelled changes, of shape (n, p).
        labels
            The n labels; at least one.
        quality
            Error rates of the checks.
        """
        # most of a second that only a fit needs
        from scipy.optimize import minimize
        from scipy.special import expit, logit

        weights = np.array([weight_of(label) for label in labels])
        self._mean = np.average(rows, axis=0, weights=weights)
        spread = np.sqrt(np.average((rows - self._mean) ** 2, axis=0, weights=weights))
        self._scale = np.where(spread > _SMALLEST, spread, 1.0)
        placed = self._placed(rows)
        rates = np.array([quality.rates(label.source) for label in labels])
        shown = np.array([label.success for label in labels])
        # of what was shown: its probability if the change is right, and if it is wrong
        if_right = np.where(shown, rates[:, 0], 1.0 - rates[:, 0])
        if_wrong = np.where(shown, rates[:, 1], 1.0 - rates[:, 1])
        pseudo = 1.0 / len(labels)

        def loss(point: Floats) -> tuple[float, Floats]:
            p = np.clip(expit(placed @ point[1:] + point[0]), _SMALLEST, 1.0 - _SMALLEST)
            q = np.maximum(if_wrong + (if_right - if_wrong) * p, _SMALLEST)
            value = -weights @ np.log(q) - pseudo * np.log(p * (1.0 - p)).sum()
            slope = -weights * (if_right - if_wrong) * p * (1.0 - p) / q - pseudo * (1.0 - 2.0 * p)
            penalty = point[1:] / self._strength
            gradient = np.concatenate([[slope.sum()], placed.T @ slope + penalty])
            return float(value + penalty @ point[1:] / 2.0), gradient

        start = np.zeros(placed.shape[1] + 1)
        start[0] = logit(_share(labels, quality))
        # TNC: as good here as L-BFGS-B, whose threads for tiny matrices wait for one another on a busy machine
        found = minimize(loss, start, jac=True, method="TNC").x
        self._intercept, self._coefficients = float(found[0]), np.asarray(found[1:], dtype=np.float64)

    def probability(self, rows: Floats) -> Floats:
        """Probability that each change is right, of shape (n,), for features of shape (n, p)."""
        from scipy.special import expit  # see `fit`

        right: Floats = expit(self._placed(rows) @ self._coefficients + self._intercept)
        return right

    def contributions(self, row: Floats) -> Floats:
        """What each feature adds to the log-odds of being right, against an average row; of shape (p,)."""
        parts: Floats = self._placed(row[np.newaxis, :])[0] * self._coefficients
        return parts

    @property
    def coefficients(self) -> Floats:
        """Log-odds of being right per standard deviation of each feature, of shape (p,)."""
        return self._coefficients

    def _placed(self, rows: Floats) -> Floats:
        placed: Floats = np.clip((rows - self._mean) / self._scale, -_FARTHEST, _FARTHEST)
        return placed


def _share(labels: Sequence[Label], quality: LabelQuality) -> float:
    """Share of right changes overall: where to begin, since the likelihood may have more than one hill."""
    tally = Tally()
    for label in labels:
        tally.add(label)
    return tally.share(quality, prior=0.5, strength=2.0)
