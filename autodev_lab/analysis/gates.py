"""What a gate was worth in one arm: coverage, how much of it was right, what it stopped, and against which controls."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.frames import arm_rows, originals
from autodev_lab.analysis.metrics import deployed_alone
from autodev_lab.analysis.risk_coverage import CONTROLS, BlindSpots, Gated, blind_spots, judge_gate
from autodev_lab.analysis.shares import cluster_share
from autodev_lab.records import Action, Stage

__all__ = ["GateSummary", "gate_summaries", "gate_summary"]


@dataclass(frozen=True, slots=True)
class GateSummary:
    """One arm's gate over the changes of original tasks that reached it.

    Parameters
    ----------
    arm
        The arm.
    coverage
        Share of these changes that the gate let through to the rollout without a person; interval over packages.
    right
        Share of right ones among those, with its interval; NaN when there is none.
    to_review
        Changes that the gate sent to a person.
    wrong, stopped, rolled_back, escaped, taken_back, approved
        Wrong changes that reached the gate (overfitting repairs), and of these: what the gate did not let through by
        itself, what it let through and the rollout stopped before production, what reached production without a person,
        what of that was rolled back later, and, of those the gate stopped, what reached production because a person
        said yes.
    human_minutes
        Person-minutes spent on answers, a change at the gate.
    matched
        The gate's own decisions against controls at the coverage it chose; empty when it let nothing through.
    blind
        Where production cannot see.
    """

    arm: str
    coverage: Estimate
    right: Estimate
    to_review: int
    wrong: int
    stopped: int
    rolled_back: int
    escaped: int
    taken_back: int
    approved: int
    human_minutes: float
    matched: tuple[Gated, ...]
    blind: BlindSpots

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        return {
            "arm": self.arm,
            "n": self.coverage.n,
            "clusters": self.coverage.clusters,
            **_flat("coverage", self.coverage),
            "let_through": self.right.n,
            **_flat("right", self.right),
            "sent_to_review": self.to_review,
            "wrong": self.wrong,
            "wrong_stopped": self.stopped,
            "wrong_rolled_back": self.rolled_back,
            "wrong_escaped": self.escaped,
            "wrong_taken_back": self.taken_back,
            "wrong_approved_by_person": self.approved,
            "human_minutes_a_change": _finite(self.human_minutes),
            "matched": [
                {
                    "control": one.control,
                    "coverage": one.coverage,
                    "wrong": _finite(one.wrong),
                    "wrong_control": _finite(one.wrong_control),
                    "difference": _finite(one.difference),
                    "ci": [_finite(one.low), _finite(one.high)],
                }
                for one in self.matched
            ],
            "without_killing_exposure_test": self.blind.blind,
            "wrong_shown_by_exposure_tests": self.blind.shown,
        }

    def in_words(self) -> str:
        """Two or three lines for people."""
        if not self.coverage.n:
            return f"  {self.arm}: no change reached the gate"
        lines = [
            f"  {self.arm}: let {self.right.n} of {self.coverage.n} changes through without a person "
            f"({_share(self.coverage)}), right {_share(self.right)}",
            f"    of {self.wrong} wrong ones it stopped {self.stopped} (a person approved {self.approved} of these), "
            f"the rollout {self.rolled_back}, and {self.escaped} escaped ({self.taken_back} rolled back later); "
            f"{self.to_review} sent to review, {self.human_minutes:.1f} person-minutes a change",
        ]
        lines += [
            f"    share of wrong let through against {one.control.replace('_', ' ')} at the same coverage: "
            f"{one.difference:+.2f}" + (f" [{one.low:+.2f}, {one.high:+.2f}]" if math.isfinite(one.low) else "")
            for one in self.matched
        ]
        return "\n".join(lines)


def gate_summary(rows: pd.DataFrame, *, arm: str) -> GateSummary:
    """Sum one arm's gate up.

    Parameters
    ----------
    rows
        Rows of one arm.
    """
    tasks = originals(rows)
    gated = tasks[tasks["decision"].notna()]
    alone = (gated["decision"] != Action.REQUEST_REVIEW.value).to_numpy(dtype=bool)
    deployed_by_itself = deployed_alone(gated).to_numpy(dtype=bool)
    right = gated["correct"].to_numpy(dtype=bool)
    by_package = (
        pd.DataFrame({"package": gated["package"], "n": 1.0, "alone": alone, "good": alone & right})
        .groupby("package", sort=True)[["n", "alone", "good"]]
        .sum()
        .astype(np.float64)
    )
    sizes, deployed, good = (by_package[name].to_numpy(dtype=np.float64) for name in ("n", "alone", "good"))
    return GateSummary(
        arm,
        cluster_share(deployed, sizes),
        cluster_share(good, deployed),
        int((~alone).sum()),
        int((~right).sum()),
        int((~right & ~alone).sum()),
        int((~right & alone & ~deployed_by_itself).sum()),
        int((~right & deployed_by_itself).sum()),
        int((~right & deployed_by_itself & (gated["stage"] == Stage.ROLLED_BACK.value).to_numpy(dtype=bool)).sum()),
        int((~right & ~alone & gated["deployed"].to_numpy(dtype=bool)).sum()),
        float(gated["human_minutes"].sum()) / len(gated) if len(gated) else math.nan,
        judge_gate(gated, controls=CONTROLS) if alone.any() else (),
        blind_spots(gated),
    )


def gate_summaries(outcomes: pd.DataFrame, arms: Iterable[str]) -> tuple[GateSummary, ...]:
    """The same for several arms that have outcomes; twins are named with their suffix."""
    rows = ((arm, arm_rows(outcomes, arm)) for arm in arms)
    return tuple(gate_summary(some, arm=arm) for arm, some in rows if not some.empty)


def _flat(name: str, estimate: Estimate) -> dict[str, object]:
    return {
        name: _finite(estimate.value),
        f"{name}_low": _finite(estimate.low),
        f"{name}_high": _finite(estimate.high),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _share(estimate: Estimate) -> str:
    if not math.isfinite(estimate.value):
        return "not known"
    if not math.isfinite(estimate.low):
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
