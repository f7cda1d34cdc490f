"""Escalation rules and expiry in a team at work, under the virtual runtime."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from autodev_lab.agents import HumanDesk, Surroundings, Timing
from autodev_lab.decisions import DeployReviewedPolicy, Gate, RandomPolicy, make_gate
from autodev_lab.errors import LabError
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.ledger.bus import InMemoryEventBus
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import TaskRecord, TeamSpec, run_stream
from autodev_lab.records import (
    Attempt,
    Change,
    Cost,
    Decision,
    Diagnosis,
    Edit,
    EscalationLevel,
    ExposureReport,
    HumanAnswer,
    Inspection,
    Judgement,
    LineSpectrum,
    Role,
    Stage,
    StreamItem,
    Task,
    TaskKind,
    TestReport,
    Truth,
)
from autodev_lab.rules import EscalationRules

SPEC = TeamSpec(budget=10)


@dataclass
class World:
    """Everything is fine but for what is written down: a task's first change is insecure, and fails in production."""

    severe: dict[str, int] = field(default_factory=dict)
    outages: dict[str, int] = field(default_factory=dict)
    name: str = "written"

    def workspace(self, task):
        return None, Cost(seconds=1.0)

    def diagnose(self, task):
        return Diagnosis(task.id, ("test_a",), 1, 3, (LineSpectrum("m.py", 1, 1, 0),)), Cost(seconds=1.0)

    def test(self, task, change):
        return TestReport(task.id, 4, (), 1, 1), Cost(seconds=1.0)

    def inspect(self, task, change):
        severe = self.severe.get(task.id, 0) if change.edits[0].replacement.endswith("0\n") else 0
        return Inspection(task.id, 0, severe, severe, 2, 2, 1, 1, 1, 0, 0, 3), Cost(seconds=1.0)

    def expose(self, task, change, stage, share):
        down = stage is Stage.PRODUCTION and share == 1.0
        failed = self.outages.get(task.id, 0) if down else 0
        return ExposureReport(task.id, stage, 10, tuple(f"test_{one}" for one in range(failed))), Cost(seconds=1.0)

    def rollback(self, task, change):
        return Cost(seconds=1.0)

    def judge(self, task, truth, change):
        return Judgement(task.id, True)


class Solver:
    name = "first"

    def solve(self, context, workspace, budget, rng):
        cost = Cost(candidates=1, seconds=1.0)
        edit = Edit("m.py", 1, 1, f"x = {len(context.rejected)}\n")
        return Attempt(context.task.id, Change(context.task.id, (edit,), "", self.name, (), 1), (), cost), cost


