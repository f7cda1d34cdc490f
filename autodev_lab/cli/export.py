"""`autodev-lab export`: pack a finished run into an archive that others can check and repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["export"]


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run directory, id or 'last'.")],
    out: Annotated[Path, typer.Option(metavar="ARCHIVE.zip", help="The archive; it must not exist.")],
) -> None:
    """Write a replication archive, without secrets and without paths of this machine."""
    from autodev_lab.experiments.directory import find_run
    from autodev_lab.experiments.export import export_run
    from autodev_lab.resources import runs_directory

    typer.echo(f"{export_run(find_run(run, runs_directory()), out.expanduser())} is written")
