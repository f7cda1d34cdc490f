"""Named regressions: failures seen in public trackers of work queues, which this protocol must not have."""

from __future__ import annotations

import pytest

from autodev_lab.kernel import VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
from autodev_lab.records import Plan, RefusalReason, Role, Stage, Task, TaskKind


def in_memory():
    """Runtime, bus and empty ledger in virtual time."""
    runtime = VirtualRuntime(seed=3)
    bus = InMemoryEventBus(runtime)
    return runtime, bus, InMemoryLedger(runtime, bus)


LEDGERS = {"in memory": in_memory}
"""Makers of the worlds that must not have these failures; another ledger joins by a line here, or (Redis)
by a `world` of its own."""


@pytest.fixture(params=LEDGERS.values(), ids=LEDGERS.keys())
def world(request):
    return request.param()


def task(name="t"):
    return Task(name, "p", TaskKind.SYNTHETIC, name)


PLAN = Plan("t", (), 1.0, 5)


def test_completion_after_lease_expiry_with_two_workers_counts_once(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        slow = await ledger.claim(Role.ARCHITECT, "slow", 10.0)
        await runtime.sleep(10.0)
        fast = await ledger.claim(Role.ARCHITECT, "fast", 10.0)
        late = await ledger.complete(slow, Stage.PLANNED, PLAN)
        assert await ledger.complete(fast, Stage.PLANNED, PLAN) is None
        later = await ledger.complete(slow, Stage.PLANNED, PLAN)
        return late, later, await ledger.state("t")

    late, later, state = runtime.run(main())
    assert late.reason is later.reason is RefusalReason.STALE_FENCE
    assert [(entry.stage, entry.agent_id) for entry in state.history] == [(Stage.PLANNED, "fast")]


def test_completion_after_lease_expiry_is_refused_even_if_nobody_else_came(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        claim = await ledger.claim(Role.ARCHITECT, "slow", 10.0)
        await runtime.sleep(10.0)
        return await ledger.complete(claim, Stage.PLANNED, PLAN), await ledger.state("t")

    refusal, state = runtime.run(main())
    assert refusal.reason is RefusalReason.LEASE_EXPIRED
    assert state.stage is Stage.FETCHED


def test_a_completion_sent_again_because_its_answer_was_lost_counts_once(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        claim = await ledger.claim(Role.ARCHITECT, "one", 10.0)
        await ledger.complete(claim, Stage.PLANNED, PLAN, task("t~1"))
        again = await ledger.complete(claim, Stage.PLANNED, PLAN, task("t~1"))
        return again, await ledger.submit(task()), await ledger.state("t"), await ledger.open_count()

    again, resubmitted, state, still_open = runtime.run(main())
    assert again.reason is RefusalReason.STALE_FENCE
    assert resubmitted.reason is RefusalReason.DUPLICATE_TASK
    assert (state.stage, len(state.history), still_open) == (Stage.PLANNED, 1, 2)


def test_a_restarted_worker_that_reuses_its_id_is_told_apart_by_the_fence(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        before_crash = await ledger.claim(Role.ARCHITECT, "worker-1", 10.0)
        await runtime.sleep(11.0)
        after_restart = await ledger.claim(Role.ARCHITECT, "worker-1", 10.0)
        ghost = await ledger.complete(before_crash, Stage.PLANNED, PLAN)
        alive = await ledger.complete(after_restart, Stage.PLANNED, PLAN)
        return ghost, alive

    ghost, alive = runtime.run(main())
    assert ghost.reason is RefusalReason.STALE_FENCE
    assert alive is None


def test_a_stalled_reaper_holds_nobody_up_because_anyone_may_expire(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task("t"))
        await ledger.submit(task("u"))
        await ledger.claim(Role.ARCHITECT, "gone", 10.0)
        await ledger.claim(Role.ARCHITECT, "gone", 20.0)
        await runtime.sleep(10.0)
        taken_over = await ledger.claim(Role.ARCHITECT, "other", 60.0)  # nobody has called expire
        await runtime.sleep(10.0)
        return taken_over.task.id, await ledger.expire(), await ledger.claim(Role.ARCHITECT, "third", 5.0)

    taken_over, freed, third = runtime.run(main())
    assert taken_over == "t"
    assert freed == 1
    assert third.task.id == "u"


def test_a_message_that_ages_while_buffered_wakes_but_never_misleads(world):
    runtime, bus, ledger = world

    async def main():
        subscription = bus.subscribe([Stage.FETCHED])
        await ledger.submit(task())
        claim = await ledger.claim(Role.ARCHITECT, "quick", 10.0)
        await ledger.complete(claim, Stage.PLANNED, PLAN)
        await runtime.sleep(1000.0)
        event = await subscription.next(1.0)
        return event, await ledger.claim(Role.ARCHITECT, "woken late", 10.0), await ledger.state("t")

    event, claim, state = runtime.run(main())
    assert (event.task_id, event.at) == ("t", 0.0)
    assert claim is None
    assert state.stage is Stage.PLANNED


def test_work_of_a_worker_that_is_gone_for_ever_is_not_doing_for_ever(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        for _ in range(3):
            await ledger.claim(Role.ARCHITECT, "pruned", 10.0)
            await runtime.sleep(10.0)
            await ledger.expire()
        return await ledger.state("t"), await ledger.open_count()

    state, still_open = runtime.run(main())
    assert (state.stage, state.lease, state.tries) == (Stage.DEAD_LETTER, None, 3)
    assert state.history[-1].agent_id == "pruned"
    assert still_open == 0


def test_a_person_who_is_slow_never_makes_a_dead_letter(world):
    runtime, _, ledger = world

    async def main():
        await ledger.submit(task())
        for role, stage in (
            (Role.ARCHITECT, Stage.PLANNED),
            (Role.DEVELOPER, Stage.PROPOSED),
            (Role.TESTER, Stage.TESTED),
            (Role.REVIEWER, Stage.APPROVED),
            (Role.DEPLOYER, Stage.ESCALATED),
        ):
            await ledger.complete(await ledger.claim(role, role.value, 10.0), stage, PLAN)
        for _ in range(5):
            claim = await ledger.claim(Role.HUMAN, "person", 10.0)
            refused = await ledger.complete(claim, Stage.CLEARED, PLAN)
            await runtime.sleep(10.0)
        await ledger.expire()
        return refused, await ledger.state("t")

    refused, state = runtime.run(main())
    assert refused.reason is RefusalReason.WRONG_STAGE
    assert state.stage is Stage.ESCALATED
