"""`autodev-lab cache show` and `cache prune`: what lies in the cache, and making room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.cli.output import told
from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autodev_lab.execution.upkeep import Entry

__all__ = ["app", "prune", "show"]

app = typer.Typer(help="See what lies in the cache, and make room.", no_args_is_help=True)


def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show what lies in the cache, longest unused first."""
    from autodev_lab.execution.upkeep import contents
    from autodev_lab.resources import cache_directory

    cache = cache_directory()
    entries = contents(cache)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({"cache": str(cache), "size": sum(entry.size for entry in entries), "entries": _listed(entries)})
        return
    typer.echo(f"{cache}: {len(entries)} entries, {_size(entries)}")
    _tell(entries)


def prune(
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Remove what was not used for so many days.")
    ] = None,
    max_size: Annotated[
        float | None, typer.Option(metavar="GB", help="Remove the longest unused until the rest fits.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Remove from the cache what is old or too much; refuses while a lab is running on it."""
    for name, value in (("--older-than", older_than), ("--max-size", max_size)):
        if value is not None and not value >= 0:
            raise LabError(f"{name} is {value}; it must be 0 or more")
    if older_than is None and max_size is None:
        raise LabError("say what may go with --older-than DAYS, --max-size GB or both; --dry-run only tells")
    from autodev_lab.execution.upkeep import alone, contents, remove, to_go
    from autodev_lab.resources import cache_directory

    cache = cache_directory()
    going: tuple[Entry, ...] = ()
    if dry_run:
        going = to_go(contents(cache), older_than=older_than, max_size=max_size)
    elif cache.is_dir():
        with alone(cache):
            going = to_go(contents(cache), older_than=older_than, max_size=max_size)
            for entry in going:
                remove(entry)
    if as_json:
        from autodev_lab.cli.output import print_json

        freed = sum(entry.size for entry in going)
        print_json({"cache": str(cache), "dry_run": dry_run, "size": freed, "entries": _listed(going)})
        return
    typer.echo(f"{cache}: {len(going)} entries, {_size(going)} {'would go' if dry_run else 'removed'}")
    _tell(going)


def _tell(entries: Sequence[Entry]) -> None:
    for entry in entries:
        typer.echo(f"  {_day(entry)}  {_size([entry]):>10}  {entry.kind:<8} {entry.name}")


def _listed(entries: Sequence[Entry]) -> list[dict[str, object]]:
    return [{"kind": entry.kind, "name": entry.name, "size": entry.size, "last_used": _day(entry)} for entry in entries]


def _day(entry: Entry) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(entry.used, UTC).date().isoformat()


def _size(entries: Sequence[Entry]) -> str:
    return f"{sum(entry.size for entry in entries) / 1e6:.1f} MB"


app.command("show")(told(show))
app.command("prune")(told(prune))
