"""Figures of teams: how long failures hold work up, and how throughput grows with the number of agents."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

__all__ = ["recovery_figure"]


def recovery_figure(failures: Mapping[str, Mapping[str, float | int | None]]) -> Figure:
    """Longest delay of a step by who was killed: the mean over runs, and the worst.

    Parameters
    ----------
    failures
        By arm and victim: ``recovery_s_mean``, ``recovery_s_max`` (None where nothing was killed), and ``killed``.
    """
    drawn = {name: one for name, one in failures.items() if one["recovery_s_mean"] is not None}
    figure = Figure(figsize=(7.5, 0.35 * len(drawn) + 1.8), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(drawn), dtype=float)[::-1]
    for place, one in zip(places, drawn.values(), strict=True):
        first = place == places[0]
        mean, most = float(one["recovery_s_mean"] or 0.0), float(one["recovery_s_max"] or 0.0)
        axes.plot([mean, most], [place, place], color="#0072b2", linewidth=1)
        axes.plot([mean], [place], "o", color="#0072b2", label="mean" if first else None)
        axes.plot([most], [place], "|", color="#0072b2", markersize=10, label="worst" if first else None)
    axes.set_yticks(places, [f"{name} (n = {one['killed']})" for name, one in drawn.items()])
    axes.set_xlim(0, None)
    axes.set_xlabel("seconds that the killing of this process held a step up, at most")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return figure
