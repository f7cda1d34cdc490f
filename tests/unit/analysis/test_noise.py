"""The noise floor: it grows with what twins differ by, and is what equal arms show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.noise import noise_floor, share_noise_floor

EXPERIMENTS = 2000


def test_noise_floor_grows_with_the_twins_differences() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(size=(2, 30))
    base = np.array([60.0, 60.0])
    small, large = noise_floor(differences, base), noise_floor(3 * differences, base)
    assert 0 < small < large == pytest.approx(3 * small)
    assert math.isnan(noise_floor(np.zeros((0, 0)), np.zeros(0)))
    assert noise_floor(differences, np.array([60.0, 0.0])) == math.inf


@pytest.mark.parametrize("cells", [12, 24, 66])
def test_equal_arms_exceed_the_floor_about_one_time_in_twenty(cells: int) -> None:
    """Agents' seeds alone move outcomes; tasks do not. 2,000 experiments: exact upper bound at most .075.

    The floor is an estimate from as many cells as there are: with few it is exceeded a little more often than .05.
    """
    rng = np.random.default_rng(cells)
    exceeded = 0
    for _ in range(EXPERIMENTS):
        chance = rng.beta(2, 3, size=cells)
        first, second = rng.binomial(20, chance, size=(2, 2, cells)).astype(float)
        floor = noise_floor(second - first, (first + second).sum(axis=1) / 2, flips=400, seed=3)
        a, b = rng.binomial(20, chance, size=(2, cells)).sum(axis=1)
        exceeded += abs(a - b) / b > floor
    assert upper_bound(exceeded, EXPERIMENTS) <= 0.075
    assert exceeded >= 0.03 * EXPERIMENTS


def test_equal_shares_exceed_their_floor_about_one_time_in_twenty() -> None:
    """The same for shares near 1 of what was deployed, whose number varies too: at most .075."""
    rng = np.random.default_rng(8)
    exceeded = 0
    for _ in range(EXPERIMENTS):
        counts = rng.poisson(8, size=(4, 30)).astype(float)
        hits = rng.binomial(counts.astype(int), 0.93).astype(float)
        floor = share_noise_floor((hits[0], counts[0]), (hits[1], counts[1]), flips=400)
        exceeded += abs(hits[2].sum() / counts[2].sum() - hits[3].sum() / counts[3].sum()) > floor
    assert upper_bound(exceeded, EXPERIMENTS) <= 0.075
    assert exceeded >= 0.02 * EXPERIMENTS


def test_a_share_without_a_twin_has_no_floor() -> None:
    some, none = np.array([3.0, 4.0]), np.zeros(2)
    assert math.isnan(share_noise_floor((some, some), (none, none)))
    assert math.isnan(share_noise_floor((np.zeros(0), np.zeros(0)), (np.zeros(0), np.zeros(0))))
    assert share_noise_floor((some, some), (some, some)) == 0.0
    one = np.array([5.0])
    assert share_noise_floor((one, one), (one - 1, one)) == pytest.approx(0.2)
