"""The area under the ROC curve: what it is by counting pairs, and how often its interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.analysis.discrimination import discrimination
from autodev_lab.errors import LabError


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_it_counts_pairs(rows):
    scores, failed = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    found = discrimination(scores, failed)
    bad, good = scores[failed], scores[~failed]
    if not len(bad) or not len(good):
        assert math.isnan(found.auc) and (found.low, found.high) == (0.0, 1.0)
        return
    pairs = (bad[:, None] > good).mean() + 0.5 * (bad[:, None] == good).mean()
    assert found.auc == pytest.approx(pairs)
    assert 0.0 <= found.low <= found.auc + 1e-12 and found.auc - 1e-12 <= found.high <= 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says_and_excludes_chance():
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.8 / math.sqrt(2))  # two normals, 0.8 apart
    intervals, under_chance = [], []
    for _ in range(600):
        failed = np.arange(300) < 45
        noise = rng.normal(size=300)
        intervals.append(discrimination(noise + 0.8 * failed, failed))
        under_chance.append(discrimination(noise, failed))
    held = np.mean([one.low <= truth <= one.high for one in intervals])
    assert 0.92 <= held <= 0.98
    assert np.mean([one.low <= 0.5 <= one.high for one in under_chance]) >= 0.92
    assert np.mean([one.low > 0.5 for one in intervals]) > 0.95


def test_what_is_refused():
    with pytest.raises(LabError, match="one length"):
        discrimination([0.1, 0.2], [1])
    with pytest.raises(LabError, match="not finite"):
        discrimination([0.1, math.nan], [1, 0])
