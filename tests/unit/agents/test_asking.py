"""What agents ask their memory: each question is noted, and what was found counts only where that was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodev_lab.agents.asking import Asking
from autodev_lab.agents.recalled import FileCaution, RecalledHistory
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import StreamRun, TeamSpec, run_stream
from autodev_lab.records import (
    Found,
    Inspection,
    Link,
    MemoryHit,
    MemoryItem,
    Retrieval,
    Review,
    RiskScore,
    Role,
    Task,
    TaskKind,
)
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream

SPEC = TeamSpec(developers=2, budget=15, human_latency_seconds=5.0)


def asking_about(task_id: str, memory: InMemoryMemory) -> Asking:
    task = Task(task_id, "p", TaskKind.INJECTED, "a test fails")
    return Asking(memory, task, agent_id="developer-1", role=Role.DEVELOPER, at=7.0)


def run(spec: TeamSpec = SPEC, homes: list[InMemoryMemory] | None = None) -> StreamRun:
    def home() -> InMemoryMemory:
        made = InMemoryMemory()
        if homes is not None:
            homes.append(made)
        return made

    items = list(SyntheticStream(80, seed=5, packages=["ant", "bee"]))
    # tasks that come one after the other find what became of the ones before
    items = [replace(one, task=replace(one.task, arrival=60.0 * place)) for place, one in enumerate(items)]
    world = SimulatedEnvironment(items)
    return run_stream(items, world, spec, solver=SimulatedSolver(), oracle=world, seed=1, memory=home)


def noted(run: StreamRun) -> list[Retrieval]:
    return [
        one
        for record in run.records
        for entry in record.state.history
        for one in getattr(entry.result, "retrieved", ())
    ]


def test_a_search_is_noted_with_what_came_back() -> None:
    memory = InMemoryMemory()
    memory.add(MemoryItem("patterns", "dates are parsed", {}, task_id="t1"))
    asking = asking_about("t2", memory)
    (hit,) = asking.search("parse dates", collection="patterns", k=4)
    found = (Found("patterns:0", hit.score, "t1"),)
    assert asking.noted == (
        Retrieval("t2", "developer-1", Role.DEVELOPER, 7.0, "patterns", "keyword", "parse dates", 4, found),
    )
    assert asking.search("nothing of the sort", collection="patterns", k=4) == ()
    assert [len(one.found) for one in asking.noted] == [1, 0], "an empty answer is an answer"


def test_what_was_remembered_of_the_task_itself_can_be_left_out() -> None:
    memory = InMemoryMemory()
    for task_id in ("t1", "t2", "t1~1", "t3"):
        memory.add(MemoryItem("patterns", "dates are parsed", {}, task_id=task_id))
    asking = asking_about("t1~1", memory)
    hits = asking.search_others("dates", collection="patterns", k=1)
    assert [hit.item.task_id for hit in hits] == ["t2"]
    assert [one.task_id for one in asking.noted[0].found] == ["t2"]


def test_links_that_were_followed_are_noted_nearest_first() -> None:
    memory = InMemoryMemory()
    memory.link([Link("t1", "SUSPECTS", "a.py"), Link("d1", "DECIDES", "t1"), Link("t0", "SUSPECTS", "a.py")])
    asking = asking_about("t2", memory)
    assert dict(asking.impact("a.py", 2, k=2)) == {"t0": 1, "t1": 1, "d1": 2}
    assert asking.noted[0].found == (Found("t0", 1.0), Found("t1", 1.0))
    assert (asking.noted[0].mode, asking.noted[0].query, asking.noted[0].collection) == ("impact", "a.py", "")


def test_every_role_asks_and_notes_what_its_memory_holds() -> None:
    homes: list[InMemoryMemory] = []
    asked = noted(run(homes=homes))
    held = {item.id: item for item in homes[0].since("patterns", -1) + homes[0].since("decisions", -1)}
    held |= {item.id: item for item in homes[0].since("tasks", -1)}
    collections = {
        Role.ARCHITECT: {"tasks", ""},
        Role.DEVELOPER: {"patterns"},
        Role.REVIEWER: {"decisions"},
        Role.DEPLOYER: {"decisions"},
    }
    for role, where in collections.items():
        ours = [one for one in asked if one.role is role]
        assert {one.collection for one in ours} == where
        assert any(one.found for one in ours), f"{role} finds something in a stream of 80 tasks"
    for one in asked:
        assert len(one.found) <= one.k
        for found in one.found if one.mode == "keyword" else ():
            assert held[found.item_id].task_id == found.task_id
            assert held[found.item_id].at <= one.at, "nobody finds what is not yet there"
    of_files = [one for one in asked if one.role is Role.REVIEWER]
    for one in of_files:
        assert all(f"file:{one.query}" in held[found.item_id].facts for found in one.found)


def test_an_attempt_is_noted_with_every_stage_it_was_made_in() -> None:
    records = run().records
    for record in records:
        kinds = [
            type(entry.result).__name__ for entry in record.state.history if getattr(entry.result, "retrieved", ())
        ]
        assert kinds[0] == "Plan"
        assert kinds.count("Attempt") == len([one for one in record.attempts if one.trials])


def test_what_is_found_changes_what_a_team_does_only_where_it_is_used() -> None:
    def ends(spec: TeamSpec) -> list[tuple[str, int]]:
        return [(one.outcome.stage.value, sum(a.cost.candidates for a in one.attempts)) for one in run(spec).records]

    assert ends(replace(SPEC, recall="used")) != ends(SPEC)
    assert ends(replace(SPEC, recall="used")) == ends(replace(SPEC, recall="used"))


def test_without_a_memory_nothing_is_found_and_nothing_is_learned() -> None:
    nobody = run(replace(SPEC, memory="none", recall="used"))
    asked = noted(nobody)
    assert asked and not any(one.found for one in asked)
    assert nobody.patterns == {}
    uniform = run(replace(SPEC, memory="none"))
    assert [one.outcome for one in nobody.records] == [one.outcome for one in uniform.records]


def hit(item_id: str, success: bool) -> MemoryHit:
    return MemoryHit(MemoryItem("decisions", "", {"success": success}, id=item_id), 1.0)


def test_failures_on_the_same_files_cost_quality_and_never_the_approval() -> None:
    inspection = Inspection("t", 0, 0, 0, 4, 4, 1, 1, 1, 0, 0, 3)
    review = Review("t", True, 9.0, (), inspection)
    caution = FileCaution(each=0.5, most=0.8)
    assert caution.applied(review, [hit("d1", False), hit("d2", True)]).quality == 8.5
    twice = [hit("d1", False), hit("d1", False)]
    assert caution.applied(review, twice).quality == 8.5, "a decision on two of the files is one decision"
    assert caution.applied(review, [hit(f"d{n}", False) for n in range(9)]).quality == pytest.approx(8.2)
    assert caution.applied(replace(review, quality=0.1), twice).quality == 0.0
    assert caution.applied(review, twice).approved


def test_a_history_of_failures_raises_the_risk_and_one_of_successes_lowers_it() -> None:
    history, score = RecalledHistory(strength=0.2), RiskScore(0.5, {"lines": 0.1}, "size")
    failed = history.applied(score, [hit(f"d{n}", False) for n in range(8)])
    assert failed.risk == pytest.approx(0.5 + 0.2 * (9 / 10 - 0.5))
    assert failed.reason == "size; 8 of 8 similar changes failed"
    assert failed.factors == score.factors
    assert history.applied(score, [hit(f"d{n}", True) for n in range(8)]).risk == pytest.approx(0.42)
    assert history.applied(score, []) == score
    assert history.applied(replace(score, risk=0.99), [hit(f"d{n}", False) for n in range(8)]).risk == 1.0
