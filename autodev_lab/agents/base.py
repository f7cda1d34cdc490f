"""What every agent does: perceive, claim, act, publish; and nothing about any other agent."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from autodev_lab.agents.asking import Asking
from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.protocols import Environment, EventBus, Ledger, LinkedMemory, Runtime
from autodev_lab.records import Attempt, Change, Claim, Cost, Event, Refusal, Result, Role, Stage, Task, TaskState
from autodev_lab.workflow import stages_of

__all__ = ["Agent", "Move", "Surroundings", "Timing", "changes_of", "last_result"]

T = TypeVar("T")
R = TypeVar("R")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an agent holds a claim without renewing, and how often an idle one looks for itself.

    Parameters
    ----------
    lease_seconds
        A claim's time limit; it is renewed at a third of it while the agent lives.
    poll_seconds
        Longest wait for a wake-up. Wake-ups may be lost, so this bounds how late an idle agent can be: one that hears
        nothing looks after so long, one that hears only news of other work after less than twice as long.
    """

    lease_seconds: float = 900.0
    poll_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All an agent is given. It cannot tell from it which world it is in."""

    runtime: Runtime
    ledger: Ledger
    bus: EventBus
    environment: Environment
    memory: LinkedMemory
    seed: int
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class Move:
    """What an agent decided to publish for a claimed task."""

    stage: Stage
    result: Result
    follow_up: Task | None = None


class Agent(ABC):
    """One autonomous worker of a role.

    A subclass says what its role does in `act`; it may also listen to further stages in `listens` and take note of
    them in `perceive`. The loop is the same for all: take note of events, claim a task that waits for this role, act,
    complete. A refused completion means that somebody else took over after the lease ran out; the work is dropped.

    An event of a stage on which nobody here acts cannot have made work: a ledger tells of every task that can be
    claimed, or claimed again, under the stage it is at. So an idle agent looks for work when it hears of some, and when
    it has not looked for `Timing.poll_seconds`, since any event may have been lost.

    Parameters
    ----------
    agent_id
        Never reused, also not after a restart.
    surroundings
        What the agent may use.
    """

    role: ClassVar[Role]
    listens: ClassVar[frozenset[Stage]] = frozenset()

    def __init__(self, agent_id: str, surroundings: Surroundings) -> None:
        self.agent_id = agent_id
        self.runtime = surroundings.runtime
        self.ledger = surroundings.ledger
        self.environment = surroundings.environment
        self.memory = surroundings.memory
        self.busy_seconds = 0.0
        self._bus = surroundings.bus
        self._timing = surroundings.timing
        self._seed = surroundings.seed
        self._running: Claim | None = None
        self._stages: Sequence[Stage] = stages_of(self.role)
        self._news = self.listens

    @abstractmethod
    async def act(self, claim: Claim) -> Move:
        """Do this role's work on a claimed task."""

    async def perceive(self, event: Event) -> None:
        """Take note of an event that is not work for this role; by default it is only logged."""
        _log.debug("%s sees %s reach %s", self.agent_id, event.task_id, event.stage)

    async def look_around(self) -> None:
        """What an idle agent does when no wake-up came for a while; by default it frees expired leases."""
        await self.ledger.expire()

    def rng(self, *parts: str | int) -> np.random.Generator:
        """A generator that depends on the agent's seed and the parts alone, not on what happened before."""
        return np.random.Generator(np.random.PCG64(stable_seed(self._seed, self.agent_id, *parts)))

    def asking(self, task: Task) -> Asking:
        """Questions to one's memory about a task; what they note belongs into the result that they help to."""
        return Asking(self.memory, task, agent_id=self.agent_id, role=self.role, at=self.runtime.now())

    async def call(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """Run a plain function on the runtime and count the virtual seconds it keeps the agent busy."""
        value, cost = await self.runtime.call(function)
        self.busy_seconds += cost.seconds
        return value, cost

    async def run(self) -> None:
        """Work for ever; the runtime ends it."""
        subscription = self._bus.subscribe((*self._stages, *sorted(self._news)))
        self.runtime.spawn(self._keep_lease(), f"{self.agent_id} lease")
        patience = self._timing.poll_seconds
        try:
            while True:
                while (event := await subscription.next(0.0)) is not None:
                    await self._notice(event)
                claim = await self.look()
                if claim is not None:
                    await self._work(claim)
                    continue
                looked_at = self.runtime.now()
                while (event := await subscription.next(patience)) is not None:
                    await self._notice(event)
                    if event.stage in self._stages or self.runtime.now() - looked_at >= patience:
                        break
                else:  # nothing at all was heard for a while
                    await self.look_around()
        finally:
            subscription.close()

    def look(self) -> Coroutine[object, object, Claim | None]:
        """Claim the next task that waits for this agent, or None."""
        return self.ledger.claim(self.role, self.agent_id, self._timing.lease_seconds)

    async def _notice(self, event: Event) -> None:
        if event.stage in self._news:
            await self.perceive(event)

    async def _work(self, claim: Claim) -> None:
        self._running = claim
        try:
            move = await self.act(claim)
        except LabError:  # the world is broken, not the task: an outcome made of it would be a lie
            raise
        except Exception as error:  # a plug-in's failure must cost its task a try, not the team an agent
            _log.exception("%s failed on task %s", self.agent_id, claim.task.id)
            self._running = None
            await self.ledger.fail(claim, f"{type(error).__name__}: {error}")
            return
        self._running = None
        refusal = await self.ledger.complete(claim, move.stage, move.result, move.follow_up)
        if refusal is not None:
            _log.warning("%s: completion of %s refused: %s", self.agent_id, claim.task.id, refusal.reason)

    async def _keep_lease(self) -> None:
        while True:
            await self.runtime.sleep(self._timing.lease_seconds / 3.0)
            held = self._running
            if held is None:
                continue
            renewed = await self.ledger.renew(held, self._timing.lease_seconds)
            if isinstance(renewed, Refusal):
                _log.warning("%s lost its lease on %s: %s", self.agent_id, held.task.id, renewed.reason)


def last_result(state: TaskState, kind: type[R]) -> R:
    """The newest result of a kind in a task's history.

    Raises
    ------
    LookupError
        If there is none; the workflow does not let that happen.
    """
    for entry in reversed(state.history):
        if isinstance(entry.result, kind):
            return entry.result
    raise LookupError(f"task {state.task.id} has no {kind.__name__} in its history")


def changes_of(state: TaskState) -> Iterator[Change]:
    """All changes ever proposed for a task, oldest first."""
    for entry in state.history:
        if isinstance(entry.result, Attempt) and entry.result.change is not None:
            yield entry.result.change
