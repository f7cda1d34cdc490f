"""A campaign on real processes and a real Redis: faults for some cycles, calm, and the checker on what came of it."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from autodev_lab.chaos.agent_process import URL_VARIABLE, Order
from autodev_lab.chaos.breaking import Breaker
from autodev_lab.chaos.journal import JournalledLedger, read_journals
from autodev_lab.chaos.proxy import Proxy
from autodev_lab.chaos.redis_history import Note, calls_of, check_journals, read_log
from autodev_lab.chaos.rules import Rule, Violation, check_history
from autodev_lab.chaos.team import task_of
from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed, write_atomic
from autodev_lab.integrations.redis_process import RedisProcess, find_redis
from autodev_lab.ledger.redis_ledger import RedisLedger
from autodev_lab.ledger.redis_server import RedisServer, without_password
from autodev_lab.processes import Backoff, Nursery, Supervisor
from autodev_lab.records import Role, Stage, Task, TaskState
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["DURABLE", "OWN", "RealCampaign", "run_real_campaign"]

OWN = "own"
"""In place of an address: a Redis that the campaign starts itself, and may kill."""

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""Options under which a Redis that is killed forgets nothing it confirmed."""

LEASE_SECONDS = 1.0
POLL_SECONDS = 0.5
PACE_SECONDS = 0.06
MAX_TRIES = 3

_TEAM: Mapping[Role, int] = {
    Role.ARCHITECT: 1,
    Role.DEVELOPER: 2,
    Role.TESTER: 1,
    Role.REVIEWER: 1,
    Role.DEPLOYER: 2,
    Role.MONITOR: 1,
    Role.HUMAN: 1,
}
_CYCLES_A_ROUND = 20
_CYCLE_SECONDS = (0.3, 0.7)
_LOOK_SECONDS = 0.02
_CALM_SECONDS = 60.0
_GRACE_SECONDS = 5.0
_LOG_LENGTH = 1_000_000
_SUBMITTER = "submitter"


@dataclass(slots=True)
class RealCampaign:
    """What came of a campaign; grows from round to round.

    Parameters
    ----------
    seed, redis
        What was asked; the address is shown without a password.
    cycles, rounds
        How many were run; after each round faults stop, and all is checked.
    strikes
        Faults by kind.
    tasks, done, dead
        Tasks that were accepted, closed, and dead letters among these.
    steps
        Commands that the ledger carried out.
    lost, effects_twice
        Violations of these two kinds.
    rules
        Violations by rule.
    processes
        Agents that were started.
    seconds
        How long it took.
    broke, counterexample
        The first violation, and where it was written down.
    """

    seed: int
    redis: str
    cycles: int = 0
    rounds: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    tasks: int = 0
    done: int = 0
    dead: int = 0
    steps: int = 0
    lost: int = 0
    effects_twice: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    seconds: float = 0.0
    broke: str = ""
    counterexample: Path | None = None

    @property
    def violations(self) -> int:
        """Promises that were broken."""
        return self.rules.total()

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return {
            "seed": self.seed,
            "redis": self.redis,
            "cycles": self.cycles,
            "schedules": None,
            "violations": self.violations,
            **{kind: self.strikes[kind] for kind in ("kills", "stops", "restarts", "cuts")},
            "tasks": self.tasks,
            "done": self.done,
            "dead": self.dead,
            "steps": self.steps,
            "processes": self.processes,
            "effects_twice": self.effects_twice,
            "lost": self.lost,
            "rules": dict(sorted(self.rules.items())),
            "seconds": round(self.seconds, 1),
            "broke": self.broke or None,
            "counterexample": None if self.counterexample is None else str(self.counterexample),
        }


