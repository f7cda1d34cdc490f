"""Sums a run up: metrics by arm, claims judged, figures drawn, and all of it said in words and in one JSON object."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from autodev_lab.analysis.claims import Claim, Judged, PositionClaim, ShareClaim, judge_all, read_claims
from autodev_lab.analysis.contrasts import contrast_effects
from autodev_lab.analysis.frames import arm_rows, originals, read_outcomes
from autodev_lab.analysis.gates import GateSummary, gate_summaries
from autodev_lab.analysis.killing import KillingTests, killing_tests
from autodev_lab.analysis.metrics import arm_metrics
from autodev_lab.analysis.rollouts import (
    WATCHED,
    RolloutContrast,
    RolloutSummary,
    rollout_contrasts,
    rollout_summaries,
)
from autodev_lab.analysis.statistics import Estimate
from autodev_lab.analysis.wording import percent
from autodev_lab.experiments.design import TWIN_SUFFIX, Plan
from autodev_lab.experiments.directory import RunDirectory, runs_before
from autodev_lab.files import write_atomic
from autodev_lab.resources import resource

__all__ = ["registered_claims", "write_report"]

Metrics = Mapping[str, Mapping[str, Estimate]]


def write_report(plan: Plan, directory: RunDirectory, *, done: int, draw: bool = True) -> tuple[dict[str, object], str]:
    """Write `summary.json`, `summary.txt` and the figures from the outcomes.

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
    outcomes = read_outcomes(directory.outcomes)
    total = len(plan.cells())
    complete = done == total
    judged = judge_all(
        registered_claims(),
        outcomes,
        experiment=plan.experiment.name,
        environment=plan.parameters.environment,
        # half a run is no run of the registered configuration
        configuration_hash=plan.configuration_hash if complete else "",
        arms=plan.arms,
    )
    contrasts = contrast_effects(
        outcomes,
        plan.experiment.contrasts,
        endpoint=plan.experiment.endpoints[0],
        experiment=plan.experiment.name,
        environment=plan.parameters.environment,
    )
    gates = gate_summaries(outcomes, plan.arms) if plan.experiment.gates else ()
    rollouts = rollout_summaries(directory.rollouts, plan.arms)
    against = rollout_contrasts(directory.rollouts, plan.experiment.contrasts)
    killing = killing_tests(outcomes)
    metrics = {name: arm_metrics(arm_rows(outcomes, name)) for name in _arm_names(plan, outcomes)}
    if draw:
        _draw(plan, directory, outcomes, metrics, judged, rollouts)
    before = runs_before(directory.path.parent, plan, directory.id)
    write_atomic(directory.path / "summary.txt", "")  # so that it is listed among its own artifacts
    summary: dict[str, object] = {
        "experiment": plan.experiment.name,
        "profile": plan.profile,
        "seed": plan.seed,
        "run_id": directory.id,
        "environment": plan.parameters.environment,
        "confirmatory": any(one.confirmatory for one in judged),
        "configuration_hash": plan.configuration_hash,
        "runs_before": before,
        "complete": complete,
        "cells": {"done": done, "total": total},
        "tasks": int(originals(outcomes)["task_id"].nunique()),
        "packages": sorted(str(name) for name in outcomes["package"].unique()),
        "arms": {name: _flat(estimates) for name, estimates in metrics.items()},
        "claims": [one.as_json() for one in judged],
        "contrasts": [_contrast(one) for one in contrasts],
        **({"gates": [one.as_json() for one in gates]} if gates else {}),
        **({"rollouts": [one.as_json() for one in rollouts]} if rollouts else {}),
        **({"rollout_contrasts": [one.as_json() for one in against]} if against else {}),
        "killing_tests": killing.as_json(),
        "artifacts": artifacts(directory),
    }
    words = in_words(plan, summary, metrics, judged, contrasts, gates, killing, (*rollouts, *against))
    write_atomic(directory.path / "summary.txt", words + "\n")
    directory.write_json(directory.summary, summary)
    return summary, words


def registered_claims() -> tuple[Claim, ...]:
    """The claims that ship with the lab."""
    return read_claims(resource("experiments/claims.yaml"))


def artifacts(directory: RunDirectory) -> dict[str, str]:
    """What lies in the run directory, by name."""
    known = {
        "run": directory.path,
        "outcomes": directory.outcomes,
        "retrievals": directory.retrievals,
        "rollouts": directory.rollouts,
        "summary": directory.summary,
        "summary_text": directory.path / "summary.txt",
        "tasks": directory.tasks,
        "attrition": directory.attrition,
        "provenance": directory.provenance,
        "spec": directory.spec,
    }
    found = {name: str(path) for name, path in known.items() if path.exists() or name == "summary"}
    for path in sorted(directory.figures.glob("*.png")):
        found[f"figure_{path.stem}"] = str(path)
    for path in sorted(directory.notebook.glob("*.ipynb")):
        found["notebook"] = str(path)
    for path in sorted(directory.notebook.glob("*.html")):
        found["html"] = str(path)
    if (directory.path / "mlflow.json").exists():
        found["mlflow"] = str(directory.path / "mlflow.json")
    return found


