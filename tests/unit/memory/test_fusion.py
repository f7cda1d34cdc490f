"""Fused scores: scaled, weighted, and the same whatever unit a signal has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.memory.fusion import min_max, weighted_sum

scores = st.dictionaries(st.integers(0, 9), st.floats(-1e3, 1e3), max_size=8)


@given(scores, st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_the_unit_and_the_zero_of_a_signal_do_not_matter(one, factor, shift):
    moved = {key: factor * score + shift for key, score in one.items()}
    for key, value in min_max(one).items():
        assert 0.0 <= value <= 1.0
        if max(one.values()) - min(one.values()) > 1e-3:
            assert min_max(moved)[key] == pytest.approx(value, abs=1e-6)


@given(scores, scores)
def test_a_fused_score_is_at_most_the_sum_of_the_weights(one, other):
    fused = weighted_sum({"keyword": one, "vector": other}, {"keyword": 0.25, "vector": 0.75})
    assert set(fused) == set(one) | set(other)
    assert all(0.0 <= score <= 1.0 for score in fused.values())


@given(scores)
def test_a_signal_of_no_weight_changes_nothing(one):
    alone = weighted_sum({"keyword": one}, {"keyword": 1.0})
    both = weighted_sum({"keyword": one, "vector": dict.fromkeys(one, 1.0)}, {"keyword": 1.0, "vector": 0.0})
    assert both == alone
