"""Reliability: errors of forecasts beside those that chance alone would show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.forecast_bins import bin_places, calibration_errors
from autodev_lab.analysis.reliability import as_frame, reliability, reliability_bins
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
    whole = reliability(confidence, right, bins=bins, simulations=1)
    assert whole.bins == found
    assert whole.ece == pytest.approx(weighted)
    assert whole.brier == pytest.approx(np.mean([(p - y) ** 2 for p, y in pairs]))


def test_the_error_of_a_perfect_forecast_is_what_simulation_says():
    """Over many true forecasts the error is on average the reported one, and seldom beyond its 95th percentile."""
    rng = np.random.default_rng(0)
    p = rng.random(80)
    drawn = rng.random((200, 80)) < p
    errors = calibration_errors(bin_places(p, 10), p, drawn.astype(float))
    told = reliability(p, drawn[0], simulations=2000)
    assert told.ece == pytest.approx(errors[0])
    assert errors.mean() == pytest.approx(told.ece_perfect, abs=0.01)
    assert (errors > told.ece_perfect_high).mean() < 0.12


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
