"""From a finished task's history to the outcome that learners may see."""

from __future__ import annotations

from autodev_lab.agents.base import changes_of
from autodev_lab.records import Decision, HumanAnswer, LabelSource, Outcome, Stage, TaskState
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["outcome_of"]

_SHOWN = {Stage.HEALTHY: True, Stage.ROLLED_BACK: False, Stage.DECLINED: False}


def outcome_of(state: TaskState) -> Outcome | None:
    """What production or a person showed of a task, or None while it is still open.

    A change that a person declined counts as a failure: it is the label that the gate gets before anything has been
    deployed. The source is the person wherever one has answered, for what production shows afterwards it shows of
    changes that the person let through. A change that nobody answered for in time was declined and shows nothing.
    Truth plays no part here.
    """
    if state.stage not in TERMINAL_STAGES:
        return None
    changes = tuple(changes_of(state))
    decisions = [entry.result for entry in state.history if isinstance(entry.result, Decision)]
    deployed = any(entry.stage is Stage.PRODUCTION for entry in state.history)
    answers = [entry.result for entry in state.history if isinstance(entry.result, HumanAnswer)]
    success = None if any(answer.expired for answer in answers) else _SHOWN.get(state.stage)
    asked = bool(answers)
    source = LabelSource.PERSON if asked else LabelSource.PRODUCTION
    return Outcome(
        task_id=state.task.id,
        stage=state.stage,
        deployed=deployed,
        success=success,
        change=changes[-1] if changes else None,
        decision=decisions[-1] if decisions else None,
        source=None if success is None else source,
    )
