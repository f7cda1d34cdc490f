"""Contract suite for environments: evidence that repeats, agrees with itself, and grows with exposure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from autodev_lab.protocols import Environment, Workspace
from autodev_lab.records import Change, Cost, ExposureReport, Stage, Task

__all__ = ["check_environment"]

T = TypeVar("T")


def check_environment(environment: Environment, task: Task, change: Change) -> None:
    """Check that an environment keeps its promises on one task and one change.

    Parameters
    ----------
    environment
        The environment.
    task
        A task of its stream.
    change
        Any change to the task, right or wrong; calling the suite with one of each checks more.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.
    """
    assert environment.name, "an environment must have a name"
    workspace, cost = environment.workspace(task)
    _check_cost("workspace", cost)
    plausible = _check_workspace(workspace, change)

    diagnosis = _twice("diagnose", lambda: environment.diagnose(task))
    assert diagnosis.task_id == task.id, "a diagnosis must name its task"
    assert diagnosis.failing and diagnosis.total_failed >= 1, "a task must have a visible test that fails"
    assert set(diagnosis.failing) <= set(workspace.visible_tests), "a diagnosis may speak of visible tests only"
    for line in diagnosis.spectrum:
        assert line.line >= 1, "lines are counted from 1"
        assert line.failed <= diagnosis.total_failed and line.passed <= diagnosis.total_passed, (
            f"line {line.line} of {line.path} is executed by more tests than there are"
        )

    report = _twice("test", lambda: environment.test(task, change))
    assert report.task_id == task.id, "a test report must name its task"
    assert report.solved == plausible, "test and evaluate must agree on whether the visible tests pass"
    assert 0 <= report.covered_lines <= report.changed_lines, "covered lines must be among the changed lines"

    inspection = _twice("inspect", lambda: environment.inspect(task, change))
    assert inspection.task_id == task.id, "an inspection must name its task"
    assert 0 <= inspection.security_severe <= inspection.security, "severe findings must be among the security findings"
    assert inspection.files >= 1, "a change must touch a file"

    _check_exposure(environment, task, change)
    _check_cost("rollback", environment.rollback(task, change))


def _check_workspace(workspace: Workspace, change: Change) -> bool:
    tests = workspace.visible_tests
    assert tests and len(tests) == len(set(tests)), "a workspace must list its visible tests, each once"
    paths = workspace.paths()
    assert paths, "a workspace must have source files"
    for path in paths:
        assert workspace.read(path) == workspace.read(path), f"reading {path} twice must give the same text"
    candidate = change.candidate
    verdicts = workspace.evaluate((candidate, candidate))
    assert [verdict.candidate_id for verdict in verdicts] == [candidate.id] * 2, (
        "evaluate must return one verdict a candidate, in their order"
    )
    assert verdicts[0].status is verdicts[1].status, "one candidate must have one verdict"
    assert workspace.evaluate(()) == (), "evaluating nothing must give nothing"
    if not verdicts[0].plausible:
        return False
    confirmed = workspace.confirm(candidate)
    assert confirmed == workspace.confirm(candidate), "confirming a candidate twice must give the same verdict"
    assert confirmed.candidate_id == candidate.id, "a confirmation must name its candidate"
    return confirmed.plausible


def _check_exposure(environment: Environment, task: Task, change: Change) -> None:
    smaller: ExposureReport | None = None
    for stage, share in ((Stage.CANARY, 0.1), (Stage.STAGING, 0.5), (Stage.PRODUCTION, 1.0)):

        def expose(stage: Stage = stage, share: float = share) -> tuple[ExposureReport, Cost]:
            return environment.expose(task, change, stage, share)

        report = _twice("expose", expose)
        assert (report.task_id, report.stage) == (task.id, stage), "an exposure report must name its task and stage"
        assert len(report.failed) == len(set(report.failed)) <= report.sampled, (
            "failed checks must be among the sampled"
        )
        if smaller is not None:
            assert report.sampled >= smaller.sampled, "a larger share must sample at least as much"
            assert set(smaller.failed) <= set(report.failed), "the smaller sample must lie in the larger one"
        smaller = report


def _twice(name: str, ask: Callable[[], tuple[T, Cost]]) -> T:
    """Ask twice; evidence must not depend on what was asked before."""
    first, cost = ask()
    _check_cost(name, cost)
    second, again = ask()
    assert first == second, f"{name} must give the same evidence for the same question"
    assert cost == again, f"{name} must cost the same whether or not it was asked before"
    return first


def _check_cost(name: str, cost: Cost) -> None:
    assert min(cost.candidates, cost.test_executions, cost.tokens, cost.seconds) >= 0, f"{name} has a negative cost"
