"""Confidence from past outcomes only: a Beta posterior per risk bin, or a curve through all of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.labels import LabelQuality, Tally, due
from autodev_lab.decisions.logistic import LabelLogistic
from autodev_lab.records import Label

__all__ = ["BetaCalibrator", "BinnedBetaCalibrator", "PlattCalibrator"]

Floats = npt.NDArray[np.float64]

_NEAREST = 1e-3


class BinnedBetaCalibrator:
    """Probability that a change of a given risk is right, by equal-width bins of risk.

    A bin's estimate is its own share of right changes shrunk towards the share over all bins, which in turn starts
    from a uniform Beta(1, 1) prior: with no outcomes at all the confidence is .5, and everything goes to review.
    Labels are read as `autodev_lab.decisions.labels` says; a bin of weighted labels counts as many as its weights are
    worth.

    Parameters
    ----------
    bins
        Number of risk bins over [0, 1].
    strength
        Weight of the overall share in each bin, in outcomes.
    quality
        Error rates of the checks that label changes.

    Examples
    --------
    >>> calibrator = BinnedBetaCalibrator(quality=LabelQuality(production_power=0.5))
    >>> calibrator.confidence(0.1)
    0.5
    >>> for number in range(40):
    ...     calibrator.learn(Label(f"t{number}", "p", {}, 0.1, success=True))
    >>> round(calibrator.confidence(0.1), 2)
    0.99
    """

    def __init__(self, bins: int = 10, strength: float = 4.0, quality: LabelQuality | None = None) -> None:
        if bins < 1 or strength <= 0:
            raise ValueError("bins must be at least 1 and strength positive")
        self._strength = strength
        self._quality = quality or LabelQuality()
        self._bins = [Tally() for _ in range(bins)]
        self._all = Tally()
        self._overall: float | None = None

    def _bin(self, risk: float) -> Tally:
        return self._bins[min(len(self._bins) - 1, max(0, int(risk * len(self._bins))))]

    def confidence(self, risk: float) -> float:
        """Posterior mean of the probability that a change of this risk is right."""
        if self._overall is None:
            self._overall = self._all.share(self._quality, prior=0.5, strength=2.0)
        return self._bin(risk).share(self._quality, prior=self._overall, strength=self._strength)

    def learn(self, label: Label) -> None:
        """Count one labelled outcome."""
        self._overall = None
        for tally in (self._bin(label.risk), self._all):
            tally.add(label)


class PlattCalibrator:
    """Probability that a change of a given risk is right, as a logistic curve in the log-odds of the risk.

    Platt 1999, "Probabilistic outputs for support vector machines", with his one pseudo-outcome of each kind, so that
    the confidence is .5 before there are outcomes; the slope is penalised, so that few outcomes give one share for all
    risks. Confidence never rises with risk: a slope that says so is noise, and is left out.

    Parameters
    ----------
    strength
        Inverse of the penalty of the slope. An assumption.
    quality
        Error rates of the checks that label changes.

    Examples
    --------
    >>> calibrator = PlattCalibrator(quality=LabelQuality(production_power=0.5))
    >>> calibrator.confidence(0.1)
    0.5
    >>> for number in range(40):
    ...     calibrator.learn(Label(f"t{number}", "p", {}, 0.1 if number % 2 else 0.6, success=number % 2 == 1))
    >>> round(calibrator.confidence(0.1), 1), round(calibrator.confidence(0.6), 1)
    (0.8, 0.1)
    """

    def __init__(self, strength: float = 0.5, quality: LabelQuality | None = None) -> None:
        if strength <= 0:
            raise ValueError("strength must be positive")
        self._quality = quality or LabelQuality()
        self._strength = strength
        self._labels: list[Label] = []
        self._fitted = 0
        self._model: LabelLogistic | None = None

    def confidence(self, risk: float) -> float:
        """The curve's value, rounded to six digits."""
        count = due(len(self._labels))
        if self._fitted < count:
            self._model, self._fitted = self._fit(self._labels[:count]), count
        if self._model is None:
            return 0.5
        return round(float(self._model.probability(np.array([self._features(risk)]))[0]), 6)

    def learn(self, label: Label) -> None:
        """Keep a label; the curve is fitted when it is next asked for."""
        self._labels.append(label)

    def _fit(self, labels: list[Label]) -> LabelLogistic:
        rows = np.array([self._features(label.risk) for label in labels])
        model = self._curve(rows, labels)
        while (model.coefficients > 0.0).any():
            rows[:, int(np.argmax(model.coefficients))] = 0.0
            model = self._curve(rows, labels)
        return model

    def _features(self, risk: float) -> tuple[float, ...]:
        """What the curve is logistic in; confidence falls with each."""
        return (_log_odds(risk),)

    def _curve(self, rows: Floats, labels: list[Label]) -> LabelLogistic:
        model = LabelLogistic(strength=self._strength)
        model.fit(rows, labels, self._quality)
        return model


class BetaCalibrator(PlattCalibrator):
    """As `PlattCalibrator`, with two slopes: one where risks are low, and one where they are high.

    Kull, Silva Filho and Flach 2017, "Beta calibration" (AISTATS): logistic in the logarithms of risk and of 1 - risk.

    Examples
    --------
    >>> calibrator = BetaCalibrator(quality=LabelQuality(production_power=0.5))
    >>> calibrator.confidence(0.1)
    0.5
    >>> for number in range(40):
    ...     calibrator.learn(Label(f"t{number}", "p", {}, 0.1 if number % 2 else 0.6, success=number % 2 == 1))
    >>> calibrator.confidence(0.1) > 0.8, calibrator.confidence(0.6) < 0.2
    (True, True)
    """

    def _features(self, risk: float) -> tuple[float, ...]:
        held = min(1.0 - _NEAREST, max(_NEAREST, risk))
        return math.log(held), -math.log1p(-held)


def _log_odds(risk: float) -> float:
    held = min(1.0 - _NEAREST, max(_NEAREST, risk))
    return math.log(held / (1.0 - held))
