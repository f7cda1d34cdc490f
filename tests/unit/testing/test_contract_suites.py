"""Each contract suite rejects implementations that break a promise, and says which one."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from autodev_lab.decisions import (
    BinnedBetaCalibrator,
    FiveFactorRisk,
    LearnedRisk,
    PlattCalibrator,
    PublishedPolicy,
    RandomPolicy,
)
from autodev_lab.environments.simulated import SimulatedEnvironment, SimulatedWorkspace
from autodev_lab.errors import LabError
from autodev_lab.kernel import VirtualRuntime
from autodev_lab.kernel.virtual import VirtualSignal
from autodev_lab.learning import FrozenPatterns, PatternLibrary
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger, Transition
from autodev_lab.ledger.transition import Complete, Expire
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import (
    Action,
    Change,
    Claim,
    Cost,
    Edit,
    MemoryItem,
    PatternRecord,
    PatternTrial,
    Plan,
    Refusal,
    RefusalReason,
    SearchMode,
    StreamItem,
    Task,
    TaskContext,
    TaskKind,
)
from autodev_lab.simulation import SimulatedTruth
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream
from autodev_lab.testing import (
    check_calibrator,
    check_environment,
    check_frozen_learner,
    check_learner,
    check_ledger,
    check_linked_memory,
    check_memory,
    check_policy,
    check_risk_model,
    check_runtime,
    check_solver,
    check_stream,
)

# ------------------------------------------------------------------------------------------------- runtimes


class SleepsNot(VirtualRuntime):
    async def sleep(self, seconds):
        await super().sleep(0.0)


class DropsCost(VirtualRuntime):
    async def call(self, function):
        result, _ = await super().call(function)
        return result, Cost()


class WakesOne(VirtualRuntime):
    def signal(self):
        class Signal(VirtualSignal):
            def set(self):
                rest = self._waiting[1:]
                del self._waiting[1:]
                super().set()
                self._waiting.extend(rest)

        return Signal(self)


class HidesErrors(VirtualRuntime):
    def spawn(self, coroutine, name):
        async def hidden():
            try:
                await coroutine
            except Exception:
                await self.signal().wait(timeout=1.0)

        super().spawn(hidden(), name)

    def run(self, main):
        try:
            return super().run(main)
        except RuntimeError:
            return None


class ForgetsLeftovers(VirtualRuntime):
    kept: list = []  # noqa: RUF012 - outlives the run on purpose

    def _close_leftovers(self, failure):
        self.kept.extend(self._processes)
        self._processes.clear()


@pytest.mark.parametrize(
    ("runtime", "promise"),
    [
        (SleepsNot, "let that much time pass"),
        (DropsCost, r"call must return the function's \(result, cost\)"),
        (WakesOne, "set must wake all waiters"),
        (HidesErrors, "spawned coroutine must end run"),
        (ForgetsLeftovers, "cancel what was spawned"),
    ],
)
def test_check_runtime_rejects(runtime, promise):
    with pytest.raises(AssertionError, match=promise):
        check_runtime(runtime)
    for process in ForgetsLeftovers.kept:
        process.coroutine.close()
    ForgetsLeftovers.kept.clear()


# -------------------------------------------------------------------------------------------------- ledgers


class IgnoresExpiry(InMemoryLedger):
    """Takes completions whenever they come."""

    def _apply(self, command):
        outcome = super()._apply(command)
        if not isinstance(command, Complete) or outcome != Refusal(command.task_id, RefusalReason.LEASE_EXPIRED):
            return outcome
        state = self._states[command.task_id]
        self._states[command.task_id] = replace(state, lease=replace(state.lease, expires_at=float("inf")))
        return super()._apply(command)


class IgnoresFence(InMemoryLedger):
    async def complete(self, claim, stage, result, follow_up=None):
        state = self._states[claim.task.id]
        return await super().complete(Claim(state, state.lease or claim.lease), stage, result, follow_up)


class LastInFirstOut(InMemoryLedger):
    def _claim_next(self, role, agent_id, lease_seconds):
        self._waiting[role].reverse()
        return super()._claim_next(role, agent_id, lease_seconds)


class NeverBuries(InMemoryLedger):
    def __init__(self, runtime, bus):
        super().__init__(runtime, bus, max_tries=10**6)


class EagerReaper(InMemoryLedger):
    async def expire(self):
        freed = 0
        for state in list(self._states.values()):
            if state.lease is not None:
                self._states[state.task.id] = replace(state, lease=replace(state.lease, expires_at=self._runtime.now()))
                freed += isinstance(self._apply(Expire(state.task.id)), Transition)
        return freed


class ForgetsFollowUp(InMemoryLedger):
    async def complete(self, claim, stage, result, follow_up=None):
        return await super().complete(claim, stage, result)


@pytest.mark.parametrize(
    ("ledger", "promise"),
    [
        (IgnoresExpiry, "a completion at the moment the lease ends"),
        (IgnoresFence, "a completion with an old fence"),
        (LastInFirstOut, "claimed by priority, arrival, submission"),
        (NeverBuries, "must be a dead letter"),
        (EagerReaper, "expire must not free a lease that still runs"),
        (ForgetsFollowUp, "follow-up"),
    ],
)
def test_check_ledger_rejects(ledger, promise):
    def make():
        runtime = VirtualRuntime()
        return runtime, ledger(runtime, InMemoryEventBus(runtime))

    with pytest.raises(AssertionError, match=promise):
        check_ledger(make)


# ------------------------------------------------------------------------------------- memories and learners


class Amnesic(InMemoryMemory):
    def since(self, collection, sequence):
        return super().since(collection, sequence)[-1:]


class WorstFirst(InMemoryMemory):
    def search(self, query, *, k=10, **options):
        return super().search(query, k=100, **options)[::-1][:k]


class Unfiltered(InMemoryMemory):
    def search(self, query, *, filters=None, **options):
        return super().search(query, **options)


class FiltersTooLate(InMemoryMemory):
    def search(self, query, *, k=10, filters=None, **options):
        hits = super().search(query, k=k, **options)
        return tuple(hit for hit in hits if all(str(hit.item.facts.get(key)) == filters[key] for key in filters or {}))


class Stringly(InMemoryMemory):
    def add(self, item):
        return super().add(replace(item, facts={key: str(value) for key, value in item.facts.items()}))


class Nameless(InMemoryMemory):
    def add(self, item):
        return super().add(replace(item, facts={key: value for key, value in item.facts.items() if key != "name"}))


class OnlyWords(InMemoryMemory):
    def search(self, query, *, mode=SearchMode.KEYWORD, **options):
        return super().search(query, **options)


class Unexplained(InMemoryMemory):
    def search(self, query, **options):
        return tuple(replace(hit, signals={}) for hit in super().search(query, **options))


class KeepsOldVersions(InMemoryMemory):
    def change(self, item):
        changed = super().change(item)
        super().add(replace(item, id="", text="parser fails on empty date"))
        return changed


class LearnsLate(InMemoryMemory):
    """Answers what it answered when it was first asked."""

    def __init__(self):
        super().__init__()
        self.answers = {}

    def search(self, query, **options):
        return self.answers.setdefault((query, str(options)), super().search(query, **options))


class Undying(InMemoryMemory):
    def delete(self, collection, item_id):
        self._dig(collection, item_id)
        item = MemoryItem(collection, "parser fails on empty date", {}, id=item_id)
        self._append(self._collection(collection), item, item_id)


class Timeless(InMemoryMemory):
    def search(self, query, *, at=None, **options):
        return super().search(query, **options)


class Unfading(InMemoryMemory):
    def search(self, query, **options):
        return tuple(
            replace(hit, score=hit.score / hit.signals.get("decay", 1.0)) for hit in super().search(query, **options)
        )


class Polite(InMemoryMemory):
    def since(self, collection, sequence):
        return super().since(collection, sequence) if collection != "wishes" else ()


class Overwrites(InMemoryMemory):
    def add(self, item):
        return super().change(item) if item.id in self._places else super().add(item)


class Talkative(InMemoryMemory):
    def delete(self, collection, item_id):
        try:
            super().delete(collection, item_id)
        except LabError as error:
            raise LabError(f"{error}\nTraceback: ...") from None


@pytest.mark.parametrize(
    ("memory", "promise"),
    [
        (Amnesic, "all items"),
        (Stringly, "must keep their types|field by field|must change nothing"),
        (WorstFirst, "must come first"),
        (Nameless, "words of its name"),
        (OnlyWords, "the score of each signal"),
        (Unexplained, "the score of each signal"),
        (Unfiltered, "filters must keep"),
        (FiltersTooLate, "filters must count before k"),
        (KeepsOldVersions, "since must return a changed item once"),
        (LearnsLate, "must be visible"),
        (Undying, "must not return what was deleted"),
        (Timeless, "must not be found at 9"),
        (Unfading, "after a half-life"),
        (Polite, "since in an unknown collection must be refused"),
        (Overwrites, "add with an id that exists must be refused"),
        (Talkative, "in one sentence"),
    ],
)
def test_check_memory_rejects(memory, promise):
    with pytest.raises(AssertionError, match=promise):
        check_memory(memory)


class Doubles(InMemoryMemory):
    def neighbours(self, item_id, **options):
        return super().neighbours(item_id, **options) * 2


class OneWay(InMemoryMemory):
    def neighbours(self, item_id, *, relation=None, incoming=False):
        return super().neighbours(item_id, relation=relation)


class Forward(InMemoryMemory):
    def impact(self, item_id, hops, *, relations=None):
        reached, edge = {}, {item_id}
        for step in range(1, hops + 1):
            edge = {link.target for end in edge for link in self.neighbours(end)} - set(reached) - {item_id}
            reached.update(dict.fromkeys(edge, step))
        return reached


class Boundless(InMemoryMemory):
    def impact(self, item_id, hops, *, relations=None):
        return super().impact(item_id, 100 if hops else 0, relations=relations)


class LeavesLinks(InMemoryMemory):
    def delete(self, collection, item_id):
        kept = [*self.neighbours(item_id), *self.neighbours(item_id, incoming=True)]
        super().delete(collection, item_id)
        self.link(kept)


class Unlinked(InMemoryMemory):
    """Searches as if there were no links."""

    def search(self, query, *, mode=SearchMode.KEYWORD, **options):
        graph = {SearchMode.GRAPH: SearchMode.KEYWORD, SearchMode.HYBRID_GRAPH: SearchMode.HYBRID}
        return super().search(query, mode=graph.get(mode, mode), **options)


@pytest.mark.parametrize(
    ("memory", "promise"),
    [
        (Doubles, "must not be doubled"),
        (OneWay, "incoming neighbours"),
        (Forward, "impact in 1 hops"),
        (Boundless, "impact in 1 hops"),
        (LeavesLinks, "links from and to a deleted item"),
        (Unlinked, "linked to a hit must be found"),
    ],
)
def test_check_linked_memory_rejects(memory, promise):
    with pytest.raises(AssertionError, match=promise):
        check_linked_memory(memory)


class KeepsToItself(PatternLibrary):
    def __init__(self, memory):
        super().__init__(InMemoryMemory())


class Boasts(PatternLibrary):
    """Adds tries and successes of its own whenever an outcome of one kind is settled."""

    boasts_after: ClassVar[bool | None] = False
    facts: ClassVar[dict[str, int]] = {"successes:good": 9, "tries:good": 9}

    def settle(self, outcome, *, agent_id, at):
        super().settle(outcome, agent_id=agent_id, at=at)
        if outcome.success is self.boasts_after:
            for _ in range(3):
                self._memory.add(replace(self._memory.since("patterns", -1)[0], facts=self.facts, id=""))


class LearnsFromNothing(Boasts):
    boasts_after = None


class HatesSuccess(Boasts):
    boasts_after = True
    facts: ClassVar = {"tries:good": 9}


class TriesToForget(PatternLibrary):
    def __init__(self, memory):
        super().__init__(memory, half_life=1)


class CountsItsReaders(PatternLibrary):
    readers = 0

    def records(self):
        self.readers += 1
        return {name: replace(one, tries=one.tries + self.readers) for name, one in super().records().items()}


class DreamsOfAttempts(PatternLibrary):
    def observe(self, task, trials, *, agent_id, at):
        super().observe(task, trials or [PatternTrial("dreamt", 1, 0)], agent_id=agent_id, at=at)


@pytest.mark.parametrize(
    ("learner", "promise"),
    [
        (KeepsToItself, "share a memory"),
        (CountsItsReaders, "share a memory"),
        (Boasts, "a rollback must not make its pattern"),
        (LearnsFromNothing, "showed nothing must change nothing"),
        (HatesSuccess, "a change that lasted must not make"),
        (TriesToForget, "tries of 'good' fell from"),
        (DreamsOfAttempts, "tried nothing must change nothing"),
    ],
)
def test_check_learner_rejects(learner, promise):
    with pytest.raises(AssertionError, match=promise):
        check_learner(learner, InMemoryMemory)


def test_a_learner_that_says_that_it_forgets_may():
    check_learner(TriesToForget, InMemoryMemory, forgets=True)


class LearnsOn(FrozenPatterns):
    def observe(self, task, trials, *, agent_id, at):
        self._records = {**self._records, "new": PatternRecord("new", 0.0, 1.0)}


class Repents(FrozenPatterns):
    def settle(self, outcome, *, agent_id, at):
        self._records = {}


class LooksOverAShoulder(FrozenPatterns):
    def __init__(self, records):
        self._records = records


@pytest.mark.parametrize(
    ("learner", "promise"),
    [
        (LearnsOn, "an attempt must not change"),
        (Repents, "an outcome must not change"),
        (LooksOverAShoulder, "must not reach a frozen learner"),
        (lambda records: FrozenPatterns({}), "must know what it was given"),
    ],
)
def test_check_frozen_learner_rejects(learner, promise):
    with pytest.raises(AssertionError, match=promise):
        check_frozen_learner(learner)


# ------------------------------------------------------------------------------------------------- policies


class Reckless(PublishedPolicy):
    def decide(self, assessment, rng):
        return replace(super().decide(assessment, rng), action=Action.AUTO_DEPLOY, explored=False)


class Silent(PublishedPolicy):
    def decide(self, assessment, rng):
        return replace(super().decide(assessment, rng), reasons=())


class Certain(PublishedPolicy):
    def decide(self, assessment, rng):
        return replace(super().decide(assessment, rng), propensity=0.0)


class Moodier(PublishedPolicy):
    calls = [0]  # noqa: RUF012  # shared on purpose: the policy is frozen

    def decide(self, assessment, rng):
        self.calls[0] += 1
        return replace(super().decide(assessment, rng), reasons=(f"call {self.calls[0]}",))


@pytest.mark.parametrize(
    ("policy", "promise"),
    [
        (Reckless, "must go to review"),
        (Silent, "give its reasons"),
        (Certain, "probability of the path taken"),
        (Moodier, "the same draw must give the same decision"),
        (RandomPolicy, "must go to review"),
    ],
)
def test_check_policy_rejects(policy, promise):
    with pytest.raises(AssertionError, match=promise):
        check_policy(policy())


class Backwards(PublishedPolicy):
    def decide(self, assessment, rng):
        turned = replace(assessment, risk=1.0 - assessment.risk, confidence=1.0 - assessment.confidence)
        return replace(super().decide(turned, rng), assessment=assessment)


def test_check_policy_rejects_a_control_that_likes_risk():
    with pytest.raises(AssertionError, match="must not go further"):
        check_policy(Backwards(), control=True)


# ------------------------------------------------------------------------------------ risk models, calibrators


class Overflows(FiveFactorRisk):
    def assess(self, evidence):
        return replace(super().assess(evidence), risk=1.5)


class Speechless(FiveFactorRisk):
    def assess(self, evidence):
        return replace(super().assess(evidence), reason="")


class Undefined(FiveFactorRisk):
    def assess(self, evidence):
        return replace(super().assess(evidence), factors={"ratio": float("nan")})


class Drifts(FiveFactorRisk):
    asked = 0

    def assess(self, evidence):
        self.asked += 1
        return replace(super().assess(evidence), risk=0.5 / self.asked)


class Picky(LearnedRisk):
    def learn(self, label):
        assert label.factors["complexity"] is not None
        super().learn(label)


@pytest.mark.parametrize(
    ("model", "promise"),
    [
        (Overflows, "between 0 and 1"),
        (Speechless, "in words"),
        (Undefined, "finite number"),
        (Drifts, "asking twice"),
    ],
)
def test_check_risk_model_rejects(model, promise):
    with pytest.raises(AssertionError, match=promise):
        check_risk_model(model)


def test_check_risk_model_shows_labels_of_other_gates():
    with pytest.raises(KeyError):
        check_risk_model(Picky)


class Deaf(BinnedBetaCalibrator):
    def learn(self, label):
        pass


class HearsPeopleOnly(BinnedBetaCalibrator):
    def learn(self, label):
        if label.source.value == "person":
            super().learn(label)


class Doubles(PlattCalibrator):
    def confidence(self, risk):
        return 2.0 * super().confidence(risk)


class ForgetsWhenAsked(BinnedBetaCalibrator):
    def confidence(self, risk):
        seen = super().confidence(risk)
        self.__init__()
        return seen


@pytest.mark.parametrize(
    ("calibrator", "promise"),
    [
        (Deaf, "must raise the confidence"),
        (HearsPeopleOnly, "shown by production must raise"),
        (Doubles, "between 0 and 1"),
        (ForgetsWhenAsked, "asking twice"),
    ],
)
def test_check_calibrator_rejects(calibrator, promise):
    with pytest.raises(AssertionError, match=promise):
        check_calibrator(calibrator)


# -------------------------------------------------------------------------- streams, environments, solvers


class OneShot:
    name = "one shot"

    def __init__(self):
        self._items = iter(SyntheticStream(3, seed=1))

    def __iter__(self):
        return self._items


class Repeats:
    name = "repeats"

    def __iter__(self):
        return iter([*SyntheticStream(2, seed=1), *SyntheticStream(2, seed=1)])


@pytest.mark.parametrize(("stream", "promise"), [(OneShot, "iterating a stream twice"), (Repeats, "must be unique")])
def test_check_stream_rejects(stream, promise):
    with pytest.raises(AssertionError, match=promise):
        check_stream(stream())


TASK = Task("t", "p", TaskKind.SYNTHETIC, "a test fails")
TRUTH = SimulatedTruth("t", "k", 0, 0.5, (("template-01", 0.3), ("template-02", 0.3)), 1.0, 0.4)
CHANGE = Change("t", (Edit("p.py", 1, 1, "template-01 3\n"),), "", "s", ("template-01",), 1)


class Shrinks(SimulatedEnvironment):
    def expose(self, task, change, stage, share):
        return super().expose(task, change, stage, 1.1 - share)


class Moody(SimulatedEnvironment):
    asked = 0

    def inspect(self, task, change):
        self.asked += 1
        inspection, cost = super().inspect(task, change)
        return replace(inspection, lint=self.asked), cost


class Kind(SimulatedEnvironment):
    def test(self, task, change):
        report, cost = super().test(task, change)
        return replace(report, failed=() if report.failed else ("x",)), cost


@pytest.mark.parametrize(
    ("world", "promise"),
    [(Shrinks, "larger share"), (Moody, "inspect must give the same"), (Kind, "test and evaluate must agree")],
)
def test_check_environment_rejects(world, promise):
    with pytest.raises(AssertionError, match=promise):
        check_environment(world([StreamItem(TASK, TRUTH)]), TASK, CHANGE)


class Spendthrift(SimulatedSolver):
    def solve(self, context, workspace, budget, rng):
        return super().solve(context, workspace, budget + 10, rng)


class Stubborn(SimulatedSolver):
    def solve(self, context, workspace, budget, rng):
        return super().solve(replace(context, rejected=()), workspace, budget, rng)


class Liar(SimulatedSolver):
    def solve(self, context, workspace, budget, rng):
        attempt, cost = super().solve(context, workspace, budget, rng)
        if attempt.change is None:
            return attempt, cost
        wrong = replace(attempt.change, edits=(Edit("p.py", 1, 1, "nonsense\n"),))
        return replace(attempt, change=wrong), cost


class Forgetful(SimulatedSolver):
    def solve(self, context, workspace, budget, rng):
        rng = type(rng)(type(rng.bit_generator)())
        return super().solve(context, workspace, budget, rng)


@pytest.mark.parametrize(
    ("solver", "promise"),
    [
        (Spendthrift, "candidates of a budget"),
        (Stubborn, "rejected change must not be proposed"),
        (Liar, "must pass the visible tests"),
        (Forgetful, "must give the same attempt"),
    ],
)
def test_check_solver_rejects(solver, promise):
    environment = SimulatedEnvironment([StreamItem(TASK, TRUTH)])
    workspace, _ = environment.workspace(TASK)
    assert isinstance(workspace, SimulatedWorkspace)
    diagnosis, _ = environment.diagnose(TASK)
    hard = replace(TRUTH, plausible=tuple((f"template-{n:02d}", 0.02) for n in range(1, 36)))
    if solver in (Spendthrift, Forgetful):  # many candidates fail before one passes
        workspace, _ = SimulatedEnvironment([StreamItem(TASK, hard)]).workspace(TASK)
    context = TaskContext(TASK, Plan("t", (), 1.0, 5), diagnosis)
    with pytest.raises(AssertionError, match=promise):
        check_solver(solver("uniform"), context, workspace, budget=5 if solver is Spendthrift else 300)
