"""The checker and the second opinion, on histories made by hand: a good one passes, each bad one breaks its rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodev_lab.chaos.history import Call, Pending, WatchedLedger
from autodev_lab.chaos.model import check_transition
from autodev_lab.chaos.rules import Rule, check_history
from autodev_lab.kernel import VirtualRuntime
from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
from autodev_lab.ledger.transition import Complete
from autodev_lab.records import Plan, Refusal, RefusalReason, Role, Stage, Task, TaskKind


def task(name):
    return Task(name, "p", TaskKind.SYNTHETIC, name)


PLAN = Plan("t", (), 1.0, 5)


@pytest.fixture
def story():
    """A real history: a lease that runs out, a stale completion, an abandoned task. Calls and states at the end."""
    runtime = VirtualRuntime()
    history: list[Call] = []
    ledger = WatchedLedger(InMemoryLedger(runtime, InMemoryEventBus(runtime)), runtime.now, history, "x")

    async def main():
        await ledger.submit(task("t"))
        slow = await ledger.claim(Role.ARCHITECT, "slow", 10.0)
        await runtime.sleep(10.0)
        quick = await ledger.claim(Role.ARCHITECT, "quick", 10.0)
        await ledger.renew(quick, 20.0)
        assert (await ledger.complete(slow, Stage.PLANNED, PLAN)).reason is RefusalReason.STALE_FENCE
        await ledger.complete(quick, Stage.PLANNED, PLAN)
        last = await ledger.claim(Role.DEVELOPER, "last", 10.0)
        await ledger.complete(last, Stage.ABANDONED, PLAN)
        return await ledger.states()

    return history, runtime.run(main())


def broken(history, states):
    return [violation.rule for violation in check_history(history, states, 99.0, max_tries=3)]


def test_a_good_history_passes_both(story):
    assert broken(*story) == []
    assert check_transition(*story, 99.0, max_tries=3) is None


def test_a_stale_completion_that_counts(story):
    history, states = story
    history[4].reply = None
    violation = check_history(history, states, 99.0, max_tries=3)[0]
    assert (violation.rule, violation.task_id, violation.agent_id, violation.call) == (
        Rule.MUTUAL_EXCLUSION,
        "t",
        "slow",
        4,
    )
    assert violation.sentence == "slow completed t under fence 1, but the newest is 2 of quick"
    second = check_transition(history, states, 99.0, max_tries=3)
    assert second.rule is Rule.TRANSITION
    assert "refused, stale fence" in second.sentence


def test_a_task_that_is_given_twice_at_once(story):
    history, states = story
    history[2].at = 9.0
    assert broken(history, states)[0] is Rule.MUTUAL_EXCLUSION


def test_a_fence_that_does_not_grow(story):
    history, states = story
    claim = history[2].reply
    history[2].reply = replace(claim, lease=replace(claim.lease, fence=1))
    assert broken(history, states)[0] is Rule.MUTUAL_EXCLUSION


def test_a_completion_after_its_lease(story):
    history, states = story
    history[5].at = 40.0
    assert broken(history, states)[0] is Rule.MUTUAL_EXCLUSION


def test_a_completion_that_counts_twice(story):
    history, states = story
    history.insert(6, history[5])
    assert broken(history, states)[0] is Rule.EFFECT_ONCE


def test_a_jump_over_stages(story):
    history, states = story
    history[5].request = replace(history[5].request, stage=Stage.PRODUCTION)
    assert Rule.STAGE_ORDER in broken(history, states)


def test_a_task_that_is_accepted_twice(story):
    history, states = story
    history.insert(1, history[0])
    assert broken(history, states)[0] is Rule.EFFECT_ONCE


def test_a_task_that_is_gone(story):
    history, _ = story
    assert broken(history, ()) == [Rule.NO_LOST_TASK]


def test_a_follow_up_that_is_gone(story):
    history, states = story
    history[7].request = replace(history[7].request, follow_up=task("t~1"))
    assert broken(history, states) == [Rule.NO_LOST_TASK]


def test_a_task_from_nowhere(story):
    history, states = story
    assert broken(history, (*states, replace(states[0], task=task("u")))) == [Rule.EFFECT_ONCE]


def test_a_result_that_nobody_reported(story):
    history, states = story
    doubled = replace(states[0], history=(states[0].history[0], *states[0].history))
    assert broken(history, (doubled,)) == [Rule.EFFECT_ONCE]


def test_a_dead_letter_too_soon(story):
    history, states = story
    early = replace(states[0], stage=Stage.DEAD_LETTER, history=states[0].history[:1])
    assert Rule.DEAD_LETTER in broken(history[:7], (early,))


def test_a_task_that_never_ends(story):
    history, states = story
    stuck = replace(states[0], stage=Stage.PLANNED, history=states[0].history[:1])
    assert broken(history[:6], (stuck,)) == [Rule.PROGRESS]


def test_a_call_without_an_answer_counts_if_the_end_shows_it(story):
    history, states = story
    history[7].reply = Pending.PENDING
    assert broken(history, states) == []
    unseen = Complete("t", 9, "ghost", Stage.PLANNED, Plan("t", (), 2.0, 5))
    history.append(Call(50.0, "ghost", unseen))
    assert broken(history, states) == []


def test_the_second_opinion_is_silent_from_calls_that_overlap_on(story):
    history, states = story
    history[4].reply = Refusal("t", RefusalReason.WRONG_ROLE)
    assert check_transition(history, states, 99.0, max_tries=3) is not None
    history[3].next_place = 5
    assert check_transition(history, states, 99.0, max_tries=3) is None


def test_the_second_opinion_compares_the_end(story):
    history, states = story
    other = replace(states[0], reworks=1)
    assert "another state" in check_transition(history, (other,), 99.0, max_tries=3).sentence


def waiting(*, ends, follow_up=None):
    """A history in which u waits for t, which ends so; calls and states at the end."""
    runtime = VirtualRuntime()
    history: list[Call] = []
    ledger = WatchedLedger(InMemoryLedger(runtime, InMemoryEventBus(runtime)), runtime.now, history, "x")

    async def main():
        await ledger.submit(task("t"))
        await ledger.submit(task("u"), ["t"])
        for role, stage in [
            (Role.ARCHITECT, Stage.PLANNED),
            (Role.DEVELOPER, Stage.PROPOSED),
            (Role.TESTER, Stage.TESTED),
            (Role.REVIEWER, Stage.APPROVED),
            (Role.DEPLOYER, Stage.CLEARED),
            (Role.DEPLOYER, Stage.CANARY),
            (Role.DEPLOYER, Stage.STAGING),
            (Role.DEPLOYER, Stage.PRODUCTION),
            (Role.MONITOR, ends),
        ]:
            claim = await ledger.claim(role, "a", 10.0)
            await ledger.complete(claim, stage, PLAN, follow_up if stage is ends else None)
        last = await ledger.claim(Role.ARCHITECT, "last", 10.0)
        return last, await ledger.states()

    last, states = runtime.run(main())
    return last, history, states


def but_progress(history, states):
    return [rule for rule in broken(history, states) if rule is not Rule.PROGRESS]


def test_a_task_that_waits_is_given_once_the_other_is_healthy():
    last, history, states = waiting(ends=Stage.HEALTHY)
    assert last.task.id == "u"
    assert but_progress(history, states) == []
    early = [*history[:2], history[-1], *history[2:-1]]
    assert Rule.DEPENDENCIES in broken(early, states)


def test_a_task_that_waits_is_abandoned_with_the_other_and_not_without_a_cause():
    last, history, states = waiting(ends=Stage.ROLLED_BACK)
    assert last is None
    assert broken(history, states) == []
    unharmed = [replace(states[0], stage=Stage.HEALTHY), states[1]]
    assert Rule.DEPENDENCIES in broken(history, unharmed)


def test_a_follow_up_takes_the_place_of_what_is_waited_for():
    last, history, states = waiting(ends=Stage.ROLLED_BACK, follow_up=task("t~1"))
    assert last.task.id == "t~1"
    assert but_progress(history, states) == []
    given = replace(history[-1].reply, state=next(state for state in states if state.task.id == "u"))
    history[-1].reply = given
    assert Rule.DEPENDENCIES in broken(history, states)
