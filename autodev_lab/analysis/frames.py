"""Reading run directories: outcomes as a frame, the plan and provenance beside it, and arms paired task by task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autodev_lab.analysis.dictionary import COLUMNS, VERSION, version_of
from autodev_lab.errors import LabError

__all__ = ["Comparison", "Run", "arm_rows", "compare", "originals", "read_outcomes", "read_run"]

TWIN_SUFFIX = "_twin"


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory, read.

    Parameters
    ----------
    path
        The directory.
    spec
        What was asked for (`spec.json`).
    provenance
        What it ran on (`provenance.json`).
    summary
        What came out (`summary.json`); empty while a run has not been summed up.
    outcomes
        One row a task a cell, by the data dictionary.
    """

    path: Path
    spec: Mapping[str, object] = field(hash=False)
    provenance: Mapping[str, object] = field(hash=False)
    summary: Mapping[str, object] = field(hash=False)
    outcomes: pd.DataFrame = field(hash=False)

    @property
    def id(self) -> str:
        """Name of the directory."""
        return self.path.name

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms that have outcomes, twins with their suffix."""
        found = self.outcomes[["arm", "twin"]].drop_duplicates()
        return tuple(
            f"{arm}{TWIN_SUFFIX if twin else ''}" for arm, twin in zip(found["arm"], found["twin"], strict=True)
        )

    def arm(self, name: str) -> pd.DataFrame:
        """Rows of one arm (``team_shared``) or twin (``team_shared_twin``).

        Raises
        ------
        LabError
            If the run has no such arm.
        """
        if name not in self.arms:
            raise LabError(f"run {self.id} has no arm {name!r}; choose among {', '.join(self.arms)}")
        return arm_rows(self.outcomes, name)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides paired task by task.

    ``paired`` has one row a pair with both sides' columns (suffixes ``_a`` and ``_b``); ``discordant`` those in
    which exactly one side was correct. The counts are of pairs: correct on both, on one only, on neither.
    """

    paired: pd.DataFrame = field(hash=False)
    discordant: pd.DataFrame = field(hash=False)
    both: int
    only_a: int
    only_b: int
    neither: int


def read_run(path: Path) -> Run:
    """Read a run directory, finished or not.

    Raises
    ------
    LabError
        If it is not a run directory or has no outcomes yet.
    """
    if not (path / "spec.json").is_file():
        raise LabError(f"{path} is not a run directory (it has no spec.json); name one that `autodev-lab run` wrote")
    if not (path / "outcomes.parquet").is_file():
        raise LabError(f"{path} has no outcomes yet; finish it with `autodev-lab run --resume {path}`")
    spec = _read_json(path / "spec.json")
    experiment = spec.get("experiment")
    # a study's columns are its own, and no data dictionary has them
    study = isinstance(experiment, dict) and "study" in experiment
    return Run(
        path,
        spec,
        _read_json(path / "provenance.json"),
        _read_json(path / "summary.json"),
        _read_table(path / "outcomes.parquet").to_pandas() if study else read_outcomes(path / "outcomes.parquet"),
    )


def read_outcomes(path: Path) -> pd.DataFrame:
    """Read an outcomes file and check it against the data dictionary.

    Raises
    ------
    LabError
        If the file is unreadable, of another version of the dictionary, or lacks columns.
    """
    table = _read_table(path)
    frame: pd.DataFrame = table.to_pandas()
    version = version_of(table.schema)
    if version not in (VERSION, None):
        raise LabError(
            f"{path} is of version {version} of the data dictionary and this lab reads version {VERSION}; run the "
            "experiment again, or read it with the lab that its provenance.json names"
        )
    missing = [column.name for column in COLUMNS if column.name not in frame.columns]
    if missing:
        raise LabError(f"{path} lacks the columns {', '.join(missing)}; it was written by another version of the lab")
    return frame


def _read_table(path: Path) -> pa.Table:
    try:
        # reading through an open handle keeps pyarrow from guessing partitions from the path
        with path.open("rb") as stream:
            return pq.read_table(stream)
    except (OSError, ValueError) as error:
        raise LabError(f"{path} is not a readable outcomes file; finish its run with --resume") from error


def originals(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows of original tasks: follow-ups exist only where an arm made a mistake, so they cannot be paired."""
    return outcomes[outcomes["depth"] == 0]


def arm_rows(outcomes: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of an arm, or of its twin when the name has the suffix."""
    twin = name.endswith(TWIN_SUFFIX)
    arm = name.removesuffix(TWIN_SUFFIX)
    return outcomes[(outcomes["arm"] == arm) & (outcomes["twin"] == twin)]


def compare(a: Run | pd.DataFrame, b: Run | pd.DataFrame) -> Comparison:
    """Pair two arms, or two whole runs, task by task.

    Parameters
    ----------
    a, b
        Rows of one arm each (``run.arm("team_shared")``), paired by replicate and task; or two runs, paired by arm,
        twin, replicate and task.

    Raises
    ------
    LabError
        If nothing pairs.
    """
    whole = isinstance(a, Run) and isinstance(b, Run)
    keys = ["arm", "twin", "replicate", "package", "task_id"] if whole else ["replicate", "package", "task_id"]
    left, right = (originals(side.outcomes if isinstance(side, Run) else side) for side in (a, b))
    if not whole and (left.duplicated(keys).any() or right.duplicated(keys).any()):
        raise LabError("a side holds more than one arm; compare two runs, or run.arm(...) with run.arm(...)")
    paired = left.merge(right, on=keys, suffixes=("_a", "_b"), how="inner", sort=False)
    if paired.empty:
        raise LabError("the two sides have no task in common; compare arms of one run, or runs of one seed")
    first, second = paired["correct_a"], paired["correct_b"]
    return Comparison(
        paired,
        paired[first != second].reset_index(drop=True),
        both=int((first & second).sum()),
        only_a=int((first & ~second).sum()),
        only_b=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )


def _read_json(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LabError(f"{path} is not readable JSON; write it again with --resume") from error
    return data if isinstance(data, dict) else {}
