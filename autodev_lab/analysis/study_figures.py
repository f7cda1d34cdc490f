"""Figures of studies: endpoints of every arm beside one another, with intervals and n."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint

__all__ = ["endpoints_figure"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def endpoints_figure(metrics: Mapping[str, Mapping[str, Estimate]], endpoints: Sequence[Endpoint]) -> Figure:
    """Some endpoints of one unit for every arm, with 95 % intervals over packages.

    Parameters
    ----------
    metrics
        Estimates by arm and endpoint, in the order to draw.
    endpoints
        At most four, of one unit in [0, 1].
    """
    figure = Figure(figsize=(7.5, 0.6 * len(metrics) + 2.0), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(metrics), dtype=float)[::-1]
    for number, endpoint in enumerate(endpoints):
        shift = 0.3 * (0.5 - number / max(1, len(endpoints) - 1)) if len(endpoints) > 1 else 0.0
        colour = _COLOURS[number]
        for place, estimates in zip(places, metrics.values(), strict=True):
            one = estimates[endpoint.name]
            if math.isfinite(one.low) and math.isfinite(one.high):
                axes.plot([one.low, one.high], [place + shift] * 2, color=colour, linewidth=2, solid_capstyle="butt")
            label = endpoint.label if place == places[0] else None
            axes.plot([one.value], [place + shift], "o", color=colour, markersize=6, label=label)
    counts = {arm: max(estimates[one.name].n for one in endpoints) for arm, estimates in metrics.items()}
    axes.set_yticks(places, [f"{arm} (n = {counts[arm]})" for arm in metrics])
    axes.set_xlim(0, 1)
    clusters = max(estimates[one.name].clusters for estimates in metrics.values() for one in endpoints)
    interval = f"95 % interval over {clusters} packages" if clusters > 1 else "no interval over 1 package"
    axes.set_xlabel(f"{endpoints[0].unit} ({interval})")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return figure
