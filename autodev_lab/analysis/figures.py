"""The figures of a run: arms with intervals, paired differences by package, learning curves. Each says its n."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import stdtrit

from autodev_lab.analysis.bands import simultaneous_band
from autodev_lab.analysis.claims import Judged
from autodev_lab.analysis.effects import absolute_effect, matched_difference
from autodev_lab.analysis.frames import arm_rows, originals
from autodev_lab.analysis.metrics import ENDPOINTS, Endpoint
from autodev_lab.analysis.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["arms_figure", "forest", "learning_curve", "paired_differences", "render"]

Floats = npt.NDArray[np.float64]

_TASKS_A_POINT = 20
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""


def render(figure: Figure, kind: str) -> bytes:
    """A figure as ``"png"`` or ``"svg"`` bytes, without dates or random ids in them."""
    sink = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "autodev_lab", "svg.fonttype": "none"}):
        metadata: dict[str, str | None] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(sink, format=kind, dpi=150, metadata=metadata)
    return sink.getvalue()


def arms_figure(metrics: Mapping[str, Mapping[str, Estimate]], *, budget: int) -> Figure:
    """Share of tasks solved and correct for every arm, with 95 % intervals over packages.

    Parameters
    ----------
    metrics
        Estimates by arm and metric, in the order to draw.
    budget
        Candidates a task could use.
    """
    figure = Figure(figsize=(7.5, 0.6 * len(metrics) + 2.0), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(metrics), dtype=float)[::-1]
    for shift, (metric, label, colour) in enumerate(
        (("solved_at_K", "solved (visible tests pass)", _COLOURS[5]), ("correct_at_K", "correct", _COLOURS[0]))
    ):
        for place, estimates in zip(places, metrics.values(), strict=True):
            _point(axes, estimates[metric], place + 0.15 - 0.3 * shift, colour, label if place == places[0] else None)
    names = [f"{arm} (n = {estimates['correct_at_K'].n})" for arm, estimates in metrics.items()]
    axes.set_yticks(places, names)
    axes.set_xlim(
        0, _room(max(_reach(one[name]) for one in metrics.values() for name in ("solved_at_K", "correct_at_K")))
    )
    clusters = max((estimates["correct_at_K"].clusters for estimates in metrics.values()), default=0)
    axes.set_xlabel(f"share of tasks within {budget} candidates ({_intervals(clusters)})")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    axes.grid(axis="x", alpha=0.3)
    return figure


def paired_differences(judged: Judged, treatment: pd.DataFrame, baseline: pd.DataFrame) -> Figure:
    """Forest plot of two arms of teams: treatment minus baseline in every package, and over all of them.

    Of a task the mean over replicates is taken, so that a task seen twice is one piece of evidence.

    Parameters
    ----------
    judged
        The claim and what was found.
    treatment, baseline
        Rows of the two arms.
    """
    endpoint = ENDPOINTS[judged.claim.endpoint]
    keys = ["package", "replicate", "task_id"]
    paired = originals(treatment)[[*keys, endpoint.column]].merge(
        originals(baseline)[[*keys, endpoint.column]], on=keys, suffixes=("_t", "_b")
    )
    paired["difference"] = paired[f"{endpoint.column}_t"].astype(float) - paired[f"{endpoint.column}_b"].astype(float)
    by_task = paired.groupby(["package", "task_id"], sort=True)["difference"].mean().reset_index()
    return forest(judged, by_task, endpoint)


def forest(judged: Judged, differences: pd.DataFrame, endpoint: Endpoint) -> Figure:
    """Forest plot: treatment minus baseline in every package, and over all of them.

    The interval of a package is over its items: `matched_difference` of shares, Student's of anything else, none of one
    item alone; that of all packages is `absolute_effect`, over packages.

    Parameters
    ----------
    judged
        The claim and what was found.
    differences
        One row an item, with columns ``package`` and ``difference``.
    endpoint
        What the differences are of.
    """
    grouped = differences.groupby("package", sort=True)["difference"]
    rows = [(str(package), _of_package(values.to_numpy(dtype=np.float64), endpoint)) for package, values in grouped]
    sums, sizes = (one.to_numpy(dtype=np.float64) for one in (grouped.sum(), grouped.size()))
    over = absolute_effect(sums, np.zeros_like(sums), sizes)
    rows.append(("all packages", Estimate(over.estimate, over.low, over.high, over.n, over.clusters)))

    figure = Figure(figsize=(7.5, 0.4 * len(rows) + 2.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows), dtype=float)[::-1]
    for place, (name, estimate) in zip(places, rows, strict=True):
        _point(axes, estimate, place, _COLOURS[6] if name == "all packages" else _COLOURS[0], None)
    axes.axvline(0, color="grey", linewidth=1)
    axes.set_yticks(places, [f"{name} (n = {estimate.n})" for name, estimate in rows])
    axes.set_xlabel(
        f"{judged.claim.treatment} minus {judged.claim.baseline}, {endpoint.label}\n"
        f"({endpoint.unit}; 95 % intervals: of a package within it,\nof all over packages)"
    )
    effect = judged.effect
    axes.set_title(
        f"{judged.claim.id}: {judged.ruling.value}\n"
        f"{_percent(effect.estimate)} [{_percent(effect.low)}, {_percent(effect.high)}], "
        f"threshold {_percent(judged.claim.threshold)}",
        fontsize=10,
    )
    axes.grid(axis="x", alpha=0.3)
    return figure


def _of_package(differences: npt.NDArray[np.float64], endpoint: Endpoint) -> Estimate:
    """The mean over a package's items, with an interval where they have one."""
    if endpoint.bounds == (0.0, 1.0) or endpoint.unit == "share of tasks":
        return matched_difference(differences)
    n, mean = differences.size, float(differences.mean())
    half = math.inf if n < 2 else float(stdtrit(n - 1, 0.975) * differences.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n, 1)


