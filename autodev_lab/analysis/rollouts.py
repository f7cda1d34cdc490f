"""What a way of rolling out was worth in one arm: what it promoted, asked about, took back, and let do harm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from autodev_lab.analysis.effects import absolute_effect
from autodev_lab.analysis.estimates import Effect, Estimate
from autodev_lab.analysis.frames import arm_rows, originals
from autodev_lab.analysis.shares import cluster_rate, cluster_share

__all__ = [
    "WATCHED",
    "RolloutContrast",
    "RolloutSummary",
    "rollout_contrast",
    "rollout_contrasts",
    "rollout_summaries",
    "rollout_summary",
]

WATCHED = 1000
"""Requests that production serves until the monitor has looked: an assumption, and the unit of harm done there."""


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """One arm's rollouts of the changes of original tasks.

    Shares and means have intervals over packages.

    Parameters
    ----------
    arm, rollout
        The arm, and how its stages were judged.
    promoted
        Share of changes that reached production, whether or not a person was asked.
    asked
        Share of which a stage was inconclusive, so that a person was asked.
    false_rollbacks
        Share of right changes that a stage rolled back; NaN without a right one.
    escaped
        Share of wrong changes that reached production; NaN without a wrong one.
    harmed
        Mean exposures a change that failed because of it until it was stopped: failures beyond those of its baseline
        at the stages, and where it reached production the share of failing exposure tests of `WATCHED` requests.
    harmed_by_wrong
        The same over wrong changes alone.
    exposures
        Mean exposures a change at the stages.
    """

    arm: str
    rollout: str
    promoted: Estimate
    asked: Estimate
    false_rollbacks: Estimate
    escaped: Estimate
    harmed: Estimate
    harmed_by_wrong: Estimate
    exposures: Estimate

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        data: dict[str, object] = {"arm": self.arm, "rollout": self.rollout}
        data |= {"n": self.promoted.n, "right": self.false_rollbacks.n, "wrong": self.escaped.n}
        for name in ("promoted", "asked", "false_rollbacks", "escaped", "harmed", "harmed_by_wrong", "exposures"):
            one: Estimate = getattr(self, name)
            data |= {name: _finite(one.value), f"{name}_low": _finite(one.low), f"{name}_high": _finite(one.high)}
        return data

    def in_words(self) -> str:
        """Two lines for people."""
        return (
            f"  {self.arm} ({self.rollout}): of {self.promoted.n} changes promoted {_shown(self.promoted)}, asked "
            f"about {_shown(self.asked)}, {self.exposures.value:.0f} exposures each; of {self.false_rollbacks.n} right "
            f"ones rolled back {_shown(self.false_rollbacks)}\n"
            f"    of {self.escaped.n} wrong ones escaped {_shown(self.escaped)}; exposures harmed until stopped, a "
            f"change {_shown(self.harmed)}, a wrong one {_shown(self.harmed_by_wrong)}"
        )


_COMPARED = (
    ("false_rollbacks", True, "rolled_back", "right ones rolled back"),
    ("escaped", False, "promoted", "wrong ones escaped"),
    ("harmed_by_wrong", False, "harmed", "exposures harmed by a wrong one"),
)
"""Measure, whether it is of right changes, its column, and how it is called."""


@dataclass(frozen=True, slots=True)
class RolloutContrast:
    """Two arms over the tasks whose changes were rolled out in both, and were right (or wrong) in both.

    ``differences`` has, by measure of `RolloutSummary`, the first arm's mean less the second's, with an interval over
    packages that is not adjusted for their number.
    """

    treatment: str
    baseline: str
    differences: Mapping[str, Effect] = field(hash=False)

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        data: dict[str, object] = {"treatment": self.treatment, "baseline": self.baseline}
        for name, one in self.differences.items():
            ends = [_finite(one.low), _finite(one.high)]
            data[name] = {"difference": _finite(one.estimate), "ci": ends, "n": one.n, "clusters": one.clusters}
        return data

    def in_words(self) -> str:
        """One line for people."""
        told = []
        for name, _, _, label in _COMPARED:
            one = self.differences[name]
            interval = f" [{one.low:+.2f}, {one.high:+.2f}]" if math.isfinite(one.low) else ""
            told.append(f"{label} {one.estimate:+.2f}{interval} (n = {one.n})" if one.n else f"{label} not known")
        return f"  {self.treatment} less {self.baseline}: {', '.join(told)}"


def rollout_contrast(table: pd.DataFrame, treatment: str, baseline: str) -> RolloutContrast:
    """Compare two arms task by task.

    Parameters
    ----------
    table
        `rollouts.parquet` of a run.
    """
    keys = ["replicate", "package", "task_id"]
    sides = []
    for arm in (treatment, baseline):
        rows = originals(arm_rows(table, arm))
        sides.append(rows[[*keys, "correct", "rolled_back", "promoted"]].assign(harmed=_harm(rows)))
    paired = sides[0].merge(sides[1], on=keys, suffixes=("_t", "_b"))
    differences = {}
    for name, right, column, _ in _COMPARED:
        some = paired[(paired["correct_t"] == right) & (paired["correct_b"] == right)].groupby("package", sort=True)
        first, second = (some[f"{column}_{side}"].sum().to_numpy(dtype=np.float64) for side in ("t", "b"))
        differences[name] = absolute_effect(first, second, some.size().to_numpy(dtype=np.float64))
    return RolloutContrast(treatment, baseline, differences)


def rollout_contrasts(path: Path, pairs: Iterable[tuple[str, str]]) -> tuple[RolloutContrast, ...]:
    """The same for pairs of arms that have rows in the table at a path; none where there is no table."""
    if not path.is_file():
        return ()
    table = pd.read_parquet(path)
    known = set(table["arm"].unique())
    return tuple(rollout_contrast(table, *pair) for pair in pairs if known.issuperset(pair))


def _harm(tasks: pd.DataFrame) -> pd.Series[float]:
    """Exposures that failed because of the change, a task; see `RolloutSummary`."""
    at_stages = (tasks["failed"] - tasks["baseline_failed"]).astype(np.float64)
    return at_stages + WATCHED * tasks["production_failing"].astype(np.float64).fillna(0.0)


def rollout_summary(rows: pd.DataFrame, *, arm: str) -> RolloutSummary:
    """Sum one arm's rollouts up.

    Parameters
    ----------
    rows
        Its rows of `rollouts.parquet`.
    """
    tasks = originals(rows)
    right = tasks["correct"].astype(bool)
    harm = _harm(tasks)
    marked = tasks[["package"]].assign(
        n=1.0,
        right=right,
        wrong=~right,
        promoted=tasks["promoted"],
        asked=tasks["asked"],
        false_rollbacks=right & tasks["rolled_back"],
        escaped=~right & tasks["promoted"],
        harmed=harm,
        harmed_by_wrong=harm.where(~right, 0.0),
        exposures=tasks["exposures"],
    )
    totals = marked.groupby("package", sort=True).sum().astype(np.float64)

    def share(name: str, of: str) -> Estimate:
        return cluster_share(totals[name], totals[of])

    def mean(name: str, of: str) -> Estimate:
        some = totals[totals[of] > 0]
        return cluster_rate(some[name], some[of])

    return RolloutSummary(
        arm,
        str(tasks["rollout"].iloc[0]) if len(tasks) else "",
        share("promoted", "n"),
        share("asked", "n"),
        share("false_rollbacks", "right"),
        share("escaped", "wrong"),
        mean("harmed", "n"),
        mean("harmed_by_wrong", "wrong"),
        mean("exposures", "n"),
    )


def rollout_summaries(path: Path, arms: Iterable[str]) -> tuple[RolloutSummary, ...]:
    """The same for several arms that have rows in the table at a path; none where there is no table."""
    if not path.is_file():
        return ()
    table = pd.read_parquet(path)
    rows = ((arm, arm_rows(table, arm)) for arm in arms)
    return tuple(rollout_summary(some, arm=arm) for arm, some in rows if not some.empty)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _shown(estimate: Estimate) -> str:
    if not math.isfinite(estimate.value):
        return "not known"
    interval = f" [{estimate.low:.2f}, {estimate.high:.2f}]" if math.isfinite(estimate.low) else ""
    return f"{estimate.value:.2f}{interval}"
