"""Figures of studies: endpoints of every arm beside one another, and how they grow, with intervals and n."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint

__all__ = ["endpoints_figure", "growth_figure"]

_WIDE = 100.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def endpoints_figure(metrics: Mapping[str, Mapping[str, Estimate]], endpoints: Sequence[Endpoint]) -> Figure:
    """Some endpoints of one unit for every arm, with 95 % intervals over packages; n by endpoint where it differs.

    Parameters
    ----------
    metrics
        Estimates by arm and endpoint, in the order to draw.
    endpoints
        At most four, of one unit.
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
    counts = [dict.fromkeys(str(estimates[one.name].n) for one in endpoints) for estimates in metrics.values()]
    axes.set_yticks(places, [f"{arm} (n = {', '.join(ns)})" for arm, ns in zip(metrics, counts, strict=True)])
    values = [estimates[one.name].value for estimates in metrics.values() for one in endpoints]
    unbounded = endpoints[0].bounds[1] > 1
    if unbounded and min(values) > 0 and max(values) > _WIDE * min(values):
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1 if endpoints[0].bounds[1] <= 1 else None)
    clusters = max(estimates[one.name].clusters for estimates in metrics.values() for one in endpoints)
    interval = f"95 % interval over {clusters} packages" if clusters > 1 else "no interval over 1 package"
    axes.set_xlabel(f"{endpoints[0].unit} ({interval})")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return figure


def growth_figure(
    lines: Mapping[str, Mapping[int, str]],
    metrics: Mapping[str, Mapping[str, Estimate]],
    times: Mapping[str, Mapping[str, float]],
    endpoint: Endpoint,
) -> Figure:
    """An endpoint, and the time of a search, by how many items a memory holds; a line a way of searching.

    Parameters
    ----------
    lines
        Arms by way of searching and number of items.
    metrics
        Estimates by arm and endpoint.
    times
        ``p50_ms`` and ``p95_ms`` by arm.
    endpoint
        The one to draw, in [0, 1].
    """
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    quality, time = figure.subplots(1, 2)
    for number, (way, arms) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        sizes = sorted(arms)
        judged = [size for size in sizes if metrics[arms[size]][endpoint.name].n]
        estimates = [metrics[arms[size]][endpoint.name] for size in judged]
        if judged:
            quality.plot(judged, [one.value for one in estimates], "o-", color=colour)
        for size, one in zip(judged, estimates, strict=True):
            if math.isfinite(one.low):
                quality.plot([size, size], [one.low, one.high], color=colour, alpha=0.5)
        time.plot(sizes, [times[arms[size]]["p50_ms"] for size in sizes], "o-", color=colour, label=way)
        time.plot(sizes, [times[arms[size]]["p95_ms"] for size in sizes], ":", color=colour)
    shown = [one for estimates in metrics.values() if (one := estimates[endpoint.name]).n]
    n, clusters = max((one.n for one in shown), default=0), max((one.clusters for one in shown), default=0)
    quality.set_ylim(0, 1)
    quality.set_ylabel(f"{endpoint.label}, n = {n}\n(95 % intervals over {clusters} packages)")
    time.set_ylabel("milliseconds a search\n(line: median, dots: 95th percentile)")
    time.set_yscale("log")
    for axes in (quality, time):
        axes.set_xscale("log")
        axes.set_xlabel("items in the memory")
        axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure
