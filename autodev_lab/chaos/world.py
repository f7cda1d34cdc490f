"""Running one schedule: a small team, a ledger and a network in virtual time, faults that strike, and the checker."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from autodev_lab.agents import Agent, HumanDesk, Surroundings, Timing
from autodev_lab.chaos.history import Call, WatchedLedger
from autodev_lab.chaos.knockouts import LedgerMaker, ledger_without
from autodev_lab.chaos.model import check_transition
from autodev_lab.chaos.network import CarelessBus, Link, LinkedBus, RemoteLedger
from autodev_lab.chaos.rules import Violation, check_history
from autodev_lab.chaos.schedule import LEASE_SECONDS, SUBMITTER, Mechanism, Member, Schedule
from autodev_lab.chaos.team import WORKERS, ScriptedHuman, submit_all, task_of
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.kernel.faults import (
    Crash,
    Loss,
    MessageDelay,
    MessageLoss,
    MessageRepeat,
    Partition,
    Pause,
    SkewedClock,
)
from autodev_lab.kernel.hosts import Host, SoundHost
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import Event, Role, TaskState
from autodev_lab.records.quick_init import quick_init

__all__ = ["Incident", "ScheduleRun", "run_schedule"]

SETTLE_SECONDS = 3000.0
"""Virtual seconds after the last fault within which every task must have ended."""

_TIMING = Timing(lease_seconds=LEASE_SECONDS, poll_seconds=30.0)
_DESK_PATIENCE_SECONDS = 90.0
_LINGER_SECONDS = 5.0


@quick_init
@dataclass(frozen=True, slots=True)
class Incident:
    """A fault at the moment it struck.

    Parameters
    ----------
    at
        Virtual second.
    who
        Host, or incarnation of it.
    kind
        What is counted: one of a few words.
    what
        In words.
    place
        Number of calls that the ledger had heard before.
    """

    at: float
    who: str
    kind: str
    what: str
    place: int


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """What came of a schedule.

    Parameters
    ----------
    history
        Every call at the ledger.
    incidents
        Every fault that struck.
    states
        All tasks at the end.
    ended_at
        Virtual second of the end.
    violations
        Promises that were broken; none in a whole ledger.
    """

    history: tuple[Call, ...]
    incidents: tuple[Incident, ...]
    states: tuple[TaskState, ...]
    ended_at: float
    violations: tuple[Violation, ...]

    def counts(self) -> Counter[str]:
        """How many faults of each kind struck."""
        return Counter([incident.kind for incident in self.incidents])


def run_schedule(schedule: Schedule, make_ledger: LedgerMaker | None = None) -> ScheduleRun:
    """Run a schedule and check its history; the same schedule gives the same run.

    Parameters
    ----------
    schedule
        What to run.
    make_ledger
        A ledger of your own in virtual time; by default the one that ``schedule.disable`` asks for.

    Examples
    --------
    >>> from autodev_lab.chaos.schedule import draw_schedule
    >>> run_schedule(draw_schedule(1, 0)).violations
    ()
    """
    world = _World(schedule, make_ledger or ledger_without(schedule.disable))
    return world.run()


@functools.cache
def _unused() -> tuple[SimulatedEnvironment, InMemoryMemory]:
    """What agents are given but scripted work does not touch."""
    return SimulatedEnvironment(()), InMemoryMemory()


class _World:
    """The hosts, the network and the ledger of one run."""

    def __init__(self, schedule: Schedule, make_ledger: LedgerMaker) -> None:
        self._schedule = schedule
        self._runtime = runtime = VirtualRuntime(schedule.seed)
        self._calm_at = 0.0
        self._incidents: list[Incident] = []
        self._history: list[Call] = []
        self._hosts: list[Host] = []
        self._incarnations: Counter[str] = Counter()
        self._strikes: dict[str, dict[int, Crash | Pause]] = {}
        self._clocks: dict[str, SkewedClock] = {}
        partitions: dict[str, list[Partition]] = {}
        messages: dict[int, MessageLoss | MessageRepeat | MessageDelay] = {}
        for fault in schedule.faults:
            match fault:
                case Crash() | Pause():
                    self._strikes.setdefault(fault.host, {})[fault.step] = fault
                case Partition():
                    partitions.setdefault(fault.host, []).append(fault)
                    self._calm_at = max(self._calm_at, fault.start + fault.seconds)
                case SkewedClock():
                    self._clocks[fault.host] = fault
                case _:
                    messages[fault.message] = fault
        self._bus = CarelessBus(runtime, messages, self._message)
        self._ledger = make_ledger(runtime, self._bus, schedule.max_tries)
        self._tasks = tuple(
            task_of(plan.id, plan.arrival, plan.priority)
            for plan in sorted(schedule.tasks, key=lambda plan: (plan.arrival, plan.id))
        )
        self._links = {
            name: Link(runtime.now, partitions.get(name, ()), self._lost)
            for name in (*(member.name for member in schedule.team), SUBMITTER)
        }

    # ------------------------------------------------------------------------------------------ the run

    def run(self) -> ScheduleRun:
        """Run to the end and check."""
        try:
            states = self._runtime.run(self._main())
        finally:
            for host in self._hosts:
                host.close()
            self._hosts.clear()  # they, the links and the bus know this world, and would wait for the cyclic collector
            self._links.clear()
            self._bus.forget()
        ended_at, max_tries = self._runtime.now(), self._schedule.max_tries
        violations = check_history(self._history, states, ended_at, max_tries=max_tries)
        if not violations:
            second = check_transition(self._history, states, ended_at, max_tries=max_tries)
            violations = () if second is None else (second,)
        return ScheduleRun(tuple(self._history), tuple(self._incidents), states, ended_at, violations)

    async def _main(self) -> tuple[TaskState, ...]:
        for clock in self._clocks.values():
            self._note(clock.host, "skewed clock", f"runs at {clock.rate} times the true rate")
        for member in self._schedule.team:
            self._start(member, 0)
        self._start(None, 0)
        ended = self._bus.ended
        while not await self._all_ended():
            left = self._calm_at + SETTLE_SECONDS - self._runtime.now()
            if left <= 0.0:
                break
            ended.clear()
            await ended.wait(left)
        for host in self._hosts:  # who was stalled may still do harm
            if host.alive and host.paused_until > self._runtime.now():
                await self._runtime.sleep(host.paused_until - self._runtime.now() + _LINGER_SECONDS)
        return await self._ledger.states()

    async def _all_ended(self) -> bool:
        if await self._ledger.open_count():
            return False
        for task in self._tasks:
            if await self._ledger.state(task.id) is None:
                return False
        return True

    # ---------------------------------------------------------------------------------------- the hosts

    def _start(self, member: Member | None, steps: int) -> None:
        """Start an incarnation of a member, or of the submitter."""
        name = SUBMITTER if member is None else member.name
        self._incarnations[name] += 1
        number = self._incarnations[name]
        agent_id = name if number == 1 or self._schedule.disable is Mechanism.UNIQUE_ID else f"{name}.{number}"
        strikes, clock = self._strikes.get(name), self._clocks.get(name)
        if strikes or clock is not None:
            struck = functools.partial(self._struck, member)
            host = Host(self._runtime, agent_id, strikes, clock, struck, steps)
        else:
            host = SoundHost(self._runtime, agent_id)
        self._hosts.append(host)
        link = self._links[name]
        ledger = RemoteLedger(host, WatchedLedger(self._ledger, self._runtime.now, self._history, agent_id), link)
        if member is None:
            waits = {plan.id: plan.after for plan in self._schedule.tasks}
            host.spawn(submit_all(host, ledger, self._tasks, waits), agent_id)
            return
        environment, memory = _unused()
        bus = LinkedBus(self._bus, agent_id, link)
        surroundings = Surroundings(host, ledger, bus, environment, memory, self._schedule.seed, _TIMING)
        if member.role is Role.HUMAN:
            human = ScriptedHuman(self._schedule.seed)
            desk = HumanDesk(surroundings, human, desk_id=agent_id, patience_seconds=_DESK_PATIENCE_SECONDS)
            host.spawn(desk.run(), agent_id)
        else:
            agent: Agent = WORKERS[member.role](agent_id, surroundings)
            host.spawn(agent.run(), agent_id)

    async def _start_later(self, member: Member | None, steps: int, seconds: float) -> None:
        await self._runtime.sleep(seconds)
        self._start(member, steps)
        self._note(self._hosts[-1].name, "restart", "starts")

    # ------------------------------------------------------------------------------------- what happens

    def _note(self, who: str, kind: str, what: str) -> None:
        self._incidents.append(Incident(self._runtime.now(), who, kind, what, len(self._history)))

    def _struck(self, member: Member | None, host: Host, fault: Crash | Pause) -> None:
        now = self._runtime.now()
        if isinstance(fault, Crash):
            self._note(host.name, "crash", f"dies at its step {fault.step}")
            back, quiet = fault.restart_after, fault.restart_after
        else:
            kind = "long pause" if fault.seconds > LEASE_SECONDS else "short pause"
            self._note(host.name, kind, f"stands still for {fault.seconds} s at its step {fault.step}")
            if fault.replaced_after is None:
                self._calm_at = max(self._calm_at, now + fault.seconds)
                return
            back, quiet = fault.replaced_after, max(fault.seconds, fault.replaced_after)
            self._note(host.name, "replacement", f"is taken for dead; another starts in {back} s")
        self._calm_at = max(self._calm_at, now + quiet)
        self._runtime.spawn(self._start_later(member, host.steps, back), "restart")

    def _lost(self, host: str, kind: str) -> None:
        words = {
            f"lost {Loss.COMMANDS}": "a command did not arrive",
            f"lost {Loss.ANSWERS}": "the answer did not arrive",
        }
        self._note(host, kind, words.get(kind, "a message did not arrive"))

    def _message(self, fault: MessageLoss | MessageRepeat | MessageDelay, host: str, event: Event) -> None:
        about = f"the message that {event.task_id} reached {event.stage}"
        if isinstance(fault, MessageLoss):
            self._note(host, fault.kind, f"{about} is lost")
        elif isinstance(fault, MessageRepeat):
            self._note(host, fault.kind, f"{about} comes again in {fault.seconds} s")
        else:
            self._note(host, fault.kind, f"{about} is {fault.seconds} s late")


Runner = Callable[[Schedule], ScheduleRun]
"""How a schedule is run."""
