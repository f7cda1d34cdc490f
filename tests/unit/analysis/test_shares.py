"""Shares and means over clusters: honest near 0 and 1, and simulated at the threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.analysis.cluster_inference import SignFlips
from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.shares import cluster_rate, cluster_share, share_p_value

EXPERIMENTS = 2000
Counted = list[tuple[np.ndarray, np.ndarray]]
counted = st.lists(
    st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n).map(float), st.just(float(n)))), max_size=10
)


def drawn(
    clusters: int, tasks: int, correlation: float, share: float, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Successes and uneven counts of many experiments."""
    rng = np.random.default_rng(seed)
    shape = (EXPERIMENTS, clusters)
    counts = rng.poisson(tasks * np.exp(0.5 * rng.normal(size=shape) - 0.125))
    counts[:, :2] = np.maximum(counts[:, :2], 1)
    chance = np.full(shape, share)
    if correlation:
        strength = 1 / correlation - 1
        chance = rng.beta(share * strength, (1 - share) * strength, size=shape)
    return list(zip(rng.binomial(counts, chance).astype(float), counts.astype(float), strict=True))


@given(counted)
def test_a_share_and_its_interval_lie_between_0_and_1(pairs: list[tuple[float, float]]) -> None:
    hits, counts = (np.array(side) for side in zip(*pairs, strict=True)) if pairs else (np.zeros(0), np.zeros(0))
    share = cluster_share(hits, counts)
    if counts.sum() == 0:
        assert math.isnan(share.value)
        return
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.high - share.low > 1e-3
    assert share.clusters == (counts > 0).sum()


@given(counted, st.floats(0.05, 0.99))
def test_p_value_and_interval_of_a_share_say_the_same(pairs: list[tuple[float, float]], threshold: float) -> None:
    hits, counts = (np.array(side) for side in zip(*pairs, strict=True)) if pairs else (np.zeros(0), np.zeros(0))
    share, p = cluster_share(hits, counts), share_p_value(hits, counts, threshold)
    if counts.sum() == 0:
        assert math.isnan(p)
    elif share.low > threshold + 1e-9:
        assert p <= 0.025
    elif share.low < threshold - 1e-9:
        assert p > 0.025


def test_independent_tasks_in_many_clusters_give_clopper_and_pearson() -> None:
    share = cluster_share([1.0, 0.0] * 500, [1.0] * 1000, correlation=0.0)
    expected = stats.binomtest(500, 1000).proportion_ci(method="exact")
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-3)


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.1])
@pytest.mark.parametrize(("clusters", "tasks"), [(6, 15), (10, 40), (22, 5), (22, 30)])
def test_a_share_at_the_threshold_is_seldom_decided(clusters: int, tasks: int, correlation: float) -> None:
    """True share .95, 2,000 experiments: false support and false refusal, exact upper bounds at most .032 each.

    The same says that 95 % intervals cover. It holds up to the correlation that is allowed for.
    """
    supported = refuted = 0
    for hits, counts in drawn(clusters, tasks, correlation, 0.95, seed=clusters + tasks):
        share = cluster_share(hits, counts)
        supported += share.low >= 0.95
        refuted += share.high < 0.95
    assert upper_bound(supported, EXPERIMENTS) <= 0.032
    assert upper_bound(refuted, EXPERIMENTS) <= 0.032


def test_packages_more_unlike_than_assumed_are_the_stated_limit() -> None:
    """With a correlation of .3 false support comes more often than the nominal .025 (measured: .043)."""
    supported = sum(cluster_share(*pair).low >= 0.95 for pair in drawn(22, 30, 0.3, 0.95, seed=4))
    assert supported > 0.035 * EXPERIMENTS


def test_sign_flips_would_not_do_for_shares() -> None:
    """Why a share has a test of its own: contributions near a share of 1 are skewed, not symmetric."""
    pairs = drawn(10, 15, 0.1, 0.95, seed=9)
    greater, _ = SignFlips().tails(np.stack([hits - 0.95 * counts for hits, counts in pairs]))
    assert (greater <= 0.025).mean() > 0.05


def test_a_share_that_is_clearly_higher_is_found() -> None:
    """True share .99 in 22 packages of 30 tasks, .95 promised: supported in more than half of the experiments."""
    supported = sum(cluster_share(*pair).low >= 0.95 for pair in drawn(22, 30, 0.02, 0.99, seed=5))
    assert supported > 0.5 * EXPERIMENTS


def test_cluster_rate_without_tasks_or_with_one_package() -> None:
    assert math.isnan(cluster_rate([], []).value)
    one = cluster_rate([3], [10])
    assert (one.value, one.low, one.high) == (0.3, -math.inf, math.inf)
    alone = cluster_share([3], [10])
    assert (alone.value, alone.low, alone.high) == (0.3, 0.0, 1.0)


@pytest.mark.parametrize(("total", "count"), [(0, 20), (20, 20), (8, 20), (60, 20)])
def test_clusters_that_agree_leave_a_width(total: int, count: int) -> None:
    rate = cluster_rate([total] * 6, [count] * 6)
    assert rate.high - rate.low > 0.02
    assert rate.low <= rate.value <= rate.high
    if total in (0, count):
        assert 0 <= rate.low <= rate.high <= 1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_0_or_1_everywhere_covers(share: float) -> None:
    """With the true share at the interval's other end, six packages all agree in 1 run of 40: bound at most .0275."""
    found = cluster_share([20 * share] * 6, [20] * 6)
    true = found.high if share == 0.0 else 1 - found.low
    rng = np.random.default_rng(6)
    strength = 1 / 0.1 - 1
    chance = rng.beta(true * strength, (1 - true) * strength, size=(20_000, 6))
    unseen = int((rng.binomial(20, chance).sum(axis=1) == 0).sum())
    assert upper_bound(unseen, 20_000) <= 0.0275
