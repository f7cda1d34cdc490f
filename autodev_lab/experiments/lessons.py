"""What a team may learn from before its own stream, and what it is then tried on: one cell's parts.

A part is run by a fresh team: first, for arms whose patterns are frozen, its lessons, then its stream. Most cells have
one part. What is learned from is never tried, and nothing here tells an agent which of the two a task is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Plan
from autodev_lab.files import stable_seed
from autodev_lab.records import StreamItem
from autodev_lab.streams.injected import InjectedTruth

__all__ = ["Part", "operator_mix", "parts_of", "tasks_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """Lessons and the stream that follows them; `stream` is the same for every arm, in the same order."""

    lessons: tuple[StreamItem, ...]
    stream: tuple[StreamItem, ...]


def parts_of(items: Sequence[StreamItem], plan: Plan, replicate: int) -> tuple[Part, ...]:
    """A replicate's parts under the plan's shift.

    Parameters
    ----------
    items
        All tasks in canonical order, those of lesson packages among them.

    Raises
    ------
    LabError
        If the shift leaves nothing to learn from or nothing to try.

    Notes
    -----
    ``""``
        Lessons are the tasks of the lesson packages, the stream those of the others.
    ``"history"``
        The same; the stream is the historical tasks of a file, the lessons are injected faults.
    ``"packages"``
        One part a package: what is tried on it was learned on all others.
    ``"operators"``
        Lessons hold one half of the fault operators, the stream the other; the halves are drawn for each replicate.
    ``"mix"``
        Each operator gets a weight for each replicate; lessons are drawn by it, the stream by its inverse.
    """
    rng = np.random.default_rng(plan.stream_seed(replicate))
    shift = plan.parameters.shift
    if shift == "packages":
        parts = [_leave_out(items, plan, rng, replicate, name) for name in sorted(_packages(items))]
    elif shift == "operators":
        parts = [_unseen_operators(items, plan, rng, replicate)]
    elif shift == "mix":
        parts = [_changed_mix(items, plan, rng, replicate)]
    else:
        taught = set(plan.parameters.lesson_packages)
        stream = _sampled([item for item in items if item.task.package not in taught], plan, rng)
        parts = [Part(_lessons([item for item in items if item.task.package in taught], plan, replicate), stream)]
    if not all(part.stream for part in parts) or (shift and not all(part.lessons for part in parts)):
        raise LabError(f"shift {shift!r} leaves no task to learn from or to try; build more tasks a package")
    return tuple(parts)


def tasks_of(items: Sequence[StreamItem], plan: Plan, replicate: int) -> tuple[StreamItem, ...]:
    """Every task that a replicate's cells may meet, in canonical order; lessons only where an arm takes them."""
    taught = any(plan.team(arm).patterns == "frozen" for arm in plan.arms)
    met = {
        item.task.id
        for part in parts_of(items, plan, replicate)
        for item in (*part.stream, *(part.lessons if taught else ()))
    }
    return tuple(item for item in items if item.task.id in met)


def operator_mix(items: Sequence[StreamItem]) -> Mapping[str, float]:
    """Share of the tasks by fault operator; empty when one was not made by the injector.

    Examples
    --------
    >>> operator_mix(())
    {}
    """
    operators = [item.truth.operator for item in items if isinstance(item.truth, InjectedTruth)]
    if len(operators) < len(items):
        return {}
    return {name: operators.count(name) / len(operators) for name in sorted(set(operators))}


def _packages(items: Sequence[StreamItem]) -> set[str]:
    return {item.task.package for item in items}


def _sampled(items: Sequence[StreamItem], plan: Plan, rng: np.random.Generator) -> tuple[StreamItem, ...]:
    """What is tried."""
    return _arriving(_drawn(items, plan.parameters.tasks_per_package, rng), plan)


def _lessons(items: Sequence[StreamItem], plan: Plan, replicate: int) -> tuple[StreamItem, ...]:
    """What is learned from."""
    rng = np.random.default_rng(stable_seed("lessons", plan.seed, replicate))
    return _arriving(_drawn(items, plan.parameters.lessons_per_package, rng), plan)


def _drawn(items: Sequence[StreamItem], most: int, rng: np.random.Generator) -> list[StreamItem]:
    """A sample of every package's tasks, at most so many of each, in a random order."""
    chosen: list[StreamItem] = []
    for package in sorted(_packages(items)):
        pool = [item for item in items if item.task.package == package]
        chosen += [pool[place] for place in sorted(rng.choice(len(pool), size=min(most, len(pool)), replace=False))]
    return [chosen[place] for place in rng.permutation(len(chosen))]


def _arriving(items: Sequence[StreamItem], plan: Plan) -> tuple[StreamItem, ...]:
    """The same tasks with times of arrival by position."""
    gap = plan.parameters.arrival_seconds
    return tuple(replace(item, task=replace(item.task, arrival=position * gap)) for position, item in enumerate(items))


def _leave_out(items: Sequence[StreamItem], plan: Plan, rng: np.random.Generator, replicate: int, package: str) -> Part:
    stream = _sampled([item for item in items if item.task.package == package], plan, rng)
    return Part(_lessons([item for item in items if item.task.package != package], plan, replicate), stream)


def _unseen_operators(items: Sequence[StreamItem], plan: Plan, rng: np.random.Generator, replicate: int) -> Part:
    mix = _known_mix(items, "operators")
    # neighbours in frequency go to different halves, so that both hold common and rare faults
    ranked = sorted(mix, key=lambda name: (-mix[name], name))
    taught: set[str] = set()
    for first in range(0, len(ranked), 2):
        pair = ranked[first : first + 2]
        taught.add(pair[int(rng.integers(len(pair)))] if len(pair) == 2 else pair[0])
    lessons = [item for item in items if _operator(item) in taught]
    return Part(
        _lessons(lessons, plan, replicate),
        _sampled([item for item in items if _operator(item) not in taught], plan, rng),
    )


def _changed_mix(items: Sequence[StreamItem], plan: Plan, rng: np.random.Generator, replicate: int) -> Part:
    """Each task goes to one side: to the lessons with a chance that grows with its operator's weight."""
    mix = _known_mix(items, "mix")
    weights = {name: float(rng.normal()) for name in sorted(mix)}
    score = {item.task.id: weights[_operator(item)] + float(rng.logistic()) for item in items}
    lessons, stream = [], []
    for package in sorted(_packages(items)):
        pool = sorted((item for item in items if item.task.package == package), key=lambda one: score[one.task.id])
        stream += pool[: len(pool) // 2]
        lessons += pool[len(pool) // 2 :]
    return Part(_lessons(lessons, plan, replicate), _sampled(stream, plan, rng))


def _known_mix(items: Sequence[StreamItem], shift: str) -> Mapping[str, float]:
    mix = operator_mix(items)
    if len(mix) < 2:
        raise LabError(f"shift {shift!r} needs tasks of at least two fault operators; use tasks built by injection")
    return mix


def _operator(item: StreamItem) -> str:
    return item.truth.operator if isinstance(item.truth, InjectedTruth) else ""
