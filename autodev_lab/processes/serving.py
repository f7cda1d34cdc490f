"""One agent in this process: it joins, works on a ledger on Redis, and leaves when it is told to."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from autodev_lab.errors import LabError
from autodev_lab.kernel.live import AsyncioRuntime
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.ledger.sharded_bus import ShardedEventBus
from autodev_lab.processes.leaving import LeavingLedger
from autodev_lab.processes.presence import Presence
from autodev_lab.protocols import EventBus, Ledger, Runtime
from autodev_lab.records import Role

__all__ = ["Maker", "Station", "Worker", "serve"]

_log = logging.getLogger(__name__)
_ORPHAN_SECONDS = 0.5
_GOODBYE_SECONDS = 2.0
_CANCEL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Station:
    """Where and how an agent works.

    Parameters
    ----------
    url, prefix, max_tries
        The ledger, of however many shards; see `autodev_lab.ledger.sharded.ShardedLedger`.
    patience
        Seconds for which a Redis that is away is waited for, also in mid-run.
    grace_seconds
        How long an agent that is told to leave may take to finish its step; then it releases its claim.
    beat_seconds
        See `Presence`.
    supervised
        Leave when whoever started this process is gone.
    log_length
        See `RedisLedger`.
    """

    url: str
    prefix: str = "autodev"
    max_tries: int = 3
    patience: float = 300.0
    grace_seconds: float = 30.0
    beat_seconds: float = 3.0
    supervised: bool = False
    log_length: int = 0


class Worker(Protocol):
    """What is run: an `autodev_lab.agents.Agent`, or a desk."""

    async def run(self) -> None:
        """Work for ever; the runtime ends it."""
        ...


_Ending = asyncio.Task[str] | asyncio.Task[bool] | asyncio.Task[None]

Maker = Callable[[str, Runtime, Ledger, EventBus], Worker]
"""Makes the worker from its id, runtime, ledger and bus."""


def serve(role: Role, make: Maker, station: Station) -> str:
    """Be an agent until SIGTERM or SIGINT; returns the id it had.

    Raises
    ------
    LabError
        If Redis refuses us, is unfit, or stays away for longer than the patience.
    """
    parent = os.getppid() if station.supervised else 0
    runtime = AsyncioRuntime()
    return runtime.run(_serve(runtime, role, make, station, parent))


async def _serve(runtime: AsyncioRuntime, role: Role, make: Maker, station: Station, parent: int) -> str:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if parent:
        runtime.spawn(_orphaned(runtime, parent, told), "parent")
    ledger = ShardedLedger(
        station.url,
        prefix=station.prefix,
        max_tries=station.max_tries,
        log_length=station.log_length,
        patience=station.patience,
    )
    try:
        presence = Presence(ledger.directory, station.prefix, beat_seconds=station.beat_seconds)
        joining = loop.create_task(_join(ledger, presence, role))
        leaving = loop.create_task(told.wait())
        try:
            await asyncio.wait((joining, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not joining.done():
                return ""
            agent_id = joining.result()
            await _work(runtime, agent_id, role, make, station, ledger, presence, told)
            return agent_id
        finally:
            await _end({joining, leaving})
    finally:
        await ledger.close()


async def _join(ledger: ShardedLedger, presence: Presence, role: Role) -> str:
    await ledger.open()
    return await presence.join(role)


async def _work(
    runtime: AsyncioRuntime,
    agent_id: str,
    role: Role,
    make: Maker,
    station: Station,
    ledger: ShardedLedger,
    presence: Presence,
    told: asyncio.Event,
) -> None:
    """Work until told to leave, and leave no trace but what was done."""
    bus = ShardedEventBus(ledger, role=role, agent_id=agent_id)
    mine = LeavingLedger(ledger)
    worker = make(agent_id, runtime, mine, bus)
    _log.info("%s is here", agent_id)
    loop = asyncio.get_running_loop()
    endless = {loop.create_task(presence.keep(runtime)), loop.create_task(worker.run(), name=agent_id)}
    leaving = loop.create_task(told.wait())
    try:
        over, _ = await asyncio.wait({*endless, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in over & endless:
            task.result()  # it ended with an error
        await mine.finish(station.grace_seconds)
    finally:
        await _end({*endless, leaving})
    ledger.hurry(_GOODBYE_SECONDS)  # what follows is courtesy: leases run out
    try:
        released = await mine.release()
        await bus.leave()
        await ledger.leave(agent_id)
        await presence.leave()
        _log.info("%s leaves%s", agent_id, ", and gave up its claim" if released else "")
    except LabError as error:
        _log.warning("%s could not say goodbye: %s", agent_id, error)


async def _end(tasks: Iterable[_Ending]) -> None:
    """Cancel until all have ended: a cancellation that meets the end of a read in redis-py gets lost (seen on 3.11)."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        over, waiting = await asyncio.wait(waiting, timeout=_CANCEL_SECONDS)
        for task in over:
            if not task.cancelled():
                task.exception()  # heard already, or of no interest any more


async def _orphaned(runtime: Runtime, parent: int, told: asyncio.Event) -> None:
    """Leave when the process that started this one is gone."""
    while os.getppid() == parent:
        await runtime.sleep(_ORPHAN_SECONDS)
    told.set()
