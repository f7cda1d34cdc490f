"""`autodev-lab chaos` and `replay`: look for faults that break the coordination, and tell how it broke."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from autodev_lab.experiments.progress import Reporter

__all__ = ["Disabled", "chaos", "replay"]

BROKEN = 1
"""Exit status when a rule was broken."""

_TELL_AFTER_SECONDS = 2.0


class Disabled(enum.StrEnum):
    """Mechanisms that can be knocked out."""

    FENCE = "fence"
    ATOMIC = "atomic"
    EXPIRY = "expiry"
    UNIQUE_ID = "unique_id"
    DEDUP = "dedup"


def chaos(
    schedules: Annotated[int, typer.Option(help="Schedules to run.")] = 2000,
    seed: Annotated[int, typer.Option(help="Which schedules.")] = 0,
    disable: Annotated[Disabled | None, typer.Option(help="Knock a mechanism out; the checker must notice.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    redis: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Real processes on this Redis; 'own' starts (and kills) one of its own."),
    ] = None,
    cycles: Annotated[int | None, typer.Option(help="Real processes: cycles of faults; 300.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where a counterexample goes; the runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Run small teams in virtual time under crashes, pauses, partitions, lost messages and wrong clocks.

    Ends with status 1 when a rule was broken; the shrunk counterexample is then in a file for `autodev-lab replay`.
    With --redis or --cycles, agents are processes on a real Redis instead: these are killed, stopped and cut off.
    """
    if redis is not None or cycles is not None:
        if disable is not None:
            raise LabError(
                "--disable knocks a mechanism out of the ledger in virtual time; leave --redis and --cycles out"
            )
        _on_processes(redis, 300 if cycles is None else cycles, seed, out, as_json)
        return
    from autodev_lab.chaos.campaign import run_campaign
    from autodev_lab.chaos.schedule import Mechanism
    from autodev_lab.resources import runs_directory

    progress = _Progress(schedules)
    try:
        campaign = run_campaign(
            schedules,
            seed=seed,
            disable=None if disable is None else Mechanism(disable.value),
            workers=workers,
            out=runs_directory() if out is None else out.expanduser(),
            progress=progress,
        )
    finally:
        progress.close()
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(campaign.as_json())
    else:
        tally = campaign.tally
        typer.echo(f"{tally.schedules} schedules, {tally.violations} broke a rule, {campaign.seconds:.1f} s")
        typer.echo("injected: " + ", ".join(f"{count} {kind}" for kind, count in sorted(tally.injected.items())))
        for rule, count in sorted(tally.rules.items()):
            typer.echo(f"  {count} of {rule}, first in schedule {tally.first[rule]}")
        if campaign.counterexample is not None:
            typer.echo(f"{campaign.broke}\nautodev-lab replay {campaign.counterexample}")
    if campaign.tally.violations:
        raise typer.Exit(BROKEN)


def _on_processes(redis: str | None, cycles: int, seed: int, out: Path | None, as_json: bool) -> None:
    from autodev_lab.chaos.real_campaign import OWN, run_real_campaign
    from autodev_lab.resources import runs_directory

    progress = _Progress(cycles, "--cycles", "cycles")
    try:
        campaign = run_real_campaign(
            cycles,
            seed=seed,
            redis=redis or OWN,
            out=runs_directory() if out is None else out.expanduser(),
            progress=progress,
        )
    finally:
        progress.close()
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(campaign.as_json())
    else:
        struck = ", ".join(f"{count} {kind}" for kind, count in sorted(campaign.strikes.items()))
        typer.echo(f"{campaign.cycles} cycles in {campaign.seconds:.0f} s on {campaign.redis}: {struck}")
        typer.echo(f"{campaign.done} of {campaign.tasks} tasks closed, {campaign.dead} of them as dead letters")
        typer.echo(f"{campaign.violations} promises broken in {campaign.steps} steps of {campaign.processes} processes")
        if campaign.counterexample is not None:
            typer.echo(f"{campaign.broke}\nall that is known of it: {campaign.counterexample}")
    if campaign.violations:
        raise typer.Exit(BROKEN)


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A schedule that `chaos` wrote.")],
    everything: Annotated[bool, typer.Option("--all", help="Also show looks that found nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Run a schedule again and show what happened; ends with status 1 when it still breaks a rule."""
    from autodev_lab.chaos.batch import quiet_agents
    from autodev_lab.chaos.schedule import read_schedule
    from autodev_lab.chaos.timeline import timeline
    from autodev_lab.chaos.world import run_schedule

    schedule = read_schedule(file.expanduser())
    with quiet_agents():
        run = run_schedule(schedule)
    lines = list(timeline(run, everything=everything))
    first = run.violations[0] if run.violations else None
    if as_json:
        from autodev_lab.cli.output import print_json

        shown = None if first is None else {"rule": first.rule.value, "task": first.task_id, "at": first.at}
        if shown is not None and first is not None:
            shown |= {"agent": first.agent_id, "sentence": first.sentence}
        print_json({"path": str(file), "breaks": first is not None, "violation": shown, "timeline": lines})
    else:
        without = "" if schedule.disable is None else f", without {schedule.disable}"
        people = f"{len(schedule.team)} agents, {len(schedule.tasks)} task(s), {len(schedule.faults)} fault(s)"
        typer.echo(f"{people}{without}\n")
        typer.echo("\n".join(lines))
        typer.echo(f"\nit breaks: {first.rule}: {first.sentence}" if first is not None else "\nno rule is broken")
    if first is not None:
        raise typer.Exit(BROKEN)


class _Progress:
    """Tells how far a campaign is, once it takes longer than a moment."""

    def __init__(self, schedules: int, option: str = "--schedules", what: str = "schedules") -> None:
        import time

        if schedules < 1:
            raise LabError(f"{option} is {schedules}; it must be at least 1")
        self._schedules = schedules
        self._what = what
        self._clock = time.monotonic
        self._begun = time.monotonic()
        self._reporter: Reporter | None = None

    def __call__(self, done: int) -> None:
        if self._reporter is None:
            if self._clock() - self._begun < _TELL_AFTER_SECONDS:
                return
            from autodev_lab.experiments.progress import reporter

            self._reporter = reporter()
            self._reporter.stage(self._what, self._schedules)
        self._reporter.update(done)

    def close(self) -> None:
        """The campaign is over."""
        if self._reporter is not None:
            self._reporter.close()
