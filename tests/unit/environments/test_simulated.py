"""The simulated world: deterministic, honest to the contract, and close to the figures it was fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import (
    Candidate,
    CandidateStatus,
    Change,
    Diagnosis,
    Edit,
    Plan,
    Stage,
    StreamItem,
    Task,
    TaskContext,
    TaskKind,
    Truth,
)
from autodev_lab.simulation import SimulatedTruth, chance, load_parameters
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream
from autodev_lab.testing import check_environment, check_solver, check_stream

PARAMETERS = load_parameters()
TASK = Task("t", "p", TaskKind.SYNTHETIC, "a test fails")


def world(parameters=PARAMETERS, **facts):
    truth = SimulatedTruth("t", "k", 0, 0.5, (("template-01", 0.5), ("template-02", 0.5)), 0.5, 0.3)
    item = StreamItem(TASK, replace(truth, **facts))
    return SimulatedEnvironment([item], parameters), item


def change_of(text, pattern="template-01"):
    return Change("t", (Edit("p.py", 1, 1, text),), "", "s", (pattern,), 1)


def changes(environment, n=20):
    """Candidates of both templates, split into those that pass the visible tests and those that do not."""
    workspace, _ = environment.workspace(TASK)
    made = [change_of(f"{p} {k}\n", p) for p in ("template-01", "template-02") for k in range(n)]
    verdicts = workspace.evaluate([change.candidate for change in made])
    passing = [change for change, verdict in zip(made, verdicts, strict=True) if verdict.plausible]
    return passing, [change for change in made if change not in passing]


def test_the_stream_keeps_the_contract_and_depends_on_its_seed():
    check_stream(SyntheticStream(20, seed=3))
    assert list(SyntheticStream(5, seed=1)) != list(SyntheticStream(5, seed=2))
    assert list(SyntheticStream(9, seed=1))[:5] == list(SyntheticStream(5, seed=1))


def test_the_environment_keeps_the_contract_for_right_and_wrong_changes():
    environment, _ = world()
    passing, failing = changes(environment)
    for change in (*passing[:5], *failing[:5]):
        check_environment(environment, TASK, change)


@pytest.mark.parametrize("order", ["uniform", "static", "learned", "placebo"])
def test_the_solver_keeps_the_contract(order):
    items = list(SyntheticStream(30, seed=5))
    environment = SimulatedEnvironment(items)
    for item in items:
        workspace, _ = environment.workspace(item.task)
        diagnosis, _ = environment.diagnose(item.task)
        context = TaskContext(item.task, Plan(item.task.id, (), 1.0, 20), diagnosis)
        check_solver(SimulatedSolver(order), context, workspace, budget=20)


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 25)), max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_questions_has_the_same_answers(asked, shuffler):
    candidates = [
        Candidate((Edit("p.py", number, number, f"template-0{number} {site}\n"),), "x") for number, site in asked
    ]
    environment, _ = world()
    workspace, _ = environment.workspace(TASK)
    together = {verdict.candidate_id: verdict for verdict in workspace.evaluate(candidates)}
    shuffler.shuffle(candidates)
    fresh, _ = world()[0].workspace(TASK)
    for candidate in candidates:
        (verdict,) = fresh.evaluate([candidate])
        assert verdict == together[candidate.id]


@pytest.mark.parametrize("text", ["", "nonsense\n", "template-03 1\n", "template-01 20\n", "template-01 -1\n"])
def test_what_is_no_candidate_of_this_world_is_invalid(text):
    environment, item = world()
    workspace, _ = environment.workspace(TASK)
    change = change_of(text)
    assert workspace.evaluate([change.candidate])[0].status is CandidateStatus.INVALID
    assert not environment.test(TASK, change)[0].solved
    assert not environment.judge(TASK, item.truth, change).correct


def test_provenance_plays_no_part():
    environment, item = world()
    change = changes(environment)[0][0]
    renamed = replace(change, solver="another", patterns=("another",), diff="x", evaluations=9)
    assert environment.judge(TASK, item.truth, change) == environment.judge(TASK, item.truth, renamed)
    assert environment.inspect(TASK, change) == environment.inspect(TASK, renamed)


def test_a_change_that_is_the_original_is_right_and_never_fails_in_production():
    environment, item = world(different=0.0)
    for change in changes(environment)[0]:
        judgement = environment.judge(TASK, item.truth, change)
        assert judgement.correct and judgement.identical
        assert environment.expose(TASK, change, Stage.PRODUCTION, 1.0)[0].failed == ()


def test_defects_pass_the_visible_tests_and_show_in_production_by_their_power():
    certain = replace(PARAMETERS, defect_given_different=1.0)
    environment, item = world(certain, different=1.0, reveal=0.3)
    passing, _ = changes(environment)
    assert len(passing) > 10
    shown = [len(environment.expose(TASK, change, Stage.PRODUCTION, 1.0)[0].failed) for change in passing]
    for change in passing:
        assert environment.test(TASK, change)[0].solved
        assert not environment.judge(TASK, item.truth, change).correct
    assert 0.2 < np.mean(shown) / certain.exposure_tests < 0.4
    blind, _ = world(certain, different=1.0, reveal=0.0)
    assert all(not blind.expose(TASK, change, Stage.PRODUCTION, 1.0)[0].failed for change in passing)


def test_inspection_has_its_power_and_its_false_alarms():
    sharp = replace(PARAMETERS, defect_given_different=1.0, review_power=1.0, review_false_alarm=0.0)
    wrong, _ = world(sharp, different=1.0)
    right, _ = world(sharp, different=0.0)
    passing, _ = changes(wrong)
    assert all(wrong.inspect(TASK, change)[0].lint == 1 for change in passing)
    assert all(right.inspect(TASK, change)[0].lint == 0 for change in passing)


def test_a_follow_up_has_the_truth_of_its_root():
    environment, _ = world()
    follow_up = replace(TASK, id="t~1", parent="t", depth=1)
    change = changes(environment)[0][0]
    assert environment.workspace(follow_up)[0].read("p.py") == environment.workspace(TASK)[0].read("p.py")
    assert environment.test(follow_up, change)[0].solved


def test_drift_moves_the_mix_of_bug_kinds():
    drifting = replace(PARAMETERS, drift=0.01)
    families = [item.truth.family for item in SyntheticStream(600, seed=1, parameters=drifting)]
    still = [item.truth.family for item in SyntheticStream(600, seed=1)]
    assert np.mean(families[300:]) > np.mean(families[:50]) + 3
    assert abs(np.mean(still[300:]) - np.mean(still[:300])) < 1.5


def share_fixed(order, budget, n=800):
    """Share of tasks fixed after a hundred tasks of learning, one developer, no gate."""
    items = list(SyntheticStream(n, seed=11))
    environment = SimulatedEnvironment(items)
    library = PatternLibrary(InMemoryMemory())
    solver = SimulatedSolver(order)
    fixed = []
    for index, item in enumerate(items):
        workspace, _ = environment.workspace(item.task)
        context = TaskContext(
            item.task, Plan(item.task.id, (), 1.0, budget), Diagnosis(item.task.id, (), 0, 0), dict(library.records())
        )
        attempt, _ = solver.solve(context, workspace, budget, np.random.Generator(np.random.PCG64(index)))
        library.observe(item.task, attempt.trials, agent_id="a", at=0.0)
        fixed.append(attempt.change is not None)
    return float(np.mean(fixed[100:]))


@pytest.mark.parametrize(
    ("order", "budget", "measured"),
    [
        ("uniform", 5, 0.25),
        ("uniform", 20, 0.40),
        ("uniform", 200, 0.63),
        ("learned", 5, 0.37),
        ("learned", 20, 0.51),
        ("learned", 200, 0.63),
    ],
)
def test_the_shipped_parameters_reproduce_the_measured_figures(order, budget, measured):
    assert abs(share_fixed(order, budget) - measured) < 0.06


def test_a_placebo_learns_nothing():
    assert abs(share_fixed("placebo", 5) - share_fixed("uniform", 5)) < 0.06


def test_the_whole_platform_runs_on_it_and_a_seed_gives_the_same_run():
    items = list(SyntheticStream(60, seed=2))

    def go(seed):
        environment = SimulatedEnvironment(items)
        spec = TeamSpec(developers=2, budget=20)
        return run_stream(items, environment, spec, solver=SimulatedSolver(), oracle=environment, seed=seed)

    first = go(1)
    assert first == go(1)
    assert first != go(2)
    stages = {record.outcome.stage for record in first.records}
    assert Stage.HEALTHY in stages and Stage.DEAD_LETTER not in stages


def test_tasks_of_another_world_are_refused_in_words():
    with pytest.raises(LabError, match="not of the simulated world"):
        SimulatedEnvironment([StreamItem(TASK, Truth("t"))])
    environment, _ = world()
    with pytest.raises(LabError, match="not in this simulated world"):
        environment.workspace(replace(TASK, id="other"))
    with pytest.raises(LabError, match="its only file"):
        environment.workspace(TASK)[0].read("q.py")
    with pytest.raises(ValueError, match="share"):
        environment.expose(TASK, change_of("x"), Stage.CANARY, 0.0)


def test_bad_arguments_are_refused_in_words():
    with pytest.raises(LabError, match="at least 1"):
        SyntheticStream(0, seed=1)
    with pytest.raises(LabError, match="package name"):
        SyntheticStream(1, seed=1, packages=())
    with pytest.raises(LabError, match="choose one of"):
        SimulatedSolver("alphabetical")
    with pytest.raises(LabError, match="probability"):
        replace(PARAMETERS, coverage=1.5)
    with pytest.raises(LabError, match="more than 0"):
        replace(PARAMETERS, sites=0)
    with pytest.raises(LabError, match="0 or more"):
        replace(PARAMETERS, expose_seconds=-1.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1, 2]", "no mapping"),
        ("{", "cannot read"),
        ("{speed: {value: 1, unit: x, source: y}}", "speed is unknown"),
        ("{sites: 20}", "sites needs exactly value, unit and source"),
        ("{sites: {value: 2.5, unit: x, source: y}}", "must be whole"),
        ("{coverage: {value: high, unit: x, source: y}}", "must be a number"),
    ],
)
def test_a_bad_parameter_file_is_refused_in_words(tmp_path, text, complaint):
    file = tmp_path / "parameters.yaml"
    file.write_text(text)
    with pytest.raises(LabError, match=complaint):
        load_parameters(file)


def test_chance_is_uniform():
    draws = np.array([chance(f"key {number}") for number in range(20_000)])
    counts = np.histogram(draws, bins=20, range=(0.0, 1.0))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-squared with 19 degrees of freedom: p = 1e-4 at 50
