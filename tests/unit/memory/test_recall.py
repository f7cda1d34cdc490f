"""Questions to a memory: what helps with a task, and how a decision came about, over what a real team wrote."""

import pytest

from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.memory.recall import Part, context_for, explain
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import MemoryItem, Task, TaskKind
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream


def task(task_id="t9", package="dates", title="date parser fails"):
    return Task(task_id, package, TaskKind.INJECTED, title)


def test_what_helps_is_of_other_tasks_and_code_and_decisions_are_of_the_package():
    memory = InMemoryMemory()
    memory.add(MemoryItem("codebase", "def parse_date(text): ...", {"package": "dates"}))
    memory.add(MemoryItem("codebase", "def parse_date(text): ...", {"package": "other"}))
    for task_id in ("t1", "t9"):
        memory.add(MemoryItem("tasks", "date parser fails on empty text", {}, task_id=task_id))
        memory.add(MemoryItem("patterns", "date parser fails negate", {"tries:negate": 1}, task_id=task_id))
        memory.add(MemoryItem("decisions", "auto date parser", {"package": "dates"}, task_id=task_id))
    found = context_for(memory, task())
    assert [hit.item.facts["package"] for hit in found.code] == ["dates"]
    for hits in (found.tasks, found.patterns, found.decisions):
        assert [hit.item.task_id for hit in hits] == ["t1"]
        assert hits[0].signals.keys() == {"keyword", "vector"}
    assert context_for(memory, task(package="elsewhere")).decisions == ()


def test_at_most_k_hits_and_nothing_that_is_not_valid_any_more():
    memory = InMemoryMemory()
    for number in range(9):
        memory.add(MemoryItem("tasks", f"date parser {number}", {}, task_id=f"t{number}", valid_until=10.0))
    assert len(context_for(memory, task("new"), k=2).tasks) == 2
    assert context_for(memory, task("new"), k=2, at=10.0).tasks == ()


def decided(memory, **facts):
    return memory.add(MemoryItem("decisions", "auto_deploy", facts, task_id="t1", decision_id="d1"))


def test_a_decision_is_explained_from_task_to_outcome():
    memory = InMemoryMemory()
    memory.add(MemoryItem("tasks", "date parser fails", {}, task_id="t1"))
    memory.add(MemoryItem("tasks", "something else", {}, task_id="t2"))
    memory.add(MemoryItem("patterns", "", {"tries:negate": 3, "successes:negate": 1, "tries:swap": 2}, task_id="t1"))
    memory.add(MemoryItem("patterns", "", {"tries:swap": 50}, task_id="t2"))
    facts = {"risk": 0.25, "factor:lines": 0.1, "factor:tests": 0.9, "pattern:negate": True}
    item = decided(memory, **facts, stage="rolled_back", success=False, source="production")
    by_item, by_id, by_task = (explain(memory, name) for name in (item.id, "d1", "t1"))
    assert by_item == by_id == by_task and not by_item.missing
    assert str(by_item).splitlines() == [
        "task: date parser fails",
        "patterns: negate tried 3 times, 1 passed, swap tried 2 times, 0 passed",
        "change: made with negate",
        "assessment: risk 0.25; tests 0.9; lines 0.1",
        "outcome: rolled_back, a failure, as production showed",
    ]


def test_what_is_not_remembered_is_said_to_be_missing():
    memory = InMemoryMemory()
    decided(memory, risk=0.5)
    assert explain(memory, "d1").missing == (Part.TASK, Part.PATTERNS, Part.CHANGE, Part.OUTCOME)
    with pytest.raises(LabError, match="holds no decision 'd2'"):
        explain(memory, "d2")


def test_items_of_another_run_explain_nothing():
    memory = InMemoryMemory()
    memory.add(MemoryItem("tasks", "of another run", {}, task_id="t1", run_id="r2"))
    decided(memory, risk=0.5)
    assert Part.TASK in explain(memory, "t1").missing


def test_what_a_team_writes_down_explains_its_decisions():
    homes = []

    def library(memory):
        homes.append(memory)
        return PatternLibrary(memory)

    items = list(SyntheticStream(20, seed=3))
    environment = SimulatedEnvironment(items)
    run_stream(items, environment, TeamSpec(), solver=SimulatedSolver(), oracle=environment, seed=1, patterns=library)
    (memory,) = homes
    decisions = memory.since("decisions", -1)
    assert decisions
    for decision in decisions:
        assert explain(memory, decision.id).missing == ()
    assert context_for(memory, items[0].task).tasks
