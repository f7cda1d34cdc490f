"""One agent of the team as a process of its own, in the repository world or the simulated one.

`autodev_lab.processes.Nursery` runs `main`; its imports are heavy on purpose, for forked children have them already.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from autodev_lab.agents import HumanDesk, Surroundings, Timing
from autodev_lab.agents.members import make_member
from autodev_lab.chaos.team import WORKERS, ScriptedHuman, task_of
from autodev_lab.decisions import HumanTwin
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.errors import LabError
from autodev_lab.experiments.governance import GovernedTeam
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.world_repository import open_repository, read_task_file
from autodev_lab.experiments.world_simulated import SimulatedWorld
from autodev_lab.experiments.worlds import World
from autodev_lab.files import stable_seed
from autodev_lab.memory import InMemoryMemory
from autodev_lab.platform import TeamSpec
from autodev_lab.processes import Station, serve
from autodev_lab.processes.serving import Maker, Worker
from autodev_lab.protocols import EventBus, Ledger, LinkedMemory, Runtime
from autodev_lab.records import Change, Role, StreamItem, Task, TaskState
from autodev_lab.resources import cache_directory
from autodev_lab.streams.synthetic import SyntheticStream

with contextlib.suppress(ImportError):  # a child that is forked has it already; who lacks it is told by RedisServer
    import redis.asyncio.cluster  # noqa: F401

__all__ = ["ENVIRONMENTS", "URL_VARIABLE", "AgentOrder", "main", "run_agent", "tasks_for"]

URL_VARIABLE = "AUTODEV_REDIS_URL"
"""Environment variable with the address of Redis: it may hold a password, which arguments would show."""

ENVIRONMENTS = ("repository", "simulated", "scripted")


@dataclass(frozen=True, slots=True)
class AgentOrder:
    """What an agent's process is told; the same for all processes of a team but for the role.

    Parameters
    ----------
    role
        Its role.
    environment
        ``"repository"``: real packages, from a file of tasks. ``"simulated"``: tasks drawn from the seed.
        ``"scripted"``: work is a wait and a draw, to try processes and Redis themselves.
    tasks
        A file of tasks, for the repository.
    count
        Number of tasks, for the other two.
    seed
        Of the agents, and of drawn tasks.
    budget
        Candidates a task may use.
    pace
        Seconds that the longest scripted wait takes.
    lease_seconds, poll_seconds
        See `autodev_lab.agents.Timing`.
    prefix, max_tries, patience, grace_seconds
        See `autodev_lab.processes.Station`.
    r2r
        Address of an R2R that all agents use as their memory; empty: each process has a memory of its own, which ends
        with it.
    governed
        How the team decides, rolls out, escalates and forgets; scripted agents do none of it.
    offline, weak_sandbox
        See `autodev_lab.experiments.settings.Settings`.
    """

    role: str
    environment: str = "repository"
    tasks: str = ""
    count: int = 20
    seed: int = 0
    budget: int = 20
    pace: float = 0.05
    lease_seconds: float = 60.0
    poll_seconds: float = 5.0
    prefix: str = "autodev"
    max_tries: int = 3
    patience: float = 300.0
    grace_seconds: float = 30.0
    r2r: str = ""
    offline: bool = False
    weak_sandbox: bool = False
    governed: GovernedTeam = field(default_factory=GovernedTeam)

    def arguments(self) -> list[str]:
        """What `main` is called with.

        Examples
        --------
        >>> order = AgentOrder("tester", governed=GovernedTeam(policy="learned"))
        >>> AgentOrder.read(order.arguments()) == order
        True
        """
        return [TypeAdapter(AgentOrder).dump_json(self).decode()]

    @classmethod
    def read(cls, arguments: Sequence[str]) -> AgentOrder:
        """The order that was written as arguments."""
        return TypeAdapter(AgentOrder).validate_json(arguments[0])


def tasks_for(order: AgentOrder) -> tuple[Task, ...]:
    """The tasks that a team of such agents can work on, to be submitted.

    Raises
    ------
    LabError
        If the environment is none, or the file of tasks cannot be read.

    Examples
    --------
    >>> [task.id for task in tasks_for(AgentOrder("tester", "scripted", count=2))]
    ['scripted-0-0', 'scripted-0-1']
    """
    if order.environment == "scripted":
        return tuple(task_of(f"scripted-{order.seed}-{number}", float(number), 0) for number in range(order.count))
    return tuple(item.task for item in _items(order))


def run_agent(order: AgentOrder, url: str, *, supervised: bool = False) -> str:
    """Be an agent in this process until SIGTERM or SIGINT; returns the id it had.

    Raises
    ------
    LabError
        If the world or Redis cannot be had.
    """
    role = Role(order.role)
    make, close = _maker(role, order)
    try:
        station = Station(
            url,
            order.prefix,
            order.max_tries,
            patience=order.patience,
            grace_seconds=order.grace_seconds,
            supervised=supervised,
        )
        return serve(role, make, station)
    finally:
        close()


def main(arguments: Sequence[str]) -> int:
    """Be the agent of an order until told to leave; returns an exit status."""
    order = AgentOrder.read(arguments)
    logging.basicConfig(
        format=f"%(asctime)s {order.role} {os.getpid()}: %(message)s", level=logging.WARNING, force=True
    )
    try:
        run_agent(order, os.environ[URL_VARIABLE], supervised=True)
    except LabError as error:
        logging.error("%s", error)
        return error.exit_code
    return 0


def _maker(role: Role, order: AgentOrder) -> tuple[Maker, Callable[[], None]]:
    """How the worker is made, and how its world is closed."""
    timing = Timing(order.lease_seconds, order.poll_seconds)
    if order.environment == "scripted":
        logger = logging.getLogger("autodev_lab.agents.base")
        before = logger.level
        logger.setLevel(logging.CRITICAL)  # mishaps are part of the script

        def scripted(agent_id: str, runtime: Runtime, ledger: Ledger, bus: EventBus) -> Worker:
            idle, memory = SimulatedEnvironment(()), InMemoryMemory()
            surroundings = Surroundings(runtime, ledger, bus, idle, memory, order.seed, timing)
            if role is Role.HUMAN:
                return HumanDesk(surroundings, ScriptedHuman(order.seed), desk_id=agent_id)
            return WORKERS[role](agent_id, surroundings, order.pace)

        return scripted, lambda: logger.setLevel(before)

    items = _items(order)
    world = _world(order, items)
    memory, forget = _memory(order)
    governed = order.governed
    spec = TeamSpec(
        memory="isolated",
        policy=governed.policy,
        promise=governed.promise,
        confidence=governed.confidence,
        rollout=governed.rollout,
        budget=order.budget,
        max_tries=order.max_tries,
    )
    governing = governed.governing(spec)

    def make(agent_id: str, runtime: Runtime, ledger: Ledger, bus: EventBus) -> Worker:
        surroundings = Surroundings(runtime, ledger, bus, world.environment, memory, order.seed, timing)
        if role is Role.HUMAN:
            return HumanDesk(
                surroundings,
                _twin(order, items, world),
                desk_id=agent_id,
                answer_within_seconds=governing["answer_within_seconds"],
            )
        return make_member(
            role,
            agent_id,
            surroundings,
            solver=world.solver(spec, items),
            gate=governing["gate"],
            budget=spec.budget,
            patterns=governing["patterns"],
            rules=governing["rules"],
            rollout=governing["rollout"],
        )

    def close() -> None:
        world.close()
        forget()

    return make, close


def _items(order: AgentOrder) -> tuple[StreamItem, ...]:
    if order.environment == "repository":
        if not order.tasks:
            raise LabError("the repository environment needs tasks; give --tasks, or --environment simulated")
        return read_task_file(order.tasks)
    if order.environment == "simulated":
        return tuple(SyntheticStream(order.count, order.seed))
    raise LabError(f"there is no environment {order.environment!r}; choose one of {', '.join(ENVIRONMENTS)}")


def _world(order: AgentOrder, items: Sequence[StreamItem]) -> World:
    if order.environment == "simulated":
        return SimulatedWorld(items)
    # results are kept by what they depend on, so the code's hash, which only keys cells, is not asked for
    return open_repository(items, Settings(str(cache_directory()), "", order.offline, order.weak_sandbox))


def _memory(order: AgentOrder) -> tuple[LinkedMemory, Callable[[], None]]:
    if not order.r2r:
        return InMemoryMemory(), lambda: None
    from autodev_lab.integrations.r2r import R2RClient
    from autodev_lab.memory.r2r import R2RMemory

    client = R2RClient(order.r2r)
    return R2RMemory(client), client.close


def _twin(order: AgentOrder, items: Sequence[StreamItem], world: World) -> HumanTwin:
    """The person at the desk: right nine times of ten, and at once, for nobody waits for a twin."""
    truths = {item.task.id: item for item in items}

    def judge(state: TaskState, change: Change) -> bool:
        item = truths[state.task.root]
        return world.oracle.judge(item.task, item.truth, change).correct

    return HumanTwin(judge, seed=stable_seed(order.seed, "twin"))
