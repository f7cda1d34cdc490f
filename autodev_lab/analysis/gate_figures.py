"""Figures of a gate: how much of what it deploys is wrong at every coverage, and whether its confidence is true."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from autodev_lab.analysis.reliability import reliability
from autodev_lab.analysis.risk_coverage import ORDERS, curve, judge_gate, wrong_band

__all__ = ["reliability_figure", "risk_coverage_figure"]

_COVERAGES = tuple(np.round(np.linspace(0.05, 1.0, 20), 2).tolist())
_STYLES = {
    "confidence": ("#0072b2", "-", "the gate's confidence"),
    "smallest_first": ("#d55e00", "--", "smallest change first"),
    "random": ("#999999", "--", "at random"),
    "perfect": ("#009e73", ":", "perfect knowledge"),
}


def risk_coverage_figure(rows: pd.DataFrame, *, arm: str) -> Figure:
    """Share of wrong among the deployed against the share deployed, for the gate's order and for its controls.

    The band is of the gate's own order, point by point, over packages; the cross is what the gate itself deployed
    without a person.

    Parameters
    ----------
    rows
        From `gate_rows`, of one arm.
    arm
        Its name.
    """
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    wrong = 1.0 - rows["correct"].to_numpy(dtype=np.float64)
    for name, (colour, style, label) in _STYLES.items():
        points = curve(ORDERS[name](rows), wrong)
        axes.plot(points["coverage"], points["wrong"], style, color=colour, label=label)
    packages = int(rows["package"].nunique())
    if packages > 1:
        band = wrong_band(rows, "confidence", _COVERAGES)
        axes.fill_between(band["coverage"], band["low"], band["high"], color="#0072b2", alpha=0.15, linewidth=0)
    gate = judge_gate(rows, controls=("random",))[0]
    if gate.coverage > 0:
        axes.plot([gate.coverage], [gate.wrong], "x", color="black", markersize=9, label="deployed without a person")
    over = f"95 % band over {packages} packages, point by point" if packages > 1 else "no band over 1 package"
    axes.set_xlabel(f"coverage: share of changes deployed ({over})")
    axes.set_ylabel("share of wrong among the deployed")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_title(f"{arm}: {len(rows)} changes, {100 * wrong.mean():.0f} % of them wrong", fontsize=10)
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
    return figure


def reliability_figure(rows: pd.DataFrame, *, arm: str) -> Figure:
    """How often changes of a confidence are right: on the diagonal, confidence is true.

    Parameters
    ----------
    rows
        From `gate_rows`, of one arm, with a confidence each.
    arm
        Its name.
    """
    found = reliability(rows["confidence"].to_numpy(dtype=np.float64), rows["correct"].to_numpy(dtype=np.float64))
    figure = Figure(figsize=(5.5, 5.0), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    for one in found.bins:
        axes.plot([one.confidence] * 2, [one.share_low, one.share_high], color="#0072b2", linewidth=2)
        axes.plot([one.confidence], [one.share], "o", color="#0072b2", markersize=4 + 2 * math.log10(one.n))
        axes.annotate(f"{one.n}", (one.confidence, one.share), xytext=(6, -3), textcoords="offset points", fontsize=8)
    axes.set_xlabel("the gate's confidence that a change is right (mean of a bin)")
    axes.set_ylabel("share of changes that are right\n(95 % Wilson intervals; numbers are n)")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.04, 1.04)
    axes.set_title(
        f"{arm}: n = {found.n}, ECE {found.ece:.3f} (a true confidence: {found.ece_perfect:.3f},\n"
        f"in 95 % of cases below {found.ece_perfect_high:.3f}), Brier {found.brier:.3f}",
        fontsize=10,
    )
    axes.grid(alpha=0.3)
    return figure
