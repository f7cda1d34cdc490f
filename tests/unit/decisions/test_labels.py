"""Labels of checks that err: what they say of the change behind them, and what calibrators make of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.decisions import BinnedBetaCalibrator, LabelQuality, PlattCalibrator
from autodev_lab.decisions.labels import LARGEST_WEIGHT, due, weight_of
from autodev_lab.errors import LabError
from autodev_lab.records import Label, LabelSource
from autodev_lab.testing import check_calibrator

shares = st.floats(0, 1)
labels = st.builds(
    Label,
    st.just("t"),
    st.just("p"),
    st.just({}),
    shares,
    st.booleans(),
    st.sampled_from(LabelSource),
    st.floats(0.01, 1),
)
CALIBRATORS = [BinnedBetaCalibrator, PlattCalibrator]


@pytest.mark.parametrize("make", CALIBRATORS)
def test_calibrators_keep_the_contract(make):
    check_calibrator(make)


@given(labels, shares, shares, shares)
def test_what_a_label_says_is_a_probability(label, base, accuracy, power):
    assert 0.0 <= LabelQuality(accuracy, power).right(label, base) <= 1.0


@given(shares, shares, shares, st.sampled_from(LabelSource))
def test_reading_labels_loses_nothing_on_average(base, accuracy, power, source):
    """Over what the check may show, the mean of what it says of a change is what was known before."""
    quality = LabelQuality(accuracy, power)
    if_right, if_wrong = quality.rates(source)
    shown = base * if_right + (1 - base) * if_wrong
    yes, no = (quality.right(Label("t", "p", {}, 0.1, success, source), base) for success in (True, False))
    assert shown * yes + (1 - shown) * no == pytest.approx(base, abs=1e-9)


def test_a_rollback_is_certain_and_a_person_is_not():
    quality = LabelQuality(0.9, 0.5)
    assert quality.right(Label("t", "p", {}, 0.1, success=False), 0.99) == 0.0
    declined = quality.right(Label("t", "p", {}, 0.1, False, LabelSource.PERSON), 0.99)
    approved = quality.right(Label("t", "p", {}, 0.1, True, LabelSource.PERSON), 0.5)
    healthy = quality.right(Label("t", "p", {}, 0.1, True), 0.5)
    assert declined > 0.5  # where nearly all are right, a person who says no is likely wrong
    assert approved > healthy > 0.5


def _shown(rng, right, source, quality):
    if_right, if_wrong = quality.rates(source)
    return bool(rng.random() < (if_right if right else if_wrong))


@pytest.mark.parametrize("make", CALIBRATORS)
@pytest.mark.parametrize("source", list(LabelSource))
def test_confidence_is_the_share_of_right_changes_and_not_of_successes(make, source):
    rng, quality, share = np.random.default_rng(1), LabelQuality(0.85, 0.4), 0.7
    calibrator = make(quality=quality)
    shown = []
    for number in range(1500):
        success = _shown(rng, rng.random() < share, source, quality)
        shown.append(success)
        calibrator.learn(Label(f"t{number}", "p", {}, 0.2, success, source))
    # .7 * 1 + .3 * .6 = .88 by production alone; .7 * .85 + .3 * .15 * .6 = .62 by a person and production
    assert abs(np.mean(shown) - share) > 0.06
    assert calibrator.confidence(0.2) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("make", CALIBRATORS)
def test_confidence_tells_risky_from_safe(make):
    calibrator, rng = make(), np.random.default_rng(2)
    for number in range(600):
        risk, share = (0.15, 0.95) if number % 2 else (0.65, 0.5)
        success = _shown(rng, rng.random() < share, LabelSource.PERSON, LabelQuality())
        calibrator.learn(Label(f"t{number}", "p", {}, risk, success, LabelSource.PERSON))
    assert calibrator.confidence(0.15) == pytest.approx(0.95, abs=0.07)
    assert calibrator.confidence(0.65) == pytest.approx(0.5, abs=0.09)


@pytest.mark.parametrize("make", CALIBRATORS)
@given(st.lists(labels, max_size=12), shares)
def test_confidence_is_a_probability_and_starts_undecided(make, past, risk):
    calibrator = make()
    assert calibrator.confidence(risk) == 0.5
    for label in past:
        calibrator.learn(label)
    assert 0.0 <= calibrator.confidence(risk) <= 1.0


def test_a_slope_that_says_riskier_is_safer_is_left_out():
    calibrator = PlattCalibrator()
    for number in range(60):
        risky = bool(number % 2)
        calibrator.learn(Label(f"t{number}", "p", {}, 0.7 if risky else 0.1, risky, LabelSource.PERSON))
    assert calibrator.confidence(0.1) == calibrator.confidence(0.7) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("make", CALIBRATORS)
def test_rare_labels_speak_for_those_that_were_not_looked_at(make):
    """Ten of a hundred were drawn for review and half of these declined; production showed nothing of the rest."""
    blind = LabelQuality(1.0, 0.5)
    weighted, flat = make(quality=blind), make(quality=blind)
    for number in range(100):
        drawn = number % 10 == 0
        success = not drawn or number % 20 != 0
        source, propensity = (LabelSource.PERSON, 0.1) if drawn else (LabelSource.PRODUCTION, 0.9)
        weighted.learn(Label(f"t{number}", "p", {}, 0.2, success, source, propensity))
        flat.learn(Label(f"t{number}", "p", {}, 0.2, success, source))
    assert weighted.confidence(0.2) < flat.confidence(0.2) - 0.1


def test_weights_are_cut_and_refits_thin_out():
    assert weight_of(Label("t", "p", {}, 0.1, True, propensity=0.001)) == LARGEST_WEIGHT
    counts = [due(count) for count in range(500)]
    assert all(made <= count and made >= 0.9 * count for count, made in enumerate(counts))
    assert len(set(counts)) < 60
    assert counts == sorted(counts)


def test_error_rates_are_probabilities():
    with pytest.raises(LabError, match="person_accuracy is 1"):
        LabelQuality(1.2)
    with pytest.raises(LabError, match="production_power is -1"):
        LabelQuality(0.9, -1)
    with pytest.raises(ValueError):
        BinnedBetaCalibrator(bins=0)
    with pytest.raises(ValueError):
        PlattCalibrator(strength=0)
