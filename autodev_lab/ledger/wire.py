"""Tasks, results and states as JSON, for ledgers that live outside this process."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from autodev_lab.errors import LabError
from autodev_lab.records import Lease, Result, Stage, StageResult, Task, TaskState
from autodev_lab.workflow import ROLE_OF_STAGE

__all__ = ["rank_of", "read_state", "result_to_json", "task_to_json"]

_TASK = TypeAdapter(Task)
_RESULTS: dict[str, TypeAdapter[Result]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Result)}
_TOP = 1 << 63
_ALL = (1 << 64) - 1


def rank_of(task: Task) -> str:
    """Text of 32 hexadecimal digits by which tasks sort as they are served: priority (higher first), then arrival.

    Examples
    --------
    >>> from autodev_lab.records import TaskKind
    >>> def ranked(priority, arrival):
    ...     return rank_of(Task("t", "p", TaskKind.LIVE, "", priority=priority, arrival=arrival))
    >>> ranked(1, 9.0) < ranked(0, -1.0) < ranked(0, 0.5) < ranked(0, 2.0)
    True

    Raises
    ------
    LabError
        If the priority does not fit in 64 bits.
    """
    if not -_TOP < task.priority < _TOP:
        raise LabError(f"task {task.id} has priority {task.priority}; give one that fits in 64 bits")
    # the bits of a float sort like the float once the sign is turned over, and for negative ones all the others, too
    bits = int(struct.unpack(">Q", struct.pack(">d", task.arrival + 0.0))[0])
    return f"{_TOP - task.priority:016x}{bits ^ (_ALL if bits & _TOP else _TOP):016x}"


def task_to_json(task: Task) -> str:
    """A task as one JSON object."""
    return to_json(task, inf_nan_mode="constants").decode()


def result_to_json(result: Result | None) -> str:
    """A result as a JSON object with one key, the result's kind."""
    if result is None:
        return "null"
    return to_json({type(result).__name__: result}, inf_nan_mode="constants").decode()


def read_state(task: str, state: str, history: Sequence[str]) -> TaskState:
    """A state from the three texts that `transition.lua` answers with.

    Raises
    ------
    LabError
        If one of them was not written by this version of the lab.
    """
    try:
        read = _TASK.validate_json(task)
        stage_name, fence, tries, reworks, reason, agent_id, expires, _, _, *waits = json.loads(state)
        stage = Stage(stage_name)
        lease = Lease(agent_id, ROLE_OF_STAGE[stage], fence, float(expires)) if expires else None
        entries = tuple(_entry(text) for text in history)
        after = tuple(waits[0]) if waits else ()
        return TaskState(read, stage, fence, lease, tries, reworks, entries, reason, after)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"the ledger holds a task that this version of autodev_lab cannot read ({str(error).splitlines()[0]}); "
            "use the version that wrote it, or another prefix"
        ) from error


def _entry(text: str) -> StageResult:
    stage, agent_id, at, result = json.loads(text)
    read = None
    if result is not None:
        ((kind, fields),) = result.items()
        read = _RESULTS[kind].validate_python(fields)
    return StageResult(Stage(stage), agent_id, float(at), read)
