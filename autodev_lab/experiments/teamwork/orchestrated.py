"""The team with an orchestrator, and the network between them.

Agents send again what was not acknowledged. Work is served in the order in which the ledger serves it, and an agent
with several roles divides its time as it does without an orchestrator, so that only the way of coordinating differs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

from autodev_lab.experiments.teamwork.layout import Seat
from autodev_lab.experiments.teamwork.orchestrator import Orchestrator, Store
from autodev_lab.experiments.teamwork.pushed import Acknowledged, Assignment, Enquiry, PushedAgent
from autodev_lab.experiments.teamwork.server import Server
from autodev_lab.experiments.teamwork.trial import LEDGER, ORCHESTRATOR, Conditions, Kill, Trial
from autodev_lab.experiments.teamwork.work import Job
from autodev_lab.kernel.faults import Crash
from autodev_lab.kernel.hosts import Host
from autodev_lab.kernel.virtual import VirtualRuntime, VirtualSignal

__all__ = ["OrchestratedWorld", "run_orchestrated"]


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
    return OrchestratedWorld(jobs, team, conditions, seed, kill).run(patience)


class OrchestratedWorld:
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