class Person:
    """Approves everything, after its time."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[str] = []

    def answer(self, state):
        self.asked.append(state.task.id)
        seconds = self.seconds.get(state.task.id.partition("~")[0], 60.0)
        return HumanAnswer(state.task.id, True, seconds, 5.0), Cost(seconds=seconds)


def run(world, person, *, ids=("t1",), policy=None, **more) -> tuple[TaskRecord, ...]:
    items = [StreamItem(Task(one, "toolz", TaskKind.SYNTHETIC, f"{one} fails"), Truth(one)) for one in ids]
    gate = make_gate("published")
    made = Gate(gate.risk, gate.calibrator, policy or DeployReviewedPolicy())
    return run_stream(
        items, world, SPEC, solver=Solver(), oracle=world, seed=1, human=person, gate=made, **more
    ).records


def decision(record: TaskRecord) -> Decision:
    (found,) = [entry.result for entry in record.state.history if isinstance(entry.result, Decision)]
    return found


def closed(record: TaskRecord) -> tuple[Stage, bool]:
    return record.state.stage, record.outcome.deployed


def test_a_rule_that_holds_asks_a_person_whatever_the_policy_says() -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"], ["lines_changed > 1"])
    person = Person()
    severe, calm = run(World(severe={"t1": 1}), person, ids=("t1", "t2"), rules=rules)
    assert set(person.asked) == {"t1", "t2"}
    assert decision(severe).escalation is EscalationLevel.IMMEDIATE
    assert decision(severe).reasons[0] == "immediate escalation: security_vulnerability_detected"
    assert decision(calm).escalation is EscalationLevel.HIGH_PRIORITY
    assert "lines_changed is 2" in decision(calm).reasons[0]
    assert closed(severe) == (Stage.HEALTHY, True), "an answer that comes in time is followed"


def test_without_rules_and_with_rules_that_do_not_hold_the_policy_decides() -> None:
    plain = run(World(severe={"t1": 1}), Person())
    idle = run(World(severe={"t1": 1}), Person(), rules=EscalationRules.parse(["lines_changed > 100"]))
    assert plain == idle
    assert decision(plain[0]).escalation is None
    assert decision(plain[0]).action.value == "AUTO_DEPLOY"


def test_what_goes_to_a_person_for_certain_has_propensity_one() -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"])
    ids = tuple(f"t{number}" for number in range(6))
    records = run(World(severe=dict.fromkeys(ids, 1)), Person(), ids=ids, policy=RandomPolicy(), rules=rules)
    assert [(decision(one).propensity, decision(one).explored) for one in records] == [(1.0, False)] * 6


def test_an_unanswered_escalation_expires_undeployed_and_blocks_nobody() -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"])
    person = Person(t1=1e6)
    late, calm = run(World(severe={"t1": 1}), person, ids=("t1", "t2"), rules=rules, answer_within_seconds=600.0)
    assert closed(calm) == (Stage.HEALTHY, True)
    assert calm.closed_at < late.closed_at
    assert closed(late) == (Stage.DECLINED, False)
    answer = late.state.history[-1].result
    assert isinstance(answer, HumanAnswer)
    assert answer.expired and not answer.approve
    assert late.state.reason == "nobody answered within 600 s"
    (escalated_at,) = [entry.at for entry in late.state.history if entry.stage is Stage.ESCALATED]
    assert late.state.history[-1].at - escalated_at == pytest.approx(600.0)
    assert (late.outcome.success, late.outcome.source) == (None, None), "it says nothing about the change"


@pytest.mark.parametrize(
    ("seconds", "stage"), [(599.0, Stage.HEALTHY), (600.0, Stage.DECLINED), (700.0, Stage.DECLINED)]
)
def test_an_answer_at_the_deadline_or_later_changes_nothing(seconds: float, stage: Stage) -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"])
    # the second task keeps the platform running until after the answer
    world, person = World(severe={"t1": 1, "t2": 1}), Person(t1=seconds, t2=550.0)
    first, second = run(world, person, ids=("t1", "t2"), rules=rules, answer_within_seconds=600.0)
    assert first.state.stage is stage
    assert second.state.stage is Stage.HEALTHY


def test_an_outage_is_rolled_back_at_once_and_its_fix_goes_to_a_person() -> None:
    rules = EscalationRules.parse(["production_outage"], ["production_failure_rate > 10%"])
    person = Person()
    broken, fixed = run(World(outages={"t1": 6}), person, rules=rules)
    assert closed(broken) == (Stage.ROLLED_BACK, True)
    assert decision(broken).escalation is None, "nothing was known before"
    assert person.asked == ["t1~1"]
    assert decision(fixed).escalation is EscalationLevel.IMMEDIATE
    assert "production_failure_rate is 0.6" in decision(fixed).reasons[1]
    assert fixed.task.priority == broken.task.priority + 3
    assert "immediate escalation: production_outage" in fixed.task.body
    assert closed(fixed) == (Stage.HEALTHY, True)


def test_a_smaller_incident_escalates_lower_or_not_at_all() -> None:
    rules = EscalationRules.parse(["production_outage"], ["production_failure_rate > 10%"])
    _, fixed = run(World(outages={"t1": 2}), Person(), rules=rules)
    assert decision(fixed).escalation is EscalationLevel.HIGH_PRIORITY
    assert fixed.task.priority == 2
    _, small = run(World(outages={"t1": 1}), Person(), rules=rules)
    assert decision(small).escalation is None
    assert small.task.priority == 1


def escalated(runtime, ledger, tasks, apart=1.0):
    """Take tasks to ESCALATED with decisions of given levels."""
    from autodev_lab.records import Action, RiskAssessment

    ways = [
        (Role.ARCHITECT, Stage.PLANNED),
        (Role.DEVELOPER, Stage.PROPOSED),
        (Role.TESTER, Stage.TESTED),
        (Role.REVIEWER, Stage.APPROVED),
    ]

    async def walk():
        for task_id, level in tasks:
            await ledger.submit(Task(task_id, "toolz", TaskKind.SYNTHETIC, "it fails"))
            seen = RiskAssessment(task_id, {}, 0.5, 0.5)
            made = Decision(task_id, Action.REQUEST_REVIEW, seen, "p", (), escalation=level)
            for role, stage in ways:
                await ledger.complete(await ledger.claim(role, role.value, 60.0), stage, None)
            await ledger.complete(await ledger.claim(Role.DEPLOYER, "d", 60.0), Stage.ESCALATED, made)
            await runtime.sleep(apart)

    return walk


def desk_run(tasks, person, until, **more):
    runtime = VirtualRuntime(seed=0)
    bus = InMemoryEventBus(runtime)
    ledger = InMemoryLedger(runtime, bus, max_tries=3)
    desk = HumanDesk(Surroundings(runtime, ledger, bus, World(), InMemoryMemory(), 0), person, **more)

    async def main():
        await escalated(runtime, ledger, tasks)()
        runtime.spawn(desk.run(), "desk")
        await runtime.sleep(until)
        return await ledger.states()

    return {state.task.id: state for state in runtime.run(main())}


URGENT = [
    ("slow", None),
    ("high", EscalationLevel.HIGH_PRIORITY),
    ("now", EscalationLevel.IMMEDIATE),
    ("now2", EscalationLevel.IMMEDIATE),
]


def test_one_person_is_asked_the_most_urgent_first() -> None:
    person = Person()
    states = desk_run(URGENT, person, 1000.0, at_once=1)
    assert person.asked == ["now", "now2", "high", "slow"]
    assert {state.stage for state in states.values()} == {Stage.CLEARED}


def test_a_team_puts_one_question_at_a_time() -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"], ["lines_changed > 0"])
    ids, person = tuple(f"t{number}" for number in range(5)), Person()
    run(World(severe={"t4": 1}), person, ids=ids, rules=rules, questions_at_once=1)
    assert person.asked[1] == "t4", "it was escalated last and overtook all but the one that was being answered"
    assert sorted(person.asked) == list(ids)


def test_what_expires_in_the_queue_is_never_asked() -> None:
    person = Person(now=500.0)
    states = desk_run(URGENT, person, 1000.0, at_once=1, answer_within_seconds=100.0)
    assert person.asked == ["now"]
    assert {state.stage for state in states.values()} == {Stage.DECLINED}


def test_time_that_passed_before_a_desk_was_there_counts() -> None:
    states = desk_run([("t1", None), ("t2", None)], Person(t1=98.0, t2=98.0), 1000.0, answer_within_seconds=100.0)
    ended = {one: (state.stage, state.history[-1].at) for one, state in states.items()}
    assert ended == {"t1": (Stage.DECLINED, pytest.approx(100.0)), "t2": (Stage.CLEARED, pytest.approx(100.0))}


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer_within_seconds": 0.0},
        {"answer_within_seconds": float("nan")},
        {"answer_within_seconds": float("inf")},
        {"at_once": 0},
    ],
)
def test_a_desk_refuses_what_means_nothing(wrong) -> None:
    with pytest.raises(LabError, match=next(iter(wrong))):
        desk_run([], Person(), 1.0, **wrong)


def test_the_same_seed_gives_the_same_run() -> None:
    rules = EscalationRules.parse(["security_vulnerability_detected"])
    ids = ("t1", "t2", "t3")
    runs = [
        run(World(severe={"t1": 1, "t3": 1}), Person(t1=1e6), ids=ids, rules=rules, answer_within_seconds=600.0)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def two_desks(person, until, *, dies_at):
    """Two desks with leases of 60 s; the first one's host dies, or does not."""
    from autodev_lab.kernel.faults import Crash
    from autodev_lab.kernel.hosts import Host

    runtime = VirtualRuntime(seed=0)
    bus = InMemoryEventBus(runtime)
    ledger = InMemoryLedger(runtime, bus, max_tries=3)
    timing, hosts, people = Timing(60.0, 20.0), [Host(runtime, f"desk-{n}") for n in (1, 2)], (person, Person())

    async def main():
        await escalated(runtime, ledger, [("t1", None)])()
        for host, who in zip(hosts, people, strict=True):
            surroundings = Surroundings(host, ledger, bus, World(), InMemoryMemory(), 0, timing)
            host.spawn(HumanDesk(surroundings, who, desk_id=host.name).run(), host.name)
            await runtime.sleep(1.0)
        if dies_at is not None:
            await runtime.sleep(dies_at)
            hosts[0].strike(Crash("desk-1", 0, 1.0))
        await runtime.sleep(until)
        return await ledger.state("t1")

    state = runtime.run(main())
    for host in hosts:
        host.close()
    return people[1].asked, state


