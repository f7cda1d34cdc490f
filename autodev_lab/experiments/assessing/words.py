"""What moved the risk of a commit, in words that name the measure as it was counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from autodev_lab.decisions.recorded.explaining import Contribution
from autodev_lab.decisions.recorded.features import FEATURE_WORDS
from autodev_lab.mining import MEASURE_WORDS, MEASURES

__all__ = ["Moved", "moved_by"]

_LOG_ODDS = "log-odds"
_STAND_INS: Mapping[str, str] = {
    "complexity": "spread over files, in place of complexity",
    "test_coverage": "share of added lines, in place of coverage",
    "dependency": "folders touched, in place of dependencies",
    "historical_stability": "failures in the history",
    "impact_radius": "size of the change",
}


@dataclass(frozen=True, slots=True)
class Moved:
    """One feature or factor and what it did.

    Parameters
    ----------
    name
        Of the feature.
    amount
        What it adds to the risk, in ``scale``; negative lowers it.
    scale
        Log-odds of failing, or the score of the formula.
    words
        For people.
    """

    name: str
    amount: float
    scale: str
    words: str


def moved_by(contribution: Contribution, measures: Mapping[str, float], history: pd.DataFrame) -> Moved:
    """Put a contribution into words.

    Parameters
    ----------
    contribution
        By a risk model.
    measures
        The change's, as they were counted.
    history
        Measures of the changes that were learned from: a median says what is usual.

    Examples
    --------
    >>> history = pd.DataFrame({"la": [1.0, 7.0, 9.0]})
    >>> moved_by(Contribution("la", 3.87, 0.94), {"la": 47.0}, history).words
    'lines added: 47 (median 7) raises the odds of failing 2.56 times'
    """
    name, amount = contribution.name, contribution.amount
    if contribution.scale != _LOG_ODDS:
        words = f"{_STAND_INS.get(name, name)}: {contribution.value:.2f} of 1 adds {amount:.2f} to the score"
        return Moved(name, amount, contribution.scale, words)
    value = ""
    if name in MEASURES:
        usual = f" (median {_short(float(history[name].median()))})" if len(history) and name != "fix" else ""
        value = f": {_short(measures[name])}{usual}"
    does = "raises" if amount > 0 else "lowers"
    what = {**FEATURE_WORDS, **MEASURE_WORDS}.get(name, name)
    words = f"{what}{value} {does} the odds of failing {math.exp(abs(amount)):.2f} times"
    return Moved(name, amount, f"{_LOG_ODDS} of failing", words)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2g}"
