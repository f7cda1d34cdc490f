"""An agent that is told what to do, and what it and an orchestrator say to one another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autodev_lab.experiments.teamwork.layout import Seat, Turns
from autodev_lab.kernel.hosts import Host

if TYPE_CHECKING:
    from autodev_lab.experiments.teamwork.orchestrated import OrchestratedWorld

__all__ = ["Acknowledged", "Assignment", "Enquiry", "PushedAgent"]


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


class PushedAgent:
    """An agent that does what it is told, and tells what it did until that is acknowledged.

    Parameters
    ----------
    agent_id, host, seat, world
        Who, on what, in which roles, and where.
    """

    def __init__(self, agent_id: str, host: Host, seat: Seat, world: OrchestratedWorld) -> None:
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
