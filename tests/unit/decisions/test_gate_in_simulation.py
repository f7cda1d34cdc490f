"""The learned gate at work in a simulated world whose defects can be told, in part, by what the gate sees.

The world: a plausible change of a task harder than .35 is wrong with probability .6, of an easier one with .05. The
gate does not see difficulty, but hard tasks lie in more complex code and spread suspicion over more lines.
"""

from dataclasses import replace

import numpy as np
import pytest

from autodev_lab.analysis.risk_coverage import area, compare_orders, gate_rows
from autodev_lab.decisions import Gate, LearnedRisk, PlattCalibrator, RandomPolicy
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.experiments.workbench import to_frame
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.simulation import load_parameters
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream

WORLD = replace(load_parameters(), defect_given_different=1.0, review_power=0.03)
SEEDS, TASKS = 6, 220


class Placebo(LearnedRisk):
    """The same model, shown the evidence of a change met before instead of the one it judges."""

    def __init__(self):
        super().__init__()
        self._met = []
        self._rng = np.random.default_rng(0)

    def assess(self, evidence):
        self._met.append(evidence)
        return super().assess(self._met[int(self._rng.integers(len(self._met)))])


def _rows(seed, risk):
    items = [
        replace(item, truth=replace(item.truth, different=0.6 if item.truth.difficulty > 0.35 else 0.05))
        for item in SyntheticStream(TASKS, seed=seed, parameters=WORLD)
    ]
    world = SimulatedEnvironment(items, WORLD)
    gate = Gate(risk(), PlattCalibrator(), RandomPolicy(0.5))
    spec = TeamSpec(budget=40, human_latency_seconds=60.0)
    run = run_stream(items, world, spec, solver=SimulatedSolver(), oracle=world, seed=seed, gate=gate)
    return gate_rows(to_frame(run, replicate=seed))


def _advantages(runs):
    """Area under the risk-coverage curve at random less that of the recorded risk, a seed."""
    found = []
    for rows in runs:
        wrong = ~rows["correct"]
        found.append(area(np.zeros(len(rows)), wrong) - area(rows["risk"], wrong))
    return np.array(found)


@pytest.fixture(scope="module")
def learned():
    return [_rows(seed, LearnedRisk) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def placebo():
    return [_rows(seed, Placebo) for seed in range(SEEDS)]


def _t(values):
    return values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))


def test_the_learned_gate_lets_less_through_than_chance_over_all_coverages(learned):
    assert _advantages(learned).mean() > 0.03
    assert _t(_advantages(learned)) > 3.0


def test_with_features_of_other_changes_it_does_not(placebo, learned):
    assert _t(_advantages(placebo)) < 3.0
    assert _advantages(placebo).mean() < _advantages(learned).mean() / 2


def test_at_matched_coverage_it_lets_less_through_on_average_over_seeds_and_a_placebo_does_not(learned, placebo):
    """One seed has about a hundred changes, too few for each coverage of each seed to agree."""

    def differences(runs):
        compared = [compare_orders(rows, "risk", controls=("random",)) for rows in runs]
        return np.array([[one.difference for one in seed] for seed in compared])

    assert (differences(learned).mean(axis=0) < -0.01).all()
    assert differences(placebo).mean() > differences(learned).mean() / 2
