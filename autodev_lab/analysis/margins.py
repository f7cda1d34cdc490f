"""How far a verdict is from another one, in one sentence: what would change it, and how many packages would decide."""

from __future__ import annotations

import math

import pandas as pd

from autodev_lab.analysis.claims import Judged, PositionClaim, ShareClaim, StudyClaim
from autodev_lab.analysis.cluster_inference import DEFAULT_TEST
from autodev_lab.analysis.components import estimate_design
from autodev_lab.analysis.frames import arm_rows
from autodev_lab.analysis.metrics import ENDPOINTS, window
from autodev_lab.analysis.power import packages_needed
from autodev_lab.analysis.rulings import Ruling
from autodev_lab.errors import LabError

__all__ = ["what_would_change"]

WANTED = 0.8
"""Power at which a number of packages is said to decide (Cohen 1988, *Statistical Power Analysis*, section 2.4)."""

MOST_PACKAGES = 200
"""Packages up to which the answer is searched for."""

_SIMULATIONS = 400
"""Simulated experiments a number of packages is tried on: at a power of .8 the standard error is .02."""


def what_would_change(judged: Judged, outcomes: pd.DataFrame, *, level: float) -> str:
    """One sentence on what would change a verdict, computed from the run it was reached on.

    Parameters
    ----------
    judged
        The claim and what was found.
    outcomes
        All outcomes of the run.
    level
        Coverage of the verdict's interval: ``1 - 0.05 / m`` in a family of m claims.
    """
    effect, threshold = judged.effect, judged.claim.threshold
    if math.isnan(effect.estimate):
        return f"A run in which there is something to judge would ({effect.why})."
    if not isinstance(judged.claim, ShareClaim) and effect.clusters < DEFAULT_TEST.fewest(level):
        return (
            f"More packages would: an interval of {100 * level:.1f} % needs {DEFAULT_TEST.fewest(level)} packages, "
            f"and this run has {effect.clusters}."
        )
    if judged.ruling is Ruling.NO_TWINS:
        return "Twins of its arms would: without them the noise floor is not known, and nothing is decided."
    if judged.ruling is Ruling.BELOW_NOISE:
        reached = abs(effect.estimate - threshold) if isinstance(judged.claim, ShareClaim) else abs(effect.estimate)
        return (
            f"A quieter run would: the {_what(judged)} is {_points(judged.noise_floor - reached)} short of the noise "
            "floor, which more tasks or replicates would lower."
        )
    if judged.ruling is Ruling.SUPPORTED:
        return f"A lower end of the interval {_points(effect.low - threshold)} further down would leave it undecided."
    if judged.ruling is Ruling.REFUTED:
        return f"An upper end of the interval {_points(threshold - effect.high)} further up would leave it undecided."
    return f"{_short_of(judged)}; {_decided_by(judged, outcomes, level)}."


def _what(judged: Judged) -> str:
    return "distance from the threshold" if isinstance(judged.claim, ShareClaim) else "estimate"


def _short_of(judged: Judged) -> str:
    """How far the interval's ends are from deciding."""
    effect, threshold = judged.effect, judged.claim.threshold
    ends = []
    if math.isfinite(effect.low):
        ends.append(f"its lower end is {_points(threshold - effect.low)} short of the threshold")
    if math.isfinite(effect.high):
        ends.append(f"its upper end {_points(effect.high - threshold)} above it")
    if not ends:
        return "A bounded interval would decide, and this run gives none"
    return f"A narrower interval would decide: {' and '.join(ends)}"


def _decided_by(judged: Judged, outcomes: pd.DataFrame, level: float) -> str:
    """Packages that would decide if the estimate is true."""
    effect, claim = judged.effect, judged.claim
    if effect.estimate == claim.threshold:
        return "the estimate lies on the threshold, and no number of packages tells the two apart"
    if isinstance(claim, ShareClaim | StudyClaim):
        return _by_width(judged)
    rows = {arm: arm_rows(outcomes, arm) for arm in claim.arms}
    if isinstance(claim, PositionClaim):
        rows = {arm: window(some, claim.at, claim.window) for arm, some in rows.items()}
    try:
        design = estimate_design(rows[claim.treatment], rows[claim.baseline], ENDPOINTS[claim.endpoint].column)
    except LabError:
        return "its arms differ too little between packages to say how many would decide"
    if design.baseline * (1 + effect.estimate) >= 1:
        return "the treatment is right on nearly every task, where the planner's model does not reach"
    needed = packages_needed(
        design,
        effect=effect.estimate,
        threshold=claim.threshold,
        level=level,
        wanted=WANTED,
        most=MOST_PACKAGES,
        simulations=_SIMULATIONS,
    )
    if needed is None:
        return f"at this spread and effect more than {MOST_PACKAGES} packages would be needed"
    if needed <= effect.clusters:
        return (
            f"at this spread and effect {needed} packages have a power of {WANTED}, so this run of {effect.clusters} "
            "was unlucky or the spread is larger than it seems"
        )
    return f"at this spread and effect about {needed} packages would decide (power {WANTED})"


def _by_width(judged: Judged) -> str:
    """Packages of a share or a study, from its interval narrowing with the root of their number."""
    effect, threshold = judged.effect, judged.claim.threshold
    above = effect.estimate > threshold
    reach = effect.estimate - effect.low if above else effect.high - effect.estimate
    if not math.isfinite(reach):
        return "how many packages would is not known, for the interval is not bounded"
    needed = math.ceil(effect.clusters * (reach / abs(effect.estimate - threshold)) ** 2)
    what = "share" if isinstance(judged.claim, ShareClaim) else "effect"
    return f"at this spread and {what} about {max(needed, effect.clusters + 1)} {judged.claim.cluster}s would decide"


def _points(distance: float) -> str:
    """A distance of relative effects or shares, in percentage points."""
    return f"{100 * distance:.1f} points"
