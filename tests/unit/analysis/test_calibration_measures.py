"""Calibration measures: references, intervals that cover, and a decomposition that adds up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.analysis.calibration_measures import brier_parts, calibration_error, calibration_line
from autodev_lab.analysis.reliability import reliability_bins
from autodev_lab.errors import LabError


def test_true_confidences_lie_within_the_reference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for number in range(200):
        p = rng.beta(5, 1, 300)
        error = calibration_error(p, rng.random(300) < p, simulations=100, seed=number)
        inside += error.perfect_low <= error.ece <= error.perfect_high
    assert 180 <= inside <= 199


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 80), bins=st.integers(1, 20))
def test_the_error_is_that_of_the_reliability_diagram(seed, n, bins):
    rng = np.random.default_rng(seed)
    p, y = rng.random(n), rng.random(n) < 0.5
    shown = sum(one.n * abs(one.confidence - one.share) for one in reliability_bins(p, y, bins=bins)) / n
    assert math.isclose(calibration_error(p, y, bins=bins, simulations=1).ece, shown, abs_tol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 80), binning=st.sampled_from(["equal_width", "equal_count"]))
def test_briers_parts_add_up(seed, n, binning):
    rng = np.random.default_rng(seed)
    p, y = rng.random(n).round(1), rng.random(n) < 0.5
    parts = brier_parts(p, y, binning=binning)
    whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert math.isclose(parts.score, whole, abs_tol=1e-9)
    assert math.isclose(parts.score, float(((p - y) ** 2).mean()), abs_tol=1e-9)
    exact = brier_parts(p, y, bins=100)
    assert math.isclose(exact.within, 0.0, abs_tol=1e-9)  # each of the eleven values in a bin of its own


def test_intervals_of_slope_and_intercept_cover_the_truth():
    rng = np.random.default_rng(1)
    covered = np.zeros(2)
    for _ in range(300):
        odds = rng.normal(1.0, 1.0, 400)
        said = 1 / (1 + np.exp(-odds))
        line = calibration_line(said, rng.random(400) < said)
        covered += [line.slope_low <= 1.0 <= line.slope_high, line.intercept_low <= 0.0 <= line.intercept_high]
    assert np.all(covered >= 273) and np.all(covered <= 297)


def test_what_cannot_be_fitted_is_not_a_number():
    assert math.isnan(calibration_line([0.2, 0.8], [1, 1]).slope)
    assert math.isnan(calibration_line([0.2, 0.3, 0.8, 0.9], [0, 0, 1, 1]).slope)
    same = calibration_line([0.5, 0.5, 0.5], [0, 1, 1])
    assert math.isnan(same.slope)
    assert same.intercept > 0.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([], []), "one length"),
        (([0.5, math.nan], [0, 1]), "between 0 and 1"),
        (([0.5], [2]), "between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    for measure in (calibration_error, calibration_line, brier_parts):
        with pytest.raises(LabError, match=says):
            measure(*arguments)
    with pytest.raises(LabError, match="equal_width"):
        calibration_error([0.5], [1], binning="odd")
