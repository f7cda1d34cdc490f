"""What a study found: endpoints by arm, arms compared on the same items, and both for groups of packages apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autodev_lab.analysis.effects import absolute_effect, relative_effect
from autodev_lab.analysis.estimates import Effect, Estimate, Floats
from autodev_lab.analysis.group_difference import group_difference
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.shares import cluster_rate

__all__ = [
    "Contrast",
    "GroupGain",
    "compare_arms",
    "group_gains",
    "groups_of",
    "paired_items",
    "study_contrasts",
    "study_metrics",
]

Metrics = Mapping[str, Mapping[str, Estimate]]


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
            **_effect(self.effect),
        }


@dataclass(frozen=True, slots=True)
class GroupGain:
    """How two arms differ in one endpoint (treatment less baseline), in two groups of packages and between them.

    Parameters
    ----------
    treatment, baseline, endpoint
        What is compared.
    groups
        Difference by group, over the items that both arms have; intervals of 95 % over the group's packages.
    difference
        That of the first group less that of the second.
    """

    treatment: str
    baseline: str
    endpoint: str
    groups: tuple[tuple[str, Effect], tuple[str, Effect]]
    difference: Effect

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        return {
            "treatment": self.treatment,
            "baseline": self.baseline,
            "endpoint": self.endpoint,
            "groups": {name: _effect(effect) for name, effect in self.groups},
            "difference": _effect(self.difference),
        }


def study_metrics(endpoints: Iterable[Endpoint], outcomes: pd.DataFrame, arms: Sequence[str]) -> Metrics:
    """Every endpoint of every arm: a mean over the rows that have it, with an interval of 95 % over packages."""
    endpoints = tuple(endpoints)
    found: dict[str, dict[str, Estimate]] = {}
    for arm in arms:
        rows = outcomes[outcomes["arm"] == arm]
        found[arm] = {}
        for endpoint in endpoints:
            grouped = rows.dropna(subset=[endpoint.column]).groupby("package", sort=True)[endpoint.column]
            one = cluster_rate(grouped.sum().to_numpy(dtype=np.float64), grouped.size().to_numpy(dtype=np.float64))
            found[arm][endpoint.name] = _within(one, endpoint.bounds)
    return found


def paired_items(outcomes: pd.DataFrame, treatment: str, baseline: str, column: str) -> pd.DataFrame:
    """Both arms' values of a column, for the items that both have.

    Returns
    -------
    DataFrame
        One row an item, with columns ``package``, ``item``, ``treatment`` and ``baseline``.
    """
    sides = [
        outcomes.loc[(outcomes["arm"] == arm) & outcomes[column].notna(), ["package", "item", column]].rename(
            columns={column: side}
        )
        for arm, side in ((treatment, "treatment"), (baseline, "baseline"))
    ]
    return sides[0].merge(sides[1], on=["package", "item"], how="inner", sort=False)


def compare_arms(outcomes: pd.DataFrame, treatment: str, baseline: str, endpoint: Endpoint) -> Contrast:
    """The relative effect of one arm against another in one endpoint, over the items that both have.

    Parameters
    ----------
    treatment, baseline
        Arms of the outcomes.
    """
    paired = paired_items(outcomes, treatment, baseline, endpoint.column)
    totals = paired.groupby("package", sort=True)[["treatment", "baseline"]].sum()
    effect = relative_effect(
        totals["treatment"].to_numpy(dtype=np.float64),
        totals["baseline"].to_numpy(dtype=np.float64),
        n=len(paired),
        unit=endpoint.step,
    )
    return Contrast(treatment, baseline, endpoint.name, effect)


def study_contrasts(
    outcomes: pd.DataFrame, pairs: Iterable[tuple[str, str]], endpoints: Iterable[Endpoint]
) -> tuple[Contrast, ...]:
    """Pairs of arms that both have outcomes, compared in every endpoint, endpoint by endpoint."""
    pairs, there = tuple(pairs), set(outcomes["arm"].unique())
    return tuple(
        compare_arms(outcomes, treatment, baseline, endpoint)
        for endpoint in endpoints
        for treatment, baseline in pairs
        if {treatment, baseline} <= there
    )


def groups_of(outcomes: pd.DataFrame) -> tuple[str, str] | None:
    """The two groups that packages are reported in, in alphabetical order; None when there are not two."""
    names = sorted(str(name) for name in outcomes["group"].unique() if name) if "group" in outcomes else []
    return (names[0], names[1]) if len(names) == 2 else None


def group_gains(
    outcomes: pd.DataFrame, pairs: Iterable[tuple[str, str]], endpoints: Iterable[Endpoint]
) -> tuple[GroupGain, ...]:
    """How pairs of arms differ in two groups of packages; empty unless the outcomes have two.

    Parameters
    ----------
    outcomes
        Rows of all arms, with a column ``group`` that is one for all rows of a package.
    """
    names = groups_of(outcomes)
    if names is None:
        return ()
    pairs, there = tuple(pairs), set(outcomes["arm"].unique())
    return tuple(
        _group_gain(outcomes, treatment, baseline, endpoint, names)
        for endpoint in endpoints
        for treatment, baseline in pairs
        if {treatment, baseline} <= there
    )


def _group_gain(
    outcomes: pd.DataFrame, treatment: str, baseline: str, endpoint: Endpoint, names: tuple[str, str]
) -> GroupGain:
    effects: list[Effect] = []
    sums: list[tuple[Floats, Floats]] = []
    for name in names:
        paired = paired_items(outcomes[outcomes["group"] == name], treatment, baseline, endpoint.column)
        grouped = paired.groupby("package", sort=True)
        totals, counts = grouped[["treatment", "baseline"]].sum(), np.asarray(grouped.size(), dtype=np.float64)
        ours, theirs = (np.asarray(totals[side], dtype=np.float64) for side in ("treatment", "baseline"))
        effects.append(absolute_effect(ours, theirs, counts))
        sums.append((ours - theirs, counts))
    groups = ((names[0], effects[0]), (names[1], effects[1]))
    return GroupGain(treatment, baseline, endpoint.name, groups, group_difference(*sums))


def _within(one: Estimate, bounds: tuple[float, float]) -> Estimate:
    """An interval cut to what the endpoint can be; unknown ends stay unknown."""
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return one
    return Estimate(one.value, max(bounds[0], one.low), min(bounds[1], one.high), one.n, one.clusters)


def _effect(effect: Effect) -> dict[str, object]:
    return {
        "estimate": _finite(effect.estimate),
        "ci": [_finite(effect.low), _finite(effect.high)],
        "n": effect.n,
        "clusters": effect.clusters,
        "why": effect.why,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
