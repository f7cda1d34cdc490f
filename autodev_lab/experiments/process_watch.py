"""`autodev-lab up`: watches over a team of processes and hands it tasks, until it is told to end or all is done."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from autodev_lab.errors import LabError
from autodev_lab.experiments.agent_process import AgentOrder
from autodev_lab.experiments.process_team import submit_all, supervise
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.processes import Supervisor
from autodev_lab.processes.supervisor import Death
from autodev_lab.records import Role, Stage, Task

__all__ = ["TeamResult", "watch_team"]

_LOOK_SECONDS = 0.1
_TELL_SECONDS = 10.0


@dataclass(slots=True)
class TeamResult:
    """What came of watching a team.

    Parameters
    ----------
    redis, prefix
        Where.
    submitted, known
        Tasks that were new, and tasks that the ledger had already.
    open, closed, dead
        Tasks of the ledger at the end; dead letters are closed, too.
    started, died, killed
        Agents that were started, that ended without being asked, and that did not leave in time.
    """

    redis: str
    prefix: str
    submitted: int = 0
    known: int = 0
    open: int = 0
    closed: int = 0
    dead: int = 0
    started: int = 0
    died: int = 0
    killed: int = 0

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """Two sentences for a person."""
        return (
            f"{self.submitted} tasks submitted, {self.known} were there already; {self.closed} are closed, {self.dead} "
            f"of them dead letters, and {self.open} are open, on {self.redis} under {self.prefix}\n"
            f"{self.started} agents were started, {self.died} died, {self.killed} had to be killed at the end"
        )


async def watch_team(
    order: AgentOrder,
    url: str,
    counts: Mapping[Role, int],
    tasks: Sequence[Task],
    *,
    shards: Mapping[str, str] | None = None,
    max_open: int | None = None,
    until_done: bool = False,
    say: Callable[[str], None],
) -> TeamResult:
    """Watch over a team until SIGTERM or SIGINT, or until no task is open.

    Parameters
    ----------
    order, url, counts
        See `autodev_lab.experiments.process_team.supervise`.
    tasks
        To be submitted, as fast as `max_open` lets.
    shards
        Address of every shard by name; None takes those that are there. See
        `autodev_lab.experiments.process_shards.wanted_shards`.
    max_open
        Open tasks above which none is submitted.
    until_done
        End once all tasks were submitted and none is open.
    say
        Told what happens, a line at a time.

    Raises
    ------
    LabError
        If Redis cannot be had, the ledger has other shards, a task is refused, or agents die again and again.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ledger = ShardedLedger(
        url, shards, prefix=order.prefix, max_tries=order.max_tries, max_open=max_open, patience=order.patience
    )
    try:
        result = TeamResult(ledger.directory.shown, order.prefix)
        leaving = loop.create_task(told.wait())
        opening = loop.create_task(ledger.open())
        await asyncio.wait((leaving, opening), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            return result
        opening.result()
        there = ledger.addresses()
        if shards is not None and {name: where or ledger.directory.shown for name, where in shards.items()} != there:
            raise LabError(
                f"the ledger under the prefix {order.prefix!r} has the shards {_listed(there)}; leave --shards and "
                "further --redis out, or change them with `autodev-lab shards`"
            )
        team = supervise(order, url, counts)
        submitting = loop.create_task(submit_all(ledger, tasks))
        try:
            await _watch(team, ledger, submitting, result, told, until_done, say)
        finally:
            submitting.cancel()
            result.killed = await asyncio.to_thread(team.stop, order.grace_seconds + 5.0)
            result.started = team.started
            leaving.cancel()
        counted, stages = await ledger.counts(), await ledger.stages()
        result.open, result.closed = counted["open"], counted["closed"]
        result.dead = stages.get(Stage.DEAD_LETTER, 0)
        return result
    finally:
        await ledger.close()


def _listed(places: Mapping[str, str]) -> str:
    return ", ".join(f"{name} on {where}" for name, where in places.items())


async def _watch(
    team: Supervisor,
    ledger: ShardedLedger,
    submitting: asyncio.Task[tuple[int, int]],
    result: TeamResult,
    told: asyncio.Event,
    until_done: bool,
    say: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    next_word = loop.time() + _TELL_SECONDS
    while not told.is_set():
        for death in await asyncio.to_thread(team.look):
            result.died += 1
            say(_obituary(death))
        if submitting.done():
            result.submitted, result.known = submitting.result()
            if until_done and not await ledger.open_count():
                return
        if loop.time() >= next_word:
            counted = await ledger.counts()
            say(f"{len(team.running)} agents, {counted['closed']} of {counted['submitted']} tasks closed")
            next_word = loop.time() + _TELL_SECONDS
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await told.wait()
        except TimeoutError:
            continue


def _obituary(death: Death) -> str:
    how = f"was killed by signal {-death.status}" if death.status < 0 else f"ended with status {death.status}"
    return f"{death.name} (process {death.pid}) {how}; another starts in {death.again_in:g} s"
