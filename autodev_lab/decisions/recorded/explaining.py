"""Why a change is risky: what each feature adds to its log-odds, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logit

from autodev_lab.decisions.recorded.features import FEATURE_WORDS
from autodev_lab.decisions.risk import FACTOR_WORDS

__all__ = ["Contribution", "by_replacement", "sorted_contributions"]

Floats = npt.NDArray[np.float64]

_NEAREST = 1e-4
_WORDS: Mapping[str, str] = {**FACTOR_WORDS, **FEATURE_WORDS}


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature does to the risk of one change.

    Parameters
    ----------
    name
        Of the feature.
    value
        The feature's value as the model reads it (counts by their logarithm); a project by its name.
    amount
        What it adds to the risk, against a typical change; negative lowers it.
    scale
        What the amount is counted in: the log-odds of failing, or the score itself.

    Examples
    --------
    >>> Contribution("la", 5.31, 0.84).words
    'lines added (5.31) raises the risk by 0.84 in log-odds'
    """

    name: str
    value: float | str
    amount: float
    scale: str = "log-odds"

    @property
    def words(self) -> str:
        """For people."""
        value = self.value if isinstance(self.value, str) else f"{self.value:.2f}"
        does = "raises" if self.amount > 0 else "lowers"
        return f"{_WORDS.get(self.name, self.name)} ({value}) {does} the risk by {abs(self.amount):.2f} in {self.scale}"


def sorted_contributions(parts: list[Contribution]) -> tuple[Contribution, ...]:
    """The largest first; those that add nothing are left out."""
    kept = [one for one in parts if one.amount != 0.0]
    return tuple(sorted(kept, key=lambda one: (-abs(one.amount), one.name)))


def by_replacement(
    risk: Callable[[pd.DataFrame], Floats], change: pd.DataFrame, typical: pd.DataFrame
) -> tuple[Contribution, ...]:
    """What each feature adds: the change's log-odds less their mean when that feature is as in typical changes.

    Robnik-Sikonja and Kononenko 2008, "Explaining classifications for individual instances" (IEEE TKDE 20). Parts do
    not add up where features act together.

    Parameters
    ----------
    risk
        Of a model.
    change
        A frame of one row.
    typical
        Changes to compare with, of the same columns.
    """
    here = float(_log_odds(risk(change))[0])
    names = list(change.columns)
    repeated = change.loc[change.index.repeat(len(typical))].reset_index(drop=True)
    frames = []
    for name in names:
        frame = repeated.copy()
        frame[name] = typical[name].to_numpy()
        frames.append(frame)
    replaced = _log_odds(risk(pd.concat(frames, ignore_index=True))).reshape(len(names), len(typical)).mean(axis=1)
    parts = []
    for name, other in zip(names, replaced.tolist(), strict=True):
        value = change[name].iloc[0]
        parts.append(Contribution(name, value if isinstance(value, str) else float(value), round(here - other, 6)))
    return sorted_contributions(parts)


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _NEAREST, 1.0 - _NEAREST))
    return odds
