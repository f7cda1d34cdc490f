"""How the command line speaks: one JSON object on standard output, and one sentence for a user's mistake."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from typing import ParamSpec

import typer

from autodev_lab.errors import LabError

__all__ = ["print_json", "told"]

P = ParamSpec("P")

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def print_json(data: Mapping[str, object]) -> None:
    """Print one strict JSON object."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def told(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: a `LabError` becomes one sentence and its exit status, an interrupt becomes 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LabError as error:
            print(f"autodev-lab: {' '.join(str(error).split())}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            print(f"autodev-lab: {str(interrupt) or 'interrupted'}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from interrupt

    return wrapped
