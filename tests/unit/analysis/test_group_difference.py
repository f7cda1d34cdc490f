"""Means of two groups of packages: by hand, how often the interval misses, and how often it sees a difference."""

import math

import numpy as np
import pytest

from autodev_lab.analysis.group_difference import group_difference
from autodev_lab.analysis.latency import times_as_fast


def test_by_hand_and_in_either_order():
    one, other = ([4, 5, 6], [10, 10, 10]), ([1, 2, 3], [10, 10, 10])
    found, back = group_difference(one, other), group_difference(other, one)
    # each mean has variance (1 + 0 + 1) * 3 / 2 / 30 ** 2, and t(4 degrees of freedom) is 2.776
    assert found.high - found.estimate == pytest.approx(2.776 * math.sqrt(2 * 3 / 900), rel=1e-3)
    assert (found.estimate, found.n, found.clusters) == (pytest.approx(0.3), 60, 6)
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_too_few_packages_say_so():
    for few in (([5], [10]), ([], []), ([5, 5], [10, 10])):
        found = group_difference(few, few)
        assert math.isinf(found.high) and "two packages" in found.why


def groups(rng, shift, first=9, second=9):
    for size, mean in ((first, shift), (second, 0.0)):
        counts = rng.integers(20, 400, size).astype(float)
        yield (rng.normal(mean, 0.05, size) + rng.normal(0, 0.3, size) / np.sqrt(counts)) * counts, counts


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 0.0, 0.09), (0.12, 0.8, 1.0)])
def test_false_positives_and_power(shift, least, most):
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(1000):
        found = group_difference(*groups(rng, shift))
        seen += found.low > 0 or found.high < 0
    assert least <= seen / 1000 <= most


def test_ratio_of_medians_holds_the_truth_in_most_samples():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        ours, theirs = rng.lognormal(0.0, 0.4, 80), rng.lognormal(math.log(3.0), 0.4, 80)
        found = times_as_fast(ours, theirs)
        held += found.low <= 3.0 <= found.high
    assert held / 200 >= 0.88
    with pytest.raises(ValueError, match="one length"):
        times_as_fast([1.0, 2.0], [1.0])