def test_a_desk_that_lives_keeps_its_escalation_for_longer_than_a_lease() -> None:
    asked, state = two_desks(Person(t1=1000.0), 1100.0, dies_at=None)
    assert (asked, state.stage, state.fence) == ([], Stage.CLEARED, 6)


def test_an_escalation_of_a_desk_that_died_is_asked_by_another_after_a_lease() -> None:
    asked, state = two_desks(Person(t1=1e6), 160.0, dies_at=10.0)
    assert (asked, state.stage) == (["t1"], Stage.CLEARED)


def test_a_person_who_does_not_answer_does_not_hold_up_the_end() -> None:
    from autodev_lab.kernel import AsyncioRuntime

    called, answered, thought_it_over = (threading.Event() for _ in range(3))

    class Silent:
        def answer(self, state):
            called.set()
            answered.wait(10.0)
            thought_it_over.set()
            return HumanAnswer(state.task.id, True, 0.0, 0.0), Cost()

    runtime = AsyncioRuntime()
    bus = InMemoryEventBus(runtime)
    ledger = InMemoryLedger(runtime, bus, max_tries=3)
    desk = HumanDesk(Surroundings(runtime, ledger, bus, World(), InMemoryMemory(), 0), Silent())

    async def main():
        runtime.spawn(desk.run(), "desk")
        await escalated(runtime, ledger, [("t1", None)], 0.0)()
        while not called.is_set():
            await runtime.sleep(0.01)

    runtime.run(main())
    assert not thought_it_over.is_set()
    answered.set()
