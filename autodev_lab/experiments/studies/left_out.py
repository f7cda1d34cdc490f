"""Lessons in a memory, and a stream of tasks run again with some of them left out, at the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.rows import row_of
from autodev_lab.experiments.worlds import World
from autodev_lab.files import stable_seed
from autodev_lab.learning import FrozenPatterns
from autodev_lab.learning.facts import facts_of_trials
from autodev_lab.memory import InMemoryMemory, SealedMemory
from autodev_lab.platform import TaskRecord, TeamSpec, run_stream
from autodev_lab.protocols import LinkedMemory, Memory, PatternLearner
from autodev_lab.records import MemoryItem, PatternTrial, Retrieval, Role, StreamItem
from autodev_lab.simulation import SimulatedTruth
from autodev_lab.solvers.repair.undoing import UNDOING
from autodev_lab.streams.injected import InjectedTruth

__all__ = ["End", "Lesson", "Split", "lessons_of", "placebo", "planted", "replay", "split_tasks", "taught"]

_SUCCESSES = 10
"""Successes in a row that a planted lesson tells of: they outweigh the prior and all that is found beside it."""


@dataclass(frozen=True, slots=True)
class Split:
    """Tasks that are learned from, and those that are tried with what was learned."""

    lessons: tuple[StreamItem, ...]
    stream: tuple[StreamItem, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that a memory holds of one task: its name, the package it is in, and ids of its items and ends of links."""

    name: str
    package: str
    items: frozenset[str]


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended.

    Parameters
    ----------
    solved, correct, candidates
        As in the data dictionary.
    asked
        Ids of the items and ends of links that any agent found for it.
    acted_on
        Those of them that the developer found: they count in the order of its candidates.
    """

    solved: bool
    correct: bool
    candidates: int
    asked: frozenset[str]
    acted_on: frozenset[str]


def split_tasks(items: Sequence[StreamItem], lessons: int, tasks: int, seed: int) -> Split:
    """A random part of every package's tasks to learn from, and another to try.

    Parameters
    ----------
    lessons, tasks
        At most so many of each package; of a package with too few, half of them are lessons.

    Raises
    ------
    LabError
        If a package has fewer than two tasks.
    """
    taken: list[StreamItem] = []
    tried: list[StreamItem] = []
    for package in sorted({item.task.package for item in items}):
        pool = [item for item in items if item.task.package == package]
        if len(pool) < 2:
            raise LabError(f"{package} has one task, too few to learn from some and try others; leave it out")
        order = np.random.default_rng(stable_seed("left out", seed, package)).permutation(len(pool))
        first = lessons if len(pool) >= lessons + tasks else len(pool) // 2
        taken += [pool[place] for place in order[:first]]
        tried += [pool[place] for place in order[first : first + tasks]]
    return Split(_at_once(taken), _at_once(tried))


def _at_once(items: Sequence[StreamItem]) -> tuple[StreamItem, ...]:
    return tuple(replace(item, task=replace(item.task, arrival=0.0)) for item in items)


def taught(world: World, lessons: Sequence[StreamItem], team: TeamSpec, seed: int) -> InMemoryMemory:
    """The memory of a team that has worked on the lessons, one after the other.

    Parameters
    ----------
    team
        Who will use it; the pupils are the same team, learning and without acting on what they find.
    """
    memory = InMemoryMemory()
    pupils = replace(team, patterns="learning", recall="noted")
    run_stream(
        lessons,
        world.environment,
        pupils,
        solver=world.solver(pupils, lessons),
        oracle=world.oracle,
        seed=stable_seed(seed, "lessons"),
        memory=lambda: memory,
    )
    return memory


def lessons_of(memory: Memory, lessons: Sequence[StreamItem]) -> tuple[Lesson, ...]:
    """What the memory holds of each lesson; what follow-ups left belongs to their lesson."""
    held: dict[str, set[str]] = {}
    for collection in ("codebase", "tasks", "patterns", "decisions"):
        for item in memory.since(collection, -1):
            held.setdefault(item.task_id.split("~", 1)[0], set()).add(item.id)
    return tuple(
        Lesson(item.task.id, item.task.package, frozenset([item.task.id, *held.get(item.task.id, ())]))
        for item in sorted(lessons, key=lambda item: (item.task.package, item.task.id))
    )


def planted(memory: Memory, stream: Sequence[StreamItem]) -> tuple[Lesson, ...]:
    """Add a lesson for each package that is known to help: for every task an item like it that says what undoes it.

    Of a simulated task that is the pattern whose candidates are most likely to pass; of an injected fault what the
    oracle order knows.

    Raises
    ------
    LabError
        If a task is historical: no oracle knows anything of it.
    """
    return _added(memory, stream, "planted", lambda item: f"{item.task.title} {item.task.body}")


def placebo(memory: Memory, stream: Sequence[StreamItem]) -> tuple[Lesson, ...]:
    """Add for each package what would help as much, under texts that resemble nothing, so that nobody finds it."""
    return _added(memory, stream, "placebo", lambda item: f"xq{stable_seed('placebo', item.task.id)}")


def _added(
    memory: Memory, stream: Sequence[StreamItem], kind: str, text: Callable[[StreamItem], str]
) -> tuple[Lesson, ...]:
    lessons = []
    for package in sorted({item.task.package for item in stream}):
        name = f"{kind} {package}"
        ids = []
        for item in stream:
            if item.task.package == package:
                trials = [PatternTrial(pattern, _SUCCESSES, _SUCCESSES) for pattern in _undoing(item)]
                facts = {"package": package, "kind": "trial", **facts_of_trials(trials)}
                ids.append(memory.add(MemoryItem("patterns", text(item), facts, task_id=name)).id)
        lessons.append(Lesson(name, package, frozenset(ids)))
    return tuple(lessons)


def _undoing(item: StreamItem) -> tuple[str, ...]:
    """Patterns that are known to undo a task's fault."""
    truth = item.truth
    if isinstance(truth, SimulatedTruth):
        return (max(truth.plausible, key=lambda one: one[1])[0],) if truth.plausible else ()
    if isinstance(truth, InjectedTruth):
        return UNDOING.get(truth.operator, ())
    raise LabError(f"no oracle knows what undoes {item.task.id}, so no lesson of it can be planted; leave out that arm")


