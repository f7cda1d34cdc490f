"""Who holds a task, what was done with it, and what the ledger answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autodev_lab.records.gate import (
    Decision,
    HealthReport,
    HumanAnswer,
    Review,
    RolloutStep,
    StageTrial,
    Withdrawal,
)
from autodev_lab.records.quick_init import quick_init
from autodev_lab.records.repair import Attempt, Plan, TestReport
from autodev_lab.records.stages import Role, Stage
from autodev_lab.records.tasks import Task

__all__ = ["Claim", "Event", "Lease", "Refusal", "RefusalReason", "Result", "StageResult", "TaskState"]


Result = (
    Plan | Attempt | TestReport | Review | Decision | RolloutStep | StageTrial | Withdrawal | HealthReport | HumanAnswer
)
"""What an agent may hand to the ledger when it completes a stage."""


@quick_init
@dataclass(frozen=True, slots=True)
class Lease:
    """A claim's time limit. ``fence`` grows with every claim of the task."""

    agent_id: str
    role: Role
    fence: int
    expires_at: float


@quick_init
@dataclass(frozen=True, slots=True)
class StageResult:
    """One completed stage in a task's history."""

    stage: Stage
    agent_id: str
    at: float
    result: Result | None


@quick_init
@dataclass(frozen=True, slots=True)
class TaskState:
    """All the ledger knows of a task.

    Parameters
    ----------
    task
        The task.
    stage
        Last completed stage.
    fence
        Grows by one with every claim; a completion with an older fence is refused.
    lease
        The running claim, or None.
    tries
        Claims of the current stage that failed or expired.
    reworks
        Times a reviewer or tester sent the task back to a developer.
    history
        Completed stages, oldest first.
    reason
        Why it was last given up, answered or abandoned.
    after
        Ids of tasks that must be closed as HEALTHY before anybody can claim this one.
    """

    task: Task
    stage: Stage
    fence: int = 0
    lease: Lease | None = None
    tries: int = 0
    reworks: int = 0
    history: tuple[StageResult, ...] = ()
    reason: str = ""
    after: tuple[str, ...] = ()


@quick_init
@dataclass(frozen=True, slots=True)
class Claim:
    """A granted claim, as an agent holds it: the task's state when it was granted, and the lease."""

    state: TaskState
    lease: Lease

    @property
    def task(self) -> Task:
        """The claimed task."""
        return self.state.task


class RefusalReason(StrEnum):
    """Why the ledger refused a command."""

    UNKNOWN_TASK = "unknown task"
    DUPLICATE_TASK = "duplicate task"
    NOT_AVAILABLE = "not available"
    WRONG_ROLE = "wrong role"
    STALE_FENCE = "stale fence"
    LEASE_EXPIRED = "lease expired"
    NOT_EXPIRED = "not expired"
    WRONG_STAGE = "wrong stage"
    UNKNOWN_DEPENDENCY = "unknown dependency"
    NOT_WAITING = "not waiting"
    FULL = "full"


@quick_init
@dataclass(frozen=True, slots=True)
class Refusal:
    """A command the ledger did not carry out; nothing changed."""

    task_id: str
    reason: RefusalReason


@quick_init
@dataclass(frozen=True, slots=True)
class Event:
    """A wake-up: task `task_id` reached `stage`. May be lost or repeated; the ledger is the truth."""

    task_id: str
    stage: Stage
    at: float
