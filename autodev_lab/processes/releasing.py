"""Freeing a task whose holder will not come back: an operator's word, where its lease would have to run out first."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace

from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.shard_map import ShardMap, shard_url
from autodev_lab.processes.presence import Presence
from autodev_lab.protocols import Ledger
from autodev_lab.records import Claim, RefusalReason, Stage
from autodev_lab.workflow import ROLE_OF_STAGE, TERMINAL_STAGES

__all__ = ["Released", "release", "release_on_redis"]

_REASON = "released by an operator"


@dataclass(frozen=True, slots=True)
class Released:
    """What releasing a task did.

    Parameters
    ----------
    task_id, stage
        The task, and the stage at which it is now.
    holder, role
        Whose claim ended.
    tries, max_tries
        Tries of the stage that are used up now, and how many make a dead letter; a person's wear nothing out.
    ran_out
        Whether the lease had run out before, and only nobody had looked.
    holder_is_alive
        Whether the holder's heart beats; None where nobody listens for it.
    """

    task_id: str
    stage: str
    holder: str
    role: str
    tries: int
    max_tries: int
    ran_out: bool
    holder_is_alive: bool | None = None

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """One or two sentences for a person."""
        alive = {None: "", True: ", which is alive", False: ", which has fallen silent"}[self.holder_is_alive]
        held = f"{self.task_id} was held by {self.holder}{alive}"
        ended = "its lease had run out already, and" if self.ran_out else "it"
        after = f"what {self.holder} still reports of it is refused"
        if self.stage == Stage.DEAD_LETTER:
            return f"{held}; {ended} was released, and that was the last of {self.max_tries} tries: a dead letter now"
        if self.stage == Stage.ESCALATED:
            return f"{held}; {ended} was released, and another desk can put it before a person; an answer still counts"
        return (
            f"{held}; {ended} was released as try {self.tries} of {self.max_tries}. Any {self.role} can claim it as "
            f"{self.stage} now, and {after}"
        )


async def release(ledger: Ledger, task_id: str, *, max_tries: int, last_try: bool = False) -> Released:
    """End the claim under which a task is held, as if its holder had given it up.

    The holder is not asked. Its fence is spent: should it live, what it reports is refused, as after a lease that ran
    out. If it completes the task first, that counts, and nothing is released.

    Parameters
    ----------
    ledger
        Where the task is.
    task_id
        Which.
    max_tries
        The ledger's: tries that make a dead letter.
    last_try
        Release also where this uses up the last try, so that the task becomes a dead letter.

    Raises
    ------
    LabError
        If there is no such task, nobody holds it, or it would become a dead letter and that was not asked for.

    Examples
    --------
    >>> from autodev_lab.kernel.virtual import VirtualRuntime
    >>> from autodev_lab.ledger import InMemoryEventBus, InMemoryLedger
    >>> from autodev_lab.records import Role, Task, TaskKind
    >>> runtime = VirtualRuntime()
    >>> ledger = InMemoryLedger(runtime, InMemoryEventBus(runtime))
    >>> async def main():
    ...     await ledger.submit(Task("t1", "toolz", TaskKind.SYNTHETIC, "a bug"))
    ...     await ledger.claim(Role.ARCHITECT, "architect-1", 86_400.0)
    ...     return await release(ledger, "t1", max_tries=3)
    >>> runtime.run(main()).in_words()[:77]
    't1 was held by architect-1; it was released as try 1 of 3. Any architect can '
    """
    state = await ledger.state(task_id)
    if state is None:
        raise LabError(f"the ledger has no task {task_id!r}; name one as its file of tasks does")
    if state.stage in TERMINAL_STAGES:
        raise LabError(f"{task_id} was closed as {state.stage}; there is nothing to release")
    lease = state.lease
    if lease is None:
        waits = (
            f"waits for {', '.join(state.after)}" if state.after else f"waits for the role {ROLE_OF_STAGE[state.stage]}"
        )
        raise LabError(f"nobody holds {task_id}: it is {state.stage} and {waits}; there is nothing to release")
    if state.tries + 1 >= max_tries and state.stage is not Stage.ESCALATED and not last_try:
        raise LabError(
            f"{task_id} is held by {lease.agent_id} in the last of its {max_tries} tries, so released it would become "
            "a dead letter; give --last-try if it shall, or wait for its holder"
        )
    refused = await ledger.fail(Claim(state, lease), _REASON)
    ran_out = refused is not None and refused.reason is RefusalReason.LEASE_EXPIRED
    if ran_out:
        await ledger.expire()
    elif refused is not None:
        raise LabError(f"{lease.agent_id} was done with {task_id} just now ({refused.reason}); nothing was released")
    now = await ledger.state(task_id)
    stage, tries = (state.stage, state.tries + 1) if now is None else (now.stage, now.tries)
    return Released(task_id, stage.value, lease.agent_id, lease.role.value, tries, max_tries, ran_out)


async def release_on_redis(
    url: str, prefix: str, task_id: str, *, last_try: bool = False, patience: float = 5.0
) -> Released:
    """Release a task of a ledger on Redis, in whichever shard it is; makes no ledger where there is none.

    Raises
    ------
    LabError
        As `release`, or if Redis cannot be reached or holds no ledger under the prefix.
    """
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(RedisServer(url, patience=patience))
        await first.check()
        text = await first.command("GET", ShardKeys(prefix, "directory").key("map"))
        places = {"0": ""} if text is None else ShardMap.from_json(str(text)).everywhere()
        found: tuple[RedisLedger, int] | None = None
        for name, where in places.items():
            server = first
            if where and where != first.shown:
                server = await stack.enter_async_context(RedisServer(shard_url(url, where), patience=patience))
            found = await _holding(server, prefix, name, task_id)
            if found is not None:
                break
        if found is None:
            raise LabError(
                f"the ledger under the prefix {prefix!r} on {first.shown} has no task {task_id!r}, or has archived it; "
                "name one as its file of tasks does"
            )
        ledger, max_tries = found
        done = await release(ledger, task_id, max_tries=max_tries, last_try=last_try)
        alive = {agent.agent_id: agent.alive for agent in await Presence(first, prefix).agents()}
        return replace(done, holder_is_alive=alive.get(done.holder))


async def _holding(server: RedisServer, prefix: str, shard: str, task_id: str) -> tuple[RedisLedger, int] | None:
    """The shard's ledger and its number of tries, if the task is there."""
    keys = ShardKeys(prefix, shard)
    limits = await server.command("GET", keys.key("limits"))
    if limits is None:
        raise LabError(
            f"{server.shown} holds no ledger under the prefix {prefix!r}; give the --redis and --prefix of the team"
        )
    max_tries = int(json.loads(str(limits))["max_tries"])
    ledger = RedisLedger(server, prefix=prefix, shard=shard, max_tries=max_tries)
    await ledger.open()
    return None if await ledger.state(task_id) is None else (ledger, max_tries)
