"""The team of a small world: the real loop of every agent, with work that takes time and leads somewhere by chance.

What a step of work leads to depends on the schedule's seed, the task and how far it is, never on who does it or when;
so a schedule that lost an agent or a fault while it was shrunk still tells the same story of its tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from autodev_lab.agents import Agent, Move, Surroundings
from autodev_lab.protocols import Ledger, Runtime
from autodev_lab.records import Claim, Cost, HumanAnswer, Plan, Role, Stage, Task, TaskKind, TaskState
from autodev_lab.simulation import chance
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["WORKERS", "ScriptedAgent", "ScriptedHuman", "submit_all", "task_of"]

_LONGEST_WORK_SECONDS = 20.0
_MISHAP = 0.03
_POISON = 0.05
_MOST_REWORKS = 2
_MOST_DEPTH = 1

_OTHERWISE: Mapping[Stage, tuple[Stage, Stage, float]] = MappingProxyType(
    {
        Stage.FETCHED: (Stage.PLANNED, Stage.PLANNED, 0.0),
        Stage.PLANNED: (Stage.PROPOSED, Stage.ABANDONED, 0.05),
        Stage.REJECTED: (Stage.PROPOSED, Stage.ABANDONED, 0.1),
        Stage.PROPOSED: (Stage.TESTED, Stage.REJECTED, 0.15),
        Stage.TESTED: (Stage.APPROVED, Stage.REJECTED, 0.1),
        Stage.APPROVED: (Stage.CLEARED, Stage.ESCALATED, 0.35),
        Stage.CLEARED: (Stage.CANARY, Stage.ROLLED_BACK, 0.05),
        Stage.CANARY: (Stage.STAGING, Stage.ROLLED_BACK, 0.05),
        Stage.STAGING: (Stage.PRODUCTION, Stage.ROLLED_BACK, 0.05),
        Stage.PRODUCTION: (Stage.HEALTHY, Stage.ROLLED_BACK, 0.4),
        Stage.WITHDRAWN: (Stage.DECLINED, Stage.DECLINED, 0.0),
    }
)
"""Where work on a stage leads, where it leads otherwise, and how likely that is."""

_ROLLOUT = (Stage.CLEARED, Stage.CANARY, Stage.STAGING)
_INCONCLUSIVE = 0.1
"""How likely a rollout stage leads to a person."""


class ScriptedAgent(Agent):
    """An agent whose work is a wait and a draw.

    Parameters
    ----------
    agent_id, surroundings
        As for every agent; the surroundings' seed is the schedule's.
    pace
        Seconds that the longest wait takes.
    """

    def __init__(self, agent_id: str, surroundings: Surroundings, pace: float = 1.0) -> None:
        super().__init__(agent_id, surroundings)
        self._pace = pace

    async def act(self, claim: Claim) -> Move:
        """Wait, in two steps as real work does, and go where the draw leads; some work fails, some every time."""
        state, task = claim.state, claim.task
        seed, steps, fence = self._seed, len(state.history), claim.lease.fence
        work = chance(f"{seed} work {task.id} {fence}")
        await self.runtime.sleep(self._pace * work)
        if work < _MISHAP or (state.stage is Stage.TESTED and chance(f"{seed} poison {task.id}") < _POISON):
            raise ArithmeticError("the work failed")
        await self.call(lambda: (None, Cost(seconds=_LONGEST_WORK_SECONDS * work**4)))
        usual, other, probability = _OTHERWISE[state.stage]
        if state.reworks > _MOST_REWORKS and state.stage is Stage.REJECTED:
            probability = 1.0
        drawn = chance(f"{seed} move {task.id} {steps}")
        stage = other if drawn < probability else usual
        if state.stage in _ROLLOUT and drawn > 1.0 - _INCONCLUSIVE:
            stage = Stage.ESCALATED
        follow_up = None
        if state.stage is Stage.PRODUCTION and stage is Stage.ROLLED_BACK and task.depth < _MOST_DEPTH:
            follow_up = task_of(f"{task.root}~{task.depth + 1}", self.runtime.now(), task.priority + 1, task)
        return Move(stage, Plan(task.id, (), work, fence), follow_up)


class _Architect(ScriptedAgent):
    role: ClassVar[Role] = Role.ARCHITECT


class _Developer(ScriptedAgent):
    role: ClassVar[Role] = Role.DEVELOPER
    listens: ClassVar[frozenset[Stage]] = TERMINAL_STAGES


class _Tester(ScriptedAgent):
    role: ClassVar[Role] = Role.TESTER


class _Reviewer(ScriptedAgent):
    role: ClassVar[Role] = Role.REVIEWER


class _Deployer(ScriptedAgent):
    role: ClassVar[Role] = Role.DEPLOYER
    listens: ClassVar[frozenset[Stage]] = TERMINAL_STAGES


class _Monitor(ScriptedAgent):
    role: ClassVar[Role] = Role.MONITOR


WORKERS: Mapping[Role, type[ScriptedAgent]] = MappingProxyType(
    {kind.role: kind for kind in (_Architect, _Developer, _Tester, _Reviewer, _Deployer, _Monitor)}
)
"""The scripted agent of each role but the human's."""


class ScriptedHuman:
    """A person who answers by chance and within the time of some leases."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
        """Say yes three times of four."""
        seconds = 25.0 * chance(f"{self._seed} seconds {state.task.id} {state.fence}")
        approve = chance(f"{self._seed} answer {state.task.id}") < 0.75
        return HumanAnswer(state.task.id, approve, seconds, 0.0), Cost(seconds=seconds)


def task_of(name: str, arrival: float, priority: int, parent: Task | None = None) -> Task:
    """A task of the small world."""
    if parent is None:
        return Task(name, "chaos", TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority)
    depth = parent.depth + 1
    return Task(
        name, "chaos", TaskKind.SYNTHETIC, name, arrival=arrival, priority=priority, parent=parent.id, depth=depth
    )


async def submit_all(
    runtime: Runtime, ledger: Ledger, tasks: tuple[Task, ...], waits: Mapping[str, tuple[str, ...]]
) -> None:
    """Where tasks come from: hands each to the ledger at its time; one that starts anew begins from the first."""
    waited = 0.0
    for task in tasks:
        if task.arrival > waited:
            await runtime.sleep(task.arrival - waited)
            waited = task.arrival
        await ledger.submit(task, waits.get(task.id, ()))
