"""The ledger on a real Redis: the contract, and random histories held against the pure transition."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from autodev_lab.kernel import AsyncioRuntime, VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Claim, HumanAnswer, Plan, Role, Stage, Task, TaskKind
from autodev_lab.testing import check_ledger
from autodev_lab.workflow import NEXT_STAGES

AGENTS = st.sampled_from(["a", "b", "c"])
IDS = st.sampled_from(["t1", "t2", "t3", "t4", "t1~1", "a:b|c"])
PREFIXES = itertools.count()


class SteppedRuntime(AsyncioRuntime):
    """asyncio, with a clock that moves when somebody sleeps; closes a server when it has run."""

    def __init__(self, server):
        super().__init__()
        self.at = 0.0
        self.server = server

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds

    def run(self, main):
        async def closing():
            async with self.server:
                return await main

        return super().run(closing())


def test_the_redis_ledger_keeps_the_contract(redis_server):
    def make():
        server = RedisServer(redis_server.url)
        runtime = SteppedRuntime(server)
        return runtime, RedisLedger(server, prefix=f"contract{next(PREFIXES)}", clock=runtime.now)

    check_ledger(make)


class Twins(RuleBasedStateMachine):
    """The same commands to the in-memory ledger and to Redis: the same answers, and the same states after each."""

    url = ""

    @initialize(max_tries=st.integers(1, 4), max_open=st.none() | st.integers(1, 5))
    def start(self, max_tries, max_open):
        self.loop = asyncio.new_event_loop()
        self.runtime = VirtualRuntime()
        bus = InMemoryEventBus(self.runtime)
        self.model = InMemoryLedger(self.runtime, bus, max_tries=max_tries, max_open=max_open)
        self.server = RedisServer(self.url)
        self.real = RedisLedger(
            self.server,
            prefix=f"twins{next(PREFIXES)}",
            max_tries=max_tries,
            max_open=max_open,
            log_length=1000,
            clock=self.runtime.now,
        )
        self.do_real(self.real.open())
        self.claims = []

    def do_real(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def both(self, command):
        wanted = self.runtime.run(command(self.model))
        got = self.do_real(command(self.real))
        assert got == wanted
        return got

    @rule(
        name=IDS,
        arrival=st.sampled_from([0.0, 1.0, -2.5, 1e-9]),
        priority=st.integers(-1, 1),
        after=st.lists(IDS, max_size=3),
    )
    def submit(self, name, arrival, priority, after):
        task = Task(name, "p", TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority, metadata={"é": "\x00"})
        self.both(lambda ledger: ledger.submit(task, after))

    @rule(seconds=st.sampled_from([0.5, 1.0, 0.1, 20.0]))
    def wait(self, seconds):
        self.runtime.run(self.runtime.sleep(seconds))

    @rule(role=st.sampled_from(list(Role)), agent=AGENTS, lease=st.sampled_from([1.0, 5.0, 1 / 3]))
    def claim(self, role, agent, lease):
        claim = self.both(lambda ledger: ledger.claim(role, agent, lease))
        if claim is not None:
            self.claims.append(claim)

    @rule(data=st.data(), stage=st.sampled_from(list(Stage)), follow_up=st.none() | IDS)
    def complete(self, data, stage, follow_up):
        if self.claims:
            claim = data.draw(st.sampled_from(self.claims))
            if data.draw(st.booleans()) and NEXT_STAGES[claim.state.stage]:
                stage = data.draw(st.sampled_from(sorted(NEXT_STAGES[claim.state.stage])))
            more = None if follow_up is None else Task(follow_up, "p", TaskKind.SYNTHETIC, "more")
            result = Plan(claim.task.id, (), 0.1, 1)
            self.both(lambda ledger: ledger.complete(claim, stage, result, more))

    @rule(data=st.data(), lease=st.sampled_from([1.0, 10.0]))
    def renew(self, data, lease):
        if self.claims:
            claim = data.draw(st.sampled_from(self.claims))
            renewed = self.both(lambda ledger: ledger.renew(claim, lease))
            if isinstance(renewed, Claim):
                self.claims.append(renewed)

    @rule(data=st.data())
    def fail(self, data):
        if self.claims:
            claim = data.draw(st.sampled_from(self.claims))
            self.both(lambda ledger: ledger.fail(claim, "why"))

    @rule()
    def expire(self):
        self.both(lambda ledger: ledger.expire())

    @rule(name=IDS, approve=st.booleans())
    def answer(self, name, approve):
        self.both(lambda ledger: ledger.answer(HumanAnswer(name, approve, 1.0, 1.0, "so")))

    @invariant()
    def both_are_the_same(self):
        if hasattr(self, "real"):
            self.both(lambda ledger: ledger.states())
            self.both(lambda ledger: ledger.open_count())

    def teardown(self):
        if hasattr(self, "real"):
            self.do_real(self.server.close())
            self.loop.close()


def test_random_histories_give_what_the_pure_transition_gives(redis_server):
    Twins.url = redis_server.url
    run_state_machine_as_test(Twins, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))


@pytest.mark.parametrize("lease", [0.0, -1.0, float("nan")])
def test_a_lease_without_length_is_refused_before_anything_is_taken(redis_server, lease):
    async def main():
        async with RedisServer(redis_server.url) as server:
            ledger = RedisLedger(server)
            await ledger.submit(Task("t", "p", TaskKind.SYNTHETIC, "t"))
            with pytest.raises(ValueError, match="lease_seconds"):
                await ledger.claim(Role.ARCHITECT, "a", lease)
            return await ledger.claim(Role.ARCHITECT, "a", 1.0)

    assert asyncio.run(main()).task.id == "t"
