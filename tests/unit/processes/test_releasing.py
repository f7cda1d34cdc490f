"""Releasing a held task: who held it is refused from then on, and what cannot be released is said in one sentence."""

from __future__ import annotations

import pytest

from autodev_lab.errors import LabError
from autodev_lab.kernel import VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
from autodev_lab.processes.releasing import release
from autodev_lab.records import HumanAnswer, RefusalReason, Role, Stage, Task, TaskKind

DAY = 86_400.0
WAYS = (
    (Role.ARCHITECT, Stage.PLANNED),
    (Role.DEVELOPER, Stage.PROPOSED),
    (Role.TESTER, Stage.TESTED),
    (Role.REVIEWER, Stage.APPROVED),
    (Role.DEPLOYER, Stage.ESCALATED),
)


def on_a_ledger(use):
    runtime = VirtualRuntime(seed=1)
    ledger = InMemoryLedger(runtime, InMemoryEventBus(runtime), max_tries=3)

    async def main():
        for name, after in (("t1", ()), ("t2", ("t1",))):
            await ledger.submit(Task(name, "toolz", TaskKind.SYNTHETIC, "it fails"), after)
        return await use(ledger, runtime)

    return runtime.run(main())


def test_a_released_task_can_be_claimed_at_once_and_its_old_holder_is_refused():
    async def use(ledger, runtime):
        dead = await ledger.claim(Role.ARCHITECT, "architect-1", DAY)
        assert await ledger.claim(Role.ARCHITECT, "architect-2", DAY) is None
        done = await release(ledger, "t1", max_tries=3)
        taken = await ledger.claim(Role.ARCHITECT, "architect-2", DAY)
        late = await ledger.complete(dead, Stage.PLANNED, None)
        return done, taken, late, await ledger.complete(taken, Stage.PLANNED, None)

    done, taken, late, accepted = on_a_ledger(use)
    assert (taken.task.id, taken.lease.fence, accepted) == ("t1", 2, None)
    assert late.reason is RefusalReason.STALE_FENCE
    assert (done.holder, done.stage, done.tries, done.ran_out) == ("architect-1", "fetched", 1, False)
    assert done.in_words() == (
        "t1 was held by architect-1; it was released as try 1 of 3. Any architect can claim it as fetched now, and "
        "what architect-1 still reports of it is refused"
    )


def test_the_last_try_is_released_only_on_request():
    async def use(ledger, runtime):
        for _ in range(2):
            await ledger.fail(await ledger.claim(Role.ARCHITECT, "architect-1", DAY), "it went wrong")
        await ledger.claim(Role.ARCHITECT, "architect-1", DAY)
        with pytest.raises(LabError, match="in the last of its 3 tries, so released it would become a dead letter"):
            await release(ledger, "t1", max_tries=3)
        assert (await ledger.state("t1")).lease is not None
        done = await release(ledger, "t1", max_tries=3, last_try=True)
        return done, (await ledger.state("t1")).stage

    done, stage = on_a_ledger(use)
    assert stage is Stage.DEAD_LETTER
    assert done.in_words().endswith("that was the last of 3 tries: a dead letter now")


def test_an_escalation_is_released_as_often_as_need_be():
    async def use(ledger, runtime):
        for role, stage in WAYS:
            await ledger.complete(await ledger.claim(role, role.value, DAY), stage, None)
        for _ in range(4):
            await ledger.claim(Role.HUMAN, "desk-1", DAY)
            done = await release(ledger, "t1", max_tries=3)
        return done, await ledger.answer(HumanAnswer("t1", True, 1.0, 0.0)), (await ledger.state("t1")).stage

    done, refused, stage = on_a_ledger(use)
    assert (refused, stage) == (None, Stage.CLEARED)
    assert "another desk can put it before a person" in done.in_words()


def test_a_lease_that_ran_out_is_freed():
    async def use(ledger, runtime):
        await ledger.claim(Role.ARCHITECT, "architect-1", 10.0)
        await runtime.sleep(11.0)
        return await release(ledger, "t1", max_tries=3), (await ledger.state("t1")).lease

    done, lease = on_a_ledger(use)
    assert (done.ran_out, done.tries, lease) == (True, 1, None)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("t9", "the ledger has no task 't9'"),
        ("t1", "nobody holds t1: it is fetched and waits for the role architect"),
        ("t2", "nobody holds t2: it is fetched and waits for t1"),
    ],
)
def test_what_cannot_be_released_is_told(name, sentence):
    async def use(ledger, runtime):
        with pytest.raises(LabError, match=sentence):
            await release(ledger, name, max_tries=3)

    on_a_ledger(use)


def test_a_closed_task_cannot_be_released():
    async def use(ledger, runtime):
        for role, stage in (*WAYS[:1], (Role.DEVELOPER, Stage.ABANDONED)):
            await ledger.complete(await ledger.claim(role, role.value, DAY), stage, None)
        with pytest.raises(LabError, match="t1 was closed as abandoned"):
            await release(ledger, "t1", max_tries=3)

    on_a_ledger(use)
