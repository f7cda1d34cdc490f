"""One scripted agent as a process of its own; see `autodev_lab.processes.Nursery`, which runs `main`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import redis.asyncio
import redis.asyncio.cluster

from autodev_lab.agents import HumanDesk, Surroundings, Timing
from autodev_lab.chaos.journal import JournalledLedger
from autodev_lab.chaos.team import WORKERS, ScriptedHuman
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.memory import InMemoryMemory
from autodev_lab.processes import Station, serve
from autodev_lab.processes.serving import Worker
from autodev_lab.protocols import EventBus, Ledger, Runtime
from autodev_lab.records import Role

with contextlib.suppress(ImportError):  # a child that is forked has it already; who lacks it is told by RedisServer
    import redis.asyncio.cluster  # noqa: F401

__all__ = ["URL_VARIABLE", "Order", "main"]

URL_VARIABLE = "AUTODEV_REDIS_URL"
"""Environment variable with the address of Redis: it may hold a password, which arguments would show."""

_DESK_LEASES = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a scripted agent's process is told.

    Parameters
    ----------
    role
        Its role.
    seed, pace
        See `autodev_lab.chaos.team.ScriptedAgent`.
    lease_seconds, poll_seconds
        See `autodev_lab.agents.Timing`.
    prefix, patience, grace_seconds, log_length
        See `autodev_lab.processes.Station`.
    journals
        Folder of journals; empty keeps none.
    """

    role: str
    seed: int
    pace: float = 1.0
    lease_seconds: float = 30.0
    poll_seconds: float = 1.0
    prefix: str = "autodev"
    patience: float = 300.0
    grace_seconds: float = 30.0
    log_length: int = 0
    journals: str = ""

    def arguments(self) -> list[str]:
        """What `main` is called with."""
        return [json.dumps(asdict(self))]


def main(arguments: Sequence[str]) -> int:
    """Be a scripted agent until told to leave; returns an exit status."""
    order = Order(**json.loads(arguments[0]))
    role = Role(order.role)
    logging.basicConfig(format=f"%(asctime)s {role.value} {os.getpid()}: %(message)s", level=logging.ERROR)
    logging.getLogger("autodev_lab.agents.base").setLevel(logging.CRITICAL)  # mishaps are part of the script

    def make(agent_id: str, runtime: Runtime, ledger: Ledger, bus: EventBus) -> Worker:
        if order.journals:
            ledger = JournalledLedger(ledger, Path(order.journals) / f"{agent_id}.jsonl")
        timing = Timing(order.lease_seconds, order.poll_seconds)
        surroundings = Surroundings(
            runtime, ledger, bus, SimulatedEnvironment(()), InMemoryMemory(), order.seed, timing
        )
        if role is Role.HUMAN:
            patience = _DESK_LEASES * order.lease_seconds
            return HumanDesk(surroundings, ScriptedHuman(order.seed), desk_id=agent_id, patience_seconds=patience)
        return WORKERS[role](agent_id, surroundings, order.pace)

    station = Station(
        os.environ[URL_VARIABLE],
        order.prefix,
        patience=order.patience,
        grace_seconds=order.grace_seconds,
        supervised=True,
        log_length=order.log_length,
    )
    try:
        serve(role, make, station)
    except LabError as error:
        logging.error("%s", error)
        return error.exit_code
    return 0
