"""`autodev-lab rerun`: repeat a run from its own directory and hold the outcomes against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autodev_lab.cli.run import Sandbox

__all__ = ["rerun"]


def rerun(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, id or 'last'.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the new run (new or empty).")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one a core.")] = 0,
    sandbox: Annotated[Sandbox, typer.Option(help="weak: run even without isolation.")] = Sandbox.STRONG,
    offline: Annotated[bool, typer.Option("--offline", help="Take packages from the cache alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Repeat a run (same plan, same seed); ends with 1 when the outcomes differ."""
    from autodev_lab.experiments.directory import find_run
    from autodev_lab.experiments.engine import Options
    from autodev_lab.experiments.rerun import rerun as repeat
    from autodev_lab.resources import runs_directory

    options = Options(workers, sandbox is Sandbox.WEAK, offline)
    found = repeat(find_run(run, runs_directory()), out=out, options=options)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(found.as_json())
    else:
        typer.echo(found.in_words())
    if not found.same:
        raise typer.Exit(1)
