"""The team with an orchestrator: one process that knows every task and every agent, and pushes work to who is idle.

It is meant to be a good one, and is given what favours it: it is no agent and costs nothing; it hands out the next work
without waiting until a result is stored; it notes in its store who works on what; it tells a failed agent by silence as
soon as a lease would have run out; after a restart it reads its store and asks every agent what it is at. Agents send
again what was not acknowledged. Work is served in the order in which the ledger serves it, and an agent with several
roles divides its time in the same way, so that only the way of coordinating differs.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autodev_lab.experiments.teamwork.layout import Seat, Turns
from autodev_lab.experiments.teamwork.server import Server
from autodev_lab.experiments.teamwork.trial import LEDGER, ORCHESTRATOR, Conditions, Kill, Trial
from autodev_lab.experiments.teamwork.work import Job
from autodev_lab.kernel.faults import Crash
from autodev_lab.kernel.hosts import Host
from autodev_lab.kernel.virtual import VirtualRuntime, VirtualSignal
from autodev_lab.records import Role

__all__ = ["run_orchestrated"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Work that is pushed, and what is reported of it: step number `place` of a task."""

    task_id: str
    place: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Word to an agent that a report arrived."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A restarted orchestrator asks what an agent is at."""


def run_orchestrated(
    jobs: Sequence[Job],
    team: Sequence[Seat],
    conditions: Conditions,
    *,
    seed: int,
    kill: Kill | None = None,
    patience: float = 1e9,
) -> Trial:
    """Run a team to the end of its work; parameters as for `run_decentralised`."""
    return _World(jobs, team, conditions, seed, kill).run(patience)