def run_real_campaign(
    cycles: int,
    *,
    seed: int = 0,
    redis: str = OWN,
    persistence: Sequence[str] = DURABLE,
    out: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> RealCampaign:
    """Break things under a team of processes for so many cycles, and check what the ledger promises.

    Parameters
    ----------
    cycles
        How many, at least 1; a cycle submits two tasks and injects at least one fault.
    seed
        Which faults and tasks. How they meet is up to the machine: no two runs are the same.
    redis
        `OWN`, or the address of a Redis. One that is not ours is never killed, and only plain ``redis://`` has
        connections that a proxy can cut.
    persistence
        Options of the campaign's own Redis. With less than `DURABLE`, a restart loses work, and the checker says so.
    out
        Folder for what is written down of a violation.
    progress
        Told how many cycles are done.

    Raises
    ------
    LabError
        If a number is out of range, or Redis cannot be had.
    """
    if cycles < 1:
        raise LabError(f"{cycles} cycles cannot be run; give at least 1")
    campaign = RealCampaign(seed, OWN if redis == OWN else without_password(redis))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="autodev-lab-") as folder:
        asyncio.run(_Run(campaign, cycles, persistence, Path(folder), out, progress).run(redis))
    campaign.seconds = time.monotonic() - begun
    return campaign


