"""A/A: whole experiments, twins included, whose truth lies at the threshold, so that every decision is false.

Verdicts are made here from the arrays, by the same functions `judge` calls; that `judge` finds the same on the same
experiments as frames is tested on some of them, for frames take fifty times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autodev_lab.analysis.claims import Claim, PositionClaim, ShareClaim, judge, parse_claim
from autodev_lab.analysis.effects import relative_effect
from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.noise import noise_floor, share_noise_floor
from autodev_lab.analysis.power import Design, power
from autodev_lab.analysis.rulings import Ruling, verdict
from autodev_lab.analysis.shares import cluster_share

EXPERIMENTS = 2000
DECIDED = (Ruling.SUPPORTED, Ruling.REFUTED)
COMMON = {"statement": "s", "experiment": "made_up", "environment": "repository", "registered": {}}
RELATIVE = parse_claim(
    {**COMMON, "id": "r", "treatment": "b", "baseline": "a", "endpoint": "correct_at_K", "threshold": 0.0}
)
AT = parse_claim({**RELATIVE.model_dump(), "kind": "relative_at", "id": "w", "at": 100, "window": 50})
SHARE = parse_claim(
    {**COMMON, "kind": "share", "id": "s", "treatment": "gate", "endpoint": "correct_at_K", "threshold": 0.95}
)


def ruled(claim: Claim, drawn: Any, level: float) -> Ruling:
    """The verdict on a drawn experiment."""
    right = {arm: outcome.astype(float) for arm, outcome in drawn.right.items()}
    if isinstance(claim, ShareClaim):
        alone = {arm: some.astype(float) for arm, some in drawn.alone.items()}
        pairs = [((right[arm] * alone[arm]).sum(axis=2), alone[arm].sum(axis=2)) for arm in ("gate", "gate_twin")]
        floor = share_noise_floor(*((hits.T.ravel(), counts.T.ravel()) for hits, counts in pairs), flips=500)
        share = cluster_share(pairs[0][0].sum(axis=0), pairs[0][1].sum(axis=0), level=level)
        ends = (share.low - claim.threshold, share.high - claim.threshold)
        return verdict(share.value - claim.threshold, ends, 0.0, floor)
    reach = claim.window if isinstance(claim, PositionClaim) else 10**9
    middle = claim.at if isinstance(claim, PositionClaim) else 1
    kept = np.abs(drawn.position - middle) <= reach
    sums = {arm: (outcome * kept).sum(axis=2) for arm, outcome in right.items()}
    totals = {arm: some.sum(axis=0)[kept.any(axis=(0, 2))] for arm, some in sums.items()}
    effect = relative_effect(totals["b"], totals["a"], n=int(kept.sum()), level=level)
    twins = [(sums[f"{arm}_twin"] - sums[arm]).T.ravel() for arm in ("b", "a")]
    means = [(totals[f"{arm}_twin"].sum() + totals[arm].sum()) / 2 for arm in ("b", "a")]
    floor = noise_floor(np.stack(twins), np.array(means), flips=500)
    return verdict(effect.estimate, (effect.low, effect.high), claim.threshold, floor)


@pytest.mark.parametrize("claim", [RELATIVE, AT, SHARE], ids=lambda claim: claim.kind)
def test_judging_a_frame_is_judging_the_experiment(experiment: Callable, claim: Claim) -> None:
    rng = np.random.default_rng(29)
    found = set()
    for number in range(24):
        effect = (0.0, 0.5, 1.0)[number % 3]
        drawn = experiment(
            rng, packages=10, tasks=20, replicates=1 + number % 2, effect=effect, safe=(0.95, 0.6)[number % 2]
        )
        ruling = judge(claim, drawn.frame(), confirmatory=False).ruling
        if ruling is not Ruling.BELOW_NOISE:  # the floor's random flips are fewer here
            assert ruled(claim, drawn, 0.95) is ruling
        found.add(ruling)
    assert len(found) >= 2, "a comparison on which all agree anyway says nothing"


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.95])
def test_false_verdicts_at_the_threshold(experiment: Callable, threshold: float) -> None:
    """Of 2,000 whole experiments at most 5 % get a false verdict, for each kind of claim; exact bound at most .059.

    With threshold 0 the arms are equal (A/A in the strict sense), and the noise floor stops further ones. The
    threshold .95 is that of the share, whose test is timid.
    """
    rng = np.random.default_rng(17)
    claims = [SHARE] if threshold == 0.95 else [RELATIVE, AT]
    claims = [claim.model_copy(update={"threshold": threshold}) for claim in claims]
    wrong = dict.fromkeys((claim.kind for claim in claims), 0)
    for _ in range(EXPERIMENTS):
        drawn = experiment(rng, packages=10, tasks=20, effect=threshold if threshold < 0.95 else 0.0)
        for claim in claims:
            wrong[claim.kind] += ruled(claim, drawn, 0.95) in DECIDED
    for errors in wrong.values():
        assert errors <= 0.05 * EXPERIMENTS
        assert upper_bound(errors, EXPERIMENTS) <= 0.059


@pytest.mark.parametrize(
    ("design", "effect", "threshold"),
    [
        (Design(packages=10, tasks=20, replicates=1), 0.6, 0.0),
        (Design(packages=16, tasks=20, replicates=2, pairing=0.8), 0.25, 0.0),
        (Design(packages=10, tasks=30, replicates=2, between=0.05, spread=0.2), 0.25, 0.8),
        (Design(packages=7, tasks=30, replicates=1, baseline=0.2), 1.0, 0.3),
    ],
)
def test_the_planner_foretells_the_power_of_whole_experiments(
    experiment: Callable, design: Design, effect: float, threshold: float
) -> None:
    """Within 5 points, in 1,000 experiments drawn in another way and judged with their own twins."""
    level, experiments = 1 - 0.05 / 3, 1000
    planned = power(design, effect=effect, threshold=threshold, level=level, simulations=4000, seed=2)
    claim = RELATIVE.model_copy(update={"threshold": threshold})
    right = Ruling.SUPPORTED if effect > threshold else Ruling.REFUTED
    rng = np.random.default_rng(31)
    found = 0
    for _ in range(experiments):
        drawn = experiment(
            rng,
            packages=design.packages,
            tasks=design.tasks,
            replicates=design.replicates,
            baseline=design.baseline,
            effect=effect,
            between=design.between,
            pairing=design.pairing,
            spread=design.spread,
        )
        found += ruled(claim, drawn, level) is right
    assert 0.15 < planned.value < 0.97, "where power is 0 or 1 there is nothing to foretell"
    assert abs(found / experiments - planned.value) <= 0.05
