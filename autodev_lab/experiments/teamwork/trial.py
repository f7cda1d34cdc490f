"""One run of a team in virtual time: what is given, what is killed, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from autodev_lab.experiments.teamwork.work import Job
from autodev_lab.records import Role

__all__ = ["LEDGER", "ORCHESTRATOR", "Conditions", "Kill", "Trial", "recovery_seconds"]

LEDGER = "ledger"
ORCHESTRATOR = "orchestrator"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for every team; all durations in seconds.

    Parameters
    ----------
    one_way
        How long a message is under way.
    server_seconds
        What one command keeps the ledger's server (or the orchestrator's store) busy.
    decide_seconds
        What one message keeps the orchestrator busy.
    lease_seconds
        A claim's time limit, and the silence after which the orchestrator takes an agent for dead. Leases are renewed,
        and heartbeats sent, at a third of it.
    poll_seconds
        How often an idle agent looks for itself.
    restart_seconds
        After which a process that was killed is started again.
    retry_seconds
        How often something that was not answered is sent again.
    """

    one_way: float
    server_seconds: float
    decide_seconds: float
    lease_seconds: float
    poll_seconds: float
    restart_seconds: float
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that is killed: an agent by the name of its seat, `LEDGER`, or `ORCHESTRATOR`.

    Parameters
    ----------
    victim
        Which.
    at
        When.
    seconds
        Until it is back; infinity for never.
    """

    victim: str
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a run.

    Parameters
    ----------
    jobs
        What there was to do.
    closed
        When each task that was closed was closed, by id.
    steps
        When each task's steps were recorded, by id.
    spans
        From when to when each agent did a step, by id; what a kill cut short is left out.
    agents
        How many there were.
    messages
        Sent by anybody to anybody.
    operations
        Commands at the ledger's, or the orchestrator's store's, server.
    empty
        Claims that found nothing.
    refused
        Completions that were refused, for somebody else had taken over.
    lost
        Tasks that had been accepted and that nobody knows of at the end, or that were given up as dead letters.
    ended_at
        Second of the last closure, or at which nobody waited any longer.
    """

    jobs: tuple[Job, ...]
    closed: Mapping[str, float] = field(hash=False)
    steps: Mapping[str, Sequence[float]] = field(hash=False)
    spans: Mapping[str, Sequence[tuple[float, float]]] = field(hash=False)
    agents: int
    messages: int
    operations: int
    empty: int
    refused: int
    lost: int
    ended_at: float

    @property
    def throughput(self) -> float:
        """Tasks an hour, from the first tenth that is closed to the last: how a run begins and ends says little."""
        count, begun, ended = self._middle()
        return 3600.0 * count / (ended - begun) if ended > begun else math.nan

    @property
    def work_share(self) -> float:
        """Seconds of the steps that were recorded in the same span, over the agents' seconds in it."""
        _, begun, ended = self._middle()
        done = sum(
            step.seconds
            for job in self.jobs
            for step, at in zip(job.route, self.steps.get(job.task.id, ()), strict=False)
            if step.role is not Role.HUMAN and begun < at <= ended
        )
        return done / (self.agents * (ended - begun)) if ended > begun else math.nan

    def _middle(self) -> tuple[int, float, float]:
        """Closures in the middle 80 %, and from when to when they were."""
        times = np.sort(np.fromiter(self.closed.values(), dtype=np.float64))
        first, last = len(times) // 10, len(times) - 1 - len(times) // 10
        return (last - first, float(times[first]), float(times[last])) if last > first else (0, 0.0, 0.0)

    def resolutions(self) -> npt.NDArray[np.float64]:
        """Seconds from arrival to closure of every closed task, without those that people took."""
        return np.array(
            [
                self.closed[job.task.id] - job.task.arrival - job.person_seconds
                for job in self.jobs
                if job.task.id in self.closed
            ]
        )

    @property
    def idle_share(self) -> float:
        """Share of the agents' time in which they did not work."""
        worked = sum(end - begun for spans in self.spans.values() for begun, end in spans)
        return 1.0 - worked / (self.agents * self.ended_at)

    def moment(self, agent: str) -> float:
        """A second at which an agent is at work, as near to the middle of the run as there is one."""
        middle = self.ended_at / 2.0
        halves = [(begun + end) / 2.0 for begun, end in self.spans[agent] if end > begun]
        return min(halves, key=lambda half: abs(half - middle), default=middle)

    @property
    def unfinished(self) -> int:
        """Tasks that were not closed, lost ones included."""
        return len(self.jobs) - len(self.closed)


def recovery_seconds(calm: Trial, struck: Trial, at: float) -> float:
    """Longest delay that a failure caused to the step at which a task was when it happened.

    Parameters
    ----------
    calm, struck
        The same team on the same tasks, without the failure and with it; alike until it happened.
    at
        When it happened.

    Returns
    -------
    float
        Seconds; 0 when no step was late, infinity when one was never done.

    Examples
    --------
    >>> from autodev_lab.records import Task, TaskKind
    >>> jobs = tuple(Job(Task(name, "p", TaskKind.SYNTHETIC, name), ()) for name in ("a", "b"))
    >>> about = dict(jobs=jobs, closed={}, spans={}, agents=1, messages=0, operations=0, empty=0, refused=0,
    ...     lost=0, ended_at=60.0)
    >>> calm = Trial(steps={"a": (10.0, 20.0, 30.0), "b": (12.0,)}, **about)
    >>> struck = Trial(steps={"a": (10.0, 44.0, 54.0), "b": (12.0,)}, **about)
    >>> recovery_seconds(calm, struck, 15.0)
    24.0
    """
    longest = 0.0
    for job in calm.jobs:
        times = calm.steps.get(job.task.id, ())
        place = sum(time <= at for time in times)
        if job.task.arrival <= at and place < len(times):
            later = struck.steps.get(job.task.id, ())
            longest = max(longest, later[place] - times[place] if place < len(later) else math.inf)
    return longest
