"""Effects: what intervals hold, what a few packages cannot say, and what full agreement leaves open."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.cluster_inference import ClusterTest, SignFlips, StudentT, WildBootstrap
from autodev_lab.analysis.effects import absolute_effect, p_value, relative_effect, resolution
from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.rulings import Ruling, verdict

totals = st.lists(st.tuples(st.integers(0, 60).map(float), st.integers(0, 60).map(float)), min_size=2, max_size=10)
Pairs = list[tuple[float, float]]


@given(totals, st.sampled_from([SignFlips(), StudentT()]))
def test_interval_holds_the_estimate(pairs: Pairs, test: ClusterTest) -> None:
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    effect = relative_effect(treatment, baseline, n=100, test=test)
    if baseline.sum() == 0:
        assert math.isnan(effect.estimate)
        assert effect.why
    elif len(pairs) < test.fewest(0.95):
        assert (effect.low, effect.high) == (-math.inf, math.inf)
        assert "too few" in effect.why
    else:
        assert effect.low <= effect.estimate < effect.high
        assert effect.low < effect.estimate or effect.estimate == -1.0
        assert effect.low >= -1.0
        assert bool(effect.why) == math.isinf(effect.high)


@given(totals, st.permutations(range(10)), st.integers(1, 5))
def test_order_of_clusters_and_units_do_not_matter(pairs: Pairs, order: list[int], scale: int) -> None:
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    if baseline.sum() == 0:
        return
    shuffled = [place for place in order if place < len(pairs)]
    first = relative_effect(treatment, baseline, n=1)
    second = relative_effect(scale * treatment[shuffled], scale * baseline[shuffled], n=1, unit=scale)
    np.testing.assert_allclose(
        [first.estimate, first.low, first.high], [second.estimate, second.low, second.high], rtol=1e-6, atol=1e-6
    )


@given(totals, st.floats(-0.5, 2.0))
def test_p_value_and_interval_say_the_same(pairs: Pairs, threshold: float) -> None:
    treatment, baseline = (np.array(side) for side in zip(*pairs, strict=True))
    if len(pairs) < 6 or baseline.sum() == 0:
        return
    effect = relative_effect(treatment, baseline, n=1)
    p = p_value(treatment, baseline, threshold)
    if effect.low > threshold + 1e-6:
        assert p <= 0.025
    elif effect.low < threshold - 1e-6:
        assert p > 0.025


@given(
    st.lists(st.integers(1, 40).map(float), min_size=6, max_size=9),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    st.sampled_from([SignFlips(), WildBootstrap(draws=199), StudentT()]),
)
def test_full_agreement_is_not_certainty(baseline: list[float], ratio: float, test: ClusterTest) -> None:
    """All packages show one and the same ratio: a test over packages sees no spread at all."""
    b = np.array(baseline)
    effect = relative_effect(ratio * b, b, n=500, test=test)
    assert effect.high - effect.estimate >= resolution(0.95) / b.sum() - 1e-9
    assert effect.low < effect.estimate or ratio == 0.0
    difference = absolute_effect(ratio * b, b, np.full(len(b), 60.0), test=test)
    assert difference.low < difference.estimate < difference.high


def test_what_full_agreement_leaves_open_is_the_rule_of_three() -> None:
    """With 3.69 discordant tasks to be expected none shows in 1 run of 40: bound at most .025, of 100,000 runs."""
    effect = relative_effect([10] * 6, [10] * 6, n=120)
    expected = effect.high * 60
    assert expected == pytest.approx(math.log(40))
    rng = np.random.default_rng(1)
    quiet = int((rng.binomial(10, expected / 60, size=(100_000, 6)).sum(axis=1) == 0).sum())
    assert upper_bound(quiet, 100_000) <= 0.025


def test_five_packages_say_that_they_are_too_few() -> None:
    effect = relative_effect([30, 28, 33, 31, 29], [10, 11, 9, 10, 10], n=200)
    assert effect.estimate == pytest.approx(2.02)
    assert (effect.low, effect.high) == (-math.inf, math.inf)
    assert effect.why == "5 packages are too few for an interval of 95 %, which needs 6"
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED
    assert p_value([30, 28, 33, 31, 29], [10, 11, 9, 10, 10], 0.3) == 1 / 32


def test_one_cluster_says_so() -> None:
    effect = relative_effect([12], [8], n=20)
    assert effect.estimate == pytest.approx(0.5)
    assert (effect.low, effect.high) == (-math.inf, math.inf)
    assert "one package" in effect.why
    assert p_value([12], [8], 0.3) == 1.0


def test_a_baseline_that_never_succeeds_is_undecided() -> None:
    effect = relative_effect([3, 4], [0, 0], n=20)
    assert math.isnan(effect.estimate)
    assert math.isnan(p_value([3, 4], [0, 0], 0.3))
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED


def test_a_treatment_that_never_succeeds_is_not_refuted_for_certain() -> None:
    effect = relative_effect([0] * 6, [1, 0, 1, 0, 0, 0], n=30)
    assert (effect.estimate, effect.low) == (-1.0, -1.0)
    assert verdict(effect.estimate, (effect.low, effect.high), 0.3, 0.1) is Ruling.UNDECIDED


def test_a_baseline_that_is_rare_has_no_upper_end() -> None:
    effect = relative_effect([4, 5, 3, 6, 4, 5], [0, 0, 3, 0, 0, 0], n=100)
    assert math.isinf(effect.high)
    assert "too rare or too uneven" in effect.why


def test_differences_without_tasks_or_with_few_packages() -> None:
    assert "no paired task" in absolute_effect([0, 0], [0, 0], [0, 0]).why
    assert "too few" in absolute_effect([3, 4], [1, 2], [10, 10]).why


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        relative_effect([1, 2], [1, 2, 3], n=3)
