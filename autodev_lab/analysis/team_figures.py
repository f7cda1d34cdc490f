"""Figures of teams: how long failures hold work up, and how throughput grows with the number of agents."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from autodev_lab.analysis.scalability import usl

__all__ = ["processes_figure", "recovery_figure", "scaling_figure"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


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


def scaling_figure(grains: Mapping[str, object]) -> Figure:
    """Efficiency and throughput by number of agents, a colour a grain; the lines are the fitted law.

    Parameters
    ----------
    grains
        By grain: ``efficiency`` by number of agents (value and 95 % interval over packages), ``tasks_an_hour`` by
        number of agents, ``law`` as `Scalability.as_json` gives it, and ``packages``.
    """
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    packages = 0
    for colour, (grain, told) in zip(_COLOURS, grains.items(), strict=False):
        assert isinstance(told, dict)
        law, packages = told["law"], told["packages"]
        numbers = [int(n) for n in told["efficiency"]]
        fine = np.linspace(1.0, max(numbers), 200)
        curve = usl(fine, law["rate"], law["sigma"], law["kappa"])
        left.plot(fine, curve / fine / law["rate"], color=colour, linewidth=1)
        right.plot(fine, curve, color=colour, linewidth=1)
        left.plot(numbers, [one["value"] for one in told["efficiency"].values()], "o", color=colour, markersize=4)
        for n, one in zip(numbers, told["efficiency"].values(), strict=True):
            if None not in one["ci"]:
                left.plot([n, n], one["ci"], color=colour, alpha=0.6)
        hourly = {int(n): rate for n, rate in told["tasks_an_hour"].items()}
        right.plot(list(hourly), list(hourly.values()), "o", color=colour, markersize=4, label=f"steps: {grain}")
    left.axhline(0.9, color="grey", linewidth=1, linestyle="--")
    left.set_ylim(0, 1.1)
    left.set_ylabel(f"efficiency, 95 % intervals over {packages} packages\n(throughput of N over N times that of one)")
    right.set_ylabel("tasks an hour (line: Universal Scalability Law)")
    right.set_yscale("log")
    for axes in (left, right):
        axes.set_xlabel("agents, N")
        axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def processes_figure(arms: Mapping[str, object]) -> Figure:
    """Efficiency of real processes by how many there are, with 95 % intervals over runs; a colour a team's servers.

    Parameters
    ----------
    arms
        By arm: ``processes``, ``shards``, ``step_ms``, ``efficiency`` with ``efficiency_ci``, and ``n``.
    """
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    lines: dict[tuple[int, int], list[dict[str, object]]] = {}
    runs = 0
    for one in arms.values():
        assert isinstance(one, dict)
        runs = one["n"]
        lines.setdefault((one["step_ms"], one["shards"]), []).append(one)
    for number, ((step, shards), members) in enumerate(sorted(lines.items())):
        colour, shift = f"C{number}", 1.0 + 0.02 * number
        members = sorted(members, key=lambda one: float(str(one["processes"])))
        numbers = [shift * float(str(one["processes"])) for one in members]
        label = f"steps of {step} ms, {shards} shard{'s' if shards > 1 else ''}"
        axes.plot(numbers, [float(str(one["efficiency"])) for one in members], "o-", color=colour, label=label)
        for n, one in zip(numbers, members, strict=True):
            ends = one["efficiency_ci"]
            if isinstance(ends, list) and None not in ends:
                axes.plot([n, n], ends, color=colour, alpha=0.6)
    axes.axhline(1.0, color="grey", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, None)
    axes.set_xlabel("processes")
    axes.set_ylabel(f"efficiency against one process\n(95 % intervals over {runs} runs)")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure
