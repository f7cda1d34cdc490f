"""The team without an orchestrator: the lab's agent loop over the lab's ledger, and nobody who knows anybody."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from autodev_lab.agents import Agent, HumanDesk, Move, Surroundings, Timing
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.experiments.teamwork.layout import Seat, Turns
from autodev_lab.experiments.teamwork.server import DistantLedger, Server
from autodev_lab.experiments.teamwork.trial import LEDGER, Conditions, Kill, Trial
from autodev_lab.experiments.teamwork.wakeups import GroupBus, GroupSubscription, SeatBus
from autodev_lab.experiments.teamwork.work import Job
from autodev_lab.kernel.faults import Crash
from autodev_lab.kernel.hosts import Host
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.ledger.in_memory import InMemoryLedger
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import Claim, Cost, Event, HumanAnswer, Plan, Role, Stage, TaskState
from autodev_lab.workflow import TERMINAL_STAGES, stages_of

__all__ = ["run_decentralised"]

_LEARNS = {Role.DEVELOPER: Stage.PROPOSED, Role.DEPLOYER: Stage.APPROVED}
"""Roles that ask what became of their work, and the stage that begins it: it costs an operation a task."""


class SeatedAgent(Agent):
    """An agent that may have several roles and follows a task's route.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent.
    seat
        Its roles.
    jobs
        Routes by task.
    """

    role: ClassVar[Role] = Role.DEVELOPER

    def __init__(self, agent_id: str, surroundings: Surroundings, seat: Seat, jobs: Mapping[str, Job]) -> None:
        super().__init__(agent_id, surroundings)
        self.empty = 0
        self.spans: list[tuple[float, float]] = []
        self._seat = seat
        self._turns = Turns(seat)
        self._jobs = jobs
        self._mine: set[str] = set()
        self._stages = [stage for role in seat.roles for stage in stages_of(role)]
        self._news = TERMINAL_STAGES if set(seat.roles) & set(_LEARNS) else frozenset[Stage]()

    async def act(self, claim: Claim) -> Move:
        """Work for as long as the route says."""
        step = self._jobs[claim.task.id].route[len(claim.state.history)]
        begun = self.runtime.now()
        await self.runtime.sleep(step.seconds)
        self.spans.append((begun, begun + step.seconds))
        self.busy_seconds += step.seconds
        self._turns.worked(step.role, step.seconds)
        if step.role in _LEARNS:
            self._mine.add(claim.task.id)
        return Move(step.stage, Plan(claim.task.id, (), 0.0, 0))

    async def perceive(self, event: Event) -> None:
        """Ask what became of one's own work, as developers and deployers do."""
        if event.task_id in self._mine:
            self._mine.remove(event.task_id)
            await self.ledger.state(event.task_id)

    async def look(self) -> Claim | None:
        """Claim in the first of its roles that has work, that which is furthest behind its share first."""
        for role in self._turns.order():
            claim = await self.ledger.claim(role, self.agent_id, self._timing.lease_seconds)
            if claim is not None:
                return claim
            self.empty += 1
        return None


def run_decentralised(
    jobs: Sequence[Job],
    team: Sequence[Seat],
    conditions: Conditions,
    *,
    seed: int,
    kill: Kill | None = None,
    patience: float = 1e9,
) -> Trial:
    """Run a team to the end of its work.

    Parameters
    ----------
    jobs
        In order of arrival.
    team
        Its seats.
    seed
        Of the scheduler.
    kill
        What fails, if anything.
    patience
        Second at which nobody waits any longer.
    """
    return _World(jobs, team, conditions, seed, kill).run(patience)


class _World:
    """Hosts, server and ledger of one run."""

    def __init__(
        self, jobs: Sequence[Job], team: Sequence[Seat], conditions: Conditions, seed: int, kill: Kill | None
    ) -> None:
        self._jobs = {job.task.id: job for job in jobs}
        self._team = team
        self._conditions = conditions
        self._seed = seed
        self._kill = kill
        self._runtime = VirtualRuntime(seed)
        away = (kill.at, kill.seconds) if kill is not None and kill.victim == LEDGER else None
        self._server = Server(conditions.server_seconds, conditions.one_way, away, conditions.retry_seconds)
        self._bus = GroupBus(self._server)
        self._closing = _Closings(self._bus, self._runtime, len(jobs))
        self._ledger = InMemoryLedger(self._runtime, self._closing)
        self._hosts: list[Host] = []
        self._seated: dict[str, Host] = {}
        self._agents: list[SeatedAgent] = []
        self._lines: list[DistantLedger] = []
        self._accepted: set[str] = set()

    def run(self, patience: float) -> Trial:
        """Run, and sum up."""
        try:
            states = self._runtime.run(self._main(patience))
        finally:
            for host in self._hosts:
                host.close()
        closed = {
            one.task.id: one.history[-1].at
            for one in states
            if one.history and one.history[-1].stage is self._jobs[one.task.id].route[-1].stage
        }
        known = {one.task.id for one in states if one.stage is not Stage.DEAD_LETTER}
        commands = sum(line.commands for line in self._lines)
        return Trial(
            jobs=tuple(self._jobs.values()),
            closed=closed,
            steps={one.task.id: tuple(entry.at for entry in one.history) for one in states},
            spans={agent.agent_id: tuple(agent.spans) for agent in self._agents},
            agents=len(self._team),
            messages=2 * commands + self._bus.messages,
            operations=self._server.operations,
            empty=sum(agent.empty for agent in self._agents),
            refused=sum(line.refused for line in self._lines),
            lost=len(self._accepted - known),
            ended_at=max(closed.values()) if len(closed) == len(self._jobs) else self._runtime.now(),
        )

    async def _main(self, patience: float) -> tuple[TaskState, ...]:
        for seat in self._team:
            self._seat(seat, seat.name)
        people = self._host("people")
        desk = HumanDesk(self._surroundings(people, (Role.HUMAN,)), _People(self._jobs))
        people.spawn(desk.run(), people.name)
        submitter = self._host("submitter")
        submitter.spawn(self._submit(submitter), submitter.name)
        self._runtime.spawn(self._strike(), "killer")
        await self._closing.ended.wait(patience)
        return await self._ledger.states()

    async def _submit(self, host: Host) -> None:
        ledger = self._line(host)
        for job in self._jobs.values():
            if job.task.arrival > host.now():
                await host.sleep(job.task.arrival - host.now())
            await ledger.submit(job.task)
            self._accepted.add(job.task.id)

    async def _strike(self) -> None:
        kill = self._kill
        if kill is None or kill.victim == LEDGER:
            return  # it was there all the same: the scheduler's draws are the same with a failure, until it happens
        await self._runtime.sleep(kill.at)
        self._seated[kill.victim].strike(Crash(kill.victim, 0, kill.seconds))
        if math.isfinite(kill.seconds):
            await self._runtime.sleep(kill.seconds)
            (seat,) = (seat for seat in self._team if seat.name == kill.victim)
            self._seat(seat, f"{seat.name}.2")  # an id is never used again

    def _seat(self, seat: Seat, name: str) -> None:
        host = self._seated[seat.name] = self._host(name)
        agent = SeatedAgent(name, self._surroundings(host, seat.roles), seat, self._jobs)
        self._agents.append(agent)
        host.spawn(agent.run(), name)

    def _host(self, name: str) -> Host:
        host = Host(self._runtime, name)
        self._hosts.append(host)
        return host

    def _line(self, host: Host) -> DistantLedger:
        line = DistantLedger(host, self._ledger, self._server)
        self._lines.append(line)
        return line

    def _surroundings(self, host: Host, roles: tuple[Role, ...]) -> Surroundings:
        timing = Timing(self._conditions.lease_seconds, self._conditions.poll_seconds)
        bus = SeatBus(self._bus, host, roles)
        environment, memory = _unused()
        return Surroundings(host, self._line(host), bus, environment, memory, self._seed, timing)


class _Closings:
    """The bus as the ledger sees it: it also notes when all is done."""

    def __init__(self, bus: GroupBus, runtime: VirtualRuntime, tasks: int) -> None:
        self.ended = runtime.signal()
        self._bus = bus
        self._left = tasks

    async def publish(self, event: Event) -> None:
        if event.stage in TERMINAL_STAGES:
            self._left -= 1
            if not self._left:
                self.ended.set()
        await self._bus.publish(event)

    def subscribe(self, stages: Iterable[Stage]) -> GroupSubscription:
        return self._bus.subscribe(stages)


class _People:
    """They answer what the route says."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs

    def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
        step = self._jobs[state.task.id].route[len(state.history)]
        answer = HumanAnswer(state.task.id, step.stage is Stage.CLEARED, step.seconds, 0.0)
        return answer, Cost(seconds=step.seconds)


@functools.cache
def _unused() -> tuple[SimulatedEnvironment, InMemoryMemory]:
    """What agents are given but waiting does not touch."""
    return SimulatedEnvironment(()), InMemoryMemory()
