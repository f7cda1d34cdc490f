"""The figure that shows what a claim's verdict rests on, by kind of claim, and those that show more of a gate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from autodev_lab.analysis.claims import Judged, PositionClaim, ShareClaim, StudyClaim
from autodev_lab.analysis.figures import forest, learning_curve, paired_differences
from autodev_lab.analysis.frames import arm_rows, originals
from autodev_lab.analysis.gate_figures import reliability_figure, risk_coverage_figure
from autodev_lab.analysis.study_endpoints import endpoint_of_any_study
from autodev_lab.analysis.study_results import paired_items

__all__ = ["FEWEST_CHANGES", "claim_figure", "gate_figures", "share_by_package"]

FEWEST_CHANGES = 10
"""Changes at a gate below which curves of it show nothing."""


def claim_figure(judged: Judged, outcomes: pd.DataFrame, *, budget: int) -> Figure | None:
    """Forest plot of a relative claim, learning curves of one at a position, shares by package of a share.

    Returns
    -------
    Figure or None
        None when the run has nothing to draw: the claim has no estimate.
    """
    if judged.effect.n == 0:
        return None
    if isinstance(judged.claim, StudyClaim):
        endpoint = endpoint_of_any_study(judged.claim.endpoint)
        paired = paired_items(outcomes, judged.claim.treatment, judged.claim.baseline, endpoint.column)
        return forest(judged, paired.assign(difference=paired["treatment"] - paired["baseline"]), endpoint)
    if isinstance(judged.claim, ShareClaim):
        return share_by_package(judged)
    if isinstance(judged.claim, PositionClaim):
        drawn = [arm for arm in judged.claim.arms if not originals(arm_rows(outcomes, arm)).empty]
        return learning_curve(outcomes, drawn, budget=budget, banded=drawn)
    return paired_differences(judged, *(arm_rows(outcomes, arm) for arm in judged.claim.arms))


def gate_figures(outcomes: pd.DataFrame, arm: str) -> dict[str, Figure]:
    """Risk-coverage and reliability of an arm's gate, by name; empty when too few changes reached it.

    Parameters
    ----------
    outcomes
        Rows of all arms.
    """
    rows = originals(arm_rows(outcomes, arm))
    rows = rows[rows["decision"].notna() & rows["confidence"].notna()]
    if len(rows) < FEWEST_CHANGES:
        return {}
    return {
        f"risk_coverage_{arm}": risk_coverage_figure(rows, arm=arm),
        f"reliability_{arm}": reliability_figure(rows, arm=arm),
    }


def share_by_package(judged: Judged) -> Figure:
    """Share right of what was deployed without a human, in every package and over all of them.

    The interval of a package is Clopper and Pearson's (1934, Biometrika 26(4)) at 95 % over its tasks; that over all
    packages is the claim's own.

    Parameters
    ----------
    judged
        A share claim with at least one deployed task.
    """
    from scipy.stats import binomtest  # most of a second that only this figure needs

    totals = judged.totals[judged.totals["n"] > 0]
    names = [*(str(name) for name in totals.index), "all packages"]
    hits, counts = (totals[column].to_numpy(dtype=np.float64) for column in ("successes", "n"))
    ends = [binomtest(int(k), int(n)).proportion_ci(method="exact") for k, n in zip(hits, counts, strict=True)]
    low, high = [end.low for end in ends], [end.high for end in ends]
    effect = judged.effect
    values = np.append(hits / counts, effect.estimate)
    lows, highs = np.append(low, max(0.0, effect.low)), np.append(high, min(1.0, effect.high))
    sizes = np.append(counts, counts.sum()).astype(int)

    figure = Figure(figsize=(7.5, 0.4 * len(names) + 2.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names), dtype=float)[::-1]
    axes.hlines(places, lows, highs, color="black", linewidth=2)
    axes.plot(values, places, "o", color="black", markersize=6)
    axes.axvline(judged.claim.threshold, color="grey", linewidth=1, linestyle="--", label="threshold")
    axes.set_yticks(places, [f"{name} (n = {size})" for name, size in zip(names, sizes, strict=True)])
    axes.set_xlim(0, 1.02)
    axes.set_xlabel(
        f"share right of what {judged.claim.treatment} deployed without a human\n"
        "(95 % intervals over tasks; all packages: the claim's interval)"
    )
    axes.set_title(f"{judged.claim.id}: {judged.ruling.value}", fontsize=10)
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return figure
