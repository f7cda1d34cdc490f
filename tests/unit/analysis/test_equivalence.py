"""Equivalence: shown only where there is evidence, and not at the margin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodev_lab.analysis.effects import relative_effect
from autodev_lab.analysis.equivalence import equivalence
from autodev_lab.analysis.error_rates import World, draw, upper_bound

EXPERIMENTS = 2000
WORLD = World(tasks=200, spread=0.0, pairing=0.8)


def shares(ratio: float, clusters: int, margin: float) -> tuple[int, int]:
    """Experiments found equivalent, and found not inferior with the arms exchanged."""
    treatment, baseline = draw(WORLD, clusters, ratio=ratio, experiments=EXPERIMENTS, seed=clusters)
    found = [equivalence(t, b, margin=margin) for t, b in zip(treatment, baseline, strict=True)]
    exchanged = (
        [equivalence(b, t, margin=1 - 1 / ratio) for t, b in zip(treatment, baseline, strict=True)] if ratio > 1 else []
    )
    return sum(one.equivalent for one in found), sum(one.not_inferior for one in exchanged)


@pytest.mark.parametrize("clusters", [6, 10])
def test_arms_at_the_margin_are_seldom_called_equivalent(clusters: int) -> None:
    """True effect at the margin of 20 %, and its counterpart: exact upper bounds at most .062, nominal .05."""
    equivalent, not_inferior = shares(1.2, clusters, 0.2)
    assert upper_bound(equivalent, EXPERIMENTS) <= 0.062
    assert upper_bound(not_inferior, EXPERIMENTS) <= 0.062


def test_equal_arms_are_found_equivalent_with_enough_packages() -> None:
    assert shares(1.0, 10, 0.2)[0] > 0.8 * EXPERIMENTS


def test_equivalence_is_the_interval_within_the_margins() -> None:
    """Two one-sided tests at 5 % are a 90 % interval."""
    treatment, baseline = draw(WORLD, 8, ratio=1.1, experiments=60, seed=4)
    found = set()
    for t, b in zip(treatment, baseline, strict=True):
        effect = relative_effect(t, b, n=1, level=0.9)
        expected = effect.low > -0.2 and effect.high < 0.2
        assert equivalence(t, b, margin=0.2).equivalent == expected
        found.add(expected)
    assert found == {True, False}


def test_no_difference_seen_is_not_equivalence() -> None:
    few = equivalence([1] * 6, [1] * 6, margin=0.2)
    assert not few.equivalent, "six tasks cannot show that arms differ by less than a fifth"
    assert equivalence([40] * 6, [40] * 6, margin=0.2).equivalent
    assert equivalence([40] * 4, [40] * 4, margin=0.2).p == pytest.approx(1 / 16)
    assert equivalence([0] * 6, [0] * 6, margin=0.2).p == 1.0
    for margin in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            equivalence([1, 2], [1, 2], margin=margin)


def test_non_inferiority_does_not_ask_for_a_bound_above() -> None:
    found = equivalence(np.full(6, 90.0) + np.arange(6), np.full(6, 50.0), margin=0.1)
    assert found.not_inferior
    assert not found.equivalent
