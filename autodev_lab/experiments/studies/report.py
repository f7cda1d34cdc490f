"""Sums a study up: endpoints by arm, pairs of arms compared, figures drawn, said in words and in one JSON object."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autodev_lab.analysis.effects import relative_effect
from autodev_lab.analysis.estimates import Effect, Estimate
from autodev_lab.analysis.shares import cluster_rate
from autodev_lab.analysis.wording import ends, percent
from autodev_lab.experiments.directory import RunDirectory, runs_before
from autodev_lab.experiments.report import artifacts
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.studies.study import Study, TellsMore
from autodev_lab.files import write_atomic

__all__ = ["Contrast", "compare_arms", "study_metrics", "write_study_report"]

Metrics = Mapping[str, Mapping[str, Estimate]]
Clock = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two arms compared in one endpoint, on the same items; the effect is relative, its interval one of 95 %."""

    treatment: str
    baseline: str
    endpoint: str
    effect: Effect

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        return {
            "treatment": self.treatment,
            "baseline": self.baseline,
            "endpoint": self.endpoint,
            "estimate": _finite(self.effect.estimate),
            "ci": [_finite(self.effect.low), _finite(self.effect.high)],
            "n": self.effect.n,
            "clusters": self.effect.clusters,
            "why": self.effect.why,
        }


def write_study_report(
    plan: StudyPlan, study: Study, directory: RunDirectory, *, done: int, draw: bool
) -> tuple[dict[str, object], str]:
    """Write `summary.json`, `summary.txt` and the figures from the outcomes and the cells' clocks.

    Parameters
    ----------
    done
        Cells that are in the outcomes.
    draw
        Whether to draw the figures; otherwise those that lie there are listed.

    Returns
    -------
    tuple
        The object of `--json`, and the summary in words.
    """
    outcomes = pd.read_parquet(directory.outcomes)
    there = [arm for arm in plan.arms if arm in set(outcomes["arm"])]
    clocks = {arm: _clock_of(directory, plan, arm) for arm in there}
    clock = {arm: study.clocked(seconds) for arm, seconds in clocks.items()}
    metrics = study_metrics(study, outcomes, there)
    more = study.details(plan, outcomes, clocks) if isinstance(study, TellsMore) else None
    if more is not None:
        clock = {arm: {**more.arms.get(arm, {}), **told} for arm, told in clock.items()}
    contrasts = [
        compare_arms(study, outcomes, treatment, baseline, endpoint)
        for endpoint in plan.experiment.endpoints
        for treatment, baseline in plan.experiment.contrasts
        if {treatment, baseline} <= set(there) and endpoint in study.endpoints
    ]
    if draw:
        from autodev_lab.analysis.figures import render

        figures = dict(study.draw(plan, outcomes, metrics))
        if more is not None and isinstance(study, TellsMore):
            figures.update(study.draw_details(plan, more))
        for name, figure in figures.items():
            for kind in ("png", "svg"):
                write_atomic(directory.figures / f"{name}.{kind}", render(figure, kind))
    total = len(plan.cells())
    write_atomic(directory.path / "summary.txt", "")  # so that it is listed among its own artifacts
    summary: dict[str, object] = {
        "experiment": plan.name,
        "study": plan.experiment.study,
        "profile": plan.profile,
        "seed": plan.seed,
        "run_id": directory.id,
        "confirmatory": False,
        "configuration_hash": plan.configuration_hash,
        "runs_before": runs_before(directory.path.parent, plan, directory.id),
        "complete": done == total,
        "cells": {"done": done, "total": total},
        "packages": sorted(str(name) for name in outcomes["package"].unique()),
        "arms": {
            arm: {**_flat(metrics[arm]), **{name: _finite(one) for name, one in clock[arm].items()}} for arm in there
        },
        "contrasts": [one.as_json() for one in contrasts],
        "details": {} if more is None else dict(more.tables),
        "claims": [],
        "artifacts": artifacts(directory),
    }
    words = _in_words(plan, summary, metrics, clock, contrasts, () if more is None else more.words)
    write_atomic(directory.path / "summary.txt", words + "\n")
    directory.write_json(directory.summary, summary)
    return summary, words


def study_metrics(study: Study, outcomes: pd.DataFrame, arms: Sequence[str]) -> Metrics:
    """Every endpoint of every arm: a mean over the rows that have it, with an interval of 95 % over packages."""
    found: dict[str, dict[str, Estimate]] = {}
    for arm in arms:
        rows = outcomes[outcomes["arm"] == arm]
        found[arm] = {}
        for endpoint in study.endpoints.values():
            grouped = rows.dropna(subset=[endpoint.column]).groupby("package", sort=True)[endpoint.column]
            one = cluster_rate(grouped.sum().to_numpy(dtype=np.float64), grouped.size().to_numpy(dtype=np.float64))
            found[arm][endpoint.name] = _within(one, endpoint.bounds)
    return found


