"""`autodev-lab power`: how likely an experiment of a size finds an effect, and how many packages that takes."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["power"]


def power(
    experiment: Annotated[str, typer.Argument(help="An experiment that ships with the lab, or a YAML file.")],
    effect: Annotated[float, typer.Option(help="True relative effect to plan for: 0.05 is 5 % more.")],
    threshold: Annotated[float, typer.Option(help="Relative effect to be shown; 0 for any.")] = 0.0,
    claim: Annotated[str | None, typer.Option(help="Claim whose arms are compared; the first relative one.")] = None,
    profile: Annotated[str, typer.Option(help="Profile that sets the size unless it is given.")] = "full",
    packages: Annotated[int | None, typer.Option(help="Packages (clusters).")] = None,
    tasks: Annotated[int | None, typer.Option(help="Tasks a package and replicate.")] = None,
    replicates: Annotated[int | None, typer.Option(help="Replicates, of the same tasks.")] = None,
    baseline: Annotated[float | None, typer.Option(help="Share of tasks the baseline gets right.")] = None,
    between: Annotated[float | None, typer.Option(help="Correlation of two tasks of one package.")] = None,
    pairing: Annotated[float | None, typer.Option(help="Latent correlation of two outcomes of one task.")] = None,
    spread: Annotated[float | None, typer.Option(help="Deviation of the effect between packages.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Run to take baseline and variances from.")] = None,
    simulations: Annotated[int, typer.Option(help="Experiments to simulate.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Say how likely the registered test finds an effect, by simulation, and how many packages it takes."""
    from autodev_lab.experiments.design import load_experiment, make_plan
    from autodev_lab.experiments.engine import load_run
    from autodev_lab.experiments.planning import plan_power
    from autodev_lab.experiments.report import registered_claims

    plan = make_plan(load_experiment(experiment), profile=profile)
    typed: dict[str, float | int | None] = {
        "packages": packages,
        "tasks": tasks,
        "replicates": replicates,
        "baseline": baseline,
        "between": between,
        "pairing": pairing,
        "spread": spread,
    }
    answer = plan_power(
        plan,
        tuple(one for one in registered_claims() if one.experiment == plan.experiment.name),
        effect=effect,
        threshold=threshold,
        claim=claim,
        given={name: value for name, value in typed.items() if value is not None},
        run=load_run(run) if run is not None else None,
        simulations=simulations,
        seed=seed,
    )
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(answer.as_json())
    else:
        typer.echo(answer.in_words())
