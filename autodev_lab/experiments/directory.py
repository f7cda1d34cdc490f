"""The run directory: where each thing lies in it, who may write it, and which cells are done.

    runs/<run id>/
      spec.json          what was asked for; enough to resume from
      provenance.json    version, commit, hashes, Python, platform, sandbox
      tasks.jsonl        the tasks, as far as the world can write them down
      attrition.csv      what was built and what was left out, by package and reason
      cells/             NAME.parquet, NAME.trace.gz, and NAME.json, written last: a cell without it is not done
      outcomes.parquet   all cells in canonical order
      retrievals.parquet what agents asked their memories, from the traces (experiments with a team)
      rollouts.parquet   how rollouts went, from the traces (experiments whose arms differ in them)
      summary.json       what `--json` prints
      figures/, notebook/

Every file is written aside and renamed, so a killed run leaves old content or new and nothing between.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Plan
from autodev_lab.experiments.rows import parquet_bytes
from autodev_lab.files import write_atomic

__all__ = ["RunDirectory", "create_run", "find_run", "runs_before"]


class Named(Protocol):
    """A cell, by the name of its files."""

    @property
    def name(self) -> str: ...


class NamedPlan(Protocol):
    """A plan, by what names its directory."""

    @property
    def name(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def seed(self) -> int: ...


class RunDirectory:
    """One run's directory.

    Parameters
    ----------
    path
        An existing directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = path / "cells"
        self.figures = path / "figures"
        self.notebook = path / "notebook"
        self.spec = path / "spec.json"
        self.provenance = path / "provenance.json"
        self.tasks = path / "tasks.jsonl"
        self.attrition = path / "attrition.csv"
        self.outcomes = path / "outcomes.parquet"
        self.retrievals = path / "retrievals.parquet"
        self.rollouts = path / "rollouts.parquet"
        self.summary = path / "summary.json"

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for writing. The lock dies with its process, however that ends.

        Raises
        ------
        LabError
            If another process holds it, or the directory cannot be written.
        """
        path = self.path / ".lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LabError(f"cannot write {self.path}: {error.strerror}; choose a writable folder") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise LabError(f"cannot lock {self.path}: {error.strerror}; choose a local folder") from error
                holder = path.read_text(encoding="utf-8").strip() or "unknown"
                raise LabError(
                    f"{self.path} is being written by another run (process {holder}); wait, or use another folder"
                ) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def write_json(self, path: Path, data: Mapping[str, object]) -> None:
        """Write an object as indented, strict JSON."""
        write_atomic(path, json.dumps(data, indent=2, allow_nan=False) + "\n")

    @property
    def is_study(self) -> bool:
        """Whether `spec.json` is a study's, which has no team and no stream."""
        try:
            spec = json.loads(self.spec.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(spec, dict) and isinstance(spec.get("experiment"), dict) and "study" in spec["experiment"]

    def read_plan(self) -> Plan:
        """The plan of `spec.json`, of an experiment with a team.

        Raises
        ------
        LabError
            If the file is missing or damaged, or is a study's.
        """
        if self.is_study:
            raise LabError(f"run {self.id} is a study without a team, which has no tasks to look at; name another run")
        try:
            return Plan.from_json(json.loads(self.spec.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise LabError(f"{self.path} is not a run directory (no spec.json); name one to resume") from error
        except (OSError, ValueError, KeyError) as error:
            raise LabError(f"{self.spec} is damaged; start the run anew") from error

    # ------------------------------------------------------------------------------------------------- cells

    def write_cell(self, cell: Named, key: str, table: pa.Table, traces: Iterable[str]) -> None:
        """Record a finished cell: rows, traces, and last the small file that makes it count.

        Parameters
        ----------
        key
            Content address of everything the cell depends on.
        """
        rows = parquet_bytes(table)
        trace = gzip.compress("".join(f"{line}\n" for line in traces).encode(), mtime=0)
        write_atomic(self.cells / f"{cell.name}.parquet", rows)
        write_atomic(self.cells / f"{cell.name}.trace.gz", trace)
        seal = {
            "key": key,
            "rows": table.num_rows,
            "parquet": hashlib.sha256(rows).hexdigest(),
            "trace": hashlib.sha256(trace).hexdigest(),
        }
        self.write_json(self.cells / f"{cell.name}.json", seal)

    def is_done(self, cell: Named, key: str) -> bool:
        """Whether a cell is there, whole, and made from the same inputs by the same code."""
        try:
            seal = json.loads((self.cells / f"{cell.name}.json").read_text(encoding="utf-8"))
            rows = (self.cells / f"{cell.name}.parquet").read_bytes()
            trace = (self.cells / f"{cell.name}.trace.gz").read_bytes()
        except (OSError, ValueError):
            return False
        return isinstance(seal, dict) and (seal.get("key"), seal.get("parquet"), seal.get("trace")) == (
            key,
            hashlib.sha256(rows).hexdigest(),
            hashlib.sha256(trace).hexdigest(),
        )

    def read_cell(self, cell: Named) -> pa.Table:
        """Rows of a finished cell."""
        with (self.cells / f"{cell.name}.parquet").open("rb") as stream:
            return pq.read_table(stream)

    def read_trace(self, cell: Named) -> tuple[dict[str, object], ...]:
        """Traces of a finished cell, one a task.

        Raises
        ------
        LabError
            If the cell is not there.
        """
        path = self.cells / f"{cell.name}.trace.gz"
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except (OSError, EOFError) as error:
            raise LabError(
                f"cell {cell.name} of run {self.id} is not finished; `run --resume {self.id}` goes on"
            ) from error
        return tuple(json.loads(line) for line in text.splitlines())

    def write_outcomes(self, cells: Iterable[Named]) -> pa.Table:
        """Concatenate finished cells, in the order given, into `outcomes.parquet`."""
        table = pa.concat_tables([self.read_cell(cell) for cell in cells]).combine_chunks()
        write_atomic(self.outcomes, parquet_bytes(table))
        return table

    def discard(self) -> None:
        """Remove the directory; for a run that failed before it had anything worth keeping."""
        shutil.rmtree(self.path, ignore_errors=True)


def create_run(root: Path, plan: NamedPlan, *, out: Path | None = None, now: datetime | None = None) -> RunDirectory:
    """Make a new run directory below `root`, named by time, experiment, profile and seed.

    Parameters
    ----------
    out
        Use this folder instead; it must be empty, or not exist yet.
    now
        Time to name the directory by.

    Raises
    ------
    LabError
        If it cannot be made.
    """
    if out is not None:
        return _claim_folder(out.expanduser().absolute())
    stamp = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
    base = f"{stamp}-{plan.name}-{plan.profile}-s{plan.seed}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
            path = root / f"{base}{suffix}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return RunDirectory(path)
    except OSError as error:
        raise LabError(f"cannot write into {root}: {error.strerror}; choose a writable folder with --out") from error
    raise LabError(f"{root} already holds a thousand runs of this second; choose another folder with --out")


def _claim_folder(path: Path) -> RunDirectory:
    try:
        path.mkdir(parents=True, exist_ok=True)
        occupied = any(path.iterdir())
    except OSError as error:
        raise LabError(f"cannot write into {path}: {error.strerror}; choose a writable folder with --out") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise LabError(f"cannot write into {path}: it is read-only; choose a writable folder with --out")
    if (path / "spec.json").exists():
        raise LabError(f"{path} already holds a run; go on with it with --resume {path}, or choose another folder")
    if occupied:
        raise LabError(f"{path} is not empty; choose an empty or a new folder with --out")
    return RunDirectory(path)


def find_run(name: str | Path, root: Path) -> RunDirectory:
    """A run directory by its path, by its id below `root`, or the newest one for ``"last"``.

    Raises
    ------
    LabError
        If there is none.
    """
    text = str(name)
    if text == "last":
        runs = sorted(path.parent for path in root.glob("*/spec.json")) if root.is_dir() else []
        if not runs:
            raise LabError(f"there is no run in {root} yet; start one with `autodev-lab run learning`")
        return RunDirectory(max(runs, key=lambda path: ((path / "spec.json").stat().st_mtime, path.name)))
    for path in (Path(text).expanduser(), root / text):
        if (path / "spec.json").is_file():
            return RunDirectory(path.resolve())
    raise LabError(f"there is no run {text!r}, as a path or in {root}; give a run directory or its id")


def runs_before(root: Path, plan: NamedPlan, run_id: str) -> int:
    """How many other finished runs of the experiment lie beside this one: the looks already taken."""
    count = 0
    for path in sorted(root.glob("*/summary.json")):
        if path.parent.name == run_id:
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        count += isinstance(data, dict) and data.get("experiment") == plan.name
    return count