class _World:
    """Hosts, store and network of one run."""

    def __init__(
        self, jobs: Sequence[Job], team: Sequence[Seat], conditions: Conditions, seed: int, kill: Kill | None
    ) -> None:
        self.jobs = {job.task.id: job for job in jobs}
        self.conditions = conditions
        self.runtime = VirtualRuntime(seed)
        away = (kill.at, kill.seconds) if kill is not None and kill.victim == LEDGER else None
        self.store = Store(Server(conditions.server_seconds, conditions.one_way, away, conditions.retry_seconds))
        self.agents: dict[str, PushedAgent] = {}
        self.messages = 0
        self.ended = self.runtime.signal()
        self.orchestrator = Orchestrator(self)
        self._team = team
        self._kill = kill
        self._hosts: list[Host] = []
        self._seated: dict[str, Host] = {}
        self._accepted: set[str] = set()

    def run(self, patience: float) -> Trial:
        """Run, and sum up."""
        try:
            self.runtime.run(self._main(patience))
        finally:
            for host in self._hosts:
                host.close()
        store = self.store
        closed = {name: times[-1] for name, times in store.steps.items() if len(times) == len(self.jobs[name].route)}
        return Trial(
            jobs=tuple(self.jobs.values()),
            closed=closed,
            steps={name: tuple(times) for name, times in store.steps.items()},
            spans={agent.agent_id: tuple(agent.spans) for agent in self.agents.values()},
            agents=len(self._team),
            messages=self.messages + 2 * store.server.operations,
            operations=store.server.operations,
            empty=0,
            refused=self.orchestrator.refused,
            lost=len(self._accepted - set(store.steps)),
            ended_at=max(closed.values()) if len(closed) == len(self.jobs) else self.runtime.now(),
        )

    async def _main(self, patience: float) -> None:
        self.orchestrator.start()
        for seat in self._team:
            self._seat(seat, seat.name)
        submitter = self._host("submitter")
        submitter.spawn(self._submit(submitter), submitter.name)
        self.runtime.spawn(self._strike(), "killer")
        await self.ended.wait(patience)

    async def _submit(self, host: Host) -> None:
        for job in self.jobs.values():
            if job.task.arrival > host.now():
                await host.sleep(job.task.arrival - host.now())
            name, answered = job.task.id, host.signal()
            send = functools.partial(self.orchestrator.submitted, name, functools.partial(self._accept, name, answered))
            while name not in self._accepted:
                self.post(send)
                await answered.wait(self.conditions.retry_seconds)

    def _accept(self, name: str, answered: VirtualSignal) -> None:
        self._accepted.add(name)
        answered.set()

    async def _strike(self) -> None:
        kill = self._kill
        if kill is None or kill.victim == LEDGER:
            return  # it was there all the same: the scheduler's draws are the same with a failure, until it happens
        await self.runtime.sleep(kill.at)
        if kill.victim == ORCHESTRATOR:
            self.orchestrator.kill()
        else:
            self._seated[kill.victim].strike(Crash(kill.victim, 0, kill.seconds))
        if not math.isfinite(kill.seconds):
            return
        await self.runtime.sleep(kill.seconds)
        if kill.victim == ORCHESTRATOR:
            self.orchestrator.start()
        else:
            (seat,) = (seat for seat in self._team if seat.name == kill.victim)
            self._seat(seat, f"{seat.name}.2")

    def _seat(self, seat: Seat, name: str) -> None:
        host = self._seated[seat.name] = self._host(name)
        agent = self.agents[name] = PushedAgent(name, host, seat, self)
        host.spawn(agent.run(), name)
        host.spawn(agent.beat(), f"{name} heartbeat")

    def _host(self, name: str) -> Host:
        host = Host(self.runtime, name)
        self._hosts.append(host)
        return host

    # --------------------------------------------------------------------------------------------- messages

    def post(self, handle: Callable[[], None]) -> None:
        """Send the orchestrator a message; while it is down it is lost."""
        self.messages += 1
        self.runtime.spawn(self._arrive(handle), "message")

    async def _arrive(self, handle: Callable[[], None]) -> None:
        await self.runtime.sleep(self.conditions.one_way)
        orchestrator = self.orchestrator
        life, now = orchestrator.life, self.runtime.now()
        await self.runtime.sleep(orchestrator.done(now) - now)
        if orchestrator.up and orchestrator.life == life:
            handle()

    def tell(self, agent_id: str, message: Assignment | Acknowledged | Enquiry) -> None:
        """Send an agent a message; a dead one does not get it."""
        self.messages += 1
        self.runtime.spawn(self._reach(agent_id, message), "message")

    async def _reach(self, agent_id: str, message: Assignment | Acknowledged | Enquiry) -> None:
        await self.runtime.sleep(self.conditions.one_way)
        agent = self.agents[agent_id]
        if agent.host.alive:
            agent.inbox.append(message)
            agent.rung.set()

    async def ask_people(self, assignment: Assignment, seconds: float) -> None:
        """Let people answer, who send their answer until it is taken."""
        await self.runtime.sleep(seconds)
        while len(self.store.steps[assignment.task_id]) <= assignment.place:
            self.post(lambda: self.orchestrator.reported(None, assignment))
            await self.runtime.sleep(self.conditions.retry_seconds)


