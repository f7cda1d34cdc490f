"""Rates of patterns: shrinkage, places, contexts, thresholds, intervals and what is offered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.pattern_rates import PLACES, RatePrior, place_of, rank_promise
from autodev_lab.records import ContextTally, PatternContext, PatternRecord


def located(name, *tallies, **more):
    """A record whose every try was at a known place: (statement, failure, place, successes, tries)."""
    found = tuple(
        ContextTally(PatternContext(statement, failure, place), successes, tries)
        for statement, failure, place, successes, tries in tallies
    )
    successes, tries = sum(one.successes for one in found), sum(one.tries for one in found)
    return PatternRecord(name, successes, tries, contexts=found, **more)


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 50), st.integers(0, 500)), min_size=1))
def test_without_places_a_rate_is_the_posterior_mean_of_a_beta_record(counts):
    records = {name: PatternRecord(name, good, good + bad) for name, (good, bad) in counts.items()}
    rates = RatePrior(strength=10.0).of(records)
    base = (sum(one.successes for one in records.values()) + 1) / (sum(one.tries for one in records.values()) + 50)
    for name, record in records.items():
        assert rates.rate(name) == pytest.approx((10 * base + record.successes) / (10 + record.tries))
        low, high = rates.interval(name)
        assert 0 <= low < rates.rate(name) or low == 0
        assert rates.rate(name) < high <= 1
    assert rates.rate("unknown") == pytest.approx(base)


def test_an_interval_holds_its_share_of_the_posterior():
    rates = RatePrior().of({"a": PatternRecord("a", 7.0, 40.0), "b": PatternRecord("b", 1.0, 60.0)})
    base = 9 / 150
    draws = np.random.default_rng(0).beta(10 * base + 7, 10 * (1 - base) + 33, 40_000)
    low, high = rates.interval("a")
    assert np.mean(draws < low) == pytest.approx(0.025, abs=0.003)
    assert np.mean(draws > high) == pytest.approx(0.025, abs=0.003)


def test_places_hold_all_ranks_and_the_promise_falls():
    assert [place_of(rank) for rank in (0, 1, 2, 3, 6, 7, 14, 15, 29, 1000)] == [
        "first", "next 2", "next 2", "next 4", "next 4", "next 8", "next 8", "later", "later", "later"
    ]  # fmt: skip
    weights = list(PLACES.values())
    assert weights == sorted(weights, reverse=True) and weights[0] == 1.0
    for rank in range(30):
        assert PLACES[place_of(rank)] == pytest.approx(
            np.mean([rank_promise(other) for other in range(30) if place_of(other) == place_of(rank)])
        )


def test_a_failure_at_an_unpromising_place_says_less():
    prior = RatePrior()
    near = prior.of({"a": located("a", ("If", "", "first", 0, 20)), "b": PatternRecord("b", 3.0, 30.0)})
    far = prior.of({"a": located("a", ("If", "", "later", 0, 20)), "b": PatternRecord("b", 3.0, 30.0)})
    unknown = prior.of({"a": PatternRecord("a", 0.0, 20.0), "b": PatternRecord("b", 3.0, 30.0)})
    assert far.rate("a") > near.rate("a") == unknown.rate("a")


def test_a_success_counts_whole_wherever_it_was():
    rates = RatePrior().of({"a": located("a", ("If", "", "later", 5, 5))})
    assert rates.rate("a") == RatePrior().of({"a": PatternRecord("a", 5.0, 5.0)}).rate("a")


HERE, THERE = PatternContext("If", "TypeError"), PatternContext("Return", "TypeError")
TWO = {
    "a": located("a", ("If", "TypeError", "first", 6, 10), ("Return", "TypeError", "first", 0, 10)),
    "b": located("b", ("If", "ValueError", "first", 1, 20), ("Return", "TypeError", "first", 4, 20)),
}


def test_a_context_moves_a_rate_from_the_patterns_own_as_far_as_it_has_evidence():
    plain, local = RatePrior(context_strength=math.inf).of(TWO), RatePrior(context_strength=5.0).of(TWO)
    assert plain.rate("a", HERE) == plain.rate("a", THERE) == plain.rate("a")
    assert local.rate("a") == plain.rate("a")
    assert local.rate("a", HERE) == pytest.approx((5 * plain.rate("a") + 6) / (5 + 10))
    assert local.rate("a", THERE) == pytest.approx((5 * plain.rate("a") + 0) / (5 + 10))
    assert local.rate("a", PatternContext("While")) == pytest.approx(plain.rate("a"))
    assert local.rate("never", HERE) == pytest.approx(plain.rate("never"))


def test_the_feature_says_what_of_a_context_counts():
    by_failure = RatePrior(context_strength=5.0, feature="failure").of(TWO)
    assert (
        by_failure.rate("b", HERE)
        == by_failure.rate("b", THERE)
        > by_failure.rate("b", PatternContext("If", "ValueError"))
    )
    by_both = RatePrior(context_strength=5.0, feature="both").of(TWO)
    assert by_both.rate("b", HERE) == pytest.approx(by_both.rate("b"))
    assert by_both.rate("b", THERE) > by_both.rate("b")


def test_the_best_for_a_context_come_first_with_what_was_seen_there():
    rates = RatePrior(context_strength=5.0).of(TWO)
    assert [offer.pattern for offer in rates.offers(HERE)] == ["a", "b"]
    assert [offer.pattern for offer in rates.offers(THERE)] == ["b", "a"]
    (best,) = rates.offers(THERE, k=1)
    assert (best.successes_here, best.tries_here) == (4, 20)
    assert best.mean == rates.rate("b", THERE) and (best.low, best.high) == rates.interval("b", THERE)
    assert best.why.startswith("5 of 40 tries worked, 4 of 20 here; 0 changes lasted, 0 were refused; rate 0.")


def test_what_is_below_the_threshold_is_not_offered():
    records = {"good": PatternRecord("good", 30.0, 60.0), "poor": PatternRecord("poor", 0.0, 60.0)}
    everything, choosy = RatePrior().of(records), RatePrior(threshold=0.05).of(records)
    assert [offer.pattern for offer in everything.offers()] == ["good", "poor"]
    assert [offer.pattern for offer in choosy.offers()] == ["good"]
    assert choosy.is_offered("good") and not choosy.is_offered("poor") and everything.is_offered("unknown")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"strength": 0}, "strength is 0"),
        ({"context_strength": math.nan}, "context_strength is nan"),
        ({"threshold": 1.0}, r"threshold is 1\.0"),
        ({"threshold": -0.1}, r"threshold is -0\.1"),
    ],
)
def test_a_prior_that_cannot_be_is_refused(parameters, sentence):
    with pytest.raises(LabError, match=sentence):
        RatePrior(**parameters)
