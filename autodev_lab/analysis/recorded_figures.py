"""Figures of policies on recorded changes: success against coverage for all of them, and how true confidences are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from autodev_lab.analysis.gate_figures import reliability_figure
from autodev_lab.analysis.recorded_changes import policy_figures
from autodev_lab.analysis.risk_coverage import curve

__all__ = ["coverage_figure", "recorded_figures"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000", "#7f3b08")
_STYLES = ("-", "--", ":")
_POINTS = 400
_FEWEST_SHOWN = 50


def coverage_figure(outcomes: pd.DataFrame, *, promised: float) -> Figure:
    """Share of successes among the most confident changes by how many they are, with what each policy deployed.

    Parameters
    ----------
    outcomes
        Rows of the pooled split, of all arms.
    promised
        Share of successes that is promised.
    """
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes = figure.subplots()
    axes.axhline(promised, color="grey", linestyle=":", linewidth=1, label=f"promised: {100 * promised:g} %")
    curves = [(str(arm), rows) for arm, rows in outcomes.groupby("arm", sort=False) if rows["confidence"].nunique() > 1]
    for number, (arm, rows) in enumerate(curves):
        colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number // len(_COLOURS) % len(_STYLES)]
        points = curve(-rows["confidence"].to_numpy(dtype=np.float64), rows["failed"].to_numpy(dtype=np.float64))
        places = np.unique(np.linspace(min(_FEWEST_SHOWN, len(points)) - 1, len(points) - 1, _POINTS).astype(np.int64))
        some = points.iloc[places]
        axes.plot(some["coverage"], 1.0 - some["wrong"], style, color=colour, linewidth=1.2, label=arm)
        found = policy_figures(rows, promised=promised, window_seconds=np.inf)
        if found.deployed:
            axes.plot([found.coverage] * 2, [found.success_low, found.success_high], color=colour, linewidth=2)
            axes.plot([found.coverage], [found.success], "o", color=colour, markersize=6)
    n = len(outcomes) // max(1, outcomes["arm"].nunique())
    axes.set_xlabel(f"coverage: share of {n} changes deployed, the most confident first")
    axes.set_ylabel("share of the deployed that succeeded\n(points: deployed without a person, 95 % intervals)")
    axes.set_xlim(0, 1)
    axes.legend(loc="lower left", fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
    return figure


def recorded_figures(outcomes: pd.DataFrame, *, promised: float) -> Mapping[str, Figure]:
    """`coverage_figure`, and a reliability diagram of every arm with more than one confidence.

    Parameters
    ----------
    outcomes
        Of a run of the study of recorded changes.
    """
    pooled = outcomes[outcomes["split"] == "pooled"]
    drawn = {"success_by_coverage": coverage_figure(pooled, promised=promised)}
    for arm, rows in pooled.groupby("arm", sort=False):
        if rows["confidence"].nunique() > 1:
            drawn[f"reliability_{arm}"] = reliability_figure(rows.assign(correct=1.0 - rows["failed"]), arm=str(arm))
    return drawn