def in_words(
    plan: Plan,
    summary: Mapping[str, object],
    metrics: Metrics,
    judged: Sequence[Judged],
    contrasts: Sequence[Judged] = (),
    gates: Sequence[GateSummary] = (),
    killing: KillingTests | None = None,
    rollouts: Sequence[RolloutSummary | RolloutContrast] = (),
) -> str:
    """The run in words: what was asked, what the arms did, what may be said, and where everything lies."""
    parameters = plan.parameters
    cells, packages = summary["cells"], summary["packages"]
    assert isinstance(cells, dict) and isinstance(packages, list)
    lines = [
        f"{plan.experiment.name}, profile {plan.profile}, seed {plan.seed}, {parameters.environment} environment",
        plan.experiment.question.strip(),
        "",
        f"{summary['tasks']} tasks from {len(packages)} package{'s' if len(packages) != 1 else ''}, "
        f"{parameters.budget} candidates a task, {_teams(plan)}, {parameters.replicates} "
        f"replicate{'s' if parameters.replicates != 1 else ''}.",
    ]
    if not summary["complete"]:
        lines.append(f"PARTIAL: {cells['done']} of {cells['total']} cells are done; figures are of those alone.")
    lines += ["", f"{'arm':<22}{'correct':>22}{'solved':>9}{'escaped':>9}{'candidates':>12}"]
    for name, estimates in metrics.items():
        correct = estimates["correct_at_K"]
        lines.append(
            f"{name:<22}{f'{correct.value:.3f} {_interval(correct)}':>22}{estimates['solved_at_K'].value:>9.3f}"
            f"{estimates['escaped'].value:>9.3f}{estimates['candidates_mean'].value:>12.2f}"
        )
    lines.append("")
    for one in judged:
        lines += _claim_in_words(one)
    if not judged:
        lines.append("No registered claim is about the arms that were run.")
    if contrasts:
        lines += ["", "Contrasts (exploratory; intervals of 95 % each, not adjusted for their number):"]
        lines += [_contrast_in_words(one) for one in contrasts]
        lines.append("")
    if killing is not None and killing.unknown < killing.tasks:
        lines += [f"Held-out tests: {killing.in_words()}.", ""]
    if gates:
        lines += ["Gates (95 % intervals over packages):", *(one.in_words() for one in gates), ""]
    if rollouts:
        lines.append(f"Rollouts (95 % intervals over packages; {WATCHED} requests in production until it is watched):")
        lines += [*(one.in_words() for one in rollouts), ""]
    if not summary["confirmatory"]:
        before = summary["runs_before"]
        lines.append(
            "This run is exploratory: its configuration is not a registered one"
            + (", or it is not complete" if not summary["complete"] else "")
            + f". Other runs of this experiment beside it: {before}."
        )
    lines += ["", "Where everything lies:"]
    found = summary["artifacts"]
    assert isinstance(found, dict)
    lines += [f"  {name:<25} {path}" for name, path in found.items()]
    return "\n".join(lines)


def _claim_in_words(one: Judged) -> list[str]:
    effect, claim = one.effect, one.claim
    status = "confirmatory" if one.confirmatory else "exploratory"
    lines = [
        f"{claim.id} ({status}): {one.ruling.value.upper()}",
        f"  claim: {claim.statement.strip()}",
        f"  {_compared(one)}: {percent(effect.estimate)} "
        f"[{percent(effect.low)}, {percent(effect.high)}], threshold {percent(claim.threshold)}, noise floor "
        f"{percent(one.noise_floor)}, n = {effect.n} {'' if isinstance(claim, ShareClaim) else 'paired '}tasks in "
        f"{effect.clusters} package{'s' if effect.clusters != 1 else ''}.",
    ]
    if one.coverage is not None:
        lines.append(f"  Coverage: {100 * one.coverage.value:.1f} % of the tasks were deployed without a human.")
    if effect.why:
        lines.append(f"  No bounded interval: {effect.why}.")
    if one.confirmatory_lost:
        lines.append(f"  Its confirmatory status is lost: {one.confirmatory_lost}.")
    return lines


