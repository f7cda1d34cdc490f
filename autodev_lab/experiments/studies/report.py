"""Sums a study up: endpoints by arm, pairs of arms compared, claims judged, said in words and in one JSON object."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from autodev_lab.analysis.claims import STUDY, Claim, Judged, ShareClaim, judge_all
from autodev_lab.analysis.estimates import Effect, Estimate
from autodev_lab.analysis.latency import times_as_fast
from autodev_lab.analysis.study_exhibit import NO_NOISE
from autodev_lab.analysis.study_results import (
    Contrast,
    GroupGain,
    group_gains,
    groups_of,
    study_contrasts,
    study_metrics,
)
from autodev_lab.analysis.wording import ends, percent
from autodev_lab.experiments.directory import RunDirectory, runs_before
from autodev_lab.experiments.report import artifacts, registered_claims
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.studies.study import Study, TellsMore
from autodev_lab.files import write_atomic

__all__ = ["write_study_report"]

Metrics = Mapping[str, Mapping[str, Estimate]]
Clock = Mapping[str, Mapping[str, float]]


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
    kept = {arm: _clock_of(directory, plan, arm) for arm in there}
    clock = {arm: study.clocked(seconds) for arm, seconds in kept.items()}
    speeds = _speeds(plan, kept)
    endpoints = tuple(study.endpoints.values())
    named = [one for one in endpoints if one.name in plan.experiment.endpoints]
    metrics = study_metrics(endpoints, outcomes, there)
    groups = {
        name: study_metrics(endpoints, outcomes[outcomes["group"] == name], there) for name in groups_of(outcomes) or ()
    }
    contrasts = study_contrasts(outcomes, plan.experiment.contrasts, named)
    gains = group_gains(outcomes, plan.experiment.contrasts, named)
    total = len(plan.cells())
    judged = judge_all(
        registered_claims(),
        outcomes,
        experiment=plan.name,
        environment=STUDY,
        # half a run is no run of the registered configuration
        configuration_hash=plan.configuration_hash if done == total else "",
        arms=plan.arms,
    )
    more = study.details(plan, outcomes, kept) if isinstance(study, TellsMore) else None
    if more is not None:
        clock = {arm: {**more.arms.get(arm, {}), **told} for arm, told in clock.items()}
    if draw:
        if more is not None and isinstance(study, TellsMore):
            _keep(directory, study.draw_details(plan, more))
        _draw(plan, study, directory, outcomes, metrics, clock, groups, judged)
    write_atomic(directory.path / "summary.txt", "")  # so that it is listed among its own artifacts
    summary: dict[str, object] = {
        "experiment": plan.name,
        "study": plan.experiment.study,
        "profile": plan.profile,
        "seed": plan.seed,
        "run_id": directory.id,
        "environment": STUDY,
        "confirmatory": any(one.confirmatory for one in judged),
        "configuration_hash": plan.configuration_hash,
        "runs_before": runs_before(directory.path.parent, plan, directory.id),
        "complete": done == total,
        "cells": {"done": done, "total": total},
        "packages": _packages(outcomes),
        "arms": {
            arm: {**_flat(metrics[arm]), **{name: _finite(one) for name, one in clock[arm].items()}} for arm in there
        },
        "left_out": _left_out(plan, study),
        "groups": _groups_as_json(outcomes, groups),
        "contrasts": [one.as_json() for one in contrasts],
        "group_gains": [one.as_json() for one in gains],
        "speeds": _speeds_as_json(speeds),
        "details": {} if more is None else dict(more.tables),
        "claims": [one.as_json() for one in judged],
        "artifacts": artifacts(directory),
    }
    words = "\n".join(
        [
            *_head(plan, summary),
            *_arms(plan, metrics, clock),
            *_contrasts(contrasts),
            *_fastness(speeds),
            *_groups(summary, groups, gains),
            *_verdicts(judged),
            *(("", *more.words) if more is not None and more.words else ()),
            *_tail(summary),
        ]
    )
    write_atomic(directory.path / "summary.txt", words + "\n")
    directory.write_json(directory.summary, summary)
    return summary, words


def _packages(outcomes: pd.DataFrame) -> list[str]:
    return sorted(str(name) for name in outcomes["package"].unique())


def _groups_as_json(outcomes: pd.DataFrame, groups: Mapping[str, Metrics]) -> dict[str, object]:
    """Packages of each group, and what arms achieve on them."""
    return {
        name: {
            "packages": _packages(outcomes[outcomes["group"] == name]),
            "arms": {arm: _flat(estimates) for arm, estimates in by_arm.items()},
        }
        for name, by_arm in groups.items()
    }


def _speeds_as_json(speeds: Mapping[tuple[str, str], Estimate]) -> list[dict[str, object]]:
    return [
        {"treatment": ours, "baseline": theirs, "times_as_fast": one.value, "ci": [one.low, one.high], "n": one.n}
        for (ours, theirs), one in speeds.items()
    ]


def _draw(
    plan: StudyPlan,
    study: Study,
    directory: RunDirectory,
    outcomes: pd.DataFrame,
    metrics: Metrics,
    clock: Clock,
    groups: Mapping[str, Metrics],
    judged: Sequence[Judged],
) -> None:
    # matplotlib takes half a second to import: only when there is something to draw
    from autodev_lab.analysis.claim_figures import claim_figure

    drawn = dict(study.draw(plan, outcomes, metrics, clock))
    for name, by_arm in groups.items():
        drawn.update({f"{kind}_{name}": figure for kind, figure in study.draw(plan, outcomes, by_arm, clock).items()})
    for one in judged:
        figure = claim_figure(one, outcomes, budget=0)
        if figure is not None:
            drawn[f"paired_{one.claim.id}"] = figure
    _keep(directory, drawn)


def _keep(directory: RunDirectory, drawn: Mapping[str, Figure]) -> None:
    """Write figures into the run directory."""
    from autodev_lab.analysis.figures import render

    for name, figure in drawn.items():
        for kind in ("png", "svg"):
            write_atomic(directory.figures / f"{name}.{kind}", render(figure, kind))


def _left_out(plan: StudyPlan, study: Study) -> dict[str, str]:
    """Arms that did not run because something they need is not there, with what that is."""
    absent = {arm: one.options for arm, one in plan.experiment.arms.items() if arm not in plan.arms}
    needed = {arm: study.lacks(options) for arm, options in absent.items()}
    return {arm: what for arm, what in needed.items() if what}


def _clock_of(directory: RunDirectory, plan: StudyPlan, arm: str) -> Mapping[str, Sequence[float]]:
    (cell,) = (cell for cell in plan.cells() if cell.arm == arm)
    (trace,) = directory.read_trace(cell)
    kept = json.loads(json.dumps(trace["clock"]))
    return {str(name): [float(one) for one in seconds] for name, seconds in kept.items()}


def _head(plan: StudyPlan, summary: Mapping[str, object]) -> list[str]:
    cells, packages, left_out = summary["cells"], summary["packages"], summary["left_out"]
    assert isinstance(cells, dict) and isinstance(packages, list) and isinstance(left_out, dict)
    lines = [
        f"{plan.name}, profile {plan.profile}, seed {plan.seed}",
        plan.experiment.question.strip(),
        "",
        f"Packages: {', '.join(packages)}.",
    ]
    if not summary["complete"]:
        lines.append(f"PARTIAL: {cells['done']} of {cells['total']} arms are done; figures are of those alone.")
    return lines + [
        f"Left out: {', '.join(arm for arm, one in left_out.items() if one == what)}; {what}."
        for what in dict.fromkeys(left_out.values())
    ]


def _arms(plan: StudyPlan, metrics: Metrics, clock: Clock) -> list[str]:
    lines = []
    width = max(16, *(len(name) + 2 for estimates in metrics.values() for name in estimates))
    for arm, estimates in metrics.items():
        lines += ["", f"{arm}: {plan.experiment.arms[arm].description}"]
        lines += [f"  {name:<{width}}{_words(one)} (n = {one.n})" for name, one in estimates.items() if one.n]
        lines += [f"  {name:<{width}}{value:.3g}" for name, value in clock[arm].items() if math.isfinite(value)]
    return lines


def _contrasts(contrasts: Sequence[Contrast]) -> list[str]:
    if not contrasts:
        return []
    return [
        "",
        "Contrasts (exploratory; relative, intervals of 95 % each, not adjusted for their number):",
        *map(_contrast_in_words, contrasts),
        *(f"  No interval: {why}." for why in dict.fromkeys(one.effect.why for one in contrasts if one.effect.why)),
    ]


def _speeds(plan: StudyPlan, kept: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[tuple[str, str], Estimate]:
    """How many times as fast the first arm of each contrast searches as the second, by medians over the same things."""
    found = {}
    for treatment, baseline in plan.experiment.contrasts:
        ours, theirs = (kept.get(arm, {}).get("search", ()) for arm in (treatment, baseline))
        if len(ours) == len(theirs) and len(ours) > 1:
            found[treatment, baseline] = times_as_fast(ours, theirs)
    return found


def _fastness(speeds: Mapping[tuple[str, str], Estimate]) -> list[str]:
    if not speeds:
        return []
    return [
        "",
        "Times as fast, by medians over the same searches (intervals of 95 % over searches; on this machine):",
        *(
            f"  {treatment} as {baseline}: {one.value:.3g} [{one.low:.3g}, {one.high:.3g}], n = {one.n}"
            for (treatment, baseline), one in speeds.items()
        ),
    ]


def _groups(summary: Mapping[str, object], groups: Mapping[str, Metrics], gains: Sequence[GroupGain]) -> list[str]:
    lines: list[str] = []
    told = summary["groups"]
    assert isinstance(told, dict)
    for name, by_arm in groups.items():
        lines += ["", f"Group {name}: {', '.join(told[name]['packages'])}"]
        for arm, estimates in by_arm.items():
            shown = (f"{endpoint} {_words(one)}" for endpoint, one in estimates.items() if one.n)
            lines.append(f"  {arm}: {', '.join(shown)}")
    if gains:
        lines += ["", "Differences of arms in each group (absolute, intervals of 95 % over packages):"]
    for one in gains:
        sides = "; ".join(f"{name} {_absolute(effect)}" for name, effect in one.groups)
        lines.append(
            f"  {one.treatment} less {one.baseline} in {one.endpoint}: {sides}; the first less the second "
            f"{_absolute(one.difference)}"
        )
    return lines


def _verdicts(judged: Sequence[Judged]) -> list[str]:
    lines: list[str] = []
    for one in judged:
        effect, claim = one.effect, one.claim
        say = functools.partial(percent, signed=not isinstance(claim, ShareClaim))
        lines += [
            "",
            f"{claim.id} ({'confirmatory' if one.confirmatory else 'exploratory'}): {one.ruling.value.upper()}",
            f"  claim: {claim.statement.strip()}",
            f"  {_compared(claim)}: {say(effect.estimate)} "
            f"{ends(effect.low, effect.high, say)}, threshold {say(claim.threshold)}, n = {effect.n} in "
            f"{effect.clusters} {claim.cluster}{'s' if effect.clusters != 1 else ''}.",
            f"  Noise floor: {NO_NOISE}.",
        ]
        if one.coverage is not None:
            lines.append(
                f"  Coverage: {percent(one.coverage.value, signed=False)} of the items were deployed without a human."
            )
        if effect.why:
            lines.append(f"  No bounded interval: {effect.why}.")
        if one.confirmatory_lost:
            lines.append(f"  Its confirmatory status is lost: {one.confirmatory_lost}.")
    return lines


def _compared(claim: Claim) -> str:
    """What the estimate of a claim is of."""
    if isinstance(claim, ShareClaim):
        return f"{claim.endpoint} of {claim.treatment}"
    return f"{claim.treatment} against {claim.baseline} in {claim.endpoint}"


def _tail(summary: Mapping[str, object]) -> list[str]:
    found = summary["artifacts"]
    assert isinstance(found, dict)
    return ["", "Where everything lies:", *(f"  {name:<25} {path}" for name, path in found.items())]


def _contrast_in_words(one: Contrast) -> str:
    effect = one.effect
    bounded = math.isfinite(effect.low) and math.isfinite(effect.high)
    interval = ends(effect.low, effect.high) if bounded else "[no interval]"
    return (
        f"  {one.treatment} against {one.baseline} in {one.endpoint}: {percent(effect.estimate)} {interval}, "
        f"n = {effect.n} in {effect.clusters} package{'s' if effect.clusters != 1 else ''}"
    )


def _absolute(effect: Effect) -> str:
    return f"{effect.estimate:+.3f} {ends(effect.low, effect.high, '{:+.3f}'.format)}"


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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
