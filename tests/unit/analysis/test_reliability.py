"""Reliability: errors of forecasts beside those that chance alone would show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.reliability import (
    as_frame,
    brier,
    expected_calibration_error,
    reliability,
    reliability_bins,
)
from autodev_lab.errors import LabError

forecasts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(forecasts, st.integers(1, 20))
def test_bins_hold_every_change_once(pairs, bins):
    confidence, right = (list(side) for side in zip(*pairs, strict=True))
    found = reliability_bins(confidence, right, bins=bins)
    assert sum(one.n for one in found) == len(pairs)
    for one in found:
        assert one.low - 1e-9 <= one.confidence <= one.high + 1e-9
        assert 0.0 <= one.share_low <= one.share + 1e-9 and one.share - 1e-9 <= one.share_high <= 1.0
    weighted = sum(one.n * abs(one.confidence - one.share) for one in found) / len(pairs)
    assert expected_calibration_error(confidence, right, bins=bins) == pytest.approx(weighted)
    assert 0.0 <= brier(confidence, right) <= 1.0


def test_the_error_of_a_perfect_forecast_is_what_simulation_says():
    """Over many true forecasts the error is on average the reported one, and seldom beyond its 95th percentile."""
    rng = np.random.default_rng(0)
    p = rng.random(80)
    drawn = [reliability(p, rng.random(80) < p, simulations=300, seed=seed) for seed in range(200)]
    assert np.mean([one.ece for one in drawn]) == pytest.approx(drawn[0].ece_perfect, abs=0.01)
    assert np.mean([one.ece > one.ece_perfect_high for one in drawn]) < 0.12


def test_a_perfect_forecast_errs_less_with_more_changes():
    rng = np.random.default_rng(0)
    few, many = (reliability(p := rng.random(n), rng.random(n) < p) for n in (50, 5000))
    assert few.ece_perfect > 3 * many.ece_perfect
    assert few.ece_perfect < few.ece_perfect_high


def test_too_sure_a_forecast_is_caught():
    rng = np.random.default_rng(1)
    seen = reliability(np.full(300, 0.95), rng.random(300) < 0.7)
    assert seen.ece > seen.ece_perfect_high
    (only,) = seen.bins
    assert only.share_high < 0.95
    assert seen.brier == pytest.approx(np.mean([(0.95 - 1) ** 2] * 7 + [0.95**2] * 3), abs=0.05)


def test_intervals_narrow_with_changes_and_never_leave_the_shares():
    few, many = (reliability_bins([0.95] * n, [1] * n)[0] for n in (5, 500))
    assert few.share_low < many.share_low < few.share == 1.0
    assert as_frame((few, many))["n"].tolist() == [5, 500]


@pytest.mark.parametrize(
    ("confidence", "right"), [([], []), ([0.5], [1, 0]), ([1.5], [1]), ([0.5], [2]), ([float("nan")], [1])]
)
def test_what_is_no_forecast_is_refused(confidence, right):
    with pytest.raises(LabError):
        reliability(confidence, right)
