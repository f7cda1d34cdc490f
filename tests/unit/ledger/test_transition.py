"""Random histories keep the ledger's invariants, and the in-memory ledger agrees with a plain replay."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from autodev_lab.kernel import VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger, RecordedLedger, replay
from autodev_lab.ledger.transition import ClaimTask, Renew, Transition
from autodev_lab.records import Claim, HumanAnswer, Plan, Refusal, RefusalReason, Role, Stage, Task, TaskKind
from autodev_lab.testing.check_ledger import check_ledger
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE, TERMINAL_STAGES

AGENTS = st.sampled_from(["a", "b", "c"])
IDS = st.sampled_from(["t1", "t2", "t3", "t4"])


def make_task(name, arrival=0.0, priority=0):
    return Task(name, "p", TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority)


def test_the_in_memory_ledger_keeps_the_contract():
    def make():
        runtime = VirtualRuntime(seed=1)
        return runtime, InMemoryLedger(runtime, InMemoryEventBus(runtime))

    check_ledger(make)


class AnyHistory(RuleBasedStateMachine):
    """Claims, renewals, completions, failures, expiries and answers in any order, at any time, repeated at will."""

    @initialize(max_tries=st.integers(1, 4))
    def start(self, max_tries):
        self.runtime = VirtualRuntime()
        self.bus = InMemoryEventBus(self.runtime)
        self.ledger = RecordedLedger(self.runtime, self.bus, max_tries=max_tries)
        self.max_tries = max_tries
        self.claims = []
        self.submitted = []
        self.completed = {}
        self.fences = {}

    def do(self, coroutine):
        """Run one command; a refusal must leave every state as it was."""
        before = self.runtime.run(self.ledger.states())
        mark = len(self.ledger.history)
        outcome = self.runtime.run(coroutine)
        if isinstance(outcome, Refusal):
            assert self.runtime.run(self.ledger.states()) == before
        for entry in self.ledger.history[mark:]:
            self.check(entry, {state.task.id: state for state in before})
        return outcome

    def check(self, entry, before):
        if not isinstance(entry.outcome, Transition):
            return
        after = entry.outcome.state
        old = before.get(after.task.id)
        if old is None:
            return
        if after.stage is not old.stage and after.stage is not Stage.DEAD_LETTER:
            assert after.stage in NEXT_STAGES[old.stage]
            assert after.tries == 0
        if after.stage is Stage.DEAD_LETTER and old.stage is not Stage.DEAD_LETTER:
            assert after.tries >= self.max_tries
            assert old.stage is not Stage.ESCALATED
        if isinstance(entry.command, ClaimTask):
            assert after.fence > old.fence
            assert ROLE_OF_STAGE[after.stage] is after.lease.role
            assert old.lease is None or old.lease.expires_at <= entry.now
        else:
            assert after.fence == old.fence
        if isinstance(entry.command, Renew):
            assert after.lease.expires_at >= old.lease.expires_at

    @rule(name=IDS, arrival=st.integers(0, 3), priority=st.integers(0, 1))
    def submit(self, name, arrival, priority):
        outcome = self.do(self.ledger.submit(make_task(name, float(arrival), priority)))
        if name in self.submitted:
            assert outcome.reason is RefusalReason.DUPLICATE_TASK
        else:
            assert outcome is None
            self.submitted.append(name)

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0, 20.0]))
    def wait(self, seconds):
        self.runtime.run(self.runtime.sleep(seconds))

    @rule(role=st.sampled_from(list(Role)), agent=AGENTS, lease=st.sampled_from([1.0, 5.0, 10.0]))
    def claim(self, role, agent, lease):
        now = self.runtime.now()
        waiting = [
            state
            for state in self.runtime.run(self.ledger.states())
            if ROLE_OF_STAGE.get(state.stage) is role
            and (state.lease is None or (state.lease.expires_at <= now and not self.would_die(state)))
        ]
        claim = self.do(self.ledger.claim(role, agent, lease))
        assert (claim is None) == (not waiting)
        if claim is not None:
            order = sorted(waiting, key=lambda state: (-state.task.priority, state.task.arrival))
            assert claim.task.id == order[0].task.id
            self.claims.append(claim)

    def would_die(self, state):
        return state.tries + 1 >= self.max_tries and state.stage is not Stage.ESCALATED

    @rule(data=st.data(), stage=st.sampled_from(list(Stage)), follow_up=st.none() | IDS)
    def complete(self, data, stage, follow_up):
        if not self.claims:
            return
        claim = data.draw(st.sampled_from(self.claims))
        legal = sorted(NEXT_STAGES[claim.state.stage])
        if data.draw(st.booleans()):
            stage = data.draw(st.sampled_from(legal))
        more = None if follow_up is None else make_task(follow_up)
        key = (claim.task.id, claim.lease.fence)
        outcome = self.do(self.ledger.complete(claim, stage, Plan(claim.task.id, (), 0.0, 1), more))
        if outcome is None:
            assert key not in self.completed, "one claim completed twice"
            self.completed[key] = stage
            assert stage in legal
            if follow_up is not None:
                assert follow_up not in self.submitted
                self.submitted.append(follow_up)

    @rule(data=st.data(), lease=st.sampled_from([1.0, 10.0]))
    def renew(self, data, lease):
        if self.claims:
            outcome = self.do(self.ledger.renew(data.draw(st.sampled_from(self.claims)), lease))
            if isinstance(outcome, Claim):
                self.claims.append(outcome)

    @rule(data=st.data())
    def fail(self, data):
        if self.claims:
            self.do(self.ledger.fail(data.draw(st.sampled_from(self.claims)), "why"))

    @rule()
    def expire(self):
        due = [
            state
            for state in self.runtime.run(self.ledger.states())
            if state.lease is not None and state.lease.expires_at <= self.runtime.now()
        ]
        assert self.do(self.ledger.expire()) == len(due)

    @rule(name=IDS, approve=st.booleans())
    def answer(self, name, approve):
        self.do(self.ledger.answer(HumanAnswer(name, approve, 1.0, 1.0)))

    @invariant()
    def nothing_is_lost(self):
        if not hasattr(self, "ledger"):
            return
        states = self.runtime.run(self.ledger.states())
        assert [state.task.id for state in states] == self.submitted
        assert self.runtime.run(self.ledger.open_count()) == sum(s.stage not in TERMINAL_STAGES for s in states)
        for state in states:
            assert state.fence >= self.fences.get(state.task.id, 0)
            self.fences[state.task.id] = state.fence
            assert state.lease is None or state.stage not in TERMINAL_STAGES
            assert state.reworks == sum(entry.stage is Stage.REJECTED for entry in state.history)
            done = [e.stage for e in state.history if isinstance(e.result, Plan)]
            assert done == [stage for (name, _), stage in self.completed.items() if name == state.task.id]
            if state.stage is not Stage.FETCHED:
                assert state.history[-1].stage is state.stage

    def teardown(self):
        if hasattr(self, "ledger"):
            commands = [(entry.now, entry.command) for entry in self.ledger.history]
            states = {state.task.id: state for state in self.runtime.run(self.ledger.states())}
            assert replay(commands, max_tries=self.max_tries) == states


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("lease", [0.0, -1.0, float("nan")])
def test_a_lease_without_length_is_refused_before_anything_is_taken(lease):
    runtime = VirtualRuntime()
    ledger = InMemoryLedger(runtime, InMemoryEventBus(runtime))

    async def main():
        await ledger.submit(make_task("t1"))
        with pytest.raises(ValueError, match="lease_seconds"):
            await ledger.claim(Role.ARCHITECT, "a", lease)
        return await ledger.claim(Role.ARCHITECT, "a", 1.0)

    assert runtime.run(main()).task.id == "t1"


def test_a_ledger_needs_at_least_one_try():
    runtime = VirtualRuntime()
    with pytest.raises(ValueError, match="max_tries"):
        InMemoryLedger(runtime, InMemoryEventBus(runtime), max_tries=0)
