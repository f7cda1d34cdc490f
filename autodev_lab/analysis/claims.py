"""Registered claims judged on a run's outcomes.

A claim is confirmatory only in the environment it was registered for, under the registered configuration hash, and as
long as it says what it said then; any other run judges it as exploratory.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from autodev_lab.analysis.cluster_inference import DEFAULT_TEST, ClusterTest
from autodev_lab.analysis.effects import p_value, relative_effect
from autodev_lab.analysis.estimates import Effect, Estimate, Floats
from autodev_lab.analysis.frames import TWIN_SUFFIX, arm_rows, originals
from autodev_lab.analysis.metrics import (
    ENDPOINTS,
    paired_totals,
    share_totals,
    twin_differences,
    window,
)
from autodev_lab.analysis.noise import noise_floor, share_noise_floor
from autodev_lab.analysis.registration import (
    STUDY,
    Claim,
    PositionClaim,
    ShareClaim,
    StudyClaim,
    parse_claim,
    read_claims,
)
from autodev_lab.analysis.rulings import Ruling, holm, verdict
from autodev_lab.analysis.shares import cluster_rate, cluster_share, share_p_value
from autodev_lab.analysis.study_endpoints import endpoint_of_any_study
from autodev_lab.analysis.study_results import paired_items
from autodev_lab.errors import LabError

__all__ = [
    "STUDY",
    "Claim",
    "Judged",
    "PositionClaim",
    "ShareClaim",
    "StudyClaim",
    "judge",
    "judge_all",
    "parse_claim",
    "read_claims",
]


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with what a run says of it; per-package totals are kept for the figures.

    Parameters
    ----------
    claim
        What was registered.
    effect
        Relative effect, or share, with its interval.
    noise_floor
        What chance in the agents' seeds alone shows; 0 in a study, where nothing depends on one.
    ruling
        The verdict.
    confirmatory
        Whether the run is the registered one and the claim stands as registered.
    totals
        By package: `treatment`, `baseline` and `n`; of a share `successes`, `n` (deployed) and `tasks`.
    p
        One-sided p value against "the effect (share) is at most the threshold"; NaN when nothing was tested.
    p_holm
        The same, adjusted for the family of claims (Holm).
    method
        How interval and p value were made.
    coverage
        Of a share: the share of all tasks that were deployed without a human.
    confirmatory_lost
        Why the claim can no longer be confirmed by any run; empty when it can.
    """

    claim: Claim
    effect: Effect
    noise_floor: float
    ruling: Ruling
    confirmatory: bool
    totals: pd.DataFrame
    p: float = math.nan
    p_holm: float = math.nan
    method: str = ""
    coverage: Estimate | None = None
    confirmatory_lost: str = ""

    def as_json(self) -> dict[str, object]:
        """The object of `--json`; an end that is not bounded, or a value that is not defined, is null."""
        coverage = self.coverage
        return {
            "id": self.claim.id,
            "kind": self.claim.kind,
            "statement": self.claim.statement,
            "endpoint": self.claim.endpoint,
            "treatment": self.claim.treatment,
            "baseline": self.claim.baseline or None,
            "threshold": self.claim.threshold,
            "estimate": _finite(self.effect.estimate),
            "ci": [_finite(self.effect.low), _finite(self.effect.high)],
            "n": self.effect.n,
            "clusters": self.effect.clusters,
            "cluster": self.claim.cluster,
            "p": _finite(self.p),
            "p_holm": _finite(self.p_holm),
            "method": self.method,
            "coverage": None if coverage is None else _finite(coverage.value),
            "coverage_ci": None if coverage is None else [_finite(coverage.low), _finite(coverage.high)],
            "noise_floor": _finite(self.noise_floor),
            "verdict": self.ruling.value,
            "confirmatory": self.confirmatory,
            "confirmatory_lost": self.confirmatory_lost,
            "why": self.effect.why,
        }


def judge(
    claim: Claim,
    outcomes: pd.DataFrame,
    *,
    confirmatory: bool,
    level: float = 0.95,
    test: ClusterTest = DEFAULT_TEST,
) -> Judged:
    """Judge one claim.

    Parameters
    ----------
    outcomes
        All outcomes of a run, twins included. An arm without rows leaves the claim undecided.
    confirmatory
        Whether the run is the registered one; a claim that was changed since is not confirmed all the same.
    level
        Coverage of the interval.
    test
        Test over packages of a relative claim; a share has its own.
    """
    if isinstance(claim, StudyClaim):
        found = _judge_study(claim, outcomes, level, test)
    elif isinstance(claim, ShareClaim):
        found = _judge_study_share(claim, outcomes, level) if claim.of_a_study else _judge_share(claim, outcomes, level)
    else:
        found = _judge_relative(claim, outcomes, level, test)
    lost = claim.broken_seal
    return replace(found, confirmatory=confirmatory and not lost, confirmatory_lost=lost)


