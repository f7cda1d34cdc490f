"""A schedule: everything that decides how one small world runs, as data that can be drawn, written, read and shrunk."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed, write_atomic
from autodev_lab.kernel.faults import Fault, FaultMix, draw_faults
from autodev_lab.records import Role
from autodev_lab.records.quick_init import quick_init

__all__ = ["Mechanism", "Member", "Schedule", "TaskPlan", "draw_schedule", "read_schedule", "write_schedule"]

FORMAT = "autodev_lab schedule 1"

SUBMITTER = "submitter"
"""Name of the host from which tasks come."""

LEASE_SECONDS = 30.0

_MIX = FaultMix(lease_seconds=LEASE_SECONDS)
_TASKS = (1, 1, 2, 2)
_WAITS = 0.4
_WORKERS = (Role.ARCHITECT, Role.DEVELOPER, Role.TESTER, Role.REVIEWER, Role.DEPLOYER, Role.MONITOR)


class Mechanism(StrEnum):
    """A mechanism that can be knocked out, to see that the checker finds what it prevents."""

    FENCE = "fence"
    ATOMIC = "atomic"
    EXPIRY = "expiry"
    UNIQUE_ID = "unique_id"
    DEDUP = "dedup"


@quick_init
@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task of the world: when it comes, how urgent it is, and the tasks it waits for, which come before it."""

    id: str
    arrival: float
    priority: int = 0
    after: tuple[str, ...] = ()


@quick_init
@dataclass(frozen=True, slots=True)
class Member:
    """An agent of the world; the human role is the desk. Its incarnations are ``name``, ``name.2``, ``name.3`` ..."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Schedule:
    """One small world and what befalls it.

    Parameters
    ----------
    seed
        Of the order among agents that could go on at the same moment, and of what the agents' work leads to.
    tasks, team
        Who does what; every role should be there.
    faults
        What is injected.
    disable
        A mechanism that is knocked out, or None.
    max_tries
        Tries that make a dead letter.
    """

    seed: int
    tasks: tuple[TaskPlan, ...]
    team: tuple[Member, ...]
    faults: tuple[Fault, ...] = ()
    disable: Mechanism | None = None
    max_tries: int = 3


def draw_schedule(seed: int, index: int, disable: Mechanism | None = None, mix: FaultMix | None = None) -> Schedule:
    """Schedule number `index` of a seed; what is knocked out changes nothing else in it.

    Examples
    --------
    >>> draw_schedule(1, 7) == draw_schedule(1, 7), draw_schedule(1, 7) == draw_schedule(1, 8)
    (True, False)
    """
    own = stable_seed("schedule", seed, index)
    rng = random.Random(own)
    tasks = tuple(
        TaskPlan(f"t{number}", round(8.0 * rng.random(), 2), rng.randrange(2))
        for number in range(1, 1 + rng.choice(_TASKS))
    )
    if len(tasks) > 1:
        tasks = _some_wait(tasks, random.Random(stable_seed("dependencies", seed, index)))
    team = tuple(
        Member(f"{role}-{number}", role) for role in _WORKERS for number in range(1, 2 + (rng.random() < 0.25))
    )
    team = (*team, Member("desk-1", Role.HUMAN))
    hosts = [*(member.name for member in team), SUBMITTER]
    faults = draw_faults(rng, hosts, mix or _MIX)
    return Schedule(own, tasks, team, faults, disable)


def _some_wait(tasks: tuple[TaskPlan, ...], rng: random.Random) -> tuple[TaskPlan, ...]:
    """Let some tasks wait for one that comes before; drawn apart, so that nothing else depends on it."""
    order = sorted(tasks, key=lambda task: (task.arrival, task.id))
    return tuple(
        replace(task, after=(order[place - 1].id,)) if place and rng.random() < _WAITS else task
        for place, task in enumerate(order)
    )


def write_schedule(path: Path, schedule: Schedule, broke: str) -> None:
    """Write a schedule, and the sentence that says what broke under it.

    Raises
    ------
    LabError
        If the file cannot be written.
    """
    content = {"format": FORMAT, "broke": broke, "schedule": asdict(schedule)}
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def read_schedule(path: Path) -> Schedule:
    """Read a schedule that `write_schedule` wrote.

    Raises
    ------
    LabError
        If the file is missing or is none.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror or error}; name a file that `chaos` wrote") from error
    except ValueError as error:
        raise LabError(f"{path} is not JSON; name a file that `chaos` wrote") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise LabError(f"{path} is not of the format {FORMAT!r}; name a file that this version's `chaos` wrote")
    try:
        schedule = TypeAdapter(Schedule).validate_python(content.get("schedule"))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise LabError(
            f"{path} is damaged at {where or 'schedule'}: {problem['msg']}; name a file that is whole"
        ) from error
    _check(schedule, path)
    return schedule


def _check(schedule: Schedule, path: Path) -> None:
    """Refuse what no world can be made of."""
    names = [member.name for member in schedule.team]
    tasks = [task.id for task in schedule.tasks]
    if len(set(names)) < len(names) or SUBMITTER in names or len(set(tasks)) < len(tasks):
        raise LabError(f"{path} names an agent or a task twice; each needs a name of its own")
    known: set[str] = set()
    for task in sorted(schedule.tasks, key=lambda task: (task.arrival, task.id)):
        if not known.issuperset(task.after):
            raise LabError(f"{path} lets {task.id} wait for a task that does not come before it; name one that does")
        known.add(task.id)
    for fault in schedule.faults:
        host = getattr(fault, "host", SUBMITTER)
        if host not in names and host != SUBMITTER:
            raise LabError(f"{path} has a fault of {host}, which is not in its team; name an agent that is")
    if schedule.max_tries < 1:
        raise LabError(f"{path} has max_tries {schedule.max_tries}; it must be at least 1")
