"""The interval of one package in the forest plot: it covers, and it has a width where all tasks agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.analysis.effects import matched_difference

REPLICATIONS = 4000


@pytest.mark.parametrize(
    ("tasks", "gained", "lost"), [(9, 0.1, 0.1), (9, 0.3, 0.05), (20, 0.05, 0.02), (30, 0.2, 0.1), (30, 0.0, 0.0)]
)
def test_the_interval_covers_the_true_difference(tasks: int, gained: float, lost: float) -> None:
    """Upper 99.9 % binomial bound on the share of misses stays below 8 %; nominal is 5 %."""
    rng = np.random.default_rng(4)
    drawn = rng.choice([1.0, -1.0, 0.0], p=[gained, lost, 1 - gained - lost], size=(REPLICATIONS, tasks))
    missed = sum(not found.low <= gained - lost <= found.high for found in (matched_difference(row) for row in drawn))
    bound = stats.beta.ppf(0.999, missed + 1, REPLICATIONS - missed)
    assert bound < 0.08, f"{missed} of {REPLICATIONS} missed"


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=40))
def test_it_has_a_width_and_holds_what_was_seen(differences: list[float]) -> None:
    found = matched_difference(differences)
    assert -1 <= found.low < found.high <= 1
    assert found.low <= found.value <= found.high or abs(found.value) == 1
    mirrored = matched_difference([-one for one in differences])
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