def judge_all(
    claims: Sequence[Claim],
    outcomes: pd.DataFrame,
    *,
    experiment: str,
    environment: str,
    configuration_hash: str,
    arms: Collection[str] | None = None,
) -> tuple[Judged, ...]:
    """Judge the claims of an experiment that are about its arms, with simultaneous (Bonferroni) intervals.

    The family is every claim registered for the experiment, judged or not, so that leaving arms out of a run cannot
    narrow an interval or lower an adjusted p value.

    Parameters
    ----------
    environment
        The world the run took place in; `STUDY` for a study.
    arms
        Arms that were to run; one without outcomes leaves its claims undecided. Those that have outcomes unless given.

    Raises
    ------
    LabError
        If a claim about an experiment with a team is registered for a study, or the other way round.
    """
    family = [claim for claim in claims if claim.experiment == experiment]
    for claim in family:
        if claim.of_a_study != (environment == STUDY):
            told = "is a study" if environment == STUDY else "is none"
            raise LabError(
                f"claim {claim.id} is of kind {claim.kind}, and {experiment} {told}; claims about studies, and no "
                f"others, are of kind study, or of kind share in environment {STUDY}"
            )
    known = set(outcomes["arm"].unique()) if arms is None else set(arms)
    level = 1 - 0.05 / max(1, len(family))
    judged = [
        judge(
            claim,
            outcomes,
            confirmatory=environment == claim.environment and configuration_hash in claim.registered.values(),
            level=level,
        )
        for claim in family
        if set(claim.arms) <= known
    ]
    adjusted = holm([one.p for one in judged], family=len(family))
    return tuple(replace(one, p_holm=p) for one, p in zip(judged, adjusted, strict=True))


def _judge_relative(claim: Claim, outcomes: pd.DataFrame, level: float, test: ClusterTest) -> Judged:
    column = ENDPOINTS[claim.endpoint].column
    rows = {arm: arm_rows(outcomes, arm) for arm in (*claim.arms, *(f"{arm}{TWIN_SUFFIX}" for arm in claim.arms))}
    why = _absent(rows, claim.arms)
    if isinstance(claim, PositionClaim):
        last = max(
            (int(originals(rows[arm])["index"].max()) + 1 for arm in claim.arms if not rows[arm].empty), default=0
        )
        if not why and last < claim.at + claim.window:
            why = f"no stream of this run reaches position {claim.at + claim.window}, for it ends at {last}"
        rows = {arm: window(some, claim.at, claim.window) for arm, some in rows.items()}
    totals = paired_totals(rows[claim.treatment], rows[claim.baseline], column)
    n = int(totals["n"].sum())
    if why or n == 0:
        effect = Effect(math.nan, -math.inf, math.inf, 0, 0, why or "the two arms have no finished task in common")
        return Judged(claim, effect, math.nan, Ruling.UNDECIDED, False, totals)
    treatment, baseline = (totals[side].to_numpy(dtype=np.float64) for side in ("treatment", "baseline"))
    effect = relative_effect(treatment, baseline, n=n, level=level, test=test)
    p = p_value(treatment, baseline, claim.threshold, test=test)
    floor = _floor(rows, claim.arms, column)
    ruling = verdict(effect.estimate, (effect.low, effect.high), claim.threshold, floor)
    return Judged(claim, effect, floor, ruling, False, totals, p, p, test.describe(effect.clusters))


def _judge_study(claim: StudyClaim, outcomes: pd.DataFrame, level: float, test: ClusterTest) -> Judged:
    paired = paired_items(outcomes, claim.treatment, claim.baseline, endpoint_of_any_study(claim.endpoint).column)
    grouped = paired.groupby("package", sort=True)
    totals = grouped[["treatment", "baseline"]].sum().astype(np.float64).assign(n=grouped.size())
    if paired.empty:
        effect = Effect(math.nan, -math.inf, math.inf, 0, 0, "the two arms have no measured item in common")
        return Judged(claim, effect, 0.0, Ruling.UNDECIDED, False, totals)
    treatment, baseline = (totals[side].to_numpy(dtype=np.float64) for side in ("treatment", "baseline"))
    effect = relative_effect(treatment, baseline, n=len(paired), level=level, test=test)
    p = p_value(treatment, baseline, claim.threshold, test=test)
    ruling = verdict(effect.estimate, (effect.low, effect.high), claim.threshold, 0.0)
    return Judged(claim, effect, 0.0, ruling, False, totals, p, p, test.describe(effect.clusters))


def _judge_share(claim: ShareClaim, outcomes: pd.DataFrame, level: float) -> Judged:
    column = ENDPOINTS[claim.endpoint].column
    first, twin = arm_rows(outcomes, claim.treatment), arm_rows(outcomes, f"{claim.treatment}{TWIN_SUFFIX}")
    totals = share_totals(first, column, ["package"])
    coverage = cluster_rate(*_columns(totals, "n", "tasks"), level=level)
    why = _absent({claim.treatment: first}, claim.arms)
    if not why and not totals["n"].sum():
        why = "no task was deployed without a human"
    if why:
        return _nothing_deployed(claim, totals, coverage, math.nan, why)
    floor = _share_floor(first, twin, column)
    return _share_over(claim, totals, totals, coverage, floor, level)


