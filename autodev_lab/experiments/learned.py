"""What a finished cell's team learned, rebuilt from its traces: the attempts and what became of their changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, TypeAdapter

from autodev_lab.agents.outcomes import outcome_of
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import TWIN_SUFFIX
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.learning import PatternLibrary
from autodev_lab.memory import InMemoryMemory
from autodev_lab.records import Attempt, PatternRecord, Stage, StageResult, Task, TaskState

__all__ = ["Learned", "learned_by", "records_of"]


@dataclass(frozen=True, slots=True)
class Learned:
    """A cell's library.

    Parameters
    ----------
    origin
        Which cell of which run, in words.
    records
        What all its developers saw together.
    """

    origin: str
    records: Mapping[str, PatternRecord]


def learned_by(directory: RunDirectory, arm: str | None = None, replicate: int | None = None) -> Learned:
    """The library of one cell, of the whole team: developers who do not share their memory are put together.

    Parameters
    ----------
    directory
        A run.
    arm
        Arm, or ARM_twin; the first that learns unless given.
    replicate
        The first that is finished unless given.

    Raises
    ------
    LabError
        If the run has no such cell, or the cell is not finished or learns nothing.

    Notes
    -----
    A trace holds the attempts that the ledger took. An attempt it refused (its lease had run out) was remembered by its
    developer and is not here. Where a replicate has several parts, each with a team of its own, all are put together.
    """
    plan = directory.read_plan()
    names = {cell: f"{cell.arm}{TWIN_SUFFIX if cell.twin else ''}" for cell in plan.cells()}
    if arm is not None and arm not in names.values():
        raise LabError(
            f"run {directory.id} has no arm {arm!r}; choose among {', '.join(dict.fromkeys(names.values()))}"
        )
    cells = [cell for cell, name in names.items() if arm in (None, name) and replicate in (None, cell.replicate)]
    if not cells:
        raise LabError(f"run {directory.id} has no replicate {replicate}; it has {plan.parameters.replicates}, from 0")
    learning = [cell for cell in cells if plan.team(cell.arm).patterns == "learning"]
    if not learning:
        raise LabError(f"arm {arm} learns nothing of its own; choose an arm whose patterns are not frozen")
    done = [cell for cell in learning if (directory.cells / f"{cell.name}.json").exists()]
    if not done:
        raise LabError(f"no such cell of run {directory.id} is finished; `run --resume {directory.id}` goes on")
    cell = done[0]
    try:
        records = records_of(directory.read_trace(cell))
    except ValueError as error:
        raise LabError(
            f"the traces of cell {cell.name} of run {directory.id} are damaged; run it again to learn from it"
        ) from error
    return Learned(f"run {directory.id}, arm {names[cell]}, replicate {cell.replicate}", records)


def records_of(traces: Iterable[Mapping[str, object]]) -> Mapping[str, PatternRecord]:
    """What one library knows after all that some traces tell.

    Raises
    ------
    ValueError
        If a trace is not what a run writes.
    """
    states = [_Task.model_validate(trace).state() for trace in traces]
    library = PatternLibrary(InMemoryMemory())
    for at, state, attempt in sorted(_moves(states), key=lambda move: move[0]):
        if attempt is not None:
            library.observe(state.task, attempt.trials, agent_id="", at=at)
            continue
        outcome = outcome_of(state)
        if outcome is not None:
            library.settle(outcome, agent_id="", at=at)
    return library.records()


def _moves(states: Iterable[TaskState]) -> Iterator[tuple[float, TaskState, Attempt | None]]:
    """Attempts with their times, and None for what a task ended with."""
    for state in states:
        for entry in state.history:
            if isinstance(entry.result, Attempt):
                yield entry.at, state, entry.result
        if state.history:
            yield state.history[-1].at, state, None


class _Entry(BaseModel):
    """One completed stage of a trace; results other than attempts say nothing of patterns and are not read."""

    stage: Stage
    agent: str
    at: float
    kind: str | None
    result: dict[str, object] | None

    def completed(self) -> StageResult:
        result = _ATTEMPT.validate_python(self.result) if self.kind == Attempt.__name__ else None
        return StageResult(self.stage, self.agent, self.at, result)


class _Task(BaseModel):
    """What of a trace tells what was learned."""

    task: Task
    stage: Stage
    history: tuple[_Entry, ...]

    def state(self) -> TaskState:
        return TaskState(self.task, self.stage, history=tuple(entry.completed() for entry in self.history))


_ATTEMPT = TypeAdapter(Attempt)
