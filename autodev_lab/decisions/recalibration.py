"""Online recalibration without a stated shape: isotonic and Venn-Abers curves, fitted again as labels arrive."""

from __future__ import annotations

import numpy as np

from autodev_lab.decisions.calibrators import FittedCalibrator, fit_calibrator
from autodev_lab.decisions.labels import LabelQuality, Tally, due, weight_of
from autodev_lab.errors import LabError
from autodev_lab.records import Label

__all__ = ["RefittedCalibrator"]

_NAMES = ("isotonic", "venn_abers")
_STEPS = 8


class RefittedCalibrator:
    """Probability that a change of a given risk is right, from labels whose checks err at stated rates.

    The curve is fitted on the probabilities that the labelled changes were right, these are computed anew from the
    curve and the checks' error rates, and so on for eight steps (expectation-maximisation, as in
    `autodev_lab.decisions.labels`). Two pseudo-outcomes, one of each kind, are added at every risk, so that the
    confidence is .5 before there are labels and no single label makes it certain.

    Parameters
    ----------
    name
        ``isotonic`` or ``venn_abers``, as in `fit_calibrator`. The logistic ones are `PlattCalibrator` and
        `BetaCalibrator`, which maximise the likelihood of the labels at once.
    quality
        Error rates of the checks that label changes.

    Raises
    ------
    LabError
        If the name is not known.

    Examples
    --------
    >>> calibrator = RefittedCalibrator("venn_abers", LabelQuality(production_power=0.5))
    >>> calibrator.confidence(0.1)
    0.5
    >>> for number in range(200):
    ...     calibrator.learn(Label(f"t{number}", "p", {}, 0.1 if number % 2 else 0.6, success=number % 2 == 1))
    >>> calibrator.confidence(0.1) > 0.9, calibrator.confidence(0.6) < 0.1
    (True, True)
    """

    def __init__(self, name: str, quality: LabelQuality | None = None) -> None:
        if name not in _NAMES:
            raise LabError(f"calibrator is {name!r}; choose one of {', '.join(_NAMES)}")
        self._name = name
        self._quality = quality or LabelQuality()
        self._labels: list[Label] = []
        self._fitted = 0
        self._worth = 0.0
        self._curve: FittedCalibrator | None = None

    def confidence(self, risk: float) -> float:
        """The curve's value, shrunk by two pseudo-outcomes, rounded to six digits."""
        count = due(len(self._labels))
        if self._fitted < count:
            self._fit(self._labels[:count])
            self._fitted = count
        if self._curve is None:
            return 0.5
        share = float(self._curve.predict([1.0 - risk])[0])
        return round((self._worth * share + 1.0) / (self._worth + 2.0), 6)

    def learn(self, label: Label) -> None:
        """Keep a label; the curve is fitted when it is next asked for."""
        self._labels.append(label)

    def _fit(self, labels: list[Label]) -> None:
        confidence = np.array([1.0 - label.risk for label in labels])
        weights = np.array([weight_of(label) for label in labels])
        shown = np.array([label.success for label in labels])
        rates = np.array([self._quality.rates(label.source) for label in labels])
        if_right = np.where(shown, rates[:, 0], 1.0 - rates[:, 0])
        if_wrong = np.where(shown, rates[:, 1], 1.0 - rates[:, 1])
        tally = Tally()
        for label in labels:
            tally.add(label)
        base = np.full(len(labels), tally.share(self._quality, prior=0.5, strength=2.0))
        for _ in range(_STEPS):
            both = base * if_right + (1.0 - base) * if_wrong
            right = np.divide(base * if_right, both, out=base.copy(), where=both > 0.0)
            self._curve = fit_calibrator(self._name, confidence, np.clip(right, 0.0, 1.0), weights=weights)
            base = self._curve.predict(confidence)
        self._worth = float(weights.sum() ** 2 / (weights**2).sum())
