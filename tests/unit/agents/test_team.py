"""A team at work in a world whose evidence is written down beforehand: every arrow of the workflow is walked."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.agents import Agent, Deployer, Move, Surroundings, Timing
from autodev_lab.agents.base import changes_of
from autodev_lab.agents.labels import read_label, write_label
from autodev_lab.decisions import DeployReviewedPolicy, Gate, RandomPolicy, ReviewEverythingPolicy
from autodev_lab.errors import LabError
from autodev_lab.kernel.live import AsyncioRuntime
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.ledger.bus import InMemoryEventBus
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import Platform, TeamSpec, run_stream
from autodev_lab.records import (
    Attempt,
    Change,
    Cost,
    Diagnosis,
    Edit,
    Event,
    ExposureReport,
    HumanAnswer,
    Inspection,
    Judgement,
    Label,
    LabelSource,
    LineSpectrum,
    Outcome,
    PatternTrial,
    RiskScore,
    Role,
    Stage,
    StreamItem,
    Task,
    TaskKind,
    TestReport,
    Truth,
)
from autodev_lab.workflow import TERMINAL_STAGES

SPEC = TeamSpec(developers=2, budget=10)


@dataclass
class WrittenWorld:
    """An environment and oracle: evidence per task id, with everything fine unless it is said otherwise."""

    failing_tests: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    lint: dict[str, list[int]] = field(default_factory=dict)
    exposures: dict[str, dict[Stage, list[tuple[str, ...]]]] = field(default_factory=dict)
    rolled_back: list[str] = field(default_factory=list)
    correct: bool = True
    name: str = "written"

    def workspace(self, task):
        return None, Cost(seconds=1.0)

    def diagnose(self, task):
        spectrum = (LineSpectrum("m.py", 1, 1, 0), LineSpectrum("m.py", 2, 1, 3))
        return Diagnosis(task.id, ("test_a",), 1, 3, spectrum), Cost(test_executions=4, seconds=2.0)

    def test(self, task, change):
        failed = self.failing_tests.get(task.id, [])
        return TestReport(task.id, 4, failed.pop(0) if failed else (), 1, 1), Cost(test_executions=4, seconds=2.0)

    def inspect(self, task, change):
        lint = self.lint.get(task.id, [])
        return Inspection(task.id, lint.pop(0) if lint else 0, 0, 0, 2, 2, 1, 1, 1, 0, 0, 3), Cost(seconds=1.0)

    def expose(self, task, change, stage, share):
        failures = self.exposures.get(task.id, {}).get(stage, [])
        failed = failures.pop(0) if failures else ()
        return ExposureReport(task.id, stage, round(10 * share), failed), Cost(seconds=5.0)

    def rollback(self, task, change):
        self.rolled_back.append(task.id)
        return Cost(seconds=1.0)

    def judge(self, task, truth, change):
        return Judgement(task.id, self.correct)


class CountingSolver:
    """Finds a new change with three candidates each time; finds none for tasks it is told to fail on."""

    name = "counting"

    def __init__(self, hopeless=()):
        self.hopeless = hopeless
        self.contexts = []

    def solve(self, context, workspace, budget, rng):
        self.contexts.append(context)
        cost = Cost(candidates=min(3, budget), test_executions=3, seconds=30.0)
        if context.task.id in self.hopeless:
            return Attempt(context.task.id, None, (PatternTrial("p", cost.candidates, 0),), cost), cost
        edit = Edit("m.py", 1, 1, f"x = {len(context.rejected)}\n")
        change = Change(context.task.id, (edit,), "", self.name, ("p",), cost.candidates)
        return Attempt(context.task.id, change, (PatternTrial("p", cost.candidates, 1),), cost), cost


class Person:
    """Gives the same answer to everything, after a minute."""

    def __init__(self, approve):
        self.approve = approve

    def answer(self, state):
        return HumanAnswer(state.task.id, self.approve, 60.0, 5.0), Cost(seconds=60.0)


def _items(*ids, **facts):
    return [
        StreamItem(Task(task_id, "toolz", TaskKind.SYNTHETIC, f"{task_id} fails", **facts), Truth(task_id))
        for task_id in ids
    ]


def _run(world, solver=None, *, ids=("t1",), spec=SPEC, approve=True, seed=1, **more):
    return run_stream(
        _items(*ids),
        world,
        spec,
        solver=solver or CountingSolver(),
        oracle=world,
        seed=seed,
        human=Person(approve),
        **more,
    )


def _stages(record):
    return [entry.stage.value for entry in record.state.history]


def test_a_good_change_walks_the_whole_way():
    run = _run(WrittenWorld())
    (record,) = run.records
    assert (
        _stages(record)[-9:]
        == [
            "planned",
            "proposed",
            "tested",
            "approved",
            "escalated",
            "cleared",
            "canary",
            "staging",
            "production",
            "healthy",
        ][-9:]
    )
    assert record.outcome.success is True
    assert record.judgement is not None and record.judgement.correct
    assert run.human_minutes == 5.0
    assert record.human_seconds == 60.0


def test_before_there_are_outcomes_everything_goes_to_a_person():
    first = _run(WrittenWorld(), ids=[f"t{n}" for n in range(60)]).records[0]
    assert Stage.ESCALATED in [entry.stage for entry in first.state.history]


def test_the_gate_opens_once_outcomes_are_known():
    items = _items(*(f"t{n}" for n in range(60)))
    items = [StreamItem(replace(item.task, arrival=500.0 * n), item.truth) for n, item in enumerate(items)]
    world = WrittenWorld()
    run = run_stream(items, world, SPEC, solver=CountingSolver(), oracle=world, seed=1, human=Person(True))
    actions = [record.outcome.decision.action.value for record in run.records]
    assert actions[0] == "REQUEST_REVIEW"
    assert actions[-30:].count("REQUEST_REVIEW") < 10
    assert run.human_minutes < 5.0 * 40


def test_failing_tests_send_the_change_back_with_what_was_refused():
    solver = CountingSolver()
    run = _run(WrittenWorld(failing_tests={"t1": [("test_a",)]}), solver)
    (record,) = run.records
    assert record.state.reworks == 1
    assert len(list(changes_of(record.state))) == 2
    assert [len(context.rejected) for context in solver.contexts] == [0, 1]


def test_a_linter_finding_sends_the_change_back():
    (record,) = _run(WrittenWorld(lint={"t1": [2, 1]})).records
    assert _stages(record).count("rejected") == 2
    assert record.outcome.success is True


def test_the_budget_is_shared_by_all_attempts_of_a_task():
    world = WrittenWorld(failing_tests={"t1": [("test_a",)] * 9})
    (record,) = _run(world).records
    assert record.outcome.stage is Stage.ABANDONED
    assert sum(attempt.cost.candidates for attempt in record.attempts) == SPEC.budget
    assert record.change is None and record.judgement is None


def test_nothing_found_abandons_the_task():
    (record,) = _run(WrittenWorld(), CountingSolver(hopeless=("t1",))).records
    assert record.outcome.stage is Stage.ABANDONED
    assert record.outcome.success is None


def test_a_person_can_decline():
    (record,) = _run(WrittenWorld(), approve=False).records
    assert record.outcome.stage is Stage.DECLINED
    assert (record.outcome.deployed, record.outcome.success) == (False, False)


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.STAGING])
def test_a_failing_rollout_stage_is_rolled_back_before_production(stage):
    world = WrittenWorld(exposures={"t1": {stage: [("exposure_test",)]}})
    (record,) = _run(world).records
    assert record.outcome.stage is Stage.ROLLED_BACK
    assert not record.outcome.deployed
    assert world.rolled_back == ["t1"]


def test_an_incident_is_rolled_back_and_followed_up_once():
    world = WrittenWorld()
    world.exposures = {name: {Stage.PRODUCTION: [(), ("exposure_test",)]} for name in ("t1", "t1~1")}
    first, second = _run(world).records
    assert (first.outcome.stage, first.outcome.deployed) == (Stage.ROLLED_BACK, True)
    assert (second.task.parent, second.task.depth, second.index) == ("t1", 1, 0)
    assert second.outcome.stage is Stage.ROLLED_BACK
    assert world.rolled_back == ["t1", "t1~1"]


def test_a_follow_up_knows_what_was_rolled_back():
    world, solver = WrittenWorld(), CountingSolver()
    world.exposures = {"t1": {Stage.PRODUCTION: [(), ("exposure_test",)]}}
    _run(world, solver)
    assert [(context.task.id, len(context.rejected)) for context in solver.contexts] == [("t1", 0), ("t1~1", 1)]


def test_a_failing_plug_in_costs_its_task_and_not_the_team(caplog):
    class Broken(CountingSolver):
        def solve(self, context, workspace, budget, rng):
            if context.task.id == "t2":
                raise ZeroDivisionError("a plug-in's bug")
            return super().solve(context, workspace, budget, rng)

    run = _run(WrittenWorld(), Broken(), ids=("t1", "t2", "t3"))
    ends = {record.task.id: record.outcome.stage for record in run.records}
    assert ends == {"t1": Stage.HEALTHY, "t2": Stage.DEAD_LETTER, "t3": Stage.HEALTHY}
    assert "ZeroDivisionError" in run.records[1].state.reason
    assert "t2" in caplog.text


def test_a_broken_world_ends_the_run_and_becomes_no_outcome():
    class Unplugged(WrittenWorld):
        def test(self, task, change):
            raise LabError("the sandbox did not start; free some memory")

    with pytest.raises(LabError, match="did not start"):
        _run(Unplugged())


def test_shared_memory_is_shared_and_isolated_memory_is_not():
    def known_at_the_end(memory):
        solver = CountingSolver()
        _run(WrittenWorld(), solver, ids=[f"t{n}" for n in range(12)], spec=replace(SPEC, memory=memory))
        return max(sum(record.tries for record in context.patterns.values()) for context in solver.contexts)

    assert known_at_the_end("shared") > 1.5 * known_at_the_end("isolated")


def test_work_longer_than_a_lease_is_kept_by_renewing():
    (record,) = _run(WrittenWorld(), spec=replace(SPEC, lease_seconds=6.0)).records
    assert record.outcome.stage is Stage.HEALTHY
    assert _stages(record).count("proposed") == 1


def test_the_same_seed_gives_the_same_run_and_another_another():
    ids = [f"t{n}" for n in range(80)]
    assert _run(WrittenWorld(), ids=ids) == _run(WrittenWorld(), ids=ids)
    assert _run(WrittenWorld(), ids=ids) != _run(WrittenWorld(), ids=ids, seed=2)


def test_the_same_agents_run_on_asyncio():
    class Quick(WrittenWorld):
        pass

    runtime = AsyncioRuntime()
    spec = replace(SPEC, poll_seconds=0.05, lease_seconds=5.0)
    run = _run(Quick(), ids=("t1", "t2", "t3"), spec=spec, runtime=runtime)
    assert {record.outcome.stage for record in run.records} == {Stage.HEALTHY}


def test_equal_task_ids_are_refused():
    with pytest.raises(LabError, match="unique"):
        _run(WrittenWorld(), ids=("t1", "t1"))


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("budget", 0),
        ("developers", 0),
        ("memory", "telepathic"),
        ("order", "?"),
        ("policy", ""),
        ("risk", "?"),
        ("calibrator", "?"),
    ],
)
def test_a_wrong_team_gets_one_sentence(field_name, value):
    with pytest.raises(LabError, match=field_name):
        TeamSpec(**{field_name: value})


def test_progress_is_told():
    seen = []
    _run(WrittenWorld(), ids=("t1", "t2"), progress=lambda done, total: seen.append((done, total)))
    assert seen and all(total == 2 and 0 <= done <= 2 for done, total in seen)


def test_progress_counts_what_is_closed_before_the_last_task_has_come():
    world, closed = WrittenWorld(), []
    items = _slow_items(4, gap=30_000.0)
    platform = Platform(world, SPEC, solver=CountingSolver(), human=Person(True), seed=1)
    platform.run(
        [item.task for item in items], lambda done, total: closed.append((done, total, platform.runtime.now()))
    )
    assert [(done, total) for done, total, _ in closed] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert closed[0][2] < items[1].task.arrival


def test_no_agent_knows_another():
    platform = Platform(WrittenWorld(), SPEC, solver=CountingSolver(), human=Person(True), seed=1)
    for agent in platform.agents:
        others = [other for other in platform.agents if other is not agent]
        assert not any(value is other for value in vars(agent).values() for other in others)


# ----------------------------------------------------------------------------------------------- labels of the gate


def _slow_items(n, gap=3000.0):
    items = _items(*(f"t{number}" for number in range(n)))
    return [StreamItem(replace(item.task, arrival=gap * number), item.truth) for number, item in enumerate(items)]


def _gate_run(world, gate, *, n=12, approve=True):
    return run_stream(
        _slow_items(n), world, SPEC, solver=CountingSolver(), oracle=world, seed=1, human=Person(approve), gate=gate
    )


@dataclass
class Heard:
    """A risk model and calibrator that keep what they were told."""

    labels: list[Label] = field(default_factory=list)

    def assess(self, evidence):
        return RiskScore(0.1, {"asked": float(len(self.labels))}, "because")

    def confidence(self, risk):
        return 0.95

    def learn(self, label):
        self.labels.append(label)


def test_every_decision_comes_back_as_a_label_with_what_was_known_when_it_was_made():
    heard = Heard()
    run = _gate_run(WrittenWorld(), Gate(heard, Heard(), DeployReviewedPolicy()))
    assert [label.task_id for label in heard.labels] == [f"t{n}" for n in range(11)]  # the last has nobody to tell
    for number, label in enumerate(heard.labels):
        assert (label.package, label.success, label.source) == ("toolz", True, LabelSource.PRODUCTION)
        assert label.factors == {"asked": float(number)} and label.risk == 0.1 and label.patterns == ("p",)
        assert label.propensity == 1.0
    assert all(record.outcome.decision.reasons[-1] == "because" for record in run.records)
    assert all(record.outcome.decision.assessment.lines == 2 for record in run.records)


@pytest.mark.parametrize("approve", [True, False])
def test_a_persons_answer_is_told_apart_from_productions(approve):
    heard = Heard()
    _gate_run(WrittenWorld(), Gate(heard, Heard(), ReviewEverythingPolicy()), approve=approve)
    assert {(label.source, label.success) for label in heard.labels} == {(LabelSource.PERSON, approve)}


def test_what_production_shows_after_a_yes_is_still_of_changes_a_person_let_through():
    world = WrittenWorld(exposures={"t3": {Stage.CANARY: [("exposure_test",)]}})
    heard = Heard()
    _gate_run(world, Gate(heard, Heard(), ReviewEverythingPolicy()))
    assert [(label.source, label.success) for label in heard.labels if label.task_id == "t3"] == [
        (LabelSource.PERSON, False)
    ]


def test_labels_carry_the_odds_of_their_selection():
    heard = Heard()
    run = _gate_run(WrittenWorld(), Gate(heard, Heard(), RandomPolicy(0.25)), n=40)
    odds = {label.task_id: (label.source, label.propensity) for label in heard.labels}
    assert set(odds.values()) == {(LabelSource.PERSON, 0.75), (LabelSource.PRODUCTION, 0.25)}
    for record in run.records:
        if record.task.id in odds:
            assert record.outcome.source is odds[record.task.id][0]
            assert record.outcome.decision.propensity == odds[record.task.id][1]


@given(
    st.builds(
        Label,
        st.text(min_size=1),
        st.text(),
        st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
        st.floats(0, 1),
        st.booleans(),
        st.sampled_from(LabelSource),
        st.floats(0.01, 1),
        st.lists(st.text(), unique=True).map(tuple),
    )
)
def test_a_label_survives_its_way_through_a_memory(label):
    outcome = Outcome(label.task_id, Stage.HEALTHY, True, label.success, None, None, label.source)
    memory = InMemoryMemory()
    memory.add(write_label(label, outcome, "a test fails", agent_id="deployer-1", at=1.0))
    (item,) = memory.since("decisions", -1)
    assert read_label(item) == label


def test_deployers_learn_from_one_another_through_a_shared_memory_and_not_without():
    def heard_by_another(shared):
        world, memory = WrittenWorld(), InMemoryMemory()
        runtime = VirtualRuntime(seed=1)
        bus = InMemoryEventBus(runtime)
        listener = Heard()
        near = Surroundings(runtime, InMemoryLedger(runtime, bus), bus, world, memory, 1)
        far = replace(near, memory=memory if shared else InMemoryMemory())
        ours = Deployer("deployer-1", near, risk=Heard(), calibrator=Heard(), policy=DeployReviewedPolicy())
        other = Deployer("deployer-2", far, risk=listener, calibrator=Heard(), policy=DeployReviewedPolicy())
        label = Label("t1", "toolz", {"asked": 0.0}, 0.1, True)
        ours.memory.add(write_label(label, Outcome("t1", Stage.HEALTHY, True, True, None, None), "", agent_id="", at=0))
        other._catch_up()
        return listener.labels

    assert len(heard_by_another(shared=True)) == 1
    assert heard_by_another(shared=False) == []


def test_a_learned_gate_repeats_itself():
    spec = replace(SPEC, policy="learned", human_latency_seconds=60.0)
    world = WrittenWorld()

    def once():
        return run_stream(_slow_items(30), world, spec, solver=CountingSolver(), oracle=world, seed=4)

    assert once() == once()
    last = once().records[-1].outcome.decision
    assert last.policy == "learned" and "settled" in last.reasons[-1]


# ------------------------------------------------------------------------------------ when it is worth while to look


class Listener(Agent):
    """A developer who hears what became of changes, and notes when it looks for work."""

    role = Role.DEVELOPER
    listens = TERMINAL_STAGES

    def __init__(self, *known):
        super().__init__(*known)
        self.looked, self.heard, self.done = [], [], []

    async def look(self):
        self.looked.append(self.runtime.now())
        return await super().look()

    async def perceive(self, event):
        self.heard.append(event.task_id)

    async def act(self, claim):
        self.done.append((claim.task.id, self.runtime.now()))
        return Move(Stage.ABANDONED, None)


def listening(bus_of, until, *, news_every=None, work_at=None):
    """A listener with polls of 30 s that hears news, and one task that is planned at a moment."""
    runtime = VirtualRuntime(seed=0)
    bus = bus_of(runtime)
    ledger = InMemoryLedger(runtime, bus, max_tries=3)
    timing = Timing(60.0, 30.0)
    agent = Listener("developer-1", Surroundings(runtime, ledger, bus, WrittenWorld(), InMemoryMemory(), 0, timing))

    async def tell():
        while True:
            await runtime.sleep(news_every)
            await bus.publish(Event("t9", Stage.HEALTHY, runtime.now()))

    async def main():
        runtime.spawn(agent.run(), "developer-1")
        if news_every is not None:
            runtime.spawn(tell(), "news")
        if work_at is not None:
            await runtime.sleep(work_at)
            await ledger.submit(Task("t1", "toolz", TaskKind.SYNTHETIC, "it fails"))
            await ledger.complete(await ledger.claim(Role.ARCHITECT, "a", 60.0), Stage.PLANNED, None)
        await runtime.sleep(until - (work_at or 0.0))

    runtime.run(main())
    return agent


class DeafBus(InMemoryEventBus):
    """A bus that loses every wake-up for work."""

    async def publish(self, event):
        if event.stage in TERMINAL_STAGES:
            await super().publish(event)


def test_news_of_other_work_are_heard_and_make_nobody_look():
    agent = listening(InMemoryEventBus, 29.5, news_every=1.0)
    assert (agent.looked, len(agent.heard)) == ([0.0], 29)


def test_work_is_looked_for_as_soon_as_it_is_told_of_amid_news():
    agent = listening(InMemoryEventBus, 20.0, news_every=1.0, work_at=10.5)
    assert agent.done == [("t1", 10.5)]


@pytest.mark.parametrize("news_every", [0.7, 7.0, 29.0])
def test_lost_wake_ups_amid_news_cost_two_polls_at_the_most(news_every):
    agent = listening(DeafBus, 300.0, news_every=news_every, work_at=31.0)
    assert agent.done[0][1] - 31.0 < 60.0
    assert max(later - earlier for earlier, later in pairwise(agent.looked)) < 60.0
