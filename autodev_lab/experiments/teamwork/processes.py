"""A team of real processes on real Redis servers, whose work is sleeping: ``python -m ... PLAN`` prints its steps.

The process that is started reads its plan, puts the tasks into the ledger, forks one child for each agent while it has
no thread and no connection, and reads the tasks' histories when all are closed. A child whose parent is gone ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.experiments.teamwork.layout import Seat, Turns
from autodev_lab.experiments.teamwork.trial import Trial
from autodev_lab.experiments.teamwork.work import Job, Step
from autodev_lab.integrations.redis_process import RedisProcess, find_redis
from autodev_lab.ledger.redis_bus import RedisEventBus
from autodev_lab.ledger.redis_keys import ShardKeys
from autodev_lab.ledger.redis_server import RedisServer
from autodev_lab.ledger.sharded import ShardedLedger
from autodev_lab.records import HumanAnswer, Plan, Role, Stage, Task, TaskKind
from autodev_lab.workflow import ROLE_OF_STAGE

__all__ = ["run_processes"]

_PREFIX = "scaling"
_WAIT_SECONDS = 0.05
"""How long an agent waits for a wake-up of its main role before it looks in the others."""

_LEASE_SECONDS = 60.0
_LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a team of processes is to do."""

    urls: tuple[str, ...]
    seats: tuple[Seat, ...]
    jobs: tuple[Job, ...]

    def text(self) -> str:
        return json.dumps(
            {
                "urls": self.urls,
                "seats": [
                    [seat.name, {role.value: share for role, share in seat.shares.items()}] for seat in self.seats
                ],
                "jobs": [
                    [
                        job.task.id,
                        job.task.package,
                        job.task.arrival,
                        job.task.priority,
                        [(s.stage, s.seconds) for s in job.route],
                    ]
                    for job in self.jobs
                ],
            }
        )

    @classmethod
    def read(cls, text: str) -> _Plan:
        data = json.loads(text)
        jobs = []
        for name, package, arrival, priority, pairs in data["jobs"]:
            before, steps = Stage.FETCHED, []
            for stage, seconds in pairs:
                steps.append(Step(Stage(stage), ROLE_OF_STAGE[before], float(seconds)))
                before = Stage(stage)
            task = Task(name, package, TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority)
            jobs.append(Job(task, tuple(steps)))
        found = tuple(
            Seat(name, {Role(role): share for role, share in shares.items()}) for name, shares in data["seats"]
        )
        return cls(tuple(data["urls"]), found, tuple(jobs))


