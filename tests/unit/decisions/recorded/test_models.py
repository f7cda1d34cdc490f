"""Features know nothing of later changes or labels; models are fitted on the past, repeat, and explain themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.decisions.recorded.features import FEATURE_WORDS, features_of
from autodev_lab.decisions.recorded.models import MODELS
from autodev_lab.decisions.recorded.networks import Networks
from autodev_lab.decisions.recorded.reading import MEASURES
from autodev_lab.errors import LabError

FAILING_PROJECT, GOOD_PROJECT = "ant", "bee"


def changes(n: int = 900, seed: int = 0) -> pd.DataFrame:
    """Two projects, one with more bugs; large changes fail more often."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.geometric(0.05, n).astype(float) for name in MEASURES})
    frame["entropy"] = rng.random(n)
    frame["fix"] = rng.integers(0, 2, n).astype(float)
    frame["project"] = np.where(rng.random(n) < 0.5, FAILING_PROJECT, GOOD_PROJECT)
    frame["time"] = 1.5e9 + np.cumsum(rng.exponential(3600.0, n))
    odds = np.log(frame["la"]) - 3.0 + 1.5 * (frame["project"] == FAILING_PROJECT)
    frame["failed"] = rng.random(n) < 1 / (1 + np.exp(-odds))
    return frame.assign(commit=[f"c{number}" for number in range(n)], known=np.nan)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 299), seed=st.integers(0, 10))
def test_no_feature_knows_what_comes_later_nor_any_label(cut: int, seed: int) -> None:
    whole = changes(300, seed)
    other = changes(300, seed + 1)
    later = pd.concat([whole.iloc[:cut], other.iloc[cut:]], ignore_index=True)
    later["failed"] = ~whole["failed"]
    expected, found = features_of(whole).iloc[:cut], features_of(later).iloc[:cut]
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_frame_equal(features_of(whole.iloc[:cut]), expected)


def test_every_feature_has_words_and_ratios_are_what_they_say() -> None:
    found = features_of(changes(60))
    assert list(found) == list(FEATURE_WORDS)
    plain = changes(60)
    assert np.allclose(np.expm1(found["churn"]), plain["la"] + plain["ld"])
    assert np.allclose(np.expm1(found["relative_churn"] + found["lt"]), plain["la"] + plain["ld"])
    assert ((found["added_share"] > 0) & (found["added_share"] < 1)).all()


def test_numbers_next_to_nothing_are_nothing() -> None:
    """As ApacheJIT has them: an experience of 2.9e-322, which no division survives."""
    frame = changes(300)
    frame["sexp"] = np.resize([0.0, 1.3e-315, 7.0], 300)
    model = Networks(count=1, passes=1)
    model.fit(features_of(frame), frame["failed"].to_numpy())
    tiny, none = (model.risk(features_of(frame.assign(sexp=value))) for value in (2.9e-322, 0.0))
    assert np.isfinite(tiny).all() and np.array_equal(tiny, none)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_learns_repeats_itself_and_explains(name: str) -> None:
    frame = changes()
    features, failed = features_of(frame), frame["failed"].to_numpy()
    model, again = MODELS[name](), MODELS[name]()
    for one in (model, again):
        one.fit(features.iloc[:700], failed[:700])
    risk = model.risk(features.iloc[700:])
    assert np.array_equal(risk, again.risk(features.iloc[700:])), "the same history gives the same model"
    assert ((risk >= 0) & (risk <= 1)).all()
    assert risk[failed[700:]].mean() > risk[~failed[700:]].mean()
    stranger = features.iloc[[700]].assign(project="unseen")
    assert 0 <= model.risk(stranger)[0] <= 1
    told = model.explain(features.iloc[[700]])
    sizes = [abs(one.amount) for one in told]
    assert told and sizes == sorted(sizes, reverse=True)
    assert all(one.words.split(" (")[0] and ("raises" in one.words or "lowers" in one.words) for one in told)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("published", "project")])
def test_the_reason_of_an_enormous_change_is_its_size(name: str) -> None:
    frame = changes()
    features = features_of(frame)
    model = MODELS[name]()
    model.fit(features, frame["failed"])
    (smallest, largest) = (features.loc[[frame["la"].idxmin()]], features.loc[[frame["la"].idxmax()]])
    names = ("la", "churn", "lines_a_file", "relative_size", "added_share", "relative_churn")
    amounts = [sum(part.amount for part in model.explain(one) if part.name in names) for one in (smallest, largest)]
    assert amounts[0] < 0 < amounts[1]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("labels", "words"), [(0, "no failure"), (1, "only failures")])
def test_one_kind_of_label_is_refused(name: str, labels: int, words: str) -> None:
    features = features_of(changes(50))
    with pytest.raises(LabError, match=words):
        MODELS[name]().fit(features, np.full(50, labels))
    with pytest.raises(LabError, match="no change"):
        MODELS[name]().fit(features.head(0), np.zeros(0))
    with pytest.raises(LabError, match="49 labels for 50 changes"):
        MODELS[name]().fit(features, np.zeros(49))
