"""From a score to a probability that is true: Platt, isotonic, beta and Venn-Abers, fitted on changes with outcomes.

Each is fitted once, on changes that neither trained the model nor certify a threshold;
`autodev_lab.decisions.recalibration` refits them as outcomes arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from autodev_lab.errors import LabError

__all__ = ["CALIBRATOR_NAMES", "FittedCalibrator", "calibrator_from", "calibrator_state", "fit_calibrator"]

Floats = npt.NDArray[np.float64]

_NEAREST = 1e-4
_PENALTY_INVERSE = 1e6
_STEPS_PER_LOG_ODDS = 100.0


class FittedCalibrator(Protocol):
    """A curve from confidence to probability of success."""

    def predict(self, confidence: npt.ArrayLike) -> Floats:
        """Probability in [0, 1] that each change succeeds, shape (n,); it never falls as the confidence rises."""
        ...


def fit_calibrator(
    name: str, confidence: npt.ArrayLike, success: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> FittedCalibrator:
    """Fit a calibrator.

    Parameters
    ----------
    name
        ``platt`` (logistic in the log-odds, with his pseudo-outcomes: Platt 1999, "Probabilistic outputs for support
        vector machines"), ``isotonic`` (Zadrozny and Elkan 2002, "Transforming classifier scores into accurate
        multiclass probability estimates", KDD), ``beta`` (Kull, Silva Filho and Flach 2017, "Beta calibration",
        AISTATS: logistic in log p and -log(1 - p), weights not negative) or ``venn_abers`` (Vovk, Petej and Fedorova
        2015, "Large-scale probabilistic predictors with and without guarantees of validity", NeurIPS: the inductive
        predictor, its two probabilities merged for log loss).
    confidence
        Uncalibrated, in [0, 1], shape (n,); held ``1e-4`` away from 0 and 1 where logarithms are taken.
    success
        Whether each change succeeded, or the probability that it did, shape (n,).
    weights
        Shape (n,), positive; all 1 unless given.

    Raises
    ------
    LabError
        If the name is not known, there are no changes, or a value is not allowed. Outcomes of one kind alone are no
        error: the share then rests on one pseudo-outcome of each kind (Laplace), and ``isotonic`` gives what it saw.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> confidence = rng.random(2000)
    >>> success = rng.random(2000) < confidence**2
    >>> [
    ...     round(float(fit_calibrator(name, confidence, success).predict([0.7])[0]), 2)
    ...     for name in CALIBRATOR_NAMES
    ... ]
    [0.47, 0.44, 0.47, 0.46]
    """
    if name not in _FITS:
        raise LabError(f"calibrator is {name!r}; choose one of {', '.join(_FITS)}")
    p, y = np.asarray(confidence, dtype=np.float64), np.asarray(success, dtype=np.float64)
    w = np.ones_like(p) if weights is None else np.asarray(weights, dtype=np.float64)
    if p.ndim != 1 or y.shape != p.shape or w.shape != p.shape:
        raise LabError(
            f"confidences, outcomes and weights must be vectors of one length: {p.shape}, {y.shape}, {w.shape}"
        )
    if not len(p):
        raise LabError("there are no changes to calibrate on; give the calibration part of the data a longer period")
    _check_shares("confidence", p)
    _check_shares("outcome", y)
    if not np.all((w > 0.0) & np.isfinite(w)):
        raise LabError("weights must be positive numbers")
    return _FITS[name](p, y, w)


class _Logistic:
    """A logistic curve in one or two features whose weights are not negative."""

    def __init__(self, features: Callable[[Floats], Floats], p: Floats, y: Floats, w: Floats) -> None:
        self._features = features
        rows = features(p)
        good, bad = float(w @ y), float(w @ (1.0 - y))
        # Platt's targets: one pseudo-outcome of each kind, so that a part with one kind alone is not certain
        targets = y * (good + 1.0) / (good + 2.0) + (1.0 - y) / (bad + 2.0)
        self._kept = [column for column in range(rows.shape[1]) if np.ptp(rows[:, column]) > 0.0]
        while True:
            self._weights, self._intercept = _fit_logistic(rows[:, self._kept], targets, w)
            falling = [column for column, weight in zip(self._kept, self._weights, strict=True) if weight < 0.0]
            if not falling:
                break
            worst = self._kept[int(np.argmin(self._weights))]
            self._kept = [column for column in self._kept if column != worst]

    def predict(self, confidence: npt.ArrayLike) -> Floats:
        """See `FittedCalibrator`."""
        from scipy.special import expit  # a quarter of a second that only those who calibrate need

        rows = self._features(_placed(confidence))[:, self._kept]
        right: Floats = expit(rows @ self._weights + self._intercept)
        return right


class _Isotonic:
    """The best curve that does not fall."""

    def __init__(self, p: Floats, y: Floats, w: Floats) -> None:
        from sklearn.isotonic import IsotonicRegression  # a second that only those who calibrate need

        self._model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(p, y, sample_weight=w)

    def predict(self, confidence: npt.ArrayLike) -> Floats:
        """See `FittedCalibrator`."""
        right: Floats = np.asarray(self._model.predict(_placed(confidence)), dtype=np.float64)
        return right


class _VennAbers:
    """Two isotonic fits a score: as if the new change failed, and as if it succeeded.

    Scores are read to a hundredth of log-odds, fixed beforehand, which merges equal ones and keeps the validity of the
    predictor; so at most 1,843 scores can occur, and each is fitted when it is first asked for.
    """

    def __init__(self, p: Floats, y: Floats, w: Floats) -> None:
        self._scores, member = np.unique(_read(p), return_inverse=True)
        self._weights = np.bincount(member, weights=w)
        self._means = np.bincount(member, weights=w * y) / self._weights
        self._known: dict[int, float] = {}

    def predict(self, confidence: npt.ArrayLike) -> Floats:
        """See `FittedCalibrator`."""
        asked, member = np.unique(_read(np.asarray(confidence, dtype=np.float64)), return_inverse=True)
        for score in asked.tolist():
            if score not in self._known:
                low, high = self._fit(score, 0.0), self._fit(score, 1.0)
                self._known[score] = round(high / (1.0 - low + high), 12)
        merged = np.array([self._known[score] for score in asked.tolist()])
        return merged[member]

    def _fit(self, score: int, outcome: float) -> float:
        from scipy.optimize import isotonic_regression  # half a second that only this calibrator needs

        place = int(np.searchsorted(self._scores, score))
        if place < len(self._scores) and self._scores[place] == score:
            weights, means = self._weights.copy(), self._means.copy()
            means[place] = (means[place] * weights[place] + outcome) / (weights[place] + 1.0)
            weights[place] += 1.0
        else:
            weights, means = np.insert(self._weights, place, 1.0), np.insert(self._means, place, outcome)
        return float(isotonic_regression(means, weights=weights).x[place])


def _read(p: Floats) -> npt.NDArray[np.int64]:
    return np.rint(_log_odds(p)[:, 0] * _STEPS_PER_LOG_ODDS).astype(np.int64)


def _placed(confidence: npt.ArrayLike) -> Floats:
    p = np.asarray(confidence, dtype=np.float64)
    _check_shares("confidence", p)
    return p


def _check_shares(what: str, values: Floats) -> None:
    if not np.all((values >= 0.0) & (values <= 1.0)):
        raise LabError(f"every {what} must lie between 0 and 1; leave out changes without one")


def _held(p: Floats) -> Floats:
    return np.clip(p, _NEAREST, 1.0 - _NEAREST)


def _log_odds(p: Floats) -> Floats:
    from scipy.special import logit  # as above

    odds: Floats = np.asarray(logit(_held(p)), dtype=np.float64)[:, np.newaxis]
    return odds


def _two_logs(p: Floats) -> Floats:
    held = _held(p)
    return np.column_stack([np.log(held), -np.log1p(-held)])


def _fit_logistic(rows: Floats, targets: Floats, w: Floats) -> tuple[Floats, float]:
    """Weights and intercept; scikit-learn knows classes alone, so each row stands twice, by its target."""
    from scipy.special import logit  # as above
    from sklearn.linear_model import LogisticRegression

    if not rows.shape[1]:
        return np.zeros(0), float(logit(np.average(targets, weights=w)))
    model = LogisticRegression(C=_PENALTY_INVERSE, max_iter=1000)
    kinds = np.repeat([1, 0], len(rows))
    model.fit(np.vstack([rows, rows]), kinds, sample_weight=np.concatenate([w * targets, w * (1.0 - targets)]))
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


_FITS: Mapping[str, Callable[[Floats, Floats, Floats], FittedCalibrator]] = MappingProxyType(
    {
        "platt": lambda p, y, w: _Logistic(_log_odds, p, y, w),
        "isotonic": _Isotonic,
        "beta": lambda p, y, w: _Logistic(_two_logs, p, y, w),
        "venn_abers": _VennAbers,
    }
)


def calibrator_state(name: str, calibrator: FittedCalibrator) -> dict[str, object] | None:
    """A fitted calibrator as plain data; None for one that is not a curve of a few weights.

    Parameters
    ----------
    name
        That it was fitted by.

    Examples
    --------
    >>> fitted = fit_calibrator("platt", [0.2, 0.8], [False, True])
    >>> state = calibrator_state("platt", fitted)
    >>> bool(calibrator_from(state).predict([0.3])[0] == fitted.predict([0.3])[0])
    True
    """
    if not isinstance(calibrator, _Logistic):
        return None
    return {
        "name": name,
        "kept": list(calibrator._kept),
        "weights": [float(one) for one in calibrator._weights],
        "intercept": float(calibrator._intercept),
    }


def calibrator_from(state: Mapping[str, object]) -> FittedCalibrator:
    """The calibrator of `calibrator_state`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the data are none that it gives.
    """
    features = {"platt": _log_odds, "beta": _two_logs}[str(state["name"])]
    kept, weights = state["kept"], state["weights"]
    if not isinstance(kept, list) or not isinstance(weights, list) or len(kept) != len(weights):
        raise ValueError("a weight is needed for each feature that is kept")
    found = _Logistic.__new__(_Logistic)
    found._features = features
    found._kept = [int(one) for one in kept]
    found._weights = np.array(weights, dtype=np.float64)
    found._intercept = float(str(state["intercept"]))
    return found


CALIBRATOR_NAMES: tuple[str, ...] = tuple(_FITS)
"""Names that `fit_calibrator` knows."""