def replay(
    world: World,
    memory: LinkedMemory,
    stream: Sequence[StreamItem],
    team: TeamSpec,
    seed: int,
    *,
    without: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, End]:
    """How each task ends for a team that knows the memory and nothing else, and learns nothing.

    What becomes of a task depends on the seed, the task and what is found for it alone. So tasks in which an item was
    not found end the same without it, and others can be run again by themselves.

    Parameters
    ----------
    without
        Ids of items that are left out of the memory.
    """
    sealed = SealedMemory(memory, without)

    def nothing(memory: Memory) -> PatternLearner:
        return FrozenPatterns({})

    run = run_stream(
        stream,
        world.environment,
        replace(team, patterns="frozen", recall="used"),
        solver=world.solver(team, stream),
        oracle=world.oracle,
        seed=seed,
        patterns=nothing,
        memory=lambda: sealed,
        progress=progress,
    )
    return {record.task.id: _end(record) for record in run.records if record.task.depth == 0}


def _end(record: TaskRecord) -> End:
    asked: list[Retrieval] = [one for entry in record.state.history for one in getattr(entry.result, "retrieved", ())]
    row = row_of(Cell("", False, 0), record, 0.0, 0.0)
    return End(
        bool(row["solved"]),
        bool(row["correct"]),
        int(str(row["candidates"])),
        frozenset(found.item_id for one in asked for found in one.found),
        frozenset(found.item_id for one in asked if one.role is Role.DEVELOPER for found in one.found),
    )
