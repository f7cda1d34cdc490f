"""Statistics: what the formulas must do, and error rates at the threshold on simulated clustered data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.analysis.statistics import (
    Ruling,
    cluster_rate,
    fieller_interval,
    noise_floor,
    relative_effect,
    verdict,
)

totals = st.lists(st.tuples(st.integers(0, 60).map(float), st.integers(0, 60).map(float)), min_size=2, max_size=12)


@given(totals)
def test_interval_holds_the_estimate(pairs: list[tuple[float, float]]) -> None:
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    effect = relative_effect(treatment, baseline, n=100)
    if baseline.sum() == 0:
        assert math.isnan(effect.estimate)
        assert effect.why
    else:
        assert effect.low - 1e-9 <= effect.estimate <= effect.high + 1e-9
        assert effect.low >= -1.0
        assert bool(effect.why) == math.isinf(effect.high)


@given(totals, st.floats(0.0, 4.0))
def test_interval_is_the_inverted_test(pairs: list[tuple[float, float]], ratio: float) -> None:
    """A ratio the interval leaves out is one that the t test rejects."""
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    if baseline.sum() == 0:
        return
    low, high = fieller_interval(treatment, baseline)
    if low - 1e-6 <= ratio <= high + 1e-6:
        return
    differences = treatment - ratio * baseline
    spread = differences.std(ddof=1)
    if spread < 1e-9:
        assert abs(differences.mean()) > 0
    else:
        assert stats.ttest_1samp(differences, 0.0).pvalue < 0.05 + 1e-6


@given(totals, st.permutations(range(12)), st.integers(1, 5))
def test_order_of_clusters_and_units_do_not_matter(
    pairs: list[tuple[float, float]], order: list[int], scale: int
) -> None:
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    if baseline.sum() == 0:
        return
    shuffled = [place for place in order if place < len(pairs)]
    first = relative_effect(treatment, baseline, n=1)
    second = relative_effect(scale * treatment[shuffled], scale * baseline[shuffled], n=1)
    np.testing.assert_allclose(
        [first.estimate, first.low, first.high], [second.estimate, second.low, second.high], rtol=1e-6, atol=1e-6
    )


def test_one_cluster_says_so() -> None:
    effect = relative_effect([12], [8], n=20)
    assert effect.estimate == pytest.approx(0.5)
    assert (effect.low, effect.high) == (-math.inf, math.inf)
    assert "one package" in effect.why
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED


def test_a_baseline_that_never_succeeds_is_undecided() -> None:
    effect = relative_effect([3, 4], [0, 0], n=20)
    assert math.isnan(effect.estimate)
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED


def test_a_treatment_that_never_succeeds_is_not_refuted_for_certain() -> None:
    effect = relative_effect([0, 0, 0], [1, 2, 1], n=30)
    assert (effect.estimate, effect.low, effect.high) == (-1.0, -1.0, math.inf)
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        relative_effect([1, 2], [1, 2, 3], n=3)


@pytest.mark.parametrize(
    ("estimate", "interval", "floor", "expected"),
    [
        (0.6, (0.30, 0.9), 0.1, Ruling.SUPPORTED),
        (0.6, (0.29, 0.9), 0.1, Ruling.UNDECIDED),
        (0.1, (-0.1, 0.29), 0.05, Ruling.REFUTED),
        (0.1, (-0.1, 0.30), 0.05, Ruling.UNDECIDED),
        (-0.2, (-0.4, 0.0), 0.3, Ruling.BELOW_NOISE),
        (0.6, (0.4, 0.9), 0.7, Ruling.BELOW_NOISE),
        (0.6, (0.4, 0.9), math.nan, Ruling.NO_TWINS),
        (math.nan, (-math.inf, math.inf), 0.1, Ruling.UNDECIDED),
    ],
)
def test_verdicts(estimate: float, interval: tuple[float, float], floor: float, expected: Ruling) -> None:
    assert verdict(estimate, interval, 0.3, floor) is expected


def test_cluster_rate_without_tasks_or_with_one_package() -> None:
    assert math.isnan(cluster_rate([], []).value)
    one = cluster_rate([3], [10])
    assert (one.value, one.low, one.high) == (0.3, -math.inf, math.inf)


def test_noise_floor_grows_with_the_twins_differences() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(size=(2, 30))
    base = np.array([60.0, 60.0])
    small, large = noise_floor(differences, base), noise_floor(3 * differences, base)
    assert 0 < small < large == pytest.approx(3 * small)
    assert math.isnan(noise_floor(np.zeros((0, 0)), np.zeros(0)))
    assert noise_floor(differences, np.array([60.0, 0.0])) == math.inf


def test_noise_floor_is_what_equal_arms_show() -> None:
    """Under pure noise a relative difference of twins exceeds the floor about one time in twenty."""
    rng = np.random.default_rng(7)
    exceeded = 0
    for _ in range(400):
        first, second = rng.binomial(20, 0.4, size=(2, 2, 24)).astype(float)
        floor = noise_floor(second - first, (first + second).sum(axis=1) / 2, flips=400, seed=3)
        a, b = rng.binomial(20, 0.4, size=(2, 24)).sum(axis=1)
        exceeded += abs(a - b) / b > floor
    assert exceeded <= stats.binom.ppf(0.9999, 400, 0.05) + 8  # the floor itself is estimated


def _simulate(
    rng: np.random.Generator, *, clusters: int, tasks: int, effect: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Totals of paired binary outcomes; packages differ in difficulty and in the effect itself."""
    base = rng.beta(8, 14, size=clusters)
    ratio = (1 + effect) * rng.normal(1, spread, size=clusters)
    uniform = rng.random((clusters, tasks))
    # half of a task's luck is its own and hits both arms, so that pairs are correlated
    other = np.where(rng.random((clusters, tasks)) < 0.5, uniform, rng.random((clusters, tasks)))
    baseline = (uniform < base[:, None]).sum(axis=1).astype(float)
    treatment = (other < np.clip(base * ratio, 0, 1)[:, None]).sum(axis=1).astype(float)
    return treatment, baseline


@pytest.mark.parametrize("clusters", [6, 8, 16])
def test_error_rates_at_the_threshold(clusters: int) -> None:
    """With the true effect at the threshold, a wrong verdict comes no more often than the level says."""
    rng = np.random.default_rng(clusters)
    replications, threshold = 2000, 0.3
    supported = refuted = covered = 0
    for _ in range(replications):
        treatment, baseline = _simulate(rng, clusters=clusters, tasks=60, effect=threshold, spread=0.1)
        effect = relative_effect(treatment, baseline, n=60 * clusters)
        ruling = verdict(effect.estimate, (effect.low, effect.high), threshold, 0.0)
        supported += ruling is Ruling.SUPPORTED
        refuted += ruling is Ruling.REFUTED
        covered += effect.low <= threshold <= effect.high
    # one-sided rates of 2.5 % each, with a binomial upper bound for the simulation itself
    limit = stats.binom.ppf(0.999, replications, 0.025)
    assert supported <= limit
    assert refuted <= limit
    assert covered >= stats.binom.ppf(0.001, replications, 0.95)


def test_power_where_the_effect_is_clear() -> None:
    """The verdict is not merely timid: a doubled rate is found in eight packages."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        treatment, baseline = _simulate(rng, clusters=8, tasks=75, effect=1.0, spread=0.05)
        effect = relative_effect(treatment, baseline, n=600)
        found += verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.SUPPORTED
    assert found >= 180
