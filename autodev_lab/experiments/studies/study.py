"""What a study is: how its inputs are made, how an arm is measured, and what the rows come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan

__all__ = ["Clocks", "Details", "Foreseen", "Measured", "RunsCode", "Study", "TellsMore"]

Options = Mapping[str, str | int | float | bool]
Progress = Callable[[int, int], None]
Clocks = Mapping[str, Mapping[str, Sequence[float]]]
"""Seconds of every arm by name, as `Measured.clock` gave them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What measuring an arm gave.

    Parameters
    ----------
    rows
        What does not depend on the machine; part of `outcomes.parquet`. Columns: ``arm``, ``package``, ``item`` (pairs
        rows across arms), and those of the endpoints; ``group`` where packages are reported in two groups as well.
    clock
        What depends on the machine, by name: seconds by the clock, and bytes. Kept in the cell's trace and never among
        the outcomes.
    """

    rows: pa.Table
    clock: Mapping[str, Sequence[float]] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a plan takes, as an estimate: rows of outcomes, seconds on one core when nothing is cached, and bytes."""

    rows: int
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Details:
    """What a study tells beyond its endpoints.

    Parameters
    ----------
    arms
        More figures of every arm, by name, for example a one-sided bound.
    tables
        Anything that is not one figure an arm, as plain data; `summary.json` has it under ``details``.
    words
        The same for people, a line each.
    """

    arms: Mapping[str, Mapping[str, float]] = field(hash=False)
    tables: Mapping[str, object] = field(hash=False)
    words: Sequence[str] = ()


@runtime_checkable
class TellsMore(Protocol):
    """A study with results that no mean over rows can say, or that need the clock."""

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """What there is to tell of a run, complete or not."""
        ...

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Figures of it by name."""
        ...


@runtime_checkable
class RunsCode(Protocol):
    """A study that runs code of packages."""

    def sandbox(self, plan: StudyPlan, settings: Settings) -> str:
        """See `Conduct.sandbox`."""
        ...


class Study(Protocol):
    """A kind of study. It may also be one that `TellsMore` or `RunsCode`."""

    @property
    def parameters(self) -> type[StudyParameters]:
        """What `-p key=value` may change."""
        ...

    @property
    def unit(self) -> str:
        """What work is counted in, for people."""
        ...

    @property
    def side_by_side(self) -> bool:
        """Whether arms may be measured at the same time."""
        ...

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Means over rows, by name; each is of a column of the outcomes, and a row may lack it (null)."""
        ...

    def check_arm(self, name: str, options: Options) -> None:
        """Refuse options that no arm of this study can have.

        Raises
        ------
        LabError
            That names what is allowed.
        """
        ...

    def lacks(self, options: Options) -> str:
        """What an arm needs that is not there, and how to have it, in words; empty when it can run.

        Arms that cannot run are left out, which the summary says, unless they are asked for.
        """
        ...

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Packages whose inputs are still to be built, and units of work each is counted as."""
        ...

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Build a package's inputs into the directory."""
        ...

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write `tasks.jsonl` and `attrition.csv` unless they are there; returns the content hash of every package."""
        ...

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """What a plan takes; may read packages, and measures nothing."""
        ...

    def size(self, plan: StudyPlan) -> int:
        """Units of work a cell is counted as."""
        ...

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Measure one arm."""
        ...

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """What an arm's seconds come to, by name, for example ``p50_ms``."""
        ...

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Figures by name.

        Parameters
        ----------
        metrics
            Endpoints by arm.
        clock
            What `clocked` says of each arm.
        """
        ...