def compare_arms(study: Study, outcomes: pd.DataFrame, treatment: str, baseline: str, endpoint: str) -> Contrast:
    """The relative effect of one arm against another in one endpoint, over the items that both have.

    Parameters
    ----------
    treatment, baseline
        Arms of the outcomes.
    endpoint
        One of the study's.
    """
    column = study.endpoints[endpoint].column
    sides = [
        outcomes[(outcomes["arm"] == arm) & outcomes[column].notna()][["package", "item", column]]
        for arm in (treatment, baseline)
    ]
    paired = sides[0].merge(sides[1], on=["package", "item"], suffixes=("_t", "_b"), how="inner")
    grouped = paired.groupby("package", sort=True)
    totals = [grouped[f"{column}_{side}"].sum().to_numpy(dtype=np.float64) for side in ("t", "b")]
    effect = relative_effect(totals[0], totals[1], n=len(paired))
    return Contrast(treatment, baseline, endpoint, effect)


def _within(one: Estimate, bounds: tuple[float, float]) -> Estimate:
    """An interval cut to what the endpoint can be; unknown ends stay unknown."""
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return one
    return Estimate(one.value, max(bounds[0], one.low), min(bounds[1], one.high), one.n, one.clusters)


def _clock_of(directory: RunDirectory, plan: StudyPlan, arm: str) -> Mapping[str, Sequence[float]]:
    (cell,) = (cell for cell in plan.cells() if cell.arm == arm)
    (trace,) = directory.read_trace(cell)
    kept = json.loads(json.dumps(trace["clock"]))
    return {str(name): [float(one) for one in seconds] for name, seconds in kept.items()}


def _in_words(
    plan: StudyPlan,
    summary: Mapping[str, object],
    metrics: Metrics,
    clock: Clock,
    contrasts: Sequence[Contrast],
    more: Sequence[str],
) -> str:
    cells, packages = summary["cells"], summary["packages"]
    assert isinstance(cells, dict) and isinstance(packages, list)
    lines = [
        f"{plan.name}, profile {plan.profile}, seed {plan.seed}",
        plan.experiment.question.strip(),
        "",
        f"Packages: {', '.join(packages)}.",
    ]
    if not summary["complete"]:
        lines.append(f"PARTIAL: {cells['done']} of {cells['total']} arms are done; figures are of those alone.")
    for arm, estimates in metrics.items():
        lines += ["", f"{arm}: {plan.experiment.arms[arm].description}"]
        lines += [f"  {name:<16}{_words(one)} (n = {one.n})" for name, one in estimates.items() if one.n]
        lines += [f"  {name:<16}{value:.3g}" for name, value in clock[arm].items() if math.isfinite(value)]
    if contrasts:
        lines += ["", "Contrasts (exploratory; relative, intervals of 95 % each, not adjusted for their number):"]
        lines += [_contrast_in_words(one) for one in contrasts]
        lines += [
            f"  No interval: {why}." for why in dict.fromkeys(one.effect.why for one in contrasts if one.effect.why)
        ]
    if more:
        lines += ["", *more]
    lines += ["", "Where everything lies:"]
    found = summary["artifacts"]
    assert isinstance(found, dict)
    lines += [f"  {name:<25} {path}" for name, path in found.items()]
    return "\n".join(lines)


def _contrast_in_words(one: Contrast) -> str:
    effect = one.effect
    bounded = math.isfinite(effect.low) and math.isfinite(effect.high)
    interval = ends(effect.low, effect.high) if bounded else "[no interval]"
    return (
        f"  {one.treatment} against {one.baseline} in {one.endpoint}: {percent(effect.estimate)} {interval}, "
        f"n = {effect.n} in {effect.clusters} package{'s' if effect.clusters != 1 else ''}"
    )


def _words(one: Estimate) -> str:
    interval = f"[{one.low:.3f}, {one.high:.3f}]" if math.isfinite(one.low) else "[no interval]"
    return f"{one.value:.3f} {interval}"


def _flat(estimates: Mapping[str, Estimate]) -> dict[str, float | int | None]:
    flat: dict[str, float | int | None] = {}
    for name, one in estimates.items():
        flat[name] = _finite(one.value)
        flat[f"{name}_low"] = _finite(one.low)
        flat[f"{name}_high"] = _finite(one.high)
        flat[f"{name}_n"] = one.n
    return flat


def _known(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
