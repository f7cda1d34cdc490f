"""What a command of the ledger costs on a real Redis, here and now: to stand beside what virtual time assumes."""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.files import write_atomic
from autodev_lab.integrations.redis_process import RedisProcess, find_redis
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.records import Plan, Role, Stage, Task, TaskKind

__all__ = ["LedgerCosts", "keep_ledger_costs", "measure_ledger_costs", "read_ledger_costs"]

FILE = "ledger_costs.json"

_BLOCKS = 20
_CYCLES = 25
_LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LedgerCosts:
    """Milliseconds of a command (half are claims, half completions), block by block of commands; empty if not measured.

    Parameters
    ----------
    round_trip_ms
        From sending it to having read the answer, the client's own work included.
    server_ms
        Processor time of the server, reading and answering included.
    script_ms
        What of that is the script, as the server counts it.
    commands
        In all blocks.
    redis
        Version of the server.
    why_not
        Why nothing was measured; empty if it was.
    """

    round_trip_ms: tuple[float, ...] = ()
    server_ms: tuple[float, ...] = ()
    script_ms: tuple[float, ...] = ()
    commands: int = 0
    redis: str = ""
    why_not: str = ""

    @property
    def one_way_ms(self) -> tuple[float, ...]:
        """What is neither: half of it before the server is busy with the command, half after."""
        return tuple(
            max(0.0, (trip - busy) / 2.0) for trip, busy in zip(self.round_trip_ms, self.server_ms, strict=True)
        )


def measure_ledger_costs(blocks: int = _BLOCKS, cycles: int = _CYCLES) -> LedgerCosts:
    """Start a redis-server, and have one agent claim and complete on it; some two seconds.

    Parameters
    ----------
    blocks
        How many times it is measured, for an interval.
    cycles
        Claims, and completions, of a block.
    """
    if importlib.util.find_spec("redis") is None:
        return LedgerCosts(why_not="redis-py is not installed; pip install 'autodev-lab[redis]'")
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            RedisProcess(find_redis(), Path(folder) / "redis") as process,
            ThreadPoolExecutor(1) as thread,  # in a notebook this one has a loop running already
        ):
            return thread.submit(asyncio.run, _measure(process, blocks, cycles)).result()
    except LabError as error:
        return LedgerCosts(why_not=str(error))


def keep_ledger_costs(directory: RunDirectory) -> None:
    """Measure once a run; what was measured before an interruption stays."""
    path = directory.path / FILE
    if not path.exists():
        write_atomic(path, _FORMAT.dump_json(measure_ledger_costs(), indent=2) + b"\n")


def read_ledger_costs(directory: RunDirectory) -> LedgerCosts:
    """What `keep_ledger_costs` kept."""
    path = directory.path / FILE
    if not path.exists():
        return LedgerCosts(why_not="this run did not measure them")
    return _FORMAT.validate_json(path.read_bytes())


_FORMAT = TypeAdapter(LedgerCosts)


async def _measure(process: RedisProcess, blocks: int, cycles: int) -> LedgerCosts:
    trips, busy, scripts = [], [], []
    async with RedisServer(process.url) as server:
        ledger = RedisLedger(server, prefix="costs")
        await ledger.open()
        for number in range((blocks + 1) * cycles):
            name = f"t{number}"
            await ledger.submit(Task(name, "costs", TaskKind.SYNTHETIC, name, arrival=float(number)))
        await _cycles(ledger, cycles)  # connections, scripts and caches are there before anything counts
        for _ in range(blocks):
            before = _counted(process)
            seconds = await _cycles(ledger, cycles)
            after = _counted(process)
            trips.append(1e3 * seconds / (2 * cycles))
            busy.append(1e3 * (after["cpu"] - before["cpu"]) / (2 * cycles))
            scripts.append(1e-3 * (after["usec"] - before["usec"]) / (after["calls"] - before["calls"]))
    version = _told(process, "server").get("redis_version", "")
    return LedgerCosts(tuple(trips), tuple(busy), tuple(scripts), 2 * blocks * cycles, version)


async def _cycles(ledger: RedisLedger, cycles: int) -> float:
    """Claim and complete; returns the seconds it took."""
    begun = time.perf_counter()
    for _ in range(cycles):
        claim = await ledger.claim(Role.ARCHITECT, "architect-1", _LEASE_SECONDS)
        assert claim is not None
        await ledger.complete(claim, Stage.PLANNED, Plan(claim.task.id, (), 0.0, 0))
    return time.perf_counter() - begun


def _counted(process: RedisProcess) -> dict[str, float]:
    """The server's processor seconds, and calls and microseconds of scripts, so far."""
    cpu = _told(process, "cpu")
    fields = dict(
        part.split("=", 1)
        for part in _told(process, "commandstats").get("cmdstat_evalsha", "calls=0,usec=0").split(",")
    )
    return {
        "cpu": float(cpu["used_cpu_sys"]) + float(cpu["used_cpu_user"]),
        "calls": float(fields["calls"]),
        "usec": float(fields["usec"]),
    }


def _told(process: RedisProcess, section: str) -> dict[str, str]:
    lines = (line.partition(":") for line in process.command("INFO", section).splitlines())
    return {name: value.strip() for name, colon, value in lines if colon}
