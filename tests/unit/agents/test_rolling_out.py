"""Rollouts that a deployer judges on traffic: every ending, who is asked, and that the ledger alone carries them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.agents import Surroundings
from autodev_lab.agents.members import make_member
from autodev_lab.agents.rolling_out import _resumed
from autodev_lab.decisions import FixedStages, Rollout, RolloutPlan, SequentialRollout, StageJudge, StageRule
from autodev_lab.decisions.rollout_judges import AtOnce, first_failure
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
from autodev_lab.ledger.wire import read_state, result_to_json, task_to_json
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import Platform, TaskRecord, TeamSpec, run_stream
from autodev_lab.records import (
    Change,
    Cost,
    HumanAnswer,
    LabelSource,
    Role,
    Ruling,
    Stage,
    StageTrial,
    StreamItem,
    Task,
    TaskKind,
    TaskState,
    Traffic,
    Withdrawal,
)
from autodev_lab.simulation import SimulatedTruth
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.workflow import ROLE_OF_STAGE

PLAN = RolloutPlan(
    (
        StageRule(Stage.CANARY, 0.3, 20, 200),
        StageRule(Stage.STAGING, 0.1, 40, 200),
        StageRule(Stage.PRODUCTION, 0.05, 40, 200),
    )
)
ITEM = StreamItem(
    Task("t1", "ant", TaskKind.SYNTHETIC, "a test fails"),
    SimulatedTruth("t1", "k", 0, 0.5, (("template-01", 1.0),), 0.0, 0.5),
)
"""A bug whose first candidate is right."""

FINE, HAZY, BAD = Traffic(0, 20, 0, 20), Traffic(3, 20, 2, 20), Traffic(12, 20, 0, 20)
"""Batches that soon promote, that tell nothing within 200 exposures, and that soon roll back."""


@dataclass
class WrittenTarget:
    """Shows the same batch at a stage for ever, or nothing; says what was done to it."""

    batches: Mapping[Stage, Traffic | None]
    done: list[tuple[str, Stage]] = field(default_factory=list)

    def expose(self, stage: Stage, exposures: int) -> Traffic | None:
        return self.batches[stage]

    def promote(self, stage: Stage) -> None:
        self.done.append(("promote", stage))

    def roll_back(self, stage: Stage, reason: str) -> None:
        self.done.append(("roll back", stage))


class Person:
    """Gives the same answer to all, after a minute, and counts the questions."""

    def __init__(self, approve: bool) -> None:
        self.approve = approve
        self.asked = 0

    def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
        self.asked += 1
        return HumanAnswer(state.task.id, self.approve, 60.0, 5.0), Cost(seconds=60.0)


def batches(canary: Traffic | None, staging: Traffic | None, production: Traffic | None) -> dict[Stage, Traffic | None]:
    return {Stage.CANARY: canary, Stage.STAGING: staging, Stage.PRODUCTION: production}


def rolled_out(target: WrittenTarget, person: Person, judge: type[StageJudge] | None = None) -> TaskRecord:
    def made() -> StageJudge:
        return judge() if judge is not None else SequentialRollout(PLAN)

    world = SimulatedEnvironment([ITEM])
    run = run_stream(
        [ITEM],
        world,
        TeamSpec(budget=10, policy="deploy_reviewed"),
        solver=SimulatedSolver("learned"),
        oracle=world,
        seed=1,
        human=person,
        rollout=Rollout(made, lambda environment, task, change: target),
    )
    return run.records[0]


def stages(record: TaskRecord) -> list[str]:
    """From the decision on."""
    return [entry.stage.value for entry in record.state.history][4:]


def trials(record: TaskRecord) -> list[StageTrial]:
    return [entry.result for entry in record.state.history if isinstance(entry.result, StageTrial)]


def test_a_change_that_is_shown_to_be_fine_is_promoted_stage_by_stage() -> None:
    target, person = WrittenTarget(batches(FINE, FINE, FINE)), Person(False)
    record = rolled_out(target, person)
    assert stages(record) == ["cleared", "canary", "staging", "production", "healthy"]
    assert [trial.ruling for trial in trials(record)] == [Ruling.PROMOTE] * 3
    assert [sum(batch.exposed for batch in trial.traffic) >= 20 for trial in trials(record)] == [True] * 3
    assert target.done == [("promote", stage) for stage in (Stage.CANARY, Stage.STAGING, Stage.PRODUCTION)]
    assert person.asked == 0 and record.outcome.source is LabelSource.PRODUCTION


def test_a_change_that_is_shown_to_be_worse_is_rolled_back_where_it_is() -> None:
    target = WrittenTarget(batches(FINE, BAD, FINE))
    record = rolled_out(target, Person(True))
    assert stages(record) == ["cleared", "canary", "rolled_back"]
    assert target.done == [("promote", Stage.CANARY), ("roll back", Stage.STAGING)]
    assert "that the change is worse" in trials(record)[-1].words and record.outcome.success is False


def test_an_inconclusive_stage_goes_to_a_person_whose_yes_lets_the_rollout_go_on() -> None:
    target, person = WrittenTarget(batches(FINE, HAZY, FINE)), Person(True)
    record = rolled_out(target, person)
    assert stages(record) == [
        *("cleared", "canary", "escalated"),
        *("cleared", "canary", "staging", "production", "healthy"),
    ]
    assert person.asked == 1
    assert [(one.ruling.value, bool(one.traffic)) for one in trials(record)] == [
        ("promote", True),
        ("inconclusive", True),
        ("promote", False),  # passed before
        ("promote", False),  # a person let it pass
        ("promote", True),
    ]
    assert target.done == [("promote", stage) for stage in (Stage.CANARY, Stage.STAGING, Stage.PRODUCTION)]
    assert record.outcome.source is LabelSource.PERSON and record.outcome.success


def test_who_said_yes_is_not_asked_again() -> None:
    person = Person(True)
    record = rolled_out(WrittenTarget(batches(None, HAZY, HAZY)), person)
    assert record.outcome.deployed and person.asked == 1
    assert [one.ruling.value for one in trials(record)] == ["inconclusive", "promote", "promote", "promote"]


def test_a_yes_does_not_keep_a_change_that_is_shown_to_be_worse() -> None:
    person = Person(True)
    record = rolled_out(WrittenTarget(batches(None, FINE, BAD)), person)
    assert stages(record)[-1] == "rolled_back" and person.asked == 1 and not record.outcome.deployed


def test_what_a_person_declines_is_taken_back() -> None:
    target, person = WrittenTarget(batches(FINE, HAZY, FINE)), Person(False)
    record = rolled_out(target, person)
    assert stages(record) == ["cleared", "canary", "escalated", "withdrawn", "declined"]
    assert target.done == [("promote", Stage.CANARY), ("roll back", Stage.STAGING)]
    assert record.outcome.source is LabelSource.PERSON and record.outcome.success is False


@pytest.mark.parametrize("judged", [True, False])
def test_a_declined_change_is_taken_back_though_who_exposed_it_has_died(judged: bool) -> None:
    """The ledger is led to where the person says no by what one deployer did; another one comes then."""
    history = rolled_out(WrittenTarget(batches(FINE, HAZY, FINE)), Person(False)).state.history[:-2]
    runtime, world, target = VirtualRuntime(), _World([ITEM]), WrittenTarget({})
    ledger = InMemoryLedger(runtime, bus := InMemoryEventBus(runtime))
    surroundings = Surroundings(runtime, ledger, bus, world, InMemoryMemory(), 1)
    rollout = Rollout(lambda: SequentialRollout(PLAN), lambda *_: target)
    gate = TeamSpec().gate()
    deployer = make_member(
        *(Role.DEPLOYER, "another", surroundings),
        solver=SimulatedSolver("learned"),
        gate=gate,
        budget=10,
        rollout=rollout if judged else None,
    )

    async def main() -> TaskState:
        await ledger.submit(ITEM.task)
        for entry in history:
            claim = await ledger.claim(ROLE_OF_STAGE[(await told()).stage], "one", 60.0)
            assert claim is not None and await ledger.complete(claim, entry.stage, entry.result) is None
        assert await ledger.answer(HumanAnswer(ITEM.task.id, False, 60.0, 5.0)) is None
        runtime.spawn(deployer.run(), "another")
        while (await told()).stage is not Stage.DECLINED:
            await runtime.sleep(60.0)
        return await told()

    async def told() -> TaskState:
        state = await ledger.state(ITEM.task.id)
        assert state is not None
        return state

    state = runtime.run(main())
    assert state.history[-1].result == Withdrawal(ITEM.task.id, Stage.STAGING)
    assert (target.done, world.rolled_back) == ([("roll back", Stage.STAGING)] if judged else [], 0 if judged else 1)


class _World(SimulatedEnvironment):
    """Counts what is rolled back."""

    rolled_back = 0

    def rollback(self, task: Task, change: Change) -> Cost:
        self.rolled_back += 1
        return super().rollback(task, change)


def test_without_traffic_a_person_is_asked() -> None:
    record = rolled_out(WrittenTarget(batches(None, None, None)), Person(True))
    assert "no traffic" in trials(record)[0].words
    assert stages(record) == ["cleared", "escalated", "cleared", "canary", "staging", "production", "healthy"]


@pytest.mark.parametrize(("judge", "ends"), [(AtOnce, "healthy"), (lambda: FixedStages(first_failure), "rolled_back")])
def test_other_judges_rule_as_they_say(judge: type[StageJudge], ends: str) -> None:
    assert stages(rolled_out(WrittenTarget(batches(HAZY, HAZY, HAZY)), Person(True), judge))[-1] == ends


def test_everything_at_once_is_looked_at_by_nobody() -> None:
    record = rolled_out(WrittenTarget({}), Person(True), AtOnce)
    assert [(one.ruling, one.traffic) for one in trials(record)] == [(Ruling.PROMOTE, ())] * 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_whoever_takes_over_goes_on_from_the_same_evidence(failures: Sequence[tuple[int, int]]) -> None:
    """Each stage is judged by a fresh judge that has seen what the ledger kept of those before."""
    whole, kept = SequentialRollout(PLAN), list[StageTrial]()
    judge, seen = _resumed(SequentialRollout(PLAN), ()), list[Traffic]()
    for failed, baseline in failures:
        batch = Traffic(failed, 20, baseline, 20)
        stage = judge.stage
        assert stage is whole.stage
        ruling = whole.observe(batch)
        seen.append(batch)
        assert (judge.observe(batch), judge.words) == (ruling, whole.words)
        if ruling is None:
            continue
        kept.append(StageTrial("t", stage, ruling, tuple(seen), ""))
        if ruling is not Ruling.PROMOTE or stage is Stage.PRODUCTION:
            break
        judge, seen = _resumed(SequentialRollout(PLAN), tuple(kept)), []


def test_a_trial_comes_back_from_json_as_it_was() -> None:
    record = rolled_out(WrittenTarget(batches(HAZY, FINE, FINE)), Person(True))
    lines = [
        f'["{entry.stage}", "a", 1.0, {result_to_json(entry.result)}]'
        for entry in record.state.history
        if isinstance(entry.result, StageTrial)
    ]
    read = read_state(task_to_json(record.task), '["canary", 1, 0, 0, "", "", "", 0, ""]', lines)
    assert [entry.result for entry in read.history] == trials(record)


def test_a_second_escalation_has_all_its_time() -> None:
    """A person answers the gate's question just in time; what the rollout asks later expires by its own clock."""

    class Late(Person):
        def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
            self.asked += 1
            return HumanAnswer(state.task.id, True, 900.0, 5.0), Cost(seconds=900.0)

    person = Late(True)
    platform = Platform(
        SimulatedEnvironment([ITEM]),
        TeamSpec(budget=10, policy="review_everything"),
        solver=SimulatedSolver("learned"),
        human=person,
        seed=1,
        rollout=Rollout(lambda: SequentialRollout(PLAN), lambda *_: WrittenTarget(batches(HAZY, HAZY, HAZY))),
        answer_within_seconds=1000.0,
    )
    _, (state,) = platform.run([ITEM.task])
    assert person.asked == 2 and state.stage is Stage.HEALTHY


def test_names_that_are_no_rollout_are_refused() -> None:
    with pytest.raises(LabError, match="fixed, at_once, first_failure"):
        TeamSpec(rollout="slowly")
    with pytest.raises(LabError, match="traffic_noise is 1"):
        TeamSpec(rollout="sequential", traffic_noise=1.0)
