"""What an arm achieved: shares and means over tasks, each with an interval over packages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.frames import originals
from autodev_lab.analysis.shares import cluster_rate
from autodev_lab.records import Action

__all__ = [
    "ENDPOINTS",
    "Endpoint",
    "arm_metrics",
    "deployed_alone",
    "paired_totals",
    "share_totals",
    "throughput",
    "twin_differences",
    "window",
]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A mean over tasks: the column it averages, its unit, how figures call it, and what it can be.

    ``step`` is the smallest step of the column. What is counted has 1, and no interval is narrower than the few counts
    that could have gone unseen (`autodev_lab.analysis.effects`). What is measured has 0: the spread over packages is
    all there is to go by.
    """

    name: str
    column: str
    unit: str
    label: str
    bounds: tuple[float, float] = (0.0, math.inf)
    step: float = 1.0


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        endpoint.name: endpoint
        for endpoint in (
            Endpoint("correct_at_K", "correct", "share of tasks", "correct within the budget"),
            Endpoint("solved_at_K", "solved", "share of tasks", "solved within the budget"),
            Endpoint("escaped", "escaped", "share of tasks", "wrong changes that reached production"),
            Endpoint("candidates_mean", "candidates", "candidates a task", "candidates evaluated"),
        )
    }
)
"""Endpoints a claim may be about. `throughput` is reported beside them; it has no value for a single task."""


def arm_metrics(rows: pd.DataFrame) -> dict[str, Estimate]:
    """Every endpoint of one arm, and its throughput.

    Parameters
    ----------
    rows
        Rows of one arm, all packages and replicates.
    """
    tasks = originals(rows)
    grouped = tasks.groupby("package", sort=True)
    counts = grouped.size().to_numpy(dtype=np.float64)
    metrics = {
        endpoint.name: cluster_rate(grouped[endpoint.column].sum().to_numpy(dtype=np.float64), counts)
        for endpoint in ENDPOINTS.values()
    }
    metrics["throughput"] = throughput(rows)
    return metrics


def throughput(rows: pd.DataFrame) -> Estimate:
    """Correct changes per second that any agent was busy (virtual).

    Agents serve all packages of a stream, so the unit here is the replicate and not the package.
    """
    tasks = originals(rows)
    grouped = tasks.groupby("replicate", sort=True)
    correct = grouped["correct"].sum().to_numpy(dtype=np.float64)
    busy = grouped["cell_busy_seconds"].first().to_numpy(dtype=np.float64)
    estimate = cluster_rate(correct, busy)
    return Estimate(estimate.value, estimate.low, estimate.high, len(tasks), estimate.clusters)


def window(rows: pd.DataFrame, at: int, reach: int) -> pd.DataFrame:
    """Rows of the tasks at the stream positions from ``at - reach`` to ``at + reach``, counted from 1."""
    return rows[(rows["index"] + 1 - at).abs() <= reach]


def deployed_alone(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row's change reached production without a human: by the gate's own decision."""
    own = rows["decision"].isin([Action.AUTO_DEPLOY.value, Action.DEPLOY_WITH_MONITORING.value])
    return rows["deployed"].astype(bool) & own


def share_totals(rows: pd.DataFrame, column: str, keys: Sequence[str]) -> pd.DataFrame:
    """What was deployed without a human, and how much of it is right, by package (and replicate).

    Returns
    -------
    DataFrame
        Indexed by the keys, sorted, with columns ``successes``, ``n`` (deployed without a human) and ``tasks``.
    """
    tasks = originals(rows)
    alone = deployed_alone(tasks)
    marked = tasks[list(keys)].assign(successes=alone & tasks[column].astype(bool), n=alone, tasks=True)
    return marked.groupby(list(keys), sort=True)[["successes", "n", "tasks"]].sum().astype(np.float64)


def paired_totals(treatment: pd.DataFrame, baseline: pd.DataFrame, column: str) -> pd.DataFrame:
    """Totals of a column per package over the tasks both arms have.

    Returns
    -------
    DataFrame
        Indexed by package, sorted, with columns ``treatment``, ``baseline`` and ``n``.
    """
    keys = ["replicate", "package", "task_id"]
    paired = originals(treatment)[[*keys, column]].merge(
        originals(baseline)[[*keys, column]], on=keys, suffixes=("_t", "_b"), how="inner", sort=False
    )
    grouped = paired.groupby("package", sort=True)
    return pd.DataFrame(
        {
            "treatment": grouped[f"{column}_t"].sum().astype(np.float64),
            "baseline": grouped[f"{column}_b"].sum().astype(np.float64),
            "n": grouped.size(),
        }
    )


def twin_differences(first: pd.DataFrame, twin: pd.DataFrame, column: str) -> pd.DataFrame:
    """Twin minus first run per (package, replicate), and the mean of both, over the tasks both have."""
    keys = ["replicate", "package", "task_id"]
    paired = originals(first)[[*keys, column]].merge(
        originals(twin)[[*keys, column]], on=keys, suffixes=("_f", "_t"), how="inner", sort=False
    )
    grouped = paired.groupby(["package", "replicate"], sort=True)
    before = grouped[f"{column}_f"].sum().astype(np.float64)
    after = grouped[f"{column}_t"].sum().astype(np.float64)
    return pd.DataFrame({"difference": after - before, "mean": (after + before) / 2})
