"""Calibrators: monotone, bounded, close to the truth they were drawn from, online under the calibrators' contract."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.analysis.calibration_measures import calibration_error
from autodev_lab.decisions import CALIBRATOR_NAMES, LabelQuality, RefittedCalibrator, fit_calibrator, make_gate
from autodev_lab.decisions.catalogue import CALIBRATORS
from autodev_lab.errors import LabError
from autodev_lab.records import Label
from autodev_lab.testing import check_calibrator


@pytest.mark.parametrize("name", CALIBRATOR_NAMES)
def test_a_distorted_confidence_becomes_true(name):
    rng = np.random.default_rng(0)
    confidence = rng.random(8000)
    truth = confidence**2 / (confidence**2 + (1 - confidence))
    success = rng.random(8000) < truth
    first, then = slice(0, 4000), slice(4000, None)
    before = calibration_error(confidence[then], success[then])
    after = calibration_error(
        fit_calibrator(name, confidence[first], success[first]).predict(confidence[then]), success[then]
    )
    assert before.excess > 0.04
    assert after.excess < 0.012


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), name=st.sampled_from(CALIBRATOR_NAMES))
def test_a_curve_never_falls_and_stays_a_probability(seed, n, name):
    rng = np.random.default_rng(seed)
    confidence, success = rng.random(n).round(1), rng.random(n) < 0.6
    shown = fit_calibrator(name, confidence, success, weights=rng.uniform(0.5, 3.0, n)).predict(np.linspace(0, 1, 41))
    assert np.all((shown >= 0) & (shown <= 1))
    assert np.all(np.diff(shown) >= -1e-9)


@pytest.mark.parametrize("name", ["platt", "beta", "venn_abers"])
@pytest.mark.parametrize("outcome", [0, 1])
def test_one_kind_of_outcome_is_not_certain(name, outcome):
    shown = fit_calibrator(name, np.linspace(0.1, 0.9, 20), np.full(20, outcome)).predict([0.3, 0.8])
    assert np.all((shown > 0.0) & (shown < 1.0))
    assert np.all((shown > 0.5) == bool(outcome))


def test_weights_count_as_copies():
    confidence, success = np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1])
    weights = np.array([1, 2, 3, 1])
    places = np.repeat(np.arange(4), weights)
    for name in ("isotonic", "venn_abers"):
        weighted = fit_calibrator(name, confidence, success, weights=weights)
        copied = fit_calibrator(name, confidence[places], success[places])
        assert np.allclose(weighted.predict(confidence), copied.predict(confidence))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("spline", [0.5], [1]), "choose one of platt"),
        (("platt", [], []), "no changes"),
        (("platt", [0.5, np.nan], [1, 0]), "between 0 and 1"),
        (("platt", [0.5, 1.5], [1, 0]), "between 0 and 1"),
        (("platt", [0.5], [1, 0]), "one length"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    with pytest.raises(LabError, match=says):
        fit_calibrator(*arguments)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_online_calibrators_keep_the_contract(name):
    check_calibrator(lambda: CALIBRATORS[name](LabelQuality()))


def test_only_curves_without_a_stated_shape_are_refitted_by_expectation_maximisation():
    with pytest.raises(LabError, match="choose one of isotonic, venn_abers"):
        RefittedCalibrator("platt")


@pytest.mark.parametrize("name", ["isotonic", "beta", "venn_abers"])
def test_they_have_names_in_the_catalogue_and_no_single_label_makes_them_certain(name):
    calibrator = make_gate("published", calibrator=name).calibrator
    calibrator.learn(Label("t", "p", {}, 0.1, success=True))
    assert 0.5 < calibrator.confidence(0.1) < 0.8
