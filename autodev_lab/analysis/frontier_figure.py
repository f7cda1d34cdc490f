"""A figure of test selection: the share of failing tests that are run against the share of test time it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

__all__ = ["frontier_figure"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999", "#882255")
_MARKERS = "osD^vPX*h"


def frontier_figure(
    lines: Mapping[str, Sequence[str]],
    packages: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    *,
    wanted: float = 0.99,
    most: float = 0.4,
) -> Figure:
    """Every way of choosing tests as a line through its arms, every package as a small point.

    Parameters
    ----------
    lines
        Arms of each way, from the fewest hops to the most.
    packages
        Of each package and arm ``recall``, ``time`` and ``n``.
    wanted, most
        Recall and share of time whose corner is shaded.
    """
    figure = Figure(figsize=(8.0, 5.5), layout="constrained")
    axes = figure.subplots()
    lowest = 1.0
    for number, (way, arms) in enumerate(lines.items()):
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
        means = []
        for arm in arms:
            points = np.array(
                [[one[arm]["time"], one[arm]["recall"]] for one in packages.values() if arm in one], float
            )
            if len(points):
                axes.plot(points[:, 0], points[:, 1], marker, color=colour, markersize=3, alpha=0.35, linestyle="none")
                means.append(points.mean(axis=0))
                lowest = min(lowest, float(points[:, 1].min()))
        if means:
            places = np.array(means)
            axes.plot(places[:, 0], places[:, 1], marker, linestyle="-", color=colour, markersize=8, label=way)
    axes.axvspan(0, most, ymin=(wanted - lowest + 0.02) / (1.04 - lowest), color="#009e73", alpha=0.1, linewidth=0)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(lowest - 0.02, 1.02)
    changes = sum(max((int(one["n"] or 0) for one in arms.values()), default=0) for arms in packages.values())
    axes.set_xlabel("share of the tests' seconds that is run (mean over changes)")
    axes.set_ylabel("recall (share of failing tests that are run, mean over changes)")
    axes.set_title(
        f"n = {changes} changes in {len(packages)} packages; large: mean of packages, small: a package", fontsize=10
    )
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    axes.grid(alpha=0.3)
    return figure
