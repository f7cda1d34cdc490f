"""Causal against observed credit of the items of a memory."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

__all__ = ["credit_figure"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73")


def credit_figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """What is lost without an item against how often tasks succeeded in which it was found.

    Parameters
    ----------
    tables
        By arm, the items with columns ``effect``, ``low``, ``high``, ``found`` and ``observed``; those that were never
        found are left out.
    """
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    tasks = 0
    for number, (arm, table) in enumerate(tables.items()):
        shown = table[table["found"] > 0]
        tasks = max(tasks, int(table["tasks"].max()) if len(table) else 0)
        colour = _COLOURS[number % len(_COLOURS)]
        axes.vlines(shown["observed"], shown["low"], shown["high"], color=colour, linewidth=1, alpha=0.5)
        axes.plot(shown["observed"], shown["effect"], "o", color=colour, label=f"{arm} (n = {len(shown)})")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("share correct of the tasks for which it was found")
    axes.set_ylabel("correct with it less without it, share of tasks")
    axes.set_title(f"95 % intervals over {tasks} tasks", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure
