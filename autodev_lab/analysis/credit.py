"""Whose merit was it: how tasks ended in which a memory's item was retrieved, and how they end without it.

*Observed* credit is the share of an item's tasks that succeeded. It is confounded: items that lie near easy tasks, or
that come up late, look good. *Causal* credit is what is lost when the item is left out and all else is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.errors import LabError

__all__ = ["agreement", "causal_credit", "observed_credit"]

Floats = npt.NDArray[np.float64]

_RESAMPLES = 1000


def observed_credit(retrievals: pd.DataFrame, keys: Sequence[str], *, outcome: str = "correct") -> pd.DataFrame:
    """In how many tasks an item was retrieved, and the share of them that succeeded.

    Parameters
    ----------
    retrievals
        Rows of `retrievals.parquet`.
    keys
        Columns that name an item: ``["item"]`` within one memory; across cells also ``arm``, ``twin``, ``replicate``
        and ``memory``; ``["item_task"]`` for all that was remembered of a task.
    outcome
        ``"correct"`` or ``"solved"``.

    Returns
    -------
    DataFrame
        Indexed by the keys, sorted, with columns ``tasks``, ``successes`` and ``share``.

    Examples
    --------
    >>> told = {"task_id": ["t1", "t1", "t2"], "item": ["a", "a", "a"], "rank": [1, 2, 1]}
    >>> rows = pd.DataFrame({**told, "arm": "x", "twin": False, "replicate": 0, "correct": [True, True, False]})
    >>> observed_credit(rows, ["item"]).loc["a"].to_dict()
    {'tasks': 2.0, 'successes': 1.0, 'share': 0.5}
    """
    names = list(dict.fromkeys([*keys, "arm", "twin", "replicate", "task_id"]))
    found = retrievals[retrievals["rank"] > 0].dropna(subset=list(keys)).drop_duplicates(names)
    grouped = found.groupby(list(keys), sort=True)[outcome]
    credit = pd.DataFrame({"tasks": grouped.size(), "successes": grouped.sum().astype(np.int64)})
    return credit.assign(share=credit["successes"] / credit["tasks"])


def causal_credit(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean effect of each item over all tasks, with an interval of 95 % over tasks.

    Parameters
    ----------
    rows
        One row an (item, task, seed), with columns ``left_out``, ``task_id`` and the effect's: the outcome with the
        item less the outcome without it, at the same seed.
    column
        Of the effect.

    Returns
    -------
    DataFrame
        Indexed by ``left_out``, sorted, with columns ``effect``, ``low``, ``high`` (t over tasks, each the mean of its
        seeds; both are the effect where all tasks agree) and ``tasks``.
    """
    means = rows.groupby(["left_out", "task_id"], sort=True)[column].mean().astype(np.float64)
    grouped = means.groupby(level="left_out", sort=True)
    effect, size = grouped.mean(), grouped.size()
    error: pd.Series[float] = grouped.std(ddof=1).fillna(math.inf) / np.sqrt(size)
    reach = error * stats.t.ppf(0.975, np.maximum(1, size - 1))
    return pd.DataFrame({"effect": effect, "low": effect - reach, "high": effect + reach, "tasks": size})


def agreement(effects: Floats, retrieved: Floats, outcomes: Floats, *, seed: int = 0) -> Estimate:
    """Spearman correlation of causal and observed credit over items, with an interval of 95 %.

    Both are computed anew on tasks drawn with replacement (percentiles of the bootstrap: Efron and Tibshirani 1993, *An
    Introduction to the Bootstrap*, section 13.3), so the interval knows how uncertain either credit is, and that both
    are of the same tasks. Items are taken as they are.

    Parameters
    ----------
    effects
        Effect of each item on each task, of shape (items, tasks).
    retrieved
        Share of the task's seeds at which the item was retrieved, of the same shape.
    outcomes
        How well each task ended with all items, of shape (tasks,).

    Returns
    -------
    Estimate
        `n` counts the items that were retrieved at all, `clusters` the tasks; NaN when there are fewer than three
        items, or all have the same credit of one kind.

    Raises
    ------
    LabError
        If the shapes do not fit.
    """
    if effects.shape != retrieved.shape or effects.shape[1:] != outcomes.shape:
        raise LabError("effects and retrieved have a row an item and a column a task, outcomes one number a task")
    known = retrieved.sum(axis=1) > 0
    effects, retrieved = effects[known], retrieved[known]
    items, tasks = effects.shape
    value = _spearman(effects, retrieved, outcomes, np.ones(tasks))
    if math.isnan(value):
        return Estimate(math.nan, -math.inf, math.inf, items, tasks)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(tasks, np.full(tasks, 1.0 / tasks), size=_RESAMPLES).astype(np.float64)
    again = np.array([_spearman(effects, retrieved, outcomes, draw) for draw in draws])
    again = again[np.isfinite(again)]
    if again.size < _RESAMPLES / 2:
        return Estimate(value, -math.inf, math.inf, items, tasks)
    low, high = np.quantile(again, (0.025, 0.975))
    return Estimate(value, float(low), float(high), items, tasks)


def _spearman(effects: Floats, retrieved: Floats, outcomes: Floats, weights: Floats) -> float:
    """Over the items that are retrieved in the tasks drawn."""
    seen = retrieved @ weights
    there = seen > 0
    if there.sum() < 3:
        return math.nan
    causal = (effects[there] @ weights) / weights.sum()
    observed = (retrieved[there] @ (weights * outcomes)) / seen[there]
    if np.ptp(causal) == 0.0 or np.ptp(observed) == 0.0:
        return math.nan
    ranks = [stats.rankdata(one) for one in (causal, observed)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
