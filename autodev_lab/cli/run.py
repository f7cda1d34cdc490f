"""`autodev-lab run`: run an experiment, go on with one, or say what it would take."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from autodev_lab.cli.settings_from_config import ConfigOption, configuration
from autodev_lab.errors import LabError

__all__ = ["Sandbox", "run"]


class Sandbox(enum.StrEnum):
    """How candidate code is isolated."""

    STRONG = "strong"
    WEAK = "weak"


def run(
    experiment: Annotated[
        str | None, typer.Argument(help="An experiment that ships with the lab, or a YAML file.")
    ] = None,
    profile: Annotated[str, typer.Option(help="How big: smoke, quick or full.")] = "quick",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="KEY=VALUE", help="Change a parameter.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of tasks, streams and agents.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and stop.")] = False,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run: path, id or 'last'.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for this run (new or empty).")] = None,
    sandbox: Annotated[Sandbox, typer.Option(help="weak: run even without isolation.")] = Sandbox.STRONG,
    offline: Annotated[bool, typer.Option("--offline", help="Take packages from the cache alone.")] = False,
    notebook: Annotated[bool, typer.Option(help="Also execute the experiment's notebook.")] = True,
    mlflow: Annotated[bool, typer.Option(help="Also mirror the run to MLflow.")] = True,
    config: ConfigOption = None,
) -> None:
    """Run an experiment; ends with a summary, the verdicts, and where everything lies."""
    from autodev_lab.experiments.resolving import parse_overrides

    overrides = parse_overrides(parameter or ())
    if resume is not None and (overrides or out is not None or dry_run):
        raise LabError("--resume goes on with a run as it was; leave -p, --out and --dry-run out")
    if resume is None and experiment is None:
        raise LabError("name an experiment, for example `autodev-lab run learning`, or a run with --resume")
    if dry_run and experiment is not None:
        from autodev_lab.experiments.conduct import need_of, plan_of
        from autodev_lab.experiments.configuring import configured

        sets = configured(configuration(), experiment, overrides)
        if not configuration().shipped:
            typer.echo(sets.words, err=True)
        asked = {**sets.parameters, **overrides}
        need = need_of(plan_of(experiment, profile=profile, seed=seed, overrides=asked), workers=workers)
        if as_json:
            from autodev_lab.cli.output import print_json

            print_json(need.as_json())
        else:
            typer.echo(need.in_words())
        return
    from autodev_lab.experiments.engine import run_experiment

    result = run_experiment(
        experiment,
        profile=profile,
        seed=seed,
        overrides=overrides,
        workers=workers,
        resume=resume,
        out=out,
        weak_sandbox=sandbox is Sandbox.WEAK,
        offline=offline,
        notebook=notebook,
        mlflow=mlflow,
        configuration=configuration(),
    )
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(result.summary)
    else:
        typer.echo(result.words)
