"""Risk models on recorded changes: from features and labels of the past to the probability that a change fails.

`Published` is the specification's formula; `ProjectRate` and `ProjectLines` look like skill and hold little of it, for
recorded bug rates differ by project; the others learn. None sees a time or a label beyond what `fit` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import LGBMClassifier
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from autodev_lab.decisions.recorded.explaining import Contribution, by_replacement, sorted_contributions
from autodev_lab.decisions.recorded.features import NUMBERS
from autodev_lab.decisions.risk import WEIGHTS
from autodev_lab.errors import LabError

__all__ = [
    "MODELS",
    "Boosting",
    "ChangeRisk",
    "Logistic",
    "OneEach",
    "ProjectLines",
    "ProjectRate",
    "Published",
    "checked_labels",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_NEAREST = 1e-4
_FARTHEST = 5.0
_TABLE_PRIOR = 5.0
_TYPICAL = 64
_SHARED_WEIGHT = 2.0


LEAST_OF_PROJECT = 500
"""Changes without which a project has no model of its own."""


class ChangeRisk(Protocol):
    """A risk model on the features of recorded changes (`features_of`)."""

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """Learn from features of changes whose label is known, anew; the same history gives the same model.

        Raises
        ------
        LabError
            If there is no change, or all failed, or none.
        """
        ...

    def risk(self, changes: pd.DataFrame) -> Floats:
        """Probability in [0, 1] that each change fails, of shape (n,)."""
        ...

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """What moved the risk of one change (a frame of one row), the largest first."""
        ...


class Published:
    """The specification's five factors and weights, as far as measures of a change carry them.

    ===================== =======================================================================================
    factor                measured by
    ===================== =======================================================================================
    complexity            entropy of the change over its files (Hassan 2009, "Predicting faults using the complexity
                          of code changes", ICSE), over log2 of 20 files: the ceiling that `FiveFactorRisk` has
    test_coverage         share of added lines: data sets say nothing of coverage, and new code has the fewest tests
    dependency            directories touched, over 10
    historical_stability  the project's failures in the history, with one of each kind added (Laplace)
    impact_radius         lines added and deleted, over 50, as in `FiveFactorRisk`
    ===================== =======================================================================================

    It is a score and no probability, until it is calibrated.
    """

    def __init__(self) -> None:
        self._rates = _Rates(prior=1.0)

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`; only the projects' records are learned."""
        self._rates.fit(history, checked_labels(history, failed))

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        total: Floats = np.sum([WEIGHTS[name] * values for name, values in self._factors(changes).items()], axis=0)
        return total

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`; what is added is the weighted factor itself."""
        factors = self._factors(change)
        parts = [
            Contribution(name, float(value[0]), round(WEIGHTS[name] * float(value[0]), 6), "score")
            for name, value in factors.items()
        ]
        return sorted_contributions(parts)

    def _factors(self, changes: pd.DataFrame) -> Mapping[str, Floats]:
        directories, churn = (np.expm1(changes[name].to_numpy(dtype=np.float64)) for name in ("nd", "churn"))
        return {
            "complexity": np.minimum(1.0, changes["entropy"].to_numpy(dtype=np.float64) / np.log2(20.0)),
            "test_coverage": changes["added_share"].to_numpy(dtype=np.float64),
            "dependency": np.minimum(1.0, directories / 10.0),
            "historical_stability": self._rates.of(changes["project"]),
            "impact_radius": np.minimum(1.0, churn / 50.0),
        }


class ProjectRate:
    """The project's share of failures in the history: what its identity alone says."""

    def __init__(self) -> None:
        self._rates = _Rates(prior=1.0)

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        self._rates.fit(history, checked_labels(history, failed))

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        return self._rates.of(changes["project"])

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        here, overall = float(self.risk(change)[0]), self._rates.overall
        return (Contribution("project", str(change["project"].iloc[0]), round(float(logit(here) - logit(overall)), 6)),)


class ProjectLines:
    """A table: the share of failures by project and by tenth of lines added, drawn to the project's by five changes."""

    def __init__(self) -> None:
        self._rates = _Rates(prior=1.0)
        self._edges: Floats = np.zeros(0)
        self._table: dict[tuple[str, int], float] = {}

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._rates.fit(history, labels)
        added = history["la"].to_numpy(dtype=np.float64)
        self._edges = np.unique(np.quantile(added, np.arange(1, 10) / 10))
        keys = pd.DataFrame({"project": history["project"].to_numpy(), "cell": self._cells(history), "failed": labels})
        counted = keys.groupby(["project", "cell"])["failed"].agg(["sum", "size"])
        base = dict(zip(self._rates.names, self._rates.of(pd.Series(self._rates.names)).tolist(), strict=True))
        self._table = {
            (str(project), int(cell)): (float(bad) + _TABLE_PRIOR * base[str(project)]) / (float(n) + _TABLE_PRIOR)
            for (project, cell), bad, n in zip(counted.index, counted["sum"], counted["size"], strict=True)
        }

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        base = self._rates.of(changes["project"])
        keys = zip(changes["project"].astype(str), self._cells(changes).tolist(), strict=True)
        return np.array([self._table.get(key, rate) for key, rate in zip(keys, base.tolist(), strict=True)])

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        here, base = float(self.risk(change)[0]), float(self._rates.of(change["project"])[0])
        return sorted_contributions(
            [
                Contribution("project", str(change["project"].iloc[0]), _apart(base, self._rates.overall)),
                Contribution("la", float(change["la"].iloc[0]), _apart(here, base)),
            ]
        )

    def _cells(self, changes: pd.DataFrame) -> npt.NDArray[np.int64]:
        return np.searchsorted(self._edges, changes["la"].to_numpy(dtype=np.float64), side="left").astype(np.int64)


class Logistic:
    """Ridge logistic regression on standardised features and the project; a missing feature is a typical one."""

    def __init__(self) -> None:
        self._places = _Projects()
        self._mean: Floats = np.zeros(0)
        self._scale: Floats = np.ones(0)
        self._model = LogisticRegression(C=1.0, max_iter=1000)

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._places.fit(history)
        numbers = history[list(NUMBERS)]
        self._mean = numbers.mean().fillna(0.0).to_numpy(dtype=np.float64)
        spread = numbers.std(ddof=0).fillna(0.0).to_numpy(dtype=np.float64)
        self._scale = np.where(spread > 1e-9, spread, 1.0)
        self._model.fit(self._rows(history), labels)

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        return np.asarray(self._model.predict_proba(self._rows(changes))[:, 1], dtype=np.float64)

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`; parts add up to the log-odds less those of an average change."""
        row = self._rows(change)[0]
        added = row * np.asarray(self._model.coef_[0], dtype=np.float64)
        parts = [
            Contribution(name, float(change[name].iloc[0]), round(float(part), 6))
            for name, part in zip(NUMBERS, added[: len(NUMBERS)].tolist(), strict=True)
        ]
        of_project = round(float(added[len(NUMBERS) :].sum()), 6)
        return sorted_contributions([*parts, Contribution("project", str(change["project"].iloc[0]), of_project)])

    def _rows(self, changes: pd.DataFrame) -> Floats:
        placed = (changes[list(NUMBERS)].to_numpy(dtype=np.float64) - self._mean) / self._scale
        placed = np.clip(np.nan_to_num(placed), -_FARTHEST, _FARTHEST)
        return np.hstack([placed, self._places.indicators(changes)])


class Boosting:
    """Gradient boosted trees (LightGBM: Ke et al. 2017, NeurIPS) on the features and the project, explained by
    replacement.

    Parameters
    ----------
    trees, rate, leaves, least
        Number of trees, learning rate, leaves of a tree, and changes of a leaf. The defaults were chosen on rolling
        validation inside the training part (docs/recorded-changes.md).
    """

    def __init__(self, *, trees: int = 300, rate: float = 0.04, leaves: int = 31, least: int = 50) -> None:
        self._trees, self._rate, self._leaves, self._least = trees, rate, leaves, least
        self._places = _Projects()
        self._typical = pd.DataFrame()
        self._model: LGBMClassifier | None = None

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._places.fit(history)
        self._typical = history.iloc[np.linspace(0, len(history) - 1, _TYPICAL).astype(np.int64)]
        self._model = LGBMClassifier(
            n_estimators=self._trees,
            learning_rate=self._rate,
            num_leaves=self._leaves,
            min_child_samples=self._least,
            colsample_bytree=0.4,
            subsample=0.8,
            subsample_freq=1,
            random_state=0,
            # one thread: two share a core badly, and sums in one order give the same bytes
            n_jobs=1,
            deterministic=True,
            force_row_wise=True,
            verbose=-1,
        ).fit(self._rows(history), labels)

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        if self._model is None:
            raise LabError("a risk model was asked before it was fitted; call fit first")
        return np.asarray(self._model.predict_proba(self._rows(changes)), dtype=np.float64)[:, 1]

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        return by_replacement(self.risk, change, self._typical)

    def _rows(self, changes: pd.DataFrame) -> pd.DataFrame:
        rows = changes[list(NUMBERS)].astype(np.float64)
        rows["project"] = self._places.codes(changes)
        return rows


class OneEach:
    """Boosting on all projects, and boosting and logistic regression on each by itself: a weighted mean of log-odds.

    What is particular to a project is learned on its own changes, as far as it has enough; what projects share, on all.
    Weights were chosen on validation inside the training part (docs/recorded-changes.md).
    """

    def __init__(self) -> None:
        self._shared = Boosting(trees=300, rate=0.04)
        self._own: dict[str, tuple[tuple[float, ChangeRisk], ...]] = {}
        self._typical = pd.DataFrame()

    def fit(self, history: pd.DataFrame, failed: npt.ArrayLike) -> None:
        """See `ChangeRisk`."""
        labels = checked_labels(history, failed)
        self._shared.fit(history, labels)
        self._typical = history.iloc[np.linspace(0, len(history) - 1, _TYPICAL).astype(np.int64)]
        self._own = {}
        for name, rows in history.groupby("project", sort=True).indices.items():
            if len(rows) >= LEAST_OF_PROJECT and 0 < labels[rows].sum() < len(rows):
                own = ((2.0, Boosting(trees=150, rate=0.03, leaves=15, least=30)), (1.0, Logistic()))
                for _, model in own:
                    model.fit(history.iloc[rows], labels[rows])
                self._own[str(name)] = own

    def risk(self, changes: pd.DataFrame) -> Floats:
        """See `ChangeRisk`."""
        risk = self._shared.risk(changes)
        for name, rows in changes.groupby("project", sort=True).indices.items():
            own = self._own.get(str(name), ())
            parts = [_SHARED_WEIGHT * _log_odds(risk[rows])]
            parts += [weight * _log_odds(model.risk(changes.iloc[rows])) for weight, model in own]
            risk[rows] = expit(np.sum(parts, axis=0) / (_SHARED_WEIGHT + sum(weight for weight, _ in own)))
        return risk

    def explain(self, change: pd.DataFrame) -> tuple[Contribution, ...]:
        """See `ChangeRisk`."""
        return by_replacement(self.risk, change, self._typical)


def checked_labels(history: pd.DataFrame, failed: npt.ArrayLike) -> Bools:
    """Labels to learn from, of shape (n,).

    Raises
    ------
    LabError
        If there is no change, or all failed, or none, or there is not one label for each.
    """
    labels = np.asarray(failed).astype(np.bool_)
    if len(history) != len(labels):
        raise LabError(f"there are {len(labels)} labels for {len(history)} changes; give one for each")
    if not len(labels) or labels.all() or not labels.any():
        kinds = "no change" if not len(labels) else ("only failures" if labels.all() else "no failure")
        raise LabError(f"a risk model has {kinds} to learn from; give the history more changes")
    return labels


def _log_odds(p: Floats) -> Floats:
    odds: Floats = logit(np.clip(p, _NEAREST, 1.0 - _NEAREST))
    return odds


def _apart(one: float, other: float) -> float:
    return round(float(logit(one) - logit(other)), 6)


class _Rates:
    """Shares of failures by project, with pseudo-failures and pseudo-successes added; unseen ones have the overall."""

    def __init__(self, *, prior: float) -> None:
        self._prior = prior
        self._of: dict[str, float] = {}
        self.overall = 0.5

    @property
    def names(self) -> list[str]:
        return list(self._of)

    def fit(self, history: pd.DataFrame, labels: Bools) -> None:
        self.overall = float((labels.sum() + self._prior) / (len(labels) + 2.0 * self._prior))
        grouped = pd.Series(labels, index=history["project"].astype(str)).groupby(level=0).agg(["sum", "size"])
        share = (grouped["sum"] + self._prior) / (grouped["size"] + 2.0 * self._prior)
        self._of = {str(name): float(value) for name, value in share.items()}

    def of(self, projects: pd.Series) -> Floats:
        return np.array([self._of.get(str(name), self.overall) for name in projects])


class _Projects:
    """Projects of the history, as indicators or as codes; an unseen one is none of them."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()

    def fit(self, history: pd.DataFrame) -> None:
        self._names = tuple(sorted({str(name) for name in history["project"]}))

    def indicators(self, changes: pd.DataFrame) -> Floats:
        names = changes["project"].astype(str).to_numpy()
        return np.array([names == name for name in self._names], dtype=np.float64).T.reshape(len(names), -1)

    def codes(self, changes: pd.DataFrame) -> Floats:
        known = {name: float(code) for code, name in enumerate(self._names)}
        return np.array([known.get(str(name), np.nan) for name in changes["project"]])


def _blend() -> ChangeRisk:
    from autodev_lab.decisions.recorded.networks import Blend  # it is made of models of this module

    return Blend()


MODELS: Mapping[str, Callable[[], ChangeRisk]] = MappingProxyType(
    {
        "published": Published,
        "project": ProjectRate,
        "project_lines": ProjectLines,
        "logistic": Logistic,
        "boosting": OneEach,
        "blend": _blend,
    }
)
"""Risk models by name."""
