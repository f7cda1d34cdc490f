"""The repair solver: budgets, trials, rejected changes, and independence from chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from autodev_lab.errors import LabError
from autodev_lab.execution.trees import apply_edits
from autodev_lab.pattern_rates import PLACES
from autodev_lab.records import (
    Attempt,
    Candidate,
    CandidateStatus,
    Change,
    Diagnosis,
    Edit,
    Plan,
    Suspect,
    Task,
    TaskContext,
    TaskKind,
    Verdict,
)
from autodev_lab.solvers import ChunkedEvaluation, ScriptedSolver
from autodev_lab.solvers.repair import RepairSolver, order_named

SOURCE = "def clamp(value, low, high):\n    if value < low:\n        return low\n    return min(value, low)\n"
FIXED = SOURCE.replace("min(value, low)", "min(value, high)")
TASK = Task("t1", "demo", TaskKind.INJECTED, "clamp forgets the upper bound")


class InProcess:
    """A workspace of one file, whose tests are a Python function of the file's text."""

    def __init__(self, passes: Callable[[str], bool]) -> None:
        self._passes = passes
        self.asked: list[int] = []

    @property
    def visible_tests(self) -> tuple[str, ...]:
        return ("test_clamp",)

    def paths(self) -> tuple[str, ...]:
        return ("demo.py",)

    def read(self, path: str) -> str:
        return {"demo.py": SOURCE}[path]

    def evaluate(self, candidates: Sequence[Candidate]) -> tuple[Verdict, ...]:
        self.asked.append(len(candidates))
        return tuple(self._verdict(one) for one in candidates)

    def confirm(self, candidate: Candidate) -> Verdict:
        return self._verdict(candidate)

    def _verdict(self, candidate: Candidate) -> Verdict:
        passed = self._passes(apply_edits(SOURCE, candidate.edits))
        return Verdict(candidate.id, CandidateStatus.PLAUSIBLE if passed else CandidateStatus.FAILED, 1 + passed)


def clamps(text: str) -> bool:
    names: dict[str, Callable[[int, int, int], int]] = {}
    try:
        exec(compile(text, "demo.py", "exec"), names)  # the test's own source, one edit away
        return [names["clamp"](value, 0, 9) for value in (-3, 4, 12)] == [0, 4, 9]
    except Exception:
        return False


def context(*rejected: Change) -> TaskContext:
    suspects = (Suspect("demo.py", 4, 1.0), Suspect("demo.py", 2, 0.7))
    return TaskContext(TASK, Plan("t1", suspects, 1.0, 50), Diagnosis("t1", ("test_clamp",), 1, 0), {}, rejected)


def solve(
    workspace: InProcess, *, budget: int = 400, seed: int = 0, chunk: int = 40, rejected: tuple[Change, ...] = ()
) -> Attempt:
    solver = RepairSolver(order_named("uniform"), chunk=chunk)
    attempt, cost = solver.solve(context(*rejected), workspace, budget, np.random.default_rng(seed))
    assert cost == attempt.cost
    return attempt


def test_the_fault_is_repaired_and_the_change_says_how() -> None:
    attempt = solve(InProcess(clamps))
    assert attempt.change is not None
    assert clamps(apply_edits(SOURCE, attempt.change.edits))
    assert attempt.change.solver == "repair-uniform"
    assert attempt.change.evaluations == attempt.cost.candidates
    assert attempt.change.diff.startswith("--- a/demo.py")


@pytest.mark.parametrize("budget", [1, 7, 30])
def test_the_budget_is_kept_and_counted(budget: int) -> None:
    attempt = solve(InProcess(lambda text: False), budget=budget)
    assert attempt.change is None
    assert attempt.cost.candidates == budget
    assert attempt.cost.test_executions == budget
    assert sum(trial.tries for trial in attempt.trials) == budget
    assert all(trial.successes == 0 for trial in attempt.trials)


def test_trials_name_the_template_that_succeeded() -> None:
    attempt = solve(InProcess(clamps))
    assert attempt.change is not None
    assert [trial.pattern for trial in attempt.trials if trial.successes] == list(attempt.change.patterns)
    assert sum(trial.tries for trial in attempt.trials) == attempt.cost.candidates


def test_trials_say_where_every_candidate_was_tried() -> None:
    attempt = solve(InProcess(clamps))
    for trial in attempt.trials:
        assert sum(tally.tries for tally in trial.contexts) == trial.tries
        assert sum(tally.successes for tally in trial.contexts) == trial.successes
        assert all(tally.context.statement and tally.context.place in PLACES for tally in trial.contexts)
        assert len({tally.context for tally in trial.contexts}) == len(trial.contexts)


@pytest.mark.parametrize("chunk", [1, 7, 200])
def test_chunks_change_neither_what_is_found_nor_what_is_counted(chunk: int) -> None:
    workspace = InProcess(clamps)
    assert solve(workspace, chunk=chunk) == solve(InProcess(clamps), chunk=40)
    assert max(workspace.asked) <= chunk


def test_the_same_seed_gives_the_same_attempt_and_another_another() -> None:
    assert solve(InProcess(clamps), seed=1) == solve(InProcess(clamps), seed=1)
    assert len({solve(InProcess(clamps), seed=seed).cost for seed in range(6)}) > 1


def test_a_rejected_change_is_not_proposed_again_and_costs_nothing() -> None:
    rejected: tuple[Change, ...] = ()
    seen: set[str] = set()
    for _ in range(3):
        attempt = solve(InProcess(clamps), rejected=rejected)
        if attempt.change is None:
            break
        assert attempt.change.candidate.id not in seen
        seen.add(attempt.change.candidate.id)
        rejected = (*rejected, attempt.change)
    assert len(seen) >= 1
    everything = solve(InProcess(lambda text: False), budget=5000)
    less = solve(InProcess(lambda text: False), budget=5000, rejected=rejected)
    assert less.cost.candidates == everything.cost.candidates - len(seen)


def test_a_budget_below_one_is_refused() -> None:
    with pytest.raises(LabError, match="at least 1"):
        solve(InProcess(clamps), budget=0)
    with pytest.raises(LabError, match="chunk"):
        RepairSolver(chunk=0)


def test_every_verdict_counts_each_time_it_is_asked_for() -> None:
    candidates = [Candidate((Edit("demo.py", 1, 1, f"# {number}\n"),), "p") for number in range(5)]
    workspace = InProcess(lambda text: False)
    evaluation = ChunkedEvaluation(workspace, lambda count: candidates[:count], 2)
    for index in (4, 0, 4, 1):
        assert evaluation.verdict(index).candidate_id == candidates[index].id
    assert evaluation.cost.candidates == 4
    assert workspace.asked == [1, 2]


def test_the_script_is_followed_once() -> None:
    change = Change("t1", (Edit("demo.py", 4, 4, "    return min(value, high)\n"),), "", "scripted", ("by-hand",))
    solver = ScriptedSolver({"t1": change, "t2": None})
    rng = np.random.default_rng(0)
    attempt, cost = solver.solve(context(), InProcess(clamps), 5, rng)
    assert attempt.change == change
    assert cost.candidates == 1
    assert solver.solve(context(change), InProcess(clamps), 5, rng)[0].change is None
