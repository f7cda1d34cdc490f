"""Decisions of a finished run made again with some of their evidence left out."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from autodev_lab.decisions.calibration import PlattCalibrator
from autodev_lab.decisions.labels import LabelQuality, due
from autodev_lab.decisions.logistic import LabelLogistic
from autodev_lab.decisions.risk import WEIGHTS
from autodev_lab.errors import LabError
from autodev_lab.records import Label, LabelSource

__all__ = ["GROUPS", "PastDecision", "Replayed", "past_decisions", "replay", "shapley"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "code": ("complexity", "dependency", "impact_radius"),
    "tests": ("test_coverage", "suspiciousness", "failing_tests", "tests_through", "spread"),
    "change": ("lines_changed", "edits", "deletes_only", "early_exit", "new_literals"),
    "search": ("evaluations", "reworks"),
    "history": ("historical_stability", "pattern_failures"),
}
"""Factors of learned risk by where they come from: the code around the change, what tests showed, the change itself,
how it was found, and what became of earlier ones."""

_PRIOR_LABELS = 10.0
_STRENGTH = 0.02
_NOTHING_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision of a run, with what it was made from and what became of the change.

    Parameters
    ----------
    task_id, package
        The task.
    factors
        As the risk model had them.
    correct
        The truth, which only the analysis knows.
    label
        What was shown of the change; None if nothing was.
    """

    task_id: str
    package: str
    factors: Mapping[str, float] = field(hash=False)
    correct: bool
    label: Label | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """Risk and confidence of one decision."""

    risk: float
    confidence: float


def past_decisions(outcomes: pd.DataFrame, where: str) -> dict[str, tuple[PastDecision, ...]]:
    """Decisions of a run's arms and replicates, each in the order of the stream.

    Parameters
    ----------
    outcomes
        Rows of a run with a team; its twins are left out.
    where
        What to call the run in messages.

    Raises
    ------
    LabError
        If it has no decision with the factors of learned risk.
    """
    if "factors" not in outcomes:
        raise LabError(f"{where} has no decisions; give a run of the experiment safety, or another with a gate")
    rows = outcomes[outcomes["factors"].notna() & outcomes["correct"].notna() & ~outcomes["twin"].astype(bool)]
    found: dict[str, tuple[PastDecision, ...]] = {}
    for (arm, replicate), group in rows.groupby(["arm", "replicate"], sort=True):
        ordered = group.sort_values(["index", "task_id"], kind="stable").to_dict("records")
        decisions = tuple(_decision({str(name): value for name, value in row.items()}) for row in ordered)
        wanted = {name for names in GROUPS.values() for name in names}
        if all(wanted <= set(one.factors) for one in decisions):
            found[f"{arm}-r{int(str(replicate)):03d}"] = decisions
    if not found:
        raise LabError(
            f"no gate in {where} has learned risk, whose factors are asked about; give a run of the experiment safety"
        )
    return found


def _decision(row: Mapping[str, object]) -> PastDecision:
    factors = {str(name): float(value) for name, value in json.loads(str(row["factors"])).items()}
    task_id, package, shown = str(row["task_id"]), str(row["package"]), row["observed_success"]
    label = None
    if shown is not None and not (isinstance(shown, float) and math.isnan(shown)) and row["label_source"]:
        propensity = float(str(row["propensity"]))
        label = Label(
            task_id,
            package,
            factors,
            float(str(row["risk"])),
            bool(shown),
            LabelSource(str(row["label_source"])),
            propensity,
        )
    return PastDecision(task_id, package, factors, bool(row["correct"]), label)


def replay(decisions: Sequence[PastDecision], groups: Collection[str]) -> list[Replayed]:
    """Assess each decision by some groups of evidence, learning from what was shown of those before it.

    As `LearnedRisk` and `PlattCalibrator` do, with the same constants: the published weights, of the factors that are
    there, have the weight of ten labels; without any of them the risk starts at one half.

    Parameters
    ----------
    decisions
        In order.
    groups
        Names of `GROUPS`; none leaves nothing to tell changes apart.
    """
    names = [name for group in GROUPS if group in groups for name in GROUPS[group]]
    calibrator = PlattCalibrator()
    labels: list[Label] = []
    model: LabelLogistic | None = None
    fitted = 0
    told = []
    for one in decisions:
        count = due(len(labels))
        if names and count > fitted:
            model, fitted = LabelLogistic(strength=_STRENGTH), count
            model.fit(
                np.array([[label.factors[name] for name in names] for label in labels[:count]]),
                labels[:count],
                LabelQuality(),
            )
        risk = _published(one.factors, names)
        if model is not None:
            row = np.array([[one.factors[name] for name in names]])
            prior = _PRIOR_LABELS / (_PRIOR_LABELS + fitted)
            risk = prior * risk + (1.0 - prior) * (1.0 - float(model.probability(row)[0]))
        told.append(Replayed(round(risk, 6), calibrator.confidence(risk)))
        if one.label is not None:
            labels.append(one.label)
            shown = one.label
            calibrator.learn(
                Label(shown.task_id, shown.package, shown.factors, risk, shown.success, shown.source, shown.propensity)
            )
    return told


def _published(factors: Mapping[str, float], names: Iterable[str]) -> float:
    there = [name for name in names if name in WEIGHTS]
    if not there:
        return _NOTHING_KNOWN
    return sum(WEIGHTS[name] * factors[name] for name in there) / sum(WEIGHTS[name] for name in there)


def shapley(group: str, value: Mapping[frozenset[str], float]) -> float:
    """What a group adds, mean over all orders in which the groups could be added.

    Shapley 1953, "A value for n-person games", Contributions to the Theory of Games II, equation 13.

    Parameters
    ----------
    group
        One of the groups.
    value
        Of every set of groups, none and all included.

    Examples
    --------
    >>> worth = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 4.0}
    >>> shapley("a", worth), shapley("b", worth)
    (1.5, 2.5)
    """
    everyone = max(value, key=len)
    others = sorted(everyone - {group})
    total = 0.0
    for size in range(len(others) + 1):
        weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(everyone))
        for chosen in itertools.combinations(others, size):
            before = frozenset(chosen)
            total += weight * (value[before | {group}] - value[before])
    return total
