"""What a run showed beside its claims: arms, contrasts, gates, rollouts, and what no held-out test can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from autodev_lab.analysis.claims import Judged
from autodev_lab.analysis.contrasts import contrast_effects
from autodev_lab.analysis.dossier import Dossier
from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.figures import arms_figure, learning_curve
from autodev_lab.analysis.frames import arm_rows
from autodev_lab.analysis.gates import GateSummary, gate_summaries
from autodev_lab.analysis.killing import KillingTests, killing_tests
from autodev_lab.analysis.markdown import table
from autodev_lab.analysis.metrics import arm_metrics
from autodev_lab.analysis.operator_figure import operator_figure
from autodev_lab.analysis.rollout_figure import rollout_figure
from autodev_lab.analysis.rollouts import (
    RolloutContrast,
    RolloutSummary,
    rollout_contrasts,
    rollout_summaries,
)
from autodev_lab.analysis.wording import ends, percent, share_between

__all__ = ["Exhibit", "exhibit_figures", "make_exhibit"]

_ROLLOUTS = "rollouts.parquet"
_SHARES = ("correct_at_K", "solved_at_K", "escaped")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a run showed beside its claims; exploratory, all of it.

    Parameters
    ----------
    arms
        Endpoints by arm, twins left out; intervals of 95 % over packages.
    contrasts
        Pairs of arms that the experiment compares, against "no effect"; intervals of 95 % each.
    gates
        Gates by arm; empty when the experiment is not about them.
    rollouts, rollout_contrasts
        Rollouts by arm, and compared; empty where arms do not differ in them.
    killing
        Tasks whose bug no held-out test notices.
    """

    arms: Mapping[str, Mapping[str, Estimate]] = field(hash=False)
    contrasts: tuple[Judged, ...]
    gates: tuple[GateSummary, ...]
    rollouts: tuple[RolloutSummary, ...]
    rollout_contrasts: tuple[RolloutContrast, ...]
    killing: KillingTests

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        told = ("treatment", "baseline", "endpoint", "estimate", "ci", "n", "clusters", "p", "method", "noise_floor")
        return {
            "arms": {
                arm: {
                    name: {"value": _finite(one.value), "ci": [_finite(one.low), _finite(one.high)], "n": one.n}
                    for name, one in estimates.items()
                }
                for arm, estimates in self.arms.items()
            },
            "contrasts": [{name: one.as_json()[name] for name in (*told, "why")} for one in self.contrasts],
            "gates": [one.as_json() for one in self.gates],
            "rollouts": [one.as_json() for one in self.rollouts],
            "rollout_contrasts": [one.as_json() for one in self.rollout_contrasts],
            "killing_tests": self.killing.as_json(),
        }

    def markdown(self) -> list[str]:
        """Paragraphs and tables."""
        parts = [
            "Arms (share of tasks, with intervals of 95 % over packages; candidates a task):",
            table(("arm", "correct", "solved", "escaped", "candidates", "n"), [self._arm(arm) for arm in self.arms]),
        ]
        if self.contrasts:
            parts += [
                "Contrasts (exploratory; relative difference, intervals of 95 % each, not adjusted for their number):",
                table(
                    ("arm", "against", "endpoint", "difference", "95 % interval", "noise floor", "n", "packages"),
                    [_contrast(one) for one in self.contrasts],
                ),
            ]
        if self.gates:
            parts += [
                "Gates (changes that reached the gate; right: of those it let through without a person):",
                table(
                    ("arm", "changes", "let through", "right", "wrong", "stopped", "rolled back", "escaped", "minutes"),
                    [_gate(one) for one in self.gates],
                ),
                "*Wrong* counts the wrong changes that reached the gate, *stopped* those that it sent to a person, "
                "*rolled back* those that the rollout stopped before production, *escaped* those that reached "
                "production without a person; *minutes* are a person's, a change.",
            ]
            if any(one.matched for one in self.gates):
                parts += [
                    "At the same coverage, the share of wrong changes among those let through, less that of a control:",
                    table(("arm", "control", "difference", "95 % interval"), self._matched()),
                ]
        if self.rollouts:
            parts += [
                "Rollouts (changes of original tasks; right and wrong by the held-out tests; exposures a change):",
                table(
                    ("arm", "changes", "promoted", "asked about", "right, rolled back", "wrong, escaped", "exposures"),
                    [_rollout(one) for one in self.rollouts],
                ),
            ]
        if self.rollout_contrasts:
            names = ("right ones rolled back", "wrong ones escaped", "harmed by a wrong one")
            parts += [
                "Differences over tasks whose changes were right (or wrong) in both arms:",
                table(("arm", "less", *names), [_rollouts_apart(one) for one in self.rollout_contrasts]),
            ]
        if self.killing.unknown < self.killing.tasks:
            parts.append(f"Held-out tests: {self.killing.in_words()}.")
        return parts

    def _arm(self, arm: str) -> tuple[str, ...]:
        estimates = self.arms[arm]
        return (
            arm,
            *(_share(estimates[name]) for name in _SHARES),
            f"{estimates['candidates_mean'].value:.2f}",
            str(estimates["correct_at_K"].n),
        )

    def _matched(self) -> list[tuple[str, ...]]:
        return [
            (
                gate.arm,
                one.control.replace("_", " "),
                f"{one.difference:+.3f}",
                ends(one.low, one.high, "{:+.3f}".format),
            )
            for gate in self.gates
            for one in gate.matched
        ]


