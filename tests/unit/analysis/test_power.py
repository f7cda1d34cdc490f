"""The power planner's model, and what it reads off a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.components import estimate_design
from autodev_lab.analysis.power import Design, packages_needed, power, simulate
from autodev_lab.errors import LabError


def test_power_grows_with_packages_tasks_and_effect() -> None:
    base = Design(packages=9, tasks=15, replicates=1)
    start = power(base, effect=0.4).value
    assert 0.1 < start < 0.8
    assert power(base, effect=0.8).value > start + 0.1
    assert power(Design(packages=16, tasks=15, replicates=1), effect=0.4).value > start + 0.1
    assert power(Design(packages=9, tasks=60, replicates=1), effect=0.4).value > start + 0.1
    assert power(base, effect=0.4, level=1 - 0.05 / 3).value < start
    assert power(base, effect=0.4) == power(base, effect=0.4)


def test_at_the_threshold_there_are_error_rates_and_no_power() -> None:
    found = power(Design(packages=10, tasks=20), effect=0.3, threshold=0.3, simulations=4000)
    assert math.isnan(found.value)
    assert found.supported + found.refuted <= 0.058
    assert packages_needed(Design(), effect=0.3, threshold=0.3) is None


def test_fewer_packages_than_the_test_needs_decide_nothing() -> None:
    found = power(Design(packages=5), effect=5.0, simulations=100)
    assert (found.supported, found.refuted, found.value) == (0.0, 0.0, 0.0)


def test_packages_needed_is_where_power_passes() -> None:
    design = Design(tasks=20, replicates=1)
    needed = packages_needed(design, effect=0.5, simulations=1000)
    assert needed is not None
    assert 7 < needed < 40
    assert power(Design(needed, 20, 1), effect=0.5, simulations=1000).value >= 0.8
    assert power(Design(needed - 1, 20, 1), effect=0.5, simulations=1000).value < 0.8
    assert packages_needed(design, effect=0.01, most=12, simulations=200) is None


def test_what_is_simulated_has_the_stated_rates() -> None:
    drawn = simulate(Design(packages=20, tasks=30, replicates=2, between=0.0), effect=0.5, experiments=200)
    assert drawn.baseline.mean() / 60 == pytest.approx(0.35, abs=0.01)
    assert drawn.treatment.sum() / drawn.baseline.sum() == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize(
    "truth",
    [
        {"baseline": 0.35, "between": 0.1, "pairing": 0.5, "spread": 0.3, "effect": 0.3},
        {"baseline": 0.2, "between": 0.02, "pairing": 0.8, "spread": 0.0, "effect": 0.0},
    ],
)
def test_components_of_a_run_are_recovered(experiment: Callable[..., Any], truth: dict[str, float]) -> None:
    """From a run with very many packages; what few packages say is noisy."""
    frame = experiment(np.random.default_rng(3), packages=300, tasks=25, replicates=2, **truth).frame()
    first = frame[~frame["twin"]]
    found = estimate_design(first[first["arm"] == "b"], first[first["arm"] == "a"], "correct")
    assert (found.packages, found.tasks, found.replicates) == (300, 25, 2)
    assert found.baseline == pytest.approx(truth["baseline"], abs=0.03)
    assert found.between == pytest.approx(truth["between"], abs=0.03)
    assert found.pairing == pytest.approx(truth["pairing"], abs=0.06)
    assert found.spread == pytest.approx(truth["spread"], abs=0.1)


def test_runs_that_say_nothing_of_variance_are_refused(experiment: Callable[..., Any]) -> None:
    frame = experiment(np.random.default_rng(3), packages=3, tasks=5).frame()
    arms = {arm: frame[(frame["arm"] == arm) & ~frame["twin"]] for arm in ("a", "b")}
    one: list[pd.DataFrame] = [rows[rows["package"] == "p00"] for rows in arms.values()]
    with pytest.raises(LabError, match="share 1 packages"):
        estimate_design(*one, "correct")
    with pytest.raises(LabError, match="right on 0 %"):
        estimate_design(arms["b"], arms["a"].assign(correct=False), "correct")