class Store:
    """What is on disk: which steps of each task are done and since when, and who was given what."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.steps: dict[str, list[float]] = {}
        self.given: dict[str, Assignment] = {}
        self.closed = 0


class Orchestrator:
    """The one who knows.

    Parameters
    ----------
    world
        Its network, its store, and the tasks.
    """

    def __init__(self, world: _World) -> None:
        self.up = False
        self.life = 0
        self.refused = 0
        self._world = world
        self._patience = world.conditions.retry_seconds
        self._free_at = 0.0
        self._forget()

    def _forget(self) -> None:
        self._place: dict[str, int] = {}
        self._queues: dict[Role, list[tuple[int, float, int, str]]] = {role: [] for role in Role}
        self._queued: dict[str, int] = {}
        self._order = itertools.count()
        self._idle: dict[str, None] = {}
        self._doing: dict[str, Assignment] = {}
        self._heard: dict[str, float] = {}
        self._since: dict[str, float] = {}

    def done(self, now: float) -> float:
        """When a message that arrives now has been dealt with."""
        self._free_at = max(now, self._free_at) + self._world.conditions.decide_seconds
        return self._free_at

    # ----------------------------------------------------------------------------------------- life and death

    def start(self) -> None:
        """Start, from what the store holds."""
        self.life += 1
        self._free_at = self._world.runtime.now()
        self._forget()
        self._world.runtime.spawn(self._recover(self.life), "orchestrator")

    def kill(self) -> None:
        """Die: all that is not in the store is gone."""
        self.up = False
        self._forget()

    async def _recover(self, life: int) -> None:
        world, now = self._world, self._world.runtime.now()
        await world.runtime.sleep(world.store.server.done(now) - now + world.conditions.one_way)
        if self.life != life:
            return
        self.up = True  # until now nobody listened
        holders = {given: agent_id for agent_id, given in world.store.given.items()}
        for task_id, times in world.store.steps.items():
            self._place[task_id] = len(times)
            left = Assignment(task_id, len(times))
            if left in holders:  # whoever has it will say so, or will be silent for as long as a lease
                self._doing[holders[left]] = left
                self._heard[holders[left]] = world.runtime.now()
            else:
                self._enqueue(task_id)
        for agent_id in tuple(world.agents):
            world.tell(agent_id, Enquiry())
        world.runtime.spawn(self._watch(life), "watch")
        self._dispatch_all()

    async def _watch(self, life: int) -> None:
        """Take who has been silent for dead."""
        world = self._world
        while True:
            await world.runtime.sleep(world.conditions.retry_seconds)
            if not self._lives(life):
                return
            long_ago = world.runtime.now() - world.conditions.lease_seconds
            for agent_id in [name for name, heard in self._heard.items() if heard < long_ago]:
                del self._heard[agent_id]
                self._idle.pop(agent_id, None)
                self._give_up(self._doing.pop(agent_id, None))

    def _lives(self, life: int) -> bool:
        return self.up and self.life == life

    # ------------------------------------------------------------------------------------------- what it is told

    def submitted(self, task_id: str, taken: Callable[[], None]) -> None:
        """A new task, or one that was sent again."""
        if task_id not in self._place:
            self._place[task_id] = 0
            self._write(lambda: self._note_task(task_id, taken))
        elif task_id in self._world.store.steps:
            taken()

    def _note_task(self, task_id: str, taken: Callable[[], None]) -> None:
        self._world.store.steps.setdefault(task_id, [])
        taken()
        self._enqueue(task_id)
        self._dispatch_all()

    def reported(self, agent_id: str | None, done: Assignment) -> None:
        """A step was done, by an agent or by people."""
        if agent_id is not None:
            self._heard[agent_id] = self._world.runtime.now()
            self._world.tell(agent_id, Acknowledged(done))
            if self._doing.get(agent_id, done) != done:
                return  # it was sent again, and has been given other work since
            self._doing.pop(agent_id, None)
            self._idle[agent_id] = None
        if self._place.get(done.task_id) == done.place:
            self._place[done.task_id] = done.place + 1
            self._queued.pop(done.task_id, None)
            self._write(lambda: self._note_step(agent_id, done))
        elif agent_id is not None:
            self.refused += 1
        if agent_id is not None:
            self._serve(agent_id)

    def _note_step(self, agent_id: str | None, done: Assignment) -> None:
        times = self._world.store.steps[done.task_id]
        if len(times) != done.place:
            return
        times.append(self._world.runtime.now())
        if agent_id is not None and self._world.store.given.get(agent_id) == done:
            del self._world.store.given[agent_id]
        if done.place + 1 < len(self._world.jobs[done.task_id].route):
            self._enqueue(done.task_id)
            self._dispatch_all()
        else:
            self._world.store.closed += 1
            if self._world.store.closed == len(self._world.jobs):
                self._world.ended.set()

    def heartbeat(self, agent_id: str, doing: Assignment | None) -> None:
        """An agent lives, and is at something or idle."""
        self._heard[agent_id] = self._world.runtime.now()
        known = self._doing.get(agent_id)
        if doing is not None:
            if self._place.get(doing.task_id) == doing.place and known != doing:
                self._doing[agent_id] = doing
                self._queued.pop(doing.task_id, None)
                self._idle.pop(agent_id, None)
                self._give_up(known)
        elif known is None or self._since.get(agent_id, 0.0) < self._world.runtime.now() - self._patience:
            self._doing.pop(agent_id, None)
            self._give_up(known)
            self._idle[agent_id] = None
            self._serve(agent_id)

    # ----------------------------------------------------------------------------------------- what it decides

    def _enqueue(self, task_id: str) -> None:
        """Put a task where its next step is waited for, or before people."""
        world, place = self._world, self._place[task_id]
        job = world.jobs[task_id]
        if place == len(job.route):
            return
        step = job.route[place]
        if step.role is Role.HUMAN:
            world.runtime.spawn(world.ask_people(Assignment(task_id, place), step.seconds), "people")
            return
        self._queued[task_id] = place
        entry = (-job.task.priority, job.task.arrival, next(self._order), task_id)
        heapq.heappush(self._queues[step.role], entry)

    def _give_up(self, left: Assignment | None) -> None:
        """Let somebody else have what an agent turned out not to work on."""
        if left is not None and self._place[left.task_id] == left.place:
            self._enqueue(left.task_id)
            self._dispatch_all()

    def _next_for(self, role: Role) -> str | None:
        """The first task that waits for a role; entries of tasks that wait no longer are dropped."""
        queue = self._queues[role]
        while queue:
            task_id = queue[0][3]
            place = self._queued.get(task_id)
            if place is not None and self._world.jobs[task_id].route[place].role is role:
                return task_id
            heapq.heappop(queue)
        return None

    def _serve(self, agent_id: str) -> bool:
        """Give an idle agent work, if there is some."""
        for role in self._world.agents[agent_id].turns.order():
            task_id = self._next_for(role)
            if task_id is not None:
                heapq.heappop(self._queues[role])
                given = Assignment(task_id, self._queued.pop(task_id))
                note = functools.partial(self._world.store.given.__setitem__, agent_id, given)
                del self._idle[agent_id]
                self._doing[agent_id] = given
                self._since[agent_id] = self._world.runtime.now()
                self._write(note)
                self._world.tell(agent_id, given)
                return True
        return False

    def _dispatch_all(self) -> None:
        """Give work to idle agents, those with the fewest roles first: the others can still do something else."""
        agents = self._world.agents
        for agent_id in sorted(self._idle, key=lambda name: len(agents[name].seat.roles)):
            self._serve(agent_id)

    def _write(self, note: Callable[[], None]) -> None:
        self._world.runtime.spawn(self._written(note, self.life), "write")

    async def _written(self, note: Callable[[], None], life: int) -> None:
        world, now = self._world, self._world.runtime.now()
        await world.runtime.sleep(world.store.server.done(now) - now)
        if self._lives(life):
            note()


class PushedAgent:
    """An agent that does what it is told, and tells what it did until that is acknowledged.

    Parameters
    ----------
    agent_id, host, seat, world
        Who, on what, in which roles, and where.
    """

    def __init__(self, agent_id: str, host: Host, seat: Seat, world: _World) -> None:
        self.agent_id = agent_id
        self.host = host
        self.seat = seat
        self.turns = Turns(seat)
        self.inbox: deque[Assignment | Acknowledged | Enquiry] = deque()
        self.rung = host.signal()
        self.spans: list[tuple[float, float]] = []
        self._world = world
        self._at: Assignment | None = None

    async def run(self) -> None:
        """Work for ever; the runtime ends it."""
        world = self._world
        self._say()
        untold: Assignment | None = None
        while True:
            if not self.inbox:
                self.rung.clear()
                await self.rung.wait(None if untold is None else world.conditions.retry_seconds)
            if not self.inbox:
                self._report(untold)
                continue
            message = self.inbox.popleft()
            if isinstance(message, Enquiry):
                self._say()
            elif isinstance(message, Acknowledged):
                if message.assignment == untold:
                    untold = self._at = None
            else:
                self._at = message
                step = world.jobs[message.task_id].route[message.place]
                begun = self.host.now()
                await self.host.sleep(step.seconds)
                self.spans.append((begun, begun + step.seconds))
                self.turns.worked(step.role, step.seconds)
                untold = message
                self._report(untold)

    async def beat(self) -> None:
        """Send heartbeats."""
        while True:
            await self.host.sleep(self._world.conditions.lease_seconds / 3.0)
            self._say()

    def _say(self) -> None:
        at = self._at
        self._world.post(lambda: self._world.orchestrator.heartbeat(self.agent_id, at))

    def _report(self, done: Assignment | None) -> None:
        if done is not None:
            self._world.post(lambda: self._world.orchestrator.reported(self.agent_id, done))