def make_exhibit(dossier: Dossier) -> Exhibit:
    """Sum up a run's arms, contrasts and gates from its outcomes.

    Parameters
    ----------
    dossier
        The run, opened.
    """
    outcomes = dossier.run.outcomes
    contrasts = contrast_effects(
        outcomes,
        dossier.contrasts,
        endpoint=dossier.endpoints[0],
        experiment=dossier.experiment,
        environment=dossier.environment,
    )
    return Exhibit(
        {arm: arm_metrics(arm_rows(outcomes, arm)) for arm in dossier.arms},
        contrasts,
        gate_summaries(outcomes, dossier.arms) if dossier.gates else (),
        rollout_summaries(dossier.run.path / _ROLLOUTS, dossier.arms),
        rollout_contrasts(dossier.run.path / _ROLLOUTS, dossier.contrasts),
        killing_tests(outcomes),
    )


def exhibit_figures(dossier: Dossier, exhibit: Exhibit) -> dict[str, Figure]:
    """Figures of a run as a whole: its arms, its learning curve, and kinds of bug against kinds of repair."""
    arms = list(exhibit.arms)
    claimed = [arm for one in dossier.judged for arm in one.claim.arms if arm in arms]
    outcomes = dossier.run.outcomes
    drawn = {
        "arms": arms_figure(exhibit.arms, budget=dossier.budget),
        "learning_curve": learning_curve(outcomes, arms, budget=dossier.budget, banded=claimed[:2] or arms[:1]),
    }
    further = {
        "operators": operator_figure(outcomes, budget=dossier.budget),
        "rollouts": rollout_figure(exhibit.rollouts),
    }
    return drawn | {name: figure for name, figure in further.items() if figure is not None}


def _contrast(one: Judged) -> tuple[str, ...]:
    effect, claim = one.effect, one.claim
    return (
        claim.treatment,
        claim.baseline,
        claim.endpoint,
        percent(effect.estimate),
        ends(effect.low, effect.high),
        percent(one.noise_floor, signed=False),
        str(effect.n),
        str(effect.clusters),
    )


def _gate(one: GateSummary) -> tuple[str, ...]:
    return (
        one.arm,
        str(one.coverage.n),
        _share(one.coverage),
        _share(one.right),
        str(one.wrong),
        str(one.stopped),
        str(one.rolled_back),
        str(one.escaped),
        f"{one.human_minutes:.1f}" if math.isfinite(one.human_minutes) else "",
    )


def _rollout(one: RolloutSummary) -> tuple[str, ...]:
    return (
        one.arm,
        str(one.promoted.n),
        _share(one.promoted),
        _share(one.asked),
        f"{_share(one.false_rollbacks)} of {one.false_rollbacks.n}",
        f"{_share(one.escaped)} of {one.escaped.n}",
        f"{one.exposures.value:.0f}",
    )


def _rollouts_apart(one: RolloutContrast) -> tuple[str, ...]:
    told = []
    for effect in one.differences.values():
        interval = ends(effect.low, effect.high, "{:+.2f}".format)
        told.append(f"{effect.estimate:+.2f} {interval}, n = {effect.n}" if effect.n else "not known")
    return (one.treatment, one.baseline, *told)


def _share(one: Estimate) -> str:
    return share_between(one.value, one.low, one.high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