def _teams(plan: Plan) -> str:
    """How many developers the arms have."""
    sizes = sorted({plan.team(arm).developers for arm in plan.arms})
    largest = "one developer" if sizes[-1] == 1 else f"teams of {sizes[-1]}"
    return largest if len(sizes) == 1 else f"teams of {', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"


def _contrast_in_words(one: Judged) -> str:
    effect = one.effect
    interval = f" [{percent(effect.low)}, {percent(effect.high)}]" if math.isfinite(effect.low) else ", no interval"
    return (
        f"  {_compared(one)}: {percent(effect.estimate)}{interval}, noise floor {percent(one.noise_floor)}, "
        f"n = {effect.n}"
    )


def _contrast(one: Judged) -> dict[str, object]:
    """A contrast as plain data: what a claim's object says of its effect, and nothing of a promise."""
    told = ("treatment", "baseline", "endpoint", "estimate", "ci", "n", "clusters", "p", "method", "noise_floor", "why")
    return {name: value for name, value in one.as_json().items() if name in told}


def _compared(one: Judged) -> str:
    """What the estimate of a claim is of."""
    claim = one.claim
    if isinstance(claim, ShareClaim):
        return f"share right ({claim.endpoint}) of what {claim.treatment} deployed without a human"
    place = f" at task {claim.at} ± {claim.window}" if isinstance(claim, PositionClaim) else ""
    return f"{claim.treatment} against {claim.baseline} in {claim.endpoint}{place}"


def _arm_names(plan: Plan, outcomes: pd.DataFrame) -> list[str]:
    names = [*plan.arms, *(f"{arm}{TWIN_SUFFIX}" for arm in plan.arms)]
    return [name for name in names if not arm_rows(outcomes, name).empty]


def _flat(estimates: Mapping[str, Estimate]) -> dict[str, float | int | None]:
    """Metrics as plain numbers: the value under its own name, the interval's ends beside it; unknown is null."""
    flat: dict[str, float | int | None] = {}
    for name, estimate in estimates.items():
        flat[name] = _finite(estimate.value)
        flat[f"{name}_low"] = _finite(estimate.low)
        flat[f"{name}_high"] = _finite(estimate.high)
    flat["n"] = estimates["correct_at_K"].n
    flat["clusters"] = estimates["correct_at_K"].clusters
    return flat


def _draw(
    plan: Plan,
    directory: RunDirectory,
    outcomes: pd.DataFrame,
    metrics: Metrics,
    judged: Sequence[Judged],
    rollouts: Sequence[RolloutSummary],
) -> None:
    # matplotlib takes half a second to import: only when there is something to draw
    from autodev_lab.analysis import figures
    from autodev_lab.analysis.claim_figures import gate_figures
    from autodev_lab.analysis.operator_figure import operator_figure
    from autodev_lab.analysis.rollout_figure import rollout_figure

    budget = plan.parameters.budget
    firsts = [name for name in metrics if not name.endswith(TWIN_SUFFIX)]
    compared = [arm for one in judged for arm in one.claim.arms if arm in firsts]
    drawn = {
        "arms": figures.arms_figure({name: metrics[name] for name in firsts}, budget=budget),
        "learning_curve": figures.learning_curve(outcomes, firsts, budget=budget, banded=compared[:2] or firsts[:1]),
    }
    for one in judged:
        if one.effect.n and one.claim.kind == "relative":
            sides = (arm_rows(outcomes, arm) for arm in (one.claim.treatment, one.claim.baseline))
            drawn[f"paired_{one.claim.id}"] = figures.paired_differences(one, *sides)
    for arm in _gated(plan, judged, firsts):
        drawn.update(gate_figures(outcomes, arm))
    further = {"operators": operator_figure(outcomes, budget=budget), "rollouts": rollout_figure(rollouts)}
    drawn |= {name: figure for name, figure in further.items() if figure is not None}
    for name, figure in drawn.items():
        for kind in ("png", "svg"):
            write_atomic(directory.figures / f"{name}.{kind}", figures.render(figure, kind))


def _gated(plan: Plan, judged: Sequence[Judged], arms: Sequence[str]) -> list[str]:
    """Arms whose gate is worth a figure: those a claim is about, and those that name a policy with an order."""
    claimed = [one.claim.treatment for one in judged if isinstance(one.claim, ShareClaim)]
    named = [arm for arm in arms if plan.experiment.arms[arm].policy in ("learned", "published")]
    return [arm for arm in dict.fromkeys((*claimed, *named)) if arm in arms]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(estimate: Estimate) -> str:
    if not math.isfinite(estimate.low):
        return "[no interval]"
    return f"[{max(0.0, estimate.low):.2f}, {min(1.0, estimate.high):.2f}]"
