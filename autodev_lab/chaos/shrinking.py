"""From a schedule that breaks a rule to a small one that breaks it, too.

Delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input", §3): leave out ever
smaller parts for as long as the same rule stays broken; then make what is left shorter and earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

from autodev_lab.chaos.rules import Rule
from autodev_lab.chaos.schedule import Schedule, TaskPlan
from autodev_lab.chaos.world import ScheduleRun, run_schedule
from autodev_lab.kernel.faults import Crash, Fault, Pause

__all__ = ["shrink"]

MOST_RUNS = 2000
"""Schedules that shrinking may try; it stops with the smallest it has then."""

_SHORTER = ("seconds", "restart_after", "replaced_after", "start", "step")


def shrink(
    schedule: Schedule, rule: Rule, run: Callable[[Schedule], ScheduleRun] = run_schedule, most_runs: int = MOST_RUNS
) -> Schedule:
    """Find a small schedule that still breaks `rule`.

    Parameters
    ----------
    schedule
        One that breaks it.
    rule
        The rule of its first violation.
    run
        Runs a schedule.
    most_runs
        Schedules to try at most.

    Returns
    -------
    Schedule
        No single fault, task or agent can be left out of it any more, unless the runs did not suffice.
    """
    left = most_runs

    def breaks(candidate: Schedule) -> bool:
        nonlocal left
        if left <= 0:
            return False
        left -= 1
        violations = run(candidate).violations
        return bool(violations) and violations[0].rule is rule

    before: Schedule | None = None
    while schedule != before and left > 0:
        before = schedule
        for step in (_fewer_faults, _fewer_tasks, _smaller_team, _shorter):
            schedule = step(schedule, breaks)
    return schedule


def _fewer_faults(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """Leave out halves of the faults, quarters ... and single ones, for as long as it breaks."""
    size = len(schedule.faults)
    while size >= 1:
        place = 0
        while place < len(schedule.faults):
            kept = schedule.faults[:place] + schedule.faults[place + size :]
            if breaks(smaller := replace(schedule, faults=kept)):
                schedule = smaller
            else:
                place += size
        size //= 2
    return schedule


def _fewer_tasks(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """Leave out tasks; an agent with less to do comes to the bad await at an earlier step, so steps are tried anew."""
    for task in schedule.tasks:
        smaller = replace(schedule, tasks=tuple(_without(one, task.id) for one in schedule.tasks if one != task))
        found = next((candidate for candidate in _at_other_steps(smaller) if breaks(candidate)), None)
        schedule = schedule if found is None else found
    return schedule


def _without(task: TaskPlan, gone: str) -> TaskPlan:
    """A task that does not wait for one that is left out."""
    return replace(task, after=tuple(name for name in task.after if name != gone))


def _at_other_steps(schedule: Schedule) -> Iterator[Schedule]:
    """A schedule, and the same with one of its crashes or pauses at each earlier step."""
    yield schedule
    for place, fault in enumerate(schedule.faults):
        if isinstance(fault, Crash | Pause):
            for step in range(1, fault.step):
                faults = (*schedule.faults[:place], replace(fault, step=step), *schedule.faults[place + 1 :])
                yield replace(schedule, faults=faults)


def _smaller_team(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """Leave out agents and what befalls them; a role's last agent stays, or nothing would come to an end."""
    for member in schedule.team:
        team = tuple(one for one in schedule.team if one != member)
        if not any(one.role is member.role for one in team):
            continue
        faults = tuple(fault for fault in schedule.faults if getattr(fault, "host", None) != member.name)
        if breaks(smaller := replace(schedule, team=team, faults=faults)):
            schedule = smaller
    return schedule


def _shorter(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """Make faults shorter and earlier, and let tasks come at once."""
    tasks = tuple(
        replace(task, arrival=0.0 if not any(one.after for one in schedule.tasks) else task.arrival, priority=0)
        for task in schedule.tasks
    )
    if tasks != schedule.tasks and breaks(plainer := replace(schedule, tasks=tasks)):
        schedule = plainer
    for place in range(len(schedule.faults)):
        for smaller in _smaller_faults(schedule.faults[place]):
            faults = (*schedule.faults[:place], smaller, *schedule.faults[place + 1 :])
            if breaks(shorter := replace(schedule, faults=faults)):
                schedule = shorter
    return schedule


def _smaller_faults(fault: Fault) -> Iterator[Fault]:
    """The same fault with one of its numbers halved, whole where it was whole."""
    names: Sequence[str] = [field.name for field in fields(fault)]
    for name in _SHORTER:
        value = getattr(fault, name, None) if name in names else None
        if isinstance(value, int) and value > 1:
            yield replace(fault, **{name: value // 2})  # type: ignore[arg-type]  # a whole number stays one
        elif isinstance(value, float) and value >= 1.0:
            yield replace(fault, **{name: float(round(value / 2.0))})  # type: ignore[arg-type]
