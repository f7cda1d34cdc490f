"""Certificates: the promise holds in resampled streams, certifies something where it can, and says when it cannot."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.decisions import (
    DatedOutcomes,
    FixedSequences,
    Promise,
    PromiseAudit,
    audit_capital,
    certify,
    certify_mature,
    fit_delays,
)
from autodev_lab.decisions.betting import betting_p_values
from autodev_lab.decisions.promise_study import study_audit, study_dependence, study_exchangeable, study_maturing
from autodev_lab.errors import LabError

ONE = FixedSequences((0.5,), (0,))


def test_exchangeable_streams_break_the_promise_no_more_often_than_allowed():
    steep, flat = study_exchangeable(runs=2000, n=500), study_exchangeable(runs=2000, n=500, flat=True)
    assert max(steep.broken_high, flat.broken_high) <= 0.065
    assert flat.broken == flat.certified > 0  # so the bound is not empty
    assert steep.certified > 200
    assert steep.success > 0.95


def test_shared_luck_breaks_binomial_certificates_and_not_those_of_blocks():
    alone, told = (study_dependence(blocks=blocks, runs=200) for blocks in (False, True))
    assert alone.broken > 0.1 * alone.runs
    assert told.broken_high <= 0.065


def test_blocks_certify_where_success_is_high():
    rng = np.random.default_rng(3)
    blocks = np.repeat(np.arange(300), 5)
    good = rng.random(1500) < 0.995
    confidence = np.full(1500, 0.9)
    for once in (False, True):
        made = certify(confidence, good, Promise(), blocks=blocks, sequences=ONE, each_block_counts_once=once)
        assert made.threshold == 0.5
        assert "blocks of changes are exchangeable" in made.words
        assert ("mean over blocks" in made.words) == once


def test_immature_labels_break_the_promise_and_mature_or_corrected_ones_keep_it():
    ways = {way: study_maturing(way, runs=100) for way in ("immature", "mature", "observed")}
    assert ways["immature"].broken > 90
    for way in ("mature", "observed"):
        assert ways[way].broken_high <= 0.065
        assert ways[way].certified > 20


def test_the_audit_keeps_true_promises_and_withdraws_broken_ones():
    assert study_audit().withdrawn_high <= 0.05
    assert study_audit(runs=500, failing=0.02, later=0.15, at=500).withdrawn > 480
    assert study_audit(runs=500, later=0.1).withdrawn > 480


def test_one_audit_is_one_row_of_many():
    rng = np.random.default_rng(0)
    failed = rng.random(200) < 0.08
    audit = PromiseAudit(failures=0.05)
    highest = []
    for one in failed.tolist():
        audit.observe(success=not one)
        highest.append(audit.e_value)
    capital = audit_capital(failed[np.newaxis], failures=0.05)[0]
    assert np.allclose(highest, np.maximum.accumulate(np.maximum(capital, 1.0)))
    assert audit.n == 200 and audit.failed == int(failed.sum())
    assert str(audit.failed) in audit.words


@given(k=st.integers(0, 60), n=st.integers(1, 60), promised=st.floats(0.5, 0.99))
def test_a_single_threshold_is_the_exact_binomial_test(k, n, promised):
    good = np.arange(n) < k
    made = certify(np.full(n, 0.7), good, Promise(promised, 0.9), sequences=ONE)
    p = float(stats.binom.sf(good.sum() - 1, n, promised))
    assert math.isclose(made.p_value, p)
    assert (made.threshold is not None) == (p <= 0.1)
    assert (made.n, made.successes) == (n, int(good.sum()))


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 300))
def test_a_certificate_depends_on_no_order_and_deploys_by_its_threshold(seed, n):
    rng = np.random.default_rng(seed)
    confidence = rng.random(n).round(2)
    good = rng.random(n) < 0.9 + 0.1 * confidence
    turn = rng.permutation(n)
    made = certify(confidence, good, Promise(0.9, 0.8))
    assert made == certify(confidence[turn], good[turn], Promise(0.9, 0.8))
    if made.threshold is None:
        assert "deploys nothing by itself" in made.words
        assert not made.deploys(confidence).any()
    else:
        assert int(made.deploys(confidence).sum()) == made.n
        assert "exchangeable" in made.words


def test_bets_are_a_p_value():
    rng = np.random.default_rng(1)
    gains = (rng.random((4000, 200)) < 0.95) - 0.95
    p = betting_p_values(gains, 0.95)
    for level in (0.05, 0.2):
        assert stats.binomtest(int((p <= level).sum()), 4000, level, alternative="greater").pvalue > 0.01


def test_nothing_certifies_nothing():
    made = certify([], [], Promise())
    assert made.threshold is None and made.n == 0
    assert made.words.startswith("nothing certified: deploys nothing by itself")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"confidence": [0.5, math.nan], "success": [1, 0]}, "not finite"),
        ({"confidence": [0.5], "success": [1, 0]}, "one length"),
        ({"confidence": [0.5, 0.5], "success": [1, 2]}, "yes or no"),
        ({"confidence": [0.5, 0.5], "success": [1, 0], "blocks": [1]}, "one value a change"),
        ({"confidence": [0.5, 0.5], "success": [1, 0], "observed": [0.0, 1.0]}, "too young"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    with pytest.raises(LabError, match=says):
        certify(promise=Promise(), **arguments)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Promise(success=1.0), "success is 1.0"),
        (lambda: FixedSequences((0.1, 0.2), (0,)), "fall strictly"),
        (lambda: FixedSequences((0.2, 0.1), (2,)), "must start within"),
        (lambda: FixedSequences.of([]), "at least one"),
        (lambda: PromiseAudit(failures=0.0), "between 0 and 1"),
        (lambda: DatedOutcomes(np.array([5.0]), np.array([2.0]), now=9.0, horizon=3.0), "before its change"),
        (lambda: DatedOutcomes(np.array([5.0]), np.array([math.nan]), now=4.0, horizon=3.0), "after the time"),
        (lambda: fit_delays(DatedOutcomes(np.array([5.0]), np.array([6.0]), now=7.0, horizon=3.0)), "as old as"),
        (lambda: fit_delays(DatedOutcomes(np.array([5.0]), np.array([math.nan]), now=9.0, horizon=3.0)), "no failure"),
    ],
)
def test_bad_parts_are_one_sentence(make, says):
    with pytest.raises(LabError, match=says):
        make()


def test_a_failure_found_late_or_after_the_horizon_is_no_failure_of_a_mature_change():
    known = DatedOutcomes(np.array([0.0, 0.0, 60.0]), np.array([120.0, 50.0, 65.0]), now=100.0, horizon=90.0)
    assert known.success.tolist() == [True, False, False]
    assert certify_mature([0.9, 0.9, 0.9], known, Promise()).n == 2
