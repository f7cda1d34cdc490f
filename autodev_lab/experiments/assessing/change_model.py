"""Risk models on the change measures of one repository: what one must do, a logistic model, and the published formula.

Any model with these three methods can be used (`ChangeModel`); a column of counts is never scaled before it gets here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

from autodev_lab.decisions.risk import WEIGHTS
from autodev_lab.errors import LabError
from autodev_lab.mining import MEASURE_WORDS, MEASURES

__all__ = ["ChangeModel", "Contribution", "LogisticModel", "PublishedFormula"]

Floats = npt.NDArray[np.float64]

_FARTHEST = 3.0
_PLAIN = ("entropy", "fix")
_STAND_INS: Mapping[str, str] = {
    "complexity": "spread over files, in place of complexity",
    "test_coverage": "share of added lines, in place of coverage",
    "dependency": "folders touched, in place of dependencies",
    "historical_stability": "failures in the history",
    "impact_radius": "size of the change",
}


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one measure does to the risk of one change.

    Parameters
    ----------
    name
        Of the measure or factor.
    amount
        What it adds, against a typical change; negative lowers the risk.
    words
        For people, with the value and what is typical.
    """

    name: str
    amount: float
    words: str


class ChangeModel(Protocol):
    """A risk model on change measures."""

    @property
    def scale(self) -> str:
        """What contributions are counted in."""
        ...

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """Learn from the measures of earlier changes, shape (n, 14), and whether each failed.

        Raises
        ------
        LabError
            If all failed, or none.
        """
        ...

    def risk(self, changes: pd.DataFrame) -> Floats:
        """Score in [0, 1] of each change, shape (n,): the higher, the likelier it fails."""
        ...

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """What moved the risk of one change (a frame of one row), the largest first."""
        ...


class LogisticModel:
    """Ridge logistic regression on the logarithms of the measures.

    Counts enter as log(1 + x), as Kamei et al. 2013 (section 4.2) do because they are skewed; all are standardised by
    the history and cut at three standard deviations, so that a change unlike any before is not extrapolated to. The
    measures depend on one another, so a strong penalty shares what they have in common among them.

    Parameters
    ----------
    strength
        Inverse of the penalty (scikit-learn's ``C``). An assumption.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> history = pd.DataFrame({name: rng.integers(1, 100, 400) for name in MEASURES}).astype(float)
    >>> model = LogisticModel()
    >>> model.fit(history, history["la"] > 70)
    >>> model.explain(history[history["la"] > 90].head(1))[0].name
    'la'
    """

    scale = "log-odds of failing"

    def __init__(self, strength: float = 0.1) -> None:
        self._model = LogisticRegression(C=strength, max_iter=1000)
        self._mean: Floats = np.zeros(len(MEASURES))
        self._spread: Floats = np.ones(len(MEASURES))
        self._typical: Mapping[str, float] = {}

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeModel`."""
        bad = np.asarray(failed).astype(bool)
        if not 0 < bad.sum() < len(bad):
            raise LabError("a model needs changes that failed and changes that did not; mine a longer history")
        rows = _logs(history)
        self._mean, spread = rows.mean(axis=0), rows.std(axis=0)
        self._spread = np.where(spread > 1e-9, spread, 1.0)
        self._typical = {name: float(history[name].median()) for name in MEASURES}
        self._model.fit(self._placed(history), bad)

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeModel`."""
        failing: Floats = self._model.predict_proba(self._placed(changes))[:, 1]
        return failing

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeModel`; the amounts, and the model's log-odds for an average change, add up to its log-odds."""
        amounts = (self._placed(change)[0] * self._model.coef_[0]).tolist()
        parts = []
        for name, amount in zip(MEASURES, amounts, strict=True):
            value, typical = float(change[name].iloc[0]), self._typical[name]
            does = "raises" if amount > 0 else "lowers"
            words = (
                f"{MEASURE_WORDS[name]}: {_short(value)} (median {_short(typical)}) {does} the odds of failing "
                f"{np.exp(abs(amount)):.2f} times"
            )
            parts.append(Contribution(name, amount, words))
        return tuple(sorted(parts, key=lambda part: -abs(part.amount)))

    def _placed(self, changes: pd.DataFrame) -> Floats:
        placed: Floats = np.clip((_logs(changes) - self._mean) / self._spread, -_FARTHEST, _FARTHEST)
        return placed


class PublishedFormula:
    """The specification's five factors and weights, as far as the measures of a change carry them.

    ===================== ========================================================================================
    factor                measured by
    ===================== ========================================================================================
    complexity            entropy of the change (Hassan 2009, "Predicting faults using the complexity of code
                          changes", ICSE), over that of 20 files changed alike, log2(20)
    test_coverage         share of added lines: a history tells nothing of coverage, and new code is tested least
    dependency            folders touched, over 10
    historical_stability  failures in the history, with one of each kind added (Laplace's rule of succession)
    impact_radius         lines added and removed, over 50, as in `autodev_lab.decisions.FiveFactorRisk`
    ===================== ========================================================================================

    It is a score and no probability.

    Examples
    --------
    >>> change = pd.DataFrame([{name: 1.0 for name in MEASURES}])
    >>> round(float(PublishedFormula().risk(change)[0]), 3)
    0.297
    """

    scale = "score"

    def __init__(self) -> None:
        self._stability = 0.5

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeModel`; only the share of failures is learned."""
        bad = np.asarray(failed).astype(bool)
        self._stability = (float(bad.sum()) + 1.0) / (len(bad) + 2.0)

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeModel`."""
        score: Floats = np.sum([WEIGHTS[name] * part for name, part in self._factors(changes).items()], axis=0)
        return score

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeModel`; the amounts are the weighted factors."""
        parts = []
        for name, value in self._factors(change).items():
            amount = WEIGHTS[name] * float(value[0])
            words = f"{_STAND_INS[name]}: {float(value[0]):.2f} of 1 adds {amount:.2f} to the score"
            parts.append(Contribution(name, amount, words))
        return tuple(sorted(parts, key=lambda part: -abs(part.amount)))

    def _factors(self, changes: pd.DataFrame) -> dict[str, Floats]:
        added, removed, folders, entropy = (
            changes[name].to_numpy(dtype=np.float64) for name in ("la", "ld", "nd", "entropy")
        )
        return {
            "complexity": np.minimum(1.0, entropy / np.log2(20.0)),
            "test_coverage": (added + 1.0) / (added + removed + 2.0),
            "dependency": np.minimum(1.0, folders / 10.0),
            "historical_stability": np.full(len(changes), self._stability),
            "impact_radius": np.minimum(1.0, (added + removed) / 50.0),
        }


def _logs(changes: pd.DataFrame) -> Floats:
    columns = [
        changes[name].to_numpy(dtype=np.float64)
        if name in _PLAIN
        else np.log1p(changes[name].to_numpy(dtype=np.float64))
        for name in MEASURES
    ]
    return np.column_stack(columns)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2g}"