def run_processes(jobs: Sequence[Job], team: Sequence[Seat], shards: int) -> Trial:
    """Run a team of processes to the end of its work; times are those of the servers' clocks.

    Parameters
    ----------
    jobs
        What there is to do, all at once.
    team
        One process a seat, and one more for people's answers.
    shards
        Redis servers, each with its share of the tasks.

    Raises
    ------
    LabError
        If there is no redis-server, or the team does not finish.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        binary = find_redis()
        servers = [stack.enter_context(RedisProcess(binary, folder / f"redis-{n}")) for n in range(shards)]
        place = folder / "plan.json"
        place.write_text(_Plan(tuple(one.url for one in servers), tuple(team), tuple(jobs)).text(), encoding="utf-8")
        command = [sys.executable, "-m", __name__, str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"{len(team)} processes did not finish {len(jobs)} tasks; try fewer or shorter ones"
            ) from error
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise LabError(f"a team of processes failed: {said[-1] if said else 'it said nothing'}")
        commands = sum(_commands(server) for server in servers)
    told = json.loads(done.stdout)
    steps: Mapping[str, Sequence[float]] = told["steps"]
    route = {job.task.id: job.route for job in jobs}
    closed = {name: times[-1] for name, times in steps.items() if len(times) == len(route[name])}
    return Trial(
        jobs=tuple(jobs),
        closed=closed,
        steps=steps,
        spans={},
        agents=len(team),
        messages=2 * commands,
        operations=commands,
        empty=told["empty"],
        refused=told["refused"],
        lost=len(jobs) - len(steps),
        ended_at=max(closed.values(), default=0.0),
    )


def _commands(server: RedisProcess) -> int:
    """Scripts and reads that a server has carried out."""
    lines = server.command("INFO", "commandstats").splitlines()
    wanted = ("cmdstat_evalsha:", "cmdstat_xreadgroup:")
    return sum(int(line.partition("calls=")[2].split(",")[0]) for line in lines if line.startswith(wanted))


# ------------------------------------------------------------------------------------------------ in the processes


def _ledger(plan: _Plan) -> ShardedLedger:
    return ShardedLedger(plan.urls[0], {str(n): url for n, url in enumerate(plan.urls)}, prefix=_PREFIX)


async def _submit(plan: _Plan) -> None:
    async with _ledger(plan) as ledger:
        for job in plan.jobs:
            await ledger.submit(job.task)


async def _agent(plan: _Plan, seat: Seat, number: int) -> tuple[int, int]:
    """Work until nothing is open; returns how many claims found nothing, and how many completions were refused."""
    routes = {job.task.id: job.route for job in plan.jobs}
    turns, empty, refused, shard = Turns(seat), 0, 0, number % len(plan.urls)
    main = max(seat.shares, key=lambda role: seat.shares[role])
    async with _ledger(plan) as ledger, RedisServer(plan.urls[shard]) as server:
        bus = RedisEventBus(server, ShardKeys(_PREFIX, str(shard)), role=main, agent_id=seat.name)
        while os.getppid() != 1:
            for role in turns.order():
                claim = await ledger.claim(role, seat.name, _LEASE_SECONDS)
                if claim is not None:
                    break
                empty += 1
            else:
                if not await ledger.open_count():
                    break
                await bus.take_work(_WAIT_SECONDS)
                continue
            step = routes[claim.task.id][len(claim.state.history)]
            await asyncio.sleep(step.seconds)
            turns.worked(step.role, step.seconds)
            refused += await ledger.complete(claim, step.stage, Plan(claim.task.id, (), 0.0, 0)) is not None
    return empty, refused


async def _people(plan: _Plan) -> tuple[int, int]:
    """Answer escalations at once."""
    routes = {job.task.id: job.route for job in plan.jobs}
    async with _ledger(plan) as ledger, RedisServer(plan.urls[0]) as server:
        bus = RedisEventBus(server, ShardKeys(_PREFIX, "0"), role=Role.HUMAN, agent_id="people")
        while os.getppid() != 1:
            claim = await ledger.claim(Role.HUMAN, "people", 3600.0)
            if claim is not None:
                step = routes[claim.task.id][len(claim.state.history)]
                await ledger.answer(HumanAnswer(claim.task.id, step.stage is Stage.CLEARED, step.seconds, 0.0))
            elif not await ledger.open_count():
                break
            else:
                await bus.take_work(_WAIT_SECONDS)
    return 0, 0


def _forked(plan: _Plan, number: int, write: int) -> int:
    """What a child does; returns its exit status."""
    seat = plan.seats[number] if number < len(plan.seats) else None
    counts = asyncio.run(_people(plan) if seat is None else _agent(plan, seat, number))
    os.write(write, f"{counts[0]} {counts[1]}\n".encode())
    return 0


async def _histories(plan: _Plan) -> dict[str, list[float]]:
    async with _ledger(plan) as ledger:
        return {one.task.id: [entry.at for entry in one.history] for one in await ledger.states()}


def main(place: str) -> int:
    """Carry a plan out."""
    plan = _Plan.read(Path(place).read_text(encoding="utf-8"))
    asyncio.run(_submit(plan))
    read, write = os.pipe()
    children = []
    for number in range(len(plan.seats) + 1):
        child = os.fork()
        if not child:
            status = 1
            try:
                status = _forked(plan, number, write)
            finally:
                os._exit(status)
        children.append(child)
    os.close(write)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    with os.fdopen(read) as lines:
        counts = [[int(part) for part in line.split()] for line in lines]
    if failed:
        print(f"{len(failed)} of {len(children)} processes failed", file=sys.stderr)
        return 1
    empty, refused = (sum(column) for column in zip(*counts, strict=True))
    print(json.dumps({"steps": asyncio.run(_histories(plan)), "empty": empty, "refused": refused}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
