"""What tasks ask of a team: routes through the workflow, with the seconds each step took in repository work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autodev_lab.analysis.frames import TWIN_SUFFIX
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.files import stable_seed
from autodev_lab.records import Role, Stage, Task, TaskKind
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE, TERMINAL_STAGES

__all__ = [
    "SCHEMA",
    "Job",
    "Route",
    "Step",
    "draw_jobs",
    "mean_step_seconds",
    "parse_routes",
    "read_routes",
    "role_shares",
    "routes_of",
]

SCHEMA = "autodev_lab.routes/1"
"""Name and version of a file of routes."""

URGENT_SHARE = 0.1
"""Share of tasks that are served before the others. An assumption; it makes the order of service matter."""

_LEAST_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class Step:
    """One claim's worth of work: `role` works for `seconds`, and the task has then reached `stage`."""

    stage: Stage
    role: Role
    seconds: float


Route = tuple[Step, ...]
"""All steps of a task, from FETCHED to a terminal stage."""


@dataclass(frozen=True, slots=True)
class Job:
    """A task and its route, which whoever works on it follows."""

    task: Task
    route: Route

    @property
    def person_seconds(self) -> float:
        """Seconds that people take to answer; no agent works meanwhile."""
        return sum(step.seconds for step in self.route if step.role is Role.HUMAN)


def draw_jobs(
    routes: Sequence[Route],
    count: int,
    *,
    seed: int,
    package: str = "package",
    interarrival: float = 0.0,
    scale: float = 1.0,
    person_seconds: float = 0.0,
) -> tuple[Job, ...]:
    """Draw tasks with replacement; the same seed gives the same tasks, however they are scaled.

    Parameters
    ----------
    routes
        What to draw from.
    count
        Tasks.
    interarrival
        Mean seconds between arrivals (Poisson, before scaling); 0 lets all arrive at once.
    scale
        Every duration is multiplied by this.
    person_seconds
        What a person takes for an answer, instead of what the routes say.

    Examples
    --------
    >>> route = (Step(Stage.PLANNED, Role.ARCHITECT, 9.0), Step(Stage.ABANDONED, Role.DEVELOPER, 40.0))
    >>> [job.task.id for job in draw_jobs([route], 2, seed=1)]
    ['t0', 't1']
    """
    rng = np.random.default_rng(stable_seed("jobs", seed, package))
    chosen = rng.integers(len(routes), size=count)
    urgent = rng.random(count) < URGENT_SHARE
    arrivals = np.cumsum(rng.exponential(1.0, size=count)) * interarrival * scale
    jobs = []
    for number, (which, first, arrival) in enumerate(zip(chosen, urgent, arrivals, strict=True)):
        steps = tuple(
            Step(one.stage, one.role, scale * (person_seconds if one.role is Role.HUMAN else one.seconds))
            for one in routes[which]
        )
        name = f"t{number}"
        task = Task(name, package, TaskKind.SYNTHETIC, name, arrival=float(arrival), priority=int(first))
        jobs.append(Job(task, steps))
    return tuple(jobs)


def role_shares(routes: Iterable[Route]) -> dict[Role, float]:
    """Each role's share of the agents' seconds, in workflow order; no role has none, for each must be there.

    Examples
    --------
    >>> route = (Step(Stage.PLANNED, Role.ARCHITECT, 10.0), Step(Stage.ABANDONED, Role.DEVELOPER, 30.0))
    >>> shares = role_shares([route])
    >>> round(shares[Role.DEVELOPER], 2), round(sum(shares.values()), 6)
    (0.75, 1.0)
    """
    roles = [role for role in dict.fromkeys(ROLE_OF_STAGE.values()) if role is not Role.HUMAN]
    seconds = dict.fromkeys(roles, 0.0)
    for route in routes:
        for step in route:
            if step.role is not Role.HUMAN:
                seconds[step.role] += step.seconds
    total = sum(seconds.values()) or 1.0
    raised = {role: max(_LEAST_SHARE, spent / total) for role, spent in seconds.items()}
    return {role: share / sum(raised.values()) for role, share in raised.items()}


