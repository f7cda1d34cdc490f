"""Attempts on similar tasks count on top of what is known of patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.learning import SimilarFixes
from autodev_lab.learning.facts import facts_of_trials
from autodev_lab.records import ContextTally, MemoryHit, MemoryItem, PatternContext, PatternRecord, PatternTrial

HERE, THERE = PatternContext("If", "TypeError", "first"), PatternContext("Return", "TypeError", "later")


def hit(score: float, *trials: PatternTrial) -> MemoryHit:
    return MemoryHit(MemoryItem("patterns", "", facts_of_trials(trials)), score)


def test_the_most_similar_attempt_counts_by_the_weight_and_others_by_their_share_of_its_score() -> None:
    known = {"negate": PatternRecord("negate", 1.0, 5.0), "swap": PatternRecord("swap", 0.0, 2.0)}
    hits = [hit(2.0, PatternTrial("negate", 3, 1)), hit(1.0, PatternTrial("wrap", 4, 0))]
    found = SimilarFixes(2.0).records(known, hits)
    assert (found["negate"].successes, found["negate"].tries) == (3.0, 11.0)
    assert (found["wrap"].successes, found["wrap"].tries) == (0.0, 4.0)
    assert found["swap"] == known["swap"]
    assert known["negate"].tries == 5.0, "what is known is left as it is"


def test_contexts_are_added_one_by_one() -> None:
    known = {"negate": PatternRecord("negate", 1.0, 2.0, contexts=(ContextTally(HERE, 1.0, 2.0),))}
    trial = PatternTrial("negate", 3, 1, (ContextTally(HERE, 0, 2), ContextTally(THERE, 1, 1)))
    record = SimilarFixes(1.0).records(known, [hit(1.0, trial)])["negate"]
    assert record.contexts == (ContextTally(HERE, 1.0, 4.0), ContextTally(THERE, 1.0, 1.0))


def test_nothing_found_is_what_is_known() -> None:
    known = {"negate": PatternRecord("negate", 1.0, 5.0)}
    assert SimilarFixes().records(known, []) == known
    assert SimilarFixes().records(known, [hit(0.0, PatternTrial("negate", 3, 1))]) == known


@given(
    st.lists(st.tuples(st.floats(0, 50), st.sampled_from("abc"), st.integers(1, 9), st.booleans()), max_size=6),
    st.floats(0.1, 20),
)
def test_records_stay_records(seen: list[tuple[float, str, int, bool]], weight: float) -> None:
    known = {"a": PatternRecord("a", 1.0, 4.0)}
    hits = [hit(score, PatternTrial(name, tries, int(won))) for score, name, tries, won in seen]
    for name, record in SimilarFixes(weight).records(known, hits).items():
        assert record.pattern == name
        assert 0.0 <= record.successes <= record.tries + 1e-9
        assert record.tries >= known.get(name, PatternRecord(name, 0.0, 0.0)).tries


def test_a_weight_that_weighs_nothing_is_refused() -> None:
    with pytest.raises(LabError, match="must be above 0"):
        SimilarFixes(0.0)
