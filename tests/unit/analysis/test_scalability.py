"""The Universal Scalability Law: known parameters come back, and intervals cover them as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.analysis.scalability import fit_scalability, scalability_over_clusters, usl

AGENTS = (1, 2, 4, 8, 12, 16, 20, 40, 70, 100)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e4), st.floats(0.0, 0.5), st.floats(0.0, 0.01))
def test_exact_curves_give_their_parameters_back(rate: float, contention: float, coherency: float) -> None:
    found = fit_scalability(AGENTS, usl(AGENTS, rate, contention, coherency))
    np.testing.assert_allclose(found, (rate, contention, coherency), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("contention", "coherency"), [(0.02, 0.0002), (0.002, 0.00002)])
def test_intervals_over_packages_cover_what_is_true(contention: float, coherency: float) -> None:
    """Eight packages that differ, two per cent of noise: 95 % intervals, simulated 400 times."""
    rng = np.random.default_rng(5)
    hits = np.zeros(2)
    for _ in range(400):
        own = rng.gamma(16.0, 1.0 / 16.0, size=(8, 2)) * (contention, coherency)
        rates = np.array([usl(AGENTS, 70.0, *pair) for pair in own]) * rng.normal(1.0, 0.02, size=(8, len(AGENTS)))
        found = scalability_over_clusters(AGENTS, rates)
        hits += [
            found.contention.low <= contention <= found.contention.high,
            found.coherency.low <= coherency <= found.coherency.high,
        ]
    surely = [float(stats.beta.ppf(0.05, hit, 401 - hit)) for hit in hits]
    assert min(surely) > 0.9, hits / 400


def test_a_law_without_coherency_has_no_peak() -> None:
    found = scalability_over_clusters(AGENTS, [usl(AGENTS, rate, 0.01, 0.0) for rate in (50.0, 60.0)])
    assert found.as_json()["peak_agents"] is None
    assert found.contention.value == pytest.approx(0.01)
    assert found.error < 1e-3


def test_too_little_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="three"):
        fit_scalability([1, 2, 2], [1.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="more than 0"):
        fit_scalability([1, 2, 4], [1.0, 0.0, 2.0])