def mean_step_seconds(routes: Iterable[Route]) -> float:
    """Mean seconds of an agent's claim: the grain of the work."""
    steps = [step.seconds for route in routes for step in route if step.role is not Role.HUMAN]
    return sum(steps) / len(steps)


# ------------------------------------------------------------------------------------------- where routes come from


class _Entry(BaseModel):
    stage: Stage
    agent: str
    at: float


class _Opened(BaseModel):
    arrival: float = 0.0


class _Trace(BaseModel):
    task: _Opened
    history: tuple[_Entry, ...]


def routes_of(traces: Iterable[Mapping[str, object]]) -> tuple[Route, ...]:
    """Routes of the tasks that one team closed, from the traces of its cell.

    An agent of the lab claims as soon as it is free and a task waits for it. So in virtual time, where claims take
    none, its work on a step began when the task was ready or its own step before was done, whichever was later.

    Raises
    ------
    ValueError
        If a trace is not what a run writes.
    """
    tasks = [_Trace.model_validate(trace) for trace in traces]
    completed = sorted(
        (entry.at, place, number) for number, task in enumerate(tasks) for place, entry in enumerate(task.history)
    )
    free: dict[str, float] = {}
    steps: list[list[Step]] = [[] for _ in tasks]
    for at, place, number in completed:
        history = tasks[number].history
        before = history[place - 1].stage if place else Stage.FETCHED
        ready = history[place - 1].at if place else tasks[number].task.arrival
        entry, role = history[place], ROLE_OF_STAGE[before]
        begun = ready if role is Role.HUMAN else max(ready, free.get(entry.agent, 0.0))
        steps[number].append(Step(entry.stage, role, max(0.0, at - begun)))
        free[entry.agent] = at
    return tuple(tuple(route) for route in steps if route and route[-1].stage in TERMINAL_STAGES)


class _File(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    format: str = Field(alias="schema")
    packages: dict[str, tuple[tuple[tuple[Stage, float], ...], ...]]


def read_routes(path: Path) -> dict[str, tuple[Route, ...]]:
    """Routes by package, of a file or of a finished run's directory.

    Raises
    ------
    LabError
        If there are none.
    """
    try:
        found = _routes_of_run(RunDirectory(path)) if path.is_dir() else parse_routes(path.read_text("utf-8"))
    except (OSError, ValueError, KeyError) as error:
        said = str(error).splitlines()[0]
        raise LabError(f"{path} holds no routes ({said}); name a file of routes or a run with a team") from error
    if not found:
        raise LabError(f"{path} holds no task that was closed; name a finished run with a team")
    return found


def parse_routes(text: str) -> dict[str, tuple[Route, ...]]:
    """Routes by package, from the text of a file of them.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        read = _File.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from error
    if read.format != SCHEMA:
        raise ValueError(f"its schema is {read.format!r}, not {SCHEMA!r}")
    return {package: tuple(_route(pairs) for pairs in kept) for package, kept in sorted(read.packages.items()) if kept}


def _route(pairs: Sequence[tuple[Stage, float]]) -> Route:
    before, steps = Stage.FETCHED, []
    for stage, seconds in pairs:
        if stage not in NEXT_STAGES.get(before, ()) or seconds < 0:
            raise ValueError(f"a route leads from {before} to {stage} in {seconds} s")
        steps.append(Step(stage, ROLE_OF_STAGE[before], seconds))
        before = stage
    if before not in TERMINAL_STAGES:
        raise ValueError(f"a route ends at {before}")
    return tuple(steps)


def _routes_of_run(directory: RunDirectory) -> dict[str, tuple[Route, ...]]:
    found: dict[str, list[Route]] = {}
    for cell in directory.read_plan().cells():
        if cell.twin or cell.arm.endswith(TWIN_SUFFIX):
            continue
        traces = directory.read_trace(cell)
        for trace, route in zip(traces, routes_of(traces), strict=True):
            package = str(json.loads(json.dumps(trace["task"]))["package"])
            found.setdefault(package, []).append(route)
    return {package: tuple(routes) for package, routes in sorted(found.items())}
