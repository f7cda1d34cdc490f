"""Learned risk: starts at the published formula and moves away from it only as far as outcomes say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodev_lab.decisions.labels import LabelQuality, due
from autodev_lab.decisions.logistic import LabelLogistic
from autodev_lab.decisions.measures import WORDS, measures_of
from autodev_lab.decisions.risk import FACTOR_WORDS, FiveFactorRisk
from autodev_lab.records import Evidence, Label, RiskScore

__all__ = ["LearnedRisk"]

_PATTERN = "pattern_failures"
_WORDS: Mapping[str, str] = {**FACTOR_WORDS, **WORDS, _PATTERN: "record of the pattern used"}


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A model and what it was fitted on."""

    labels: int
    names: tuple[str, ...]
    model: LabelLogistic


class LearnedRisk:
    """Probability that a change is wrong, by logistic regression on what was known of earlier changes.

    The features are the five published factors, the record of the change's pattern (share of settled changes with it
    that failed, with one of each kind added) and `autodev_lab.decisions.measures_of`. After n labels the risk is
    (m * published + n * fitted) / (m + n): the published formula has the weight of m labels, and all of it before
    there are any (the credibility formula of Buehlmann 1967, "Experience rating and credibility", ASTIN Bulletin 4).
    The fitted part is a function of the labels alone, in their order; they are read as
    `autodev_lab.decisions.labels` says.

    Parameters
    ----------
    measures
        From a change's evidence to features by name.
    prior_labels
        Weight m of the published formula, in labels. An assumption.
    strength
        Inverse of the ridge penalty. Small: there are about as many features as early labels. An assumption.
    quality
        Error rates of the checks that label changes.

    Examples
    --------
    >>> LearnedRisk().explained
    ()
    """

    def __init__(
        self,
        *,
        measures: Callable[[Evidence], Mapping[str, float]] = measures_of,
        prior_labels: float = 10.0,
        strength: float = 0.02,
        quality: LabelQuality | None = None,
    ) -> None:
        self._measures = measures
        self._prior_labels = prior_labels
        self._strength = strength
        self._quality = quality or LabelQuality()
        self._published = FiveFactorRisk()
        self._patterns: dict[str, tuple[int, int]] = {}
        self._labels: list[Label] = []
        self._fitted: _Fitted | None = None

    def assess(self, evidence: Evidence) -> RiskScore:
        """Risk by all labels so far, rounded to six digits, and the feature that moved it most."""
        published = self._published.assess(evidence)
        factors = {
            **published.factors,
            **self._measures(evidence),
            _PATTERN: self._pattern_failures(evidence.change.patterns),
        }
        fitted = self._fit()
        if fitted is None:
            return RiskScore(published.risk, factors, f"no outcomes yet, so the published formula: {published.reason}")
        row = np.array([factors[name] for name in fitted.names])
        wrong = 1.0 - float(fitted.model.probability(row[np.newaxis, :])[0])
        prior = self._prior_labels / (self._prior_labels + fitted.labels)
        return RiskScore(round(prior * published.risk + (1.0 - prior) * wrong, 6), factors, _reason(fitted, row))

    def learn(self, label: Label) -> None:
        """Keep a label; the model is fitted when it is next asked for."""
        self._published.learn(label)
        for pattern in label.patterns:
            failures, total = self._patterns.get(pattern, (0, 0))
            self._patterns[pattern] = (failures + (not label.success), total + 1)
        if _PATTERN in label.factors:  # labels of gates with another risk model have nothing to learn from
            self._labels.append(label)

    @property
    def explained(self) -> tuple[tuple[str, float], ...]:
        """Every feature with its weight in log-odds of being wrong per standard deviation, the heaviest first."""
        fitted = self._fit()
        if fitted is None:
            return ()
        pairs = zip(fitted.names, (-fitted.model.coefficients).tolist(), strict=True)
        return tuple(sorted(pairs, key=lambda pair: (-abs(pair[1]), pair[0])))

    def _pattern_failures(self, patterns: tuple[str, ...]) -> float:
        worst = 0.5 if not patterns else 0.0
        for pattern in patterns:
            failures, total = self._patterns.get(pattern, (0, 0))
            worst = max(worst, (failures + 1) / (total + 2))
        return worst

    def _fit(self) -> _Fitted | None:
        count = due(len(self._labels))
        if count and (self._fitted is None or self._fitted.labels < count):
            self._fitted = self._fit_on(self._labels[:count])
        return self._fitted

    def _fit_on(self, labels: list[Label]) -> _Fitted:
        names = tuple(sorted(set.intersection(*(set(label.factors) for label in labels))))
        rows = np.array([[label.factors[name] for name in names] for label in labels])
        model = LabelLogistic(strength=self._strength)
        model.fit(rows, labels, self._quality)
        return _Fitted(len(labels), names, model)


def _reason(fitted: _Fitted, row: npt.NDArray[np.float64]) -> str:
    parts = -fitted.model.contributions(row)
    most = int(np.argmax(np.abs(parts)))
    if parts[most] == 0.0:
        return f"nothing sets this change apart from the {fitted.labels} settled ones"
    name = fitted.names[most]
    does = "raises" if parts[most] > 0.0 else "lowers"
    return f"{_WORDS.get(name, name)} ({row[most]:.2f}) {does} the risk most, by {fitted.labels} settled changes"