class _Run:
    """One campaign while it runs."""

    def __init__(
        self,
        campaign: RealCampaign,
        cycles: int,
        persistence: Sequence[str],
        folder: Path,
        out: Path,
        progress: Callable[[int], None],
    ) -> None:
        self._campaign = campaign
        self._cycles = cycles
        self._persistence = tuple(persistence)
        self._folder = folder
        self._out = out
        self._progress = progress
        self._prefix = f"chaos-{uuid.uuid4().hex[:12]}"
        self._rng = random.Random(stable_seed("cycles", campaign.seed))
        self._number = 0
        self._checked: set[str] = set()

    async def run(self, redis: str) -> None:
        """All cycles."""
        async with AsyncExitStack() as stack:
            server: RedisProcess | None = None
            if redis == OWN:
                server = stack.enter_context(RedisProcess(find_redis(), self._folder / "redis", *self._persistence))
                redis = server.url
            direct = await stack.enter_async_context(RedisServer(redis, patience=20.0))
            ledger = RedisLedger(direct, prefix=self._prefix, max_tries=MAX_TRIES, log_length=_LOG_LENGTH)
            await ledger.open()
            stack.push_async_callback(self._forget, direct)
            proxy, reached = None, redis
            if urlsplit(redis).scheme == "redis":
                parts = urlsplit(redis)
                proxy = await stack.enter_async_context(Proxy(parts.hostname or "localhost", parts.port or 6379))
                user, at, _ = parts.netloc.rpartition("@")
                reached = parts._replace(netloc=f"{user}{at}127.0.0.1:{proxy.port}").geturl()
            outside = await stack.enter_async_context(RedisServer(reached, patience=60.0))
            theirs = RedisLedger(outside, prefix=self._prefix, max_tries=MAX_TRIES, log_length=_LOG_LENGTH)
            submitter = JournalledLedger(theirs, self._folder / "journals" / f"{_SUBMITTER}.jsonl")
            stack.callback(submitter.close)
            team = self._team(reached)
            stack.push_async_callback(asyncio.to_thread, team.stop, _GRACE_SECONDS)  # the proxy serves them meanwhile
            await asyncio.to_thread(team.look)
            breaker = Breaker(self._rng, lambda: team.running, LEASE_SECONDS, proxy, server)
            stack.push_async_callback(breaker.close)
            after = "0"
            while self._campaign.cycles < self._cycles:
                for _ in range(min(_CYCLES_A_ROUND, self._cycles - self._campaign.cycles)):
                    await self._cycle(submitter, team, breaker)
                await breaker.calm()
                after = await self._check(ledger, team, breaker, after)
            self._campaign.strikes = breaker.counts
            self._campaign.processes = team.started

    def _team(self, url: str) -> Supervisor:
        posts = {}
        for role, count in _TEAM.items():
            order = Order(
                role.value,
                self._campaign.seed,
                pace=PACE_SECONDS,
                lease_seconds=LEASE_SECONDS,
                poll_seconds=POLL_SECONDS,
                prefix=self._prefix,
                patience=60.0,
                grace_seconds=_GRACE_SECONDS,
                log_length=_LOG_LENGTH,
                journals=str(self._folder / "journals"),
            )
            for number in range(1, count + 1):
                posts[f"{role.value} {number}"] = order.arguments()

        def nurse() -> Nursery:
            return Nursery(
                "autodev_lab.chaos.agent_process", environment={URL_VARIABLE: url}, log=self._folder / "agents.log"
            )

        # who is killed on purpose is never given up
        return Supervisor(nurse, posts, Backoff(0.05, 0.05, steady_seconds=0.0))

    async def _cycle(self, submitter: JournalledLedger, team: Supervisor, breaker: Breaker) -> None:
        """Two tasks, some faults, and a while."""
        rng = self._rng
        first, second = (
            task_of(f"c{self._number + one}", float(self._number + one), rng.randrange(2)) for one in (0, 1)
        )
        self._number += 2
        waits = (first.id,) if rng.random() < 0.3 else ()
        seconds = rng.uniform(*_CYCLE_SECONDS)
        submitting = asyncio.ensure_future(self._submit(submitter, first, second, waits))
        try:
            await asyncio.sleep(0.1 * rng.random())
            await breaker.strike()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline or not submitting.done():
                team.look()
                await asyncio.sleep(_LOOK_SECONDS)
            await submitting
        finally:
            submitting.cancel()
        self._campaign.cycles += 1
        self._progress(self._campaign.cycles)

    @staticmethod
    async def _submit(submitter: JournalledLedger, first: Task, second: Task, waits: tuple[str, ...]) -> None:
        await submitter.submit(first)
        await submitter.submit(second, waits)

    async def _check(self, ledger: RedisLedger, team: Supervisor, breaker: Breaker, after: str) -> str:
        """Wait until all work is done, hold the round's history against the rules, and put its tasks away."""
        deadline = time.monotonic() + _CALM_SECONDS
        while await ledger.open_count() and time.monotonic() < deadline:
            team.look()
            await asyncio.sleep(_LOOK_SECONDS)
        notes, after = await read_log(ledger, after)
        states = {state.task.id: state for state in await ledger.states()}
        entries = [entry for entry in read_journals(self._folder / "journals") if entry.task_id not in self._checked]
        self._checked |= {entry.task_id for entry in entries}
        accepted = {entry.task_id for entry in entries if entry.did == "submit" and entry.heard == "done"}
        clock = max((float(note["at"]) for note in notes), default=0.0)
        violations = [
            *check_history(calls_of(notes, states), states.values(), clock, max_tries=MAX_TRIES),
            *check_journals(entries, notes, states),
        ]
        self._campaign.rounds += 1
        self._campaign.steps += len(notes)
        self._campaign.tasks += len(accepted | set(states))
        self._campaign.done += sum(state.stage in TERMINAL_STAGES for state in states.values())
        self._campaign.dead += sum(state.stage is Stage.DEAD_LETTER for state in states.values())
        self._tell(violations, notes, states, breaker)
        await ledger.archive(self._folder / "closed.jsonl")
        return after

    def _tell(
        self, violations: list[Violation], notes: list[Note], states: Mapping[str, TaskState], breaker: Breaker
    ) -> None:
        campaign = self._campaign
        for violation in violations:
            campaign.rules[violation.rule.value] += 1
            campaign.lost += violation.rule is Rule.NO_LOST_TASK
            campaign.effects_twice += violation.rule is Rule.EFFECT_ONCE
        if violations and campaign.counterexample is None:
            first = violations[0]
            campaign.broke = first.sentence
            campaign.counterexample = self._out / f"chaos-processes-{campaign.seed}-{campaign.rounds}.json"
            content = {
                "violations": [asdict(violation) for violation in violations],
                "task": [note for note in notes if note["task"] == first.task_id],
                "faults": [asdict(strike) for strike in breaker.strikes],
                "journals": [
                    asdict(entry)
                    for entry in read_journals(self._folder / "journals")
                    if entry.task_id == first.task_id
                ],
                "stage": None if first.task_id not in states else states[first.task_id].stage.value,
            }
            write_atomic(campaign.counterexample, json.dumps(content, indent=2) + "\n")

    async def _forget(self, server: RedisServer) -> None:
        """Take all keys of this campaign off the server."""
        cursor = "0"
        while True:
            answer = await server.command("SCAN", cursor, "MATCH", f"{self._prefix}:*", "COUNT", 1000)
            assert isinstance(answer, list | tuple)
            cursor, names = str(answer[0]), answer[1]
            if names:
                await server.command("UNLINK", *names)
            if cursor == "0":
                return
