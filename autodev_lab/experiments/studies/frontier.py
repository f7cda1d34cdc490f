"""What choosing tests costs and misses, package by package: recall with a lower bound, and the share of time run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from autodev_lab.analysis.bounded import mean_lower_bound
from autodev_lab.analysis.shares import cluster_rate
from autodev_lab.experiments.studies.study import Clocks, Details

__all__ = ["MOST_TIME", "WANTED_BOUND", "WANTED_RECALL", "describe", "recall_bound"]

WANTED_RECALL = 0.99
"""Share of failing tests that a choice should keep."""

WANTED_BOUND = 0.98
"""What its lower bound should not be below."""

MOST_TIME = 0.4
"""Share of the tests' time that it should not pass."""

_ONE_SIDED = 0.95


def recall_bound(recalls: pd.Series, packages: pd.Series) -> float:
    """One-sided lower bound of 95 % for mean recall: the lower of two, so that it leans on neither assumption alone.

    With changes as independent trials it is that of `mean_lower_bound`; with packages as clusters, the lower end of
    `cluster_rate`. With one package only the first is there.

    Examples
    --------
    >>> round(recall_bound(pd.Series([1.0] * 200), pd.Series(["p"] * 200)), 3)
    0.98
    """
    trials = mean_lower_bound(recalls.to_numpy(dtype=np.float64), level=_ONE_SIDED)
    grouped = recalls.groupby(packages.to_numpy(), sort=True)
    totals, counts = grouped.sum().to_numpy(dtype=np.float64), grouped.size().to_numpy(dtype=np.float64)
    # packages that agree exactly have no spread to say anything with: trials alone bound the mean
    if len(counts) < 2 or np.ptp(totals / counts) == 0.0:
        return trials
    clusters = cluster_rate(totals, counts, level=2 * _ONE_SIDED - 1)
    return max(0.0, min(trials, clusters.low))


def describe(outcomes: pd.DataFrame, clocks: Clocks) -> Details:
    """Every arm's bound, every arm in every package, and which of them reach what is wanted.

    Parameters
    ----------
    outcomes
        Rows of the study of impact.
    clocks
        Of every arm, seconds of the tests chosen (``run:PACKAGE``) and of all tests (``all:PACKAGE``) for each change.
    """
    arms: dict[str, dict[str, float]] = {}
    packages: dict[str, dict[str, dict[str, float | None]]] = {}
    reached: dict[str, list[str]] = {}
    for arm, clock in clocks.items():
        rows = outcomes[(outcomes["arm"] == arm) & outcomes["recall"].notna()]
        arms[arm] = {"recall_lo": recall_bound(rows["recall"], rows["package"])}
        reached[arm] = []
        for package, group in rows.groupby("package", sort=True):
            name = str(package)
            time = _share(clock, name)
            precision = float(group["precision"].mean())
            packages.setdefault(name, {})[arm] = {
                "recall": float(group["recall"].mean()),
                "recall_lo": recall_bound(group["recall"], group["package"]),
                "precision": precision if math.isfinite(precision) else None,
                "time": time,
                "n": len(group),
            }
            if group["recall"].mean() >= WANTED_RECALL and time <= MOST_TIME:
                reached[arm].append(name)
    words = [
        f"recall_lo is a lower bound of {_ONE_SIDED:.0%}: the lower of one with changes as independent trials and one",
        "with packages as clusters. Share of test time is a mean over changes.",
        f"Recall of {WANTED_RECALL:g} in {MOST_TIME:.0%} of the time or less, packages out of {len(packages)}:",
        *(_reach(arm, names, arms[arm]["recall_lo"]) for arm, names in reached.items()),
    ]
    return Details(arms, {"packages": packages, "reached": reached}, words)


def _reach(arm: str, names: Sequence[str], bound: float) -> str:
    told = f"  {arm:<16}{len(names)} ({', '.join(names) or 'none'}); over all packages recall_lo is {bound:.3f}"
    return told if bound >= WANTED_BOUND else f"{told}, below {WANTED_BOUND:g}"


def _share(clock: Mapping[str, object], package: str) -> float:
    spent, whole = (np.asarray(clock[f"{kind}:{package}"], dtype=np.float64) for kind in ("run", "all"))
    return float((spent / whole).mean())
