"""`autodev-lab mine`: measure and label every change of a local git repository."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from autodev_lab.errors import LabError

__all__ = ["mine", "moment"]


def mine(
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="The folder of a local clone, with all history.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The table, .parquet or .csv.")] = Path("changes.parquet"),
    branch: Annotated[str | None, typer.Option(help="A branch, tag or commit; else where the clone stands.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only changes from this day on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only changes before this day (UTC).")] = None,
    fixes: Annotated[
        str | None, typer.Option(metavar="REGEX", help="What the message of a fix matches, whatever its case.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Name of the project in the table; else the folder's.")] = None,
    workers: Annotated[int, typer.Option(help="Git processes at a time; 0: one a core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Change measures and SZZ labels with fix dates; a run that was stopped goes on where it was."""
    from autodev_lab.experiments.progress import reporter
    from autodev_lab.mining import FIX_PATTERN, check_out, write_changes
    from autodev_lab.mining import mine as mine_history
    from autodev_lab.mining.checkpoint import forget

    if workers < 0:
        raise LabError(f"--workers is {workers}; ask for at least 1, or 0 for one a core")
    out, repository = out.expanduser(), repository.expanduser()
    first, after = moment("--since", since), moment("--until", until)
    if first is not None and after is not None and first >= after:
        raise LabError(f"--since {since} is not before --until {until}; no change lies between them")
    check_out(out)
    kept = out.with_name(f".{out.name}.mining")
    pattern = fixes if fixes is not None else FIX_PATTERN
    name = project or repository.resolve().name.removesuffix(".git")
    watch = reporter()
    try:
        found = mine_history(
            repository,
            project=name,
            kept=kept,
            watch=watch,
            branch=branch,
            since=first,
            until=after,
            pattern=pattern,
            workers=workers or os.cpu_count() or 1,
        )
    finally:
        watch.close()
    counts = dict(found.counts)
    write_changes(out, found.table, {"head": found.head, "fixes": pattern, "counts": counts})
    forget(kept)
    share = counts["bugs"] / counts["changes"]
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({"project": name, "head": found.head, **counts, "bug_share": share, "path": str(out)})
        return
    typer.echo(
        f"{counts['changes']} changes of {name} in {out}, {counts['bugs']} of them ({share:.1%}) with a line that one "
        f"of {counts['fixes']} fixes later took away"
    )
    typer.echo(
        f"left out of {counts['commits']} commits: {counts['merges']} merges, {counts['without_text']} that change no "
        f"line of text, {counts['outside']} outside the window"
    )


def moment(option: str, text: str | None) -> int | None:
    """Seconds since 1970 of a date or a date and time, UTC unless it says otherwise.

    Examples
    --------
    >>> moment("--since", "2020-01-01"), moment("--since", "2020-01-01T01:00:00+01:00")
    (1577836800, 1577836800)
    """
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise LabError(f"{option} {text!r} is no date; write it as 2024-01-31") from error
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
