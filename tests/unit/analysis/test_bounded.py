"""The lower bound on a mean: it holds where it should, and not by being useless."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.bounded import mean_lower_bound


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_it_is_below_the_mean_and_grows_with_confidence_given_up(values: list[float]) -> None:
    bound = mean_lower_bound(values)
    assert 0.0 <= bound <= np.mean(values) + 1e-9
    assert bound <= mean_lower_bound(values, level=0.5) + 1e-9


def test_it_is_right_often_enough() -> None:
    rng = np.random.default_rng(0)
    truth = 0.99
    bounds = [mean_lower_bound((rng.random(200) < truth).astype(float)) for _ in range(300)]
    assert np.mean(np.array(bounds) > truth) <= 0.05
    assert np.mean(bounds) > 0.95


def test_all_ones_leave_room_and_nothing_gives_nothing() -> None:
    assert mean_lower_bound([1.0] * 60) == pytest.approx(1 - (1 - (0.05 / math.e) ** (1 / 60)))
    assert mean_lower_bound([0.0] * 10) == 0.0
    assert math.isnan(mean_lower_bound([]))
