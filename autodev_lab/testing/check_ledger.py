"""Contract suite for ledgers: the promises that make it safe for agents to share one."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.protocols import Ledger, Runtime
from autodev_lab.records import (
    Attempt,
    Claim,
    HumanAnswer,
    Plan,
    Refusal,
    RefusalReason,
    Result,
    Role,
    Stage,
    Task,
    TaskKind,
    TaskState,
)

__all__ = ["check_ledger"]

_LEASE = 60.0
_TO_APPROVED = (
    (Role.ARCHITECT, Stage.PLANNED),
    (Role.DEVELOPER, Stage.PROPOSED),
    (Role.TESTER, Stage.TESTED),
    (Role.REVIEWER, Stage.APPROVED),
)
_MOST_TRIES = 50


def check_ledger(make: Callable[[], tuple[Runtime, Ledger]]) -> None:
    """Check that a ledger keeps its promises.

    Parameters
    ----------
    make
        Makes a fresh runtime and an empty ledger on it. The runtime's `sleep` is used to let leases run out, so a
        virtual runtime is advised (a live one would wait for minutes).

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.kernel.virtual import VirtualRuntime
    >>> from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
    >>> def make():
    ...     runtime = VirtualRuntime()
    ...     return runtime, InMemoryLedger(runtime, InMemoryEventBus(runtime))
    >>> check_ledger(make)
    """
    for check in (
        _check_submission,
        _check_order,
        _check_one_holder,
        _check_effect_once,
        _check_lease_end,
        _check_renewal,
        _check_workflow,
        _check_follow_up,
        _check_dead_letter,
        _check_answer,
        _check_withdrawal,
        _check_dependencies,
        _check_failed_dependencies,
    ):
        runtime, ledger = make()
        runtime.run(check(runtime, ledger))


def _task(name: str, arrival: float = 0.0, priority: int = 0) -> Task:
    return Task(name, "package", TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority)


def _plan(name: str) -> Result:
    return Plan(name, (), 0.0, 1)


async def _claim(ledger: Ledger, role: Role, agent_id: str) -> Claim:
    claim = await ledger.claim(role, agent_id, _LEASE)
    assert claim is not None, f"claim must grant a task that waits for the {role}, but returned None"
    return claim


async def _state(ledger: Ledger, task_id: str) -> TaskState:
    state = await ledger.state(task_id)
    assert state is not None, f"state must know the submitted task {task_id}"
    return state


def _refused(outcome: object, reason: RefusalReason, what: str) -> None:
    assert isinstance(outcome, Refusal), f"{what} must be refused, but was carried out"
    assert outcome.reason is reason, f"{what} must be refused as {reason.value!r}, not as {outcome.reason.value!r}"


async def _check_submission(runtime: Runtime, ledger: Ledger) -> None:
    assert await ledger.state("a") is None, "state of an unknown task must be None"
    assert await ledger.submit(_task("a")) is None, "submit must accept a new task"
    assert (await _state(ledger, "a")).stage is Stage.FETCHED, "a new task must be at stage FETCHED"
    _refused(await ledger.submit(_task("a")), RefusalReason.DUPLICATE_TASK, "submitting a task twice")
    assert await ledger.open_count() == 1, "open_count must count an open task once"
    assert await ledger.claim(Role.DEVELOPER, "d", _LEASE) is None, "a FETCHED task must not be given to a developer"


async def _check_order(runtime: Runtime, ledger: Ledger) -> None:
    for task in (_task("late", 9.0), _task("early", 1.0), _task("tie", 1.0), _task("urgent", 99.0, priority=1)):
        await ledger.submit(task)
    got = [(await _claim(ledger, Role.ARCHITECT, "a")).task.id for _ in range(4)]
    wanted = ["urgent", "early", "tie", "late"]
    assert got == wanted, f"tasks must be claimed by priority, arrival, submission: {wanted}, not {got}"
    listed = [state.task.id for state in await ledger.states()]
    assert listed == ["late", "early", "tie", "urgent"], f"states must list tasks in order of submission, not {listed}"


async def _check_one_holder(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    first = await _claim(ledger, Role.ARCHITECT, "one")
    assert await ledger.claim(Role.ARCHITECT, "two", _LEASE) is None, "a leased task must not be granted again"
    assert await ledger.fail(first, "gave up") is None, "the holder of a running lease may fail it"
    second = await _claim(ledger, Role.ARCHITECT, "one")
    assert second.lease.fence > first.lease.fence, "the fence must grow with every claim"
    stale = await ledger.complete(first, Stage.PLANNED, _plan("a"))
    _refused(stale, RefusalReason.STALE_FENCE, "a completion with an old fence, though of the same agent,")
    _refused(await ledger.fail(first, "again"), RefusalReason.STALE_FENCE, "a failure with an old fence")
    _refused(await ledger.renew(first, _LEASE), RefusalReason.STALE_FENCE, "a renewal with an old fence")
    assert (await _state(ledger, "a")).lease == second.lease, "a refusal must change nothing"


async def _check_effect_once(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    claim = await _claim(ledger, Role.ARCHITECT, "one")
    assert await ledger.complete(claim, Stage.PLANNED, _plan("a")) is None, "the holder may complete its claim"
    after = await _state(ledger, "a")
    assert after.stage is Stage.PLANNED and after.lease is None, "complete must advance the stage and free the lease"
    entry = after.history[-1]
    assert (entry.stage, entry.agent_id, entry.result) == (Stage.PLANNED, "one", _plan("a")), (
        "complete must append stage, agent and result to the history"
    )
    again = await ledger.complete(claim, Stage.PLANNED, _plan("a"))
    _refused(again, RefusalReason.STALE_FENCE, "a completion sent twice")
    assert await _state(ledger, "a") == after, "a completion sent twice must have its effect once"


async def _check_lease_end(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    slow = await _claim(ledger, Role.ARCHITECT, "slow")
    assert await ledger.expire() == 0, "expire must not free a lease that still runs"
    await runtime.sleep(_LEASE)
    late = await ledger.complete(slow, Stage.PLANNED, _plan("a"))
    _refused(late, RefusalReason.LEASE_EXPIRED, "a completion at the moment the lease ends, with nobody else there,")
    assert await ledger.expire() == 1, "expire must free a lease that has run out and say how many it freed"
    assert await ledger.expire() == 0, "expire must free a lease once"
    state = await _state(ledger, "a")
    assert state.lease is None and state.tries == 1, "an expired claim must count as one try of its stage"
    other = await _claim(ledger, Role.ARCHITECT, "other")
    late = await ledger.complete(slow, Stage.PLANNED, _plan("a"))
    _refused(late, RefusalReason.STALE_FENCE, "a completion after somebody else has claimed")
    assert await ledger.complete(other, Stage.PLANNED, _plan("a")) is None, "the new holder may complete"
    assert (await _state(ledger, "a")).tries == 0, "tries must start again when the stage advances"


async def _check_renewal(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    claim = await _claim(ledger, Role.ARCHITECT, "one")
    await runtime.sleep(_LEASE / 2)
    renewed = await ledger.renew(claim, _LEASE)
    assert isinstance(renewed, Claim), "renew must extend a running lease"
    assert renewed.lease.fence == claim.lease.fence, "a renewal is not a claim: the fence must stay"
    await runtime.sleep(_LEASE * 3 / 4)
    assert await ledger.expire() == 0, "a renewed lease must last from the renewal"
    assert await ledger.complete(claim, Stage.PLANNED, _plan("a")) is None, "a renewed claim may be completed"


async def _check_workflow(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    claim = await _claim(ledger, Role.ARCHITECT, "one")
    before = await _state(ledger, "a")
    jump = await ledger.complete(claim, Stage.PRODUCTION, _plan("a"))
    _refused(jump, RefusalReason.WRONG_STAGE, "a completion that jumps over stages")
    assert await _state(ledger, "a") == before, "a refusal must change nothing"
    await ledger.complete(claim, Stage.PLANNED, _plan("a"))
    await _advance(ledger, Role.DEVELOPER, Stage.PROPOSED)
    await _advance(ledger, Role.TESTER, Stage.REJECTED)
    assert (await _state(ledger, "a")).reworks == 1, "reworks must count entries into REJECTED"
    await _advance(ledger, Role.DEVELOPER, Stage.ABANDONED)
    assert await ledger.open_count() == 0, "open_count must not count tasks at a terminal stage"
    for role in Role:
        assert await ledger.claim(role, "x", _LEASE) is None, f"a terminal task must not be given to a {role}"


async def _advance(ledger: Ledger, role: Role, stage: Stage) -> None:
    claim = await _claim(ledger, role, role.value)
    outcome = await ledger.complete(claim, stage, Attempt(claim.task.id, None))
    assert outcome is None, f"the {role} must be able to move {claim.state.stage} to {stage}, but got {outcome}"


async def _check_follow_up(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    await ledger.submit(_task("b"))
    claim = await _claim(ledger, Role.ARCHITECT, "one")
    taken = await ledger.complete(claim, Stage.PLANNED, _plan("a"), _task("b"))
    _refused(taken, RefusalReason.DUPLICATE_TASK, "a completion whose follow-up has a known id")
    assert (await _state(ledger, "a")).stage is Stage.FETCHED, "a refused completion must not advance the task"
    assert await ledger.complete(claim, Stage.PLANNED, _plan("a"), _task("a~1")) is None, "follow-ups must be accepted"
    follow_up = await _state(ledger, "a~1")
    assert follow_up.stage is Stage.FETCHED, "a follow-up must be submitted in the same step"
    assert await ledger.open_count() == 3, "open_count must count follow-ups"


async def _check_dead_letter(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    for _ in range(_MOST_TRIES):
        claim = await ledger.claim(Role.ARCHITECT, "one", _LEASE)
        if claim is None:
            break
        await ledger.fail(claim, "poison")
    state = await _state(ledger, "a")
    assert state.stage is Stage.DEAD_LETTER, f"a task that fails {_MOST_TRIES} times must be a dead letter"
    assert state.reason == "poison", "a dead letter must keep the reason of its last failure"
    assert await ledger.open_count() == 0, "a dead letter must not count as open"


async def _check_answer(runtime: Runtime, ledger: Ledger) -> None:
    yes = HumanAnswer("a", True, 60.0, 5.0)
    _refused(await ledger.answer(yes), RefusalReason.UNKNOWN_TASK, "an answer about an unknown task")
    await ledger.submit(_task("a"))
    _refused(await ledger.answer(yes), RefusalReason.WRONG_STAGE, "an answer that nobody asked for")
    for role, stage in (*_TO_APPROVED, (Role.DEPLOYER, Stage.ESCALATED)):
        await _advance(ledger, role, stage)
    assert await ledger.claim(Role.DEPLOYER, "d", _LEASE) is None, "an escalated task must wait for a person"
    taken = await _claim(ledger, Role.HUMAN, "h")
    done = await ledger.complete(taken, Stage.CLEARED, yes)
    _refused(done, RefusalReason.WRONG_STAGE, "a completion of an escalated task, which a person answers,")
    assert await ledger.answer(yes) is None, "a person may answer an escalated task"
    state = await _state(ledger, "a")
    assert (state.stage, state.history[-1].result) == (Stage.CLEARED, yes), "a yes must lead to CLEARED and be recorded"
    _refused(await ledger.answer(yes), RefusalReason.WRONG_STAGE, "a second answer")


async def _check_withdrawal(runtime: Runtime, ledger: Ledger) -> None:
    no = HumanAnswer("a", False, 60.0, 5.0)
    await ledger.submit(_task("a"))
    for role, stage in (
        *_TO_APPROVED,
        (Role.DEPLOYER, Stage.CLEARED),
        (Role.DEPLOYER, Stage.CANARY),
        (Role.DEPLOYER, Stage.ESCALATED),
    ):
        await _advance(ledger, role, stage)
    assert await ledger.answer(no) is None, "a person may decline a change in the middle of its rollout"
    assert (await _state(ledger, "a")).stage is Stage.WITHDRAWN, "a no after an exposure must lead to WITHDRAWN"
    assert await ledger.open_count() == 1, "a change that must be taken back must count as open"
    await _advance(ledger, Role.DEPLOYER, Stage.DECLINED)
    assert await ledger.open_count() == 0, "a change that was taken back must not count as open"


async def _to_production(ledger: Ledger) -> None:
    for role, stage in (
        *_TO_APPROVED,
        (Role.DEPLOYER, Stage.CLEARED),
        (Role.DEPLOYER, Stage.CANARY),
        (Role.DEPLOYER, Stage.STAGING),
        (Role.DEPLOYER, Stage.PRODUCTION),
    ):
        await _advance(ledger, role, stage)


async def _check_dependencies(runtime: Runtime, ledger: Ledger) -> None:
    unknown = await ledger.submit(_task("b"), ["a"])
    _refused(unknown, RefusalReason.UNKNOWN_DEPENDENCY, "a task that waits for an unknown one")
    await ledger.submit(_task("a"))
    assert await ledger.submit(_task("b", priority=9), ["a"]) is None, "a task may wait for a known one"
    assert (await _state(ledger, "b")).after == ("a",), "state must say what a task waits for"
    assert await ledger.open_count() == 2, "open_count must count tasks that wait for others"
    await _to_production(ledger)
    assert await ledger.claim(Role.ARCHITECT, "x", _LEASE) is None, "a task must not be granted while it waits"
    claim = await _claim(ledger, Role.MONITOR, "m")
    follow_up = Task("a~1", "package", TaskKind.SYNTHETIC, "again", parent="a", depth=1)
    done = await ledger.complete(claim, Stage.ROLLED_BACK, Attempt("a", None), follow_up)
    assert done is None, "a monitor may roll back and follow up"
    assert (await _state(ledger, "b")).after == ("a~1",), "a follow-up must take the place of the task it follows"
    await _to_production(ledger)
    await _advance(ledger, Role.MONITOR, Stage.HEALTHY)
    assert (await _state(ledger, "b")).after == (), "a healthy dependency must set the waiting task free"
    assert (await _claim(ledger, Role.ARCHITECT, "x")).task.id == "b", "a task set free must be granted"
    await ledger.submit(_task("c"), ["a", "a~1"])
    assert (await _claim(ledger, Role.ARCHITECT, "x")).task.id == "c", "dependencies closed before must not hold up"


async def _check_failed_dependencies(runtime: Runtime, ledger: Ledger) -> None:
    await ledger.submit(_task("a"))
    await ledger.submit(_task("b"), ["a"])
    await ledger.submit(_task("c"), ["b"])
    await _advance(ledger, Role.ARCHITECT, Stage.PLANNED)
    await _advance(ledger, Role.DEVELOPER, Stage.ABANDONED)
    for name in ("b", "c"):
        state = await _state(ledger, name)
        assert state.stage is Stage.ABANDONED, f"{name} must be abandoned when what it waits for fails"
        assert "depends on" in state.reason, "an abandoned task must say on which dependency"
    assert await ledger.open_count() == 0, "tasks abandoned with their dependency must not count as open"
    await ledger.submit(_task("d"), ["a"])
    assert (await _state(ledger, "d")).stage is Stage.ABANDONED, "a task must not wait for one that failed before"