def learning_curve(
    outcomes: pd.DataFrame, arms: Sequence[str], *, budget: int, banded: Collection[str] = (), bins: int = 5
) -> Figure:
    """Share of tasks correct within the budget, by position in the stream.

    Bands are simultaneous (`simultaneous_band`): with 95 % confidence the whole curve of an arm lies inside, with
    packages as clusters. With too few packages there is none, and the legend says so.

    Parameters
    ----------
    banded
        Arms to draw with a band; more than two or three hide one another.
    bins
        Points of each curve at the most; a point stands for at least twenty tasks, where there are that many.
    """
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    longest, highest = 0, 0.0
    for number, arm in enumerate(arms):
        rows = originals(arm_rows(outcomes, arm))
        length = int(rows["index"].max()) + 1
        longest = max(longest, length)
        points = max(1, min(bins, length, len(rows) // _TASKS_A_POINT))
        edges = np.linspace(0, length, points + 1)
        place = np.clip(np.digitize(rows["index"], edges) - 1, 0, len(edges) - 2)
        middle = rows.groupby(np.asarray(place), sort=True)["index"].mean().to_numpy(dtype=np.float64) + 1
        table = pd.crosstab(rows["package"], place)
        hits = pd.crosstab(rows["package"], place, values=rows["correct"].astype(float), aggfunc="sum").fillna(0.0)
        band = simultaneous_band(hits.to_numpy(dtype=np.float64), table.to_numpy(dtype=np.float64))
        colour = _COLOURS[number % len(_COLOURS)]
        bounded = arm in banded and not band.why
        note = ", 95 % simultaneous band" if bounded else ""
        if arm in banded and not bounded:
            note = f", no band over {_packages(band.clusters)}"
        # the palette is used again with another line and mark
        style = ("o-", "s--", "^:")[number // len(_COLOURS) % 3]
        axes.plot(middle, band.centre, style, color=colour, markersize=4, label=f"{arm} (n = {len(rows)}{note})")
        highest = max(highest, float(np.max(band.high if bounded else band.centre)))
        if bounded:
            # one point stands for the whole stream
            across = middle if points > 1 else np.array([1.0, float(length)])
            low, high = np.broadcast_to(band.low, across.shape), np.broadcast_to(band.high, across.shape)
            axes.fill_between(across, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlim(0, longest + 1)
    axes.set_xlabel("task's position in the stream (bands: the whole curve of an arm, over packages)")
    axes.set_ylabel(f"share correct within {budget} candidates")
    axes.set_ylim(0, _room(highest))
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
    return figure


def _reach(estimate: Estimate) -> float:
    """How far right an estimate is drawn."""
    return estimate.high if math.isfinite(estimate.high) else estimate.value


def _room(highest: float) -> float:
    """Upper end of an axis of shares that shows small ones too."""
    return min(1.0, max(0.1, 1.1 * highest)) if math.isfinite(highest) else 1.0


def _point(axes: Axes, estimate: Estimate, place: float, colour: str, label: str | None) -> None:
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([estimate.value], [place], "o", color=colour, markersize=6, label=label)


def _percent(value: float) -> str:
    return f"{100 * value:+.0f} %" if math.isfinite(value) else "unbounded" if math.isinf(value) else "undefined"


def _intervals(clusters: int) -> str:
    return "no interval over 1 package" if clusters == 1 else f"95 % interval over {clusters} packages"


def _packages(count: int) -> str:
    return "1 package" if count == 1 else f"{count} packages"
