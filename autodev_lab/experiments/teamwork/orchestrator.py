"""The orchestrator: one process that knows every task and every agent, and pushes work to who is idle.

It is meant to be a good one, and is given what favours it: it is no agent and costs nothing; it hands out the next work
without waiting until a result is stored; it notes in its store who works on what; it tells a failed agent by silence as
soon as a lease would have run out; after a restart it reads its store and asks every agent what it is at.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from autodev_lab.experiments.teamwork.pushed import Acknowledged, Assignment, Enquiry
from autodev_lab.experiments.teamwork.server import Server
from autodev_lab.records import Role

if TYPE_CHECKING:
    from autodev_lab.experiments.teamwork.orchestrated import OrchestratedWorld

__all__ = ["Orchestrator", "Store"]


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

    def __init__(self, world: OrchestratedWorld) -> None:
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
