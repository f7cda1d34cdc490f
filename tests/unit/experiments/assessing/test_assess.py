"""Assessing a change: what it may know, when it learns, what it promises, and that it says so."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from autodev_lab.decisions import Promise
from autodev_lab.decisions.recorded.models import MODELS
from autodev_lab.experiments.assessing import assess_change
from autodev_lab.experiments.assessing.figure import assessment_figure
from autodev_lab.experiments.assessing.trained import labels_at
from autodev_lab.mining import COLUMNS, ChangeMeasures
from autodev_lab.mining.headers import Header
from autodev_lab.records import Action

DAY = 86400
NOW = 3000 * DAY
DAYS = 365.0
HEADER = Header("f" * 40, ("e" * 40,), NOW, author=0, fix=False)


def past(n: int = 1200, *, seed: int = 0, slope: float = 3.0, base: float = -3.0) -> pd.DataFrame:
    """Changes two a day whose chance of failing grows with the lines they add."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({name: rng.integers(1, 50, n).astype(float) for name in COLUMNS})
    table["commit"] = [f"{number:040x}" for number in range(n)]
    table["project"] = "tiny"
    table["la"] = np.round(np.expm1(rng.exponential(2.0, n)))
    table["entropy"] = rng.random(n)
    table["fix"] = rng.integers(0, 2, n)
    table["date"] = np.arange(n) * (NOW // 2 // n)
    chance = 1 / (1 + np.exp(-(base + slope * (np.log1p(table["la"]) - 2.0))))
    bug = rng.random(n) < chance
    table["bug"] = bug.astype(int)
    table["fix_date"] = pd.Series(np.where(bug, table["date"] + 50 * DAY, np.nan)).astype("Int64")
    return table


def measures(**changed: float) -> ChangeMeasures:
    usual = {"ns": 1, "nd": 1, "nf": 2, "entropy": 0.5, "la": 5, "ld": 2, "lt": 100, "fix": 0, "ndev": 3, "age": 2.0}
    usual |= {"nuc": 9, "exp": 9, "rexp": 4.0}
    return ChangeMeasures(**{**usual, "sexp": 5, **changed})


def assessed(table: pd.DataFrame, of: ChangeMeasures, *, promise: Promise | None = None, model: str = "logistic"):
    return assess_change(HEADER, of, table, days=DAYS, promise=promise or Promise(), model=MODELS[model]())


def test_a_large_change_is_riskier_and_the_reason_says_why():
    table = past()
    small, large = (assessed(table, measures(la=lines)) for lines in (1, 400))
    assert large.decision.assessment.risk > 0.5 > small.decision.assessment.risk
    assert small.decision.assessment.confidence > 0.9 > large.decision.assessment.confidence
    assert "lines added" in " ".join(one.words for one in large.moved[:3])
    assert small.worth is not None and small.worth.tested.low > 0.7


def test_it_deploys_what_is_certified_and_nothing_else():
    table = past()
    small, large = (assessed(table, measures(la=lines), promise=Promise(0.9)) for lines in (1, 400))
    assert small.decision.action is Action.AUTO_DEPLOY
    assert "at least 90 % succeed, with 95 % confidence, if changes are exchangeable" in small.decision.reasons[1]
    assert large.decision.action is Action.REQUEST_REVIEW


def test_nothing_is_deployed_when_nothing_is_certified():
    found = assessed(past(slope=0.0, base=-1.0), measures(la=1))
    assert found.decision.action is Action.REQUEST_REVIEW
    assert "nothing certified: deploys nothing by itself" in found.decision.reasons[1]


def test_labels_of_the_future_and_of_young_changes_are_not_known():
    table = pd.DataFrame(
        {
            "date": [0, 0, 0, NOW - 10 * DAY],
            "fix_date": pd.array([10 * DAY, 400 * DAY, NOW + DAY, NOW - DAY], dtype="Int64"),
        }
    )
    mature, failed = labels_at(table, float(NOW), DAYS)
    assert mature.tolist() == [True, True, True, False]
    assert failed.tolist() == [True, False, False, True]


def test_what_comes_later_changes_nothing():
    table = past()
    later = table.copy()
    unknown = later["fix_date"].notna() & (later["date"] > NOW // 2 - 100 * DAY)
    later.loc[unknown, "fix_date"] = NOW + DAY
    young = table[table["date"] > NOW // 2 - 100 * DAY].index
    table.loc[young, "bug"], table.loc[young, "fix_date"] = 0, pd.NA
    found, same = (assessed(one, measures(la=30)) for one in (table, later))
    assert found.decision.assessment == same.decision.assessment


@pytest.mark.parametrize("n", [0, 40])
def test_a_short_past_gives_the_formula_and_says_so(n):
    found = assessed(past(n) if n else past(1).iloc[:0], measures())
    assert found.worth is None
    assert found.decision.policy == "published"
    assert found.decision.action is Action.REQUEST_REVIEW
    assert f"of {n} changes before, {n} are at least 365 days old" in found.fallback
    assert found.as_json()["worth"] is None


def test_failures_that_all_came_late_give_the_formula():
    table = past()
    early = table["date"] < table["date"].quantile(0.7)
    table.loc[early, "bug"], table.loc[early, "fix_date"] = 0, pd.NA
    assert "some of both early" in assessed(table, measures()).fallback


@pytest.mark.parametrize("model", ["boosting", "published", "project_lines"])
def test_every_model_can_be_used(model):
    found = assessed(past(), measures(la=100), model=model)
    assert found.worth is not None and found.worth.tested.auc > 0.6
    assert found.moved


def test_the_figure_has_labels_and_n():
    found = assessed(past(), measures(la=100))
    axes = assessment_figure(found).axes[0]
    assert "log-odds of failing" in axes.get_xlabel() and axes.get_ylabel()
    assert "n = 720 earlier changes" in axes.get_title()
    assert len(axes.patches) == 14


def test_the_same_past_gives_the_same_assessment():
    first, second = (assessed(past(), measures(la=9), model="boosting") for _ in range(2))
    assert asdict(first) == asdict(second)
