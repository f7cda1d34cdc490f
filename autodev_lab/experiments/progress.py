"""Telling a person how far a run is and how long it will take, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["PlainProgress", "QuietProgress", "Reporter", "RichProgress", "duration", "reporter"]

PLAIN_SECONDS = 15.0
"""A log gets a line at most this often."""

_TELLING = 0.02
"""Share of a stage after which its pace tells how long it will take."""


class Reporter(Protocol):
    """Hears how far a run is."""

    def stage(self, what: str, total: int) -> None:
        """A new stage begins, of `total` units."""
        ...

    def update(self, done: int, note: str = "") -> None:
        """So many units are done."""
        ...

    def say(self, line: str) -> None:
        """A line worth keeping."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class QuietProgress:
    """Says nothing."""

    def stage(self, what: str, total: int) -> None:
        """Ignore."""

    def update(self, done: int, note: str = "") -> None:
        """Ignore."""

    def say(self, line: str) -> None:
        """Ignore."""

    def close(self) -> None:
        """Nothing to close."""


class PlainProgress:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._what, self._total, self._done = "", 0, 0
        self._begun = self._told = time.monotonic()

    def stage(self, what: str, total: int) -> None:
        """Say what begins."""
        self._what, self._total, self._done = what, total, 0
        self._begun = self._told = time.monotonic()
        self.say(f"{what} ({total})")

    def update(self, done: int, note: str = "") -> None:
        """Say how far it is and how long it will take, but not too often."""
        self._done = done
        now = time.monotonic()
        if now - self._told < PLAIN_SECONDS or not done:
            return
        self._told = now
        left = (now - self._begun) / done * (self._total - done)
        # the first steps of a stage open files and fill caches, and say nothing of the others
        when = f", about {duration(left)} left" if done >= self._total * _TELLING else ""
        self.say(f"{self._what}: {done} of {self._total}{when} {note}".rstrip())

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to close."""


class RichProgress:
    """A bar with the time left, for terminals."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            speed_estimate_period=120,
        )
        self._task: TaskID | None = None
        self._bar.start()

    def stage(self, what: str, total: int) -> None:
        """A new bar."""
        self._task = self._bar.add_task(what, total=total, note="")

    def update(self, done: int, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Leave the bars as they are."""
        self._bar.stop()


def reporter(kind: str = "auto") -> Reporter:
    """A reporter: ``"auto"`` (a bar on a terminal, else lines), ``"plain"`` or ``"quiet"``."""
    if kind == "quiet":
        return QuietProgress()
    if kind == "auto" and sys.stderr.isatty():
        return RichProgress()
    return PlainProgress()


def duration(seconds: float) -> str:
    """A duration in words.

    Examples
    --------
    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