def _judge_study_share(claim: ShareClaim, outcomes: pd.DataFrame, level: float) -> Judged:
    """The share over the study's blocks of items, which are project-weeks.

    It is about these projects: nothing is said of how others differ. A study on the same items again gives the same, so
    there is no noise between runs to be above.
    """
    column = endpoint_of_any_study(claim.endpoint).column
    rows = outcomes[outcomes["arm"] == claim.treatment]
    if column in rows and "block" in rows:
        rows = rows[rows["block"].notna()]
        deployed = rows[column].notna()
        marked = rows[["package", "block"]].assign(successes=rows[column].fillna(0.0), n=deployed, tasks=True)
        sums = {
            keys: marked.groupby(list(keys), sort=True)[["successes", "n", "tasks"]].sum().astype(np.float64)
            for keys in (("package",), ("package", "block"))
        }
        totals, blocks = sums["package",], sums["package", "block"]
        coverage = cluster_rate(*_columns(blocks, "n", "tasks"), level=level)
        if totals["n"].sum():
            return _share_over(claim, totals, blocks, coverage, 0.0, level)
        return _nothing_deployed(claim, totals, coverage, 0.0, f"{claim.treatment} deployed nothing without a human")
    nothing = pd.DataFrame(columns=["successes", "n", "tasks"], dtype=np.float64)
    return _nothing_deployed(claim, nothing, None, 0.0, f"the run has no item of {claim.treatment}")


def _share_over(
    claim: ShareClaim,
    totals: pd.DataFrame,
    clusters: pd.DataFrame,
    coverage: Estimate,
    floor: float,
    level: float,
) -> Judged:
    """A share with what clusters leave of the sample; `totals` are those by package."""
    hits, counts = _columns(clusters, "successes", "n")
    share = cluster_share(hits, counts, level=level)
    why = ""
    if share.clusters < 2:
        why = f"one {claim.cluster} alone says nothing about how shares differ between {claim.cluster}s"
    effect = Effect(share.value, share.low, share.high, share.n, share.clusters, why)
    # an effect here is how far the share lies from what is promised
    beyond = (effect.low - claim.threshold, effect.high - claim.threshold)
    ruling = verdict(effect.estimate - claim.threshold, beyond, 0.0, floor)
    p = share_p_value(hits, counts, claim.threshold, level=level)
    method = f"Clopper-Pearson at the effective sample size (Korn and Graubard) over {claim.cluster}s"
    return Judged(claim, effect, floor, ruling, False, totals, p, p, method, coverage)


def _nothing_deployed(
    claim: ShareClaim, totals: pd.DataFrame, coverage: Estimate | None, floor: float, why: str
) -> Judged:
    effect = Effect(math.nan, -math.inf, math.inf, 0, 0, why)
    return Judged(claim, effect, floor, Ruling.UNDECIDED, False, totals, coverage=coverage)


def _columns(totals: pd.DataFrame, *names: str) -> tuple[Floats, Floats]:
    one, other = (totals[name].to_numpy(dtype=np.float64) for name in names)
    return one, other


def _absent(rows: dict[str, pd.DataFrame], arms: Sequence[str]) -> str:
    """Which arms have no original task, in words; empty when all have."""
    empty = [arm for arm in arms if originals(rows[arm]).empty]
    return f"the run has no finished task of {' and '.join(empty)}" if empty else ""


def _floor(rows: dict[str, pd.DataFrame], arms: Sequence[str], column: str) -> float:
    """Noise floor from the twins of the arms; NaN when one of them has none."""
    frames = [twin_differences(rows[arm], rows[f"{arm}{TWIN_SUFFIX}"], column) for arm in arms]
    if any(frame.empty for frame in frames):
        return math.nan
    # an interrupted run may lack cells of one twin: only what all have is comparable
    shared = frames[0].index
    for frame in frames[1:]:
        shared = shared.intersection(frame.index)
    if shared.empty:
        return math.nan
    aligned = [frame.loc[shared] for frame in frames]
    return noise_floor(
        np.stack([frame["difference"].to_numpy(dtype=np.float64) for frame in aligned]),
        np.array([float(frame["mean"].sum()) for frame in aligned]),
    )


def _share_floor(first: pd.DataFrame, twin: pd.DataFrame, column: str) -> float:
    """Noise floor of a share from the arm's twin; NaN when it has none."""
    keys = ["package", "replicate"]
    one, other = share_totals(first, column, keys), share_totals(twin, column, keys)
    shared = one.index.intersection(other.index)
    return share_noise_floor(*(_columns(some.loc[shared], "successes", "n") for some in (one, other)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
