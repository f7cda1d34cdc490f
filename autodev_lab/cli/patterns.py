"""`autodev-lab patterns export` and `patterns show`: what a team learned as one file, and a look into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.cli.output import told

if TYPE_CHECKING:
    from rich.table import Table

    from autodev_lab.pattern_rates import PatternOffer

__all__ = ["app", "export", "show"]

app = typer.Typer(help="Keep what a team learned, and look at it.", no_args_is_help=True)

_BEST_CONTEXTS = 2


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, id or 'last'.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.")],
    arm: Annotated[str | None, typer.Option(help="Arm, or ARM_twin; the first that learns unless given.")] = None,
    replicate: Annotated[int | None, typer.Option(min=0, help="Replicate; the first that is finished.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Write what the team of one cell learned of patterns as one file."""
    from autodev_lab.experiments.directory import find_run
    from autodev_lab.experiments.learned import learned_by
    from autodev_lab.learning import write_patterns
    from autodev_lab.resources import runs_directory

    learned = learned_by(find_run(run, runs_directory()), arm, replicate)
    write_patterns(out, learned.records, origin=learned.origin)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({"path": str(out), "origin": learned.origin, "patterns": len(learned.records)})
        return
    typer.echo(f"{len(learned.records)} patterns of {learned.origin} in {out}")


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of patterns.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show a file of patterns, the best first: counts, success a try with a 95 % interval, best contexts."""
    from autodev_lab.learning import read_patterns
    from autodev_lab.pattern_rates import RatePrior

    content = read_patterns(file)
    offers = RatePrior().of(content.records()).offers(k=len(content.patterns))
    if as_json:
        from autodev_lab.cli.output import print_json

        rows = [
            {
                "pattern": offer.pattern,
                "tries": offer.record.tries,
                "successes": offer.record.successes,
                "helpful": offer.record.helpful,
                "harmful": offer.record.harmful,
                "mean": offer.mean,
                "low": offer.low,
                "high": offer.high,
            }
            for offer in offers
        ]
        print_json({"path": str(file), "origin": content.origin, "n": len(rows), "patterns": rows})
        return
    from rich.console import Console

    Console().print(_table(offers, content.origin))


def _table(offers: tuple[PatternOffer, ...], origin: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{len(offers)} patterns learned in {origin}"), title_justify="left")
    table.add_column("pattern", overflow="fold")
    for name in ("tries", "successes", "helpful", "harmful"):
        table.add_column(name, justify="right")
    table.add_column("rate [95 %]", justify="right")
    table.add_column("best contexts", overflow="fold")
    for offer in offers:
        record = offer.record
        counts = (record.tries, record.successes, record.helpful, record.harmful)
        table.add_row(
            Text(offer.pattern),
            *(f"{count:.4g}" for count in counts),
            f"{offer.mean:.3f} [{offer.low:.3f}, {offer.high:.3f}]",
            Text(_contexts(offer)),
        )
    return table


def _contexts(offer: PatternOffer) -> str:
    """Where most successes were, with the tries there."""
    tallies = sorted(
        (tally for tally in offer.record.contexts if tally.successes > 0),
        key=lambda tally: (-tally.successes, tally.tries, tally.context),
    )
    return ", ".join(
        f"{'/'.join((tally.context.statement, tally.context.failure, tally.context.place))} "
        f"{tally.successes:.3g} of {tally.tries:.3g}"
        for tally in tallies[:_BEST_CONTEXTS]
    )


app.command("export")(told(export))
app.command("show")(told(show))
