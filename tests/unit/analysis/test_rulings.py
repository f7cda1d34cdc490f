"""Verdicts by the registered rule, and Holm's adjustment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.error_rates import upper_bound
from autodev_lab.analysis.rulings import Ruling, holm, verdict


@pytest.mark.parametrize(
    ("estimate", "interval", "floor", "expected"),
    [
        (0.6, (0.30, 0.9), 0.1, Ruling.SUPPORTED),
        (0.6, (0.29, 0.9), 0.1, Ruling.UNDECIDED),
        (0.1, (-0.1, 0.29), 0.05, Ruling.REFUTED),
        (0.1, (-0.1, 0.30), 0.05, Ruling.UNDECIDED),
        (-0.2, (-0.4, 0.0), 0.3, Ruling.BELOW_NOISE),
        (0.6, (0.4, 0.9), 0.7, Ruling.BELOW_NOISE),
        (0.6, (0.4, 0.9), math.nan, Ruling.NO_TWINS),
        (math.nan, (-math.inf, math.inf), 0.1, Ruling.UNDECIDED),
    ],
)
def test_verdicts(estimate: float, interval: tuple[float, float], floor: float, expected: Ruling) -> None:
    assert verdict(estimate, interval, 0.3, floor) is expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.2))
def test_holm_rejects_what_the_steps_reject(p_values: list[float], alpha: float) -> None:
    """Against the procedure as it is written: smallest first, stop at the first that is not rejected."""
    rejected = set()
    for step, place in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[place] * (len(p_values) - step) > alpha:
            break
        rejected.add(int(place))
    adjusted = holm(p_values)
    assert {place for place, p in enumerate(adjusted) if p <= alpha} == rejected
    assert all(p <= q <= 1.0 for p, q in zip(p_values, adjusted, strict=True))


def test_what_was_not_tested_counts_in_the_family() -> None:
    adjusted = holm([0.01, math.nan])
    assert adjusted[0] == 0.02
    assert math.isnan(adjusted[1])
    assert holm([]) == ()
    with pytest.raises(ValueError, match="cannot hold"):
        holm([0.1, 0.2], family=1)


def test_holm_holds_the_rate_of_families_with_any_false_rejection() -> None:
    """20,000 families of four with two true hypotheses: exact upper bound at most .0535, nominal .05; power is gained.

    The p values of true hypotheses share a part, as those of claims about one arm do.
    """
    rng = np.random.default_rng(3)
    from scipy import stats

    shared, own = rng.normal(size=(20_000, 1)), rng.normal(size=(20_000, 4))
    p_values = stats.norm.sf((shared + own) / math.sqrt(2) + np.array([0.0, 0.0, 2.5, 2.5]))
    adjusted = np.array([holm(row) for row in p_values])
    wrong = int((adjusted[:, :2] <= 0.05).any(axis=1).sum())
    assert upper_bound(wrong, len(adjusted)) <= 0.0535
    assert (adjusted[:, 2:] <= 0.05).mean() > (p_values[:, 2:] <= 0.05 / 4).mean() + 0.02
