"""Tasks with their truths as JSON lines: one versioned record a line, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autodev_lab.errors import LabError
from autodev_lab.execution.subjects import Subject
from autodev_lab.files import write_atomic
from autodev_lab.records import Edit, StreamItem, Task, TaskKind
from autodev_lab.streams.injected import InjectedTruth

__all__ = ["SCHEMA", "check_subjects", "read_tasks", "write_tasks"]

SCHEMA = "autodev_lab.task/1"
"""Name and version of the form of a line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Edit(_Strict):
    path: str
    start_line: int
    end_line: int
    replacement: str


class _Task(_Strict):
    id: str
    package: str
    kind: Literal["injected"]
    title: str
    body: str
    arrival: float
    priority: int
    metadata: dict[str, str]


class _Truth(_Strict):
    package_spec: str
    package_hash: str
    operator: str
    edits: tuple[_Edit, ...]
    path: str
    qualname: str
    split_seed: int
    killing: dict[str, tuple[str, ...]]
    covering: dict[str, tuple[str, ...]]


class _Line(_Strict):
    form: Literal["autodev_lab.task/1"] = Field(alias="schema")
    task: _Task
    truth: _Truth


def write_tasks(path: Path, items: Iterable[StreamItem]) -> None:
    """Write tasks, one a line; the same tasks give the same bytes.

    Parameters
    ----------
    path
        The file; a reader sees the old content or the new one.
    items
        Tasks with an `InjectedTruth`.

    Raises
    ------
    LabError
        If the file cannot be written or an item is of another kind.
    """
    write_atomic(path, "".join(_to_line(item) for item in items))


def read_tasks(path: Path, subjects: Mapping[str, Subject] | None = None) -> tuple[StreamItem, ...]:
    """Read what `write_tasks` wrote.

    Parameters
    ----------
    path
        The file.
    subjects
        The packages the tasks are to be worked on with, by name; their content must be what the tasks were made from.

    Raises
    ------
    LabError
        Naming the file and the line that cannot be read, repeats a task, is of another form, or does not fit its
        package; or if there are no tasks.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise LabError(f"{path} does not exist; build tasks with `autodev-lab tasks build`") from error
    except IsADirectoryError as error:
        raise LabError(f"{path} is a folder; give a file of tasks") from error
    except UnicodeDecodeError as error:
        raise LabError(f"{path} is not UTF-8 text; give a file written by `autodev-lab tasks build`") from error
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror or error}; give a readable file of tasks") from error
    items: list[StreamItem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item = _from_line(line, f"{path}, line {number}")
        if item.task.id in seen:
            raise LabError(
                f"{path}, line {number}: task {item.task.id} is on line {seen[item.task.id]} already; remove one"
            )
        seen[item.task.id] = number
        if subjects is not None:
            _check(item, subjects, f"{path}, line {number}")
        items.append(item)
    if not items:
        raise LabError(f"{path} holds no tasks; build some with `autodev-lab tasks build`")
    return tuple(items)


def check_subjects(items: Iterable[StreamItem], subjects: Mapping[str, Subject]) -> None:
    """Check that tasks fit the packages at hand.

    Raises
    ------
    LabError
        If a package is missing or its content is not what a task was made from.
    """
    for item in items:
        _check(item, subjects, f"task {item.task.id}")


def _check(item: StreamItem, subjects: Mapping[str, Subject], where: str) -> None:
    truth = item.truth
    if not isinstance(truth, InjectedTruth):
        raise LabError(f"{where} is no injected bug; give tasks made by `autodev-lab tasks build`")
    subject = subjects.get(item.task.package)
    if subject is None:
        raise LabError(f"{where} is about {item.task.package}, which is not at hand; obtain it first")
    if subject.content_hash != truth.package_hash:
        raise LabError(
            f"{where} was made from other content of {item.task.package} (hash {truth.package_hash[:12]}) than what is "
            f"at hand ({subject.name} {subject.version}, hash {subject.content_hash[:12]}); build the tasks again"
        )


def _to_line(item: StreamItem) -> str:
    task, truth = item.task, item.truth
    if not isinstance(truth, InjectedTruth):
        raise LabError(f"task {task.id} is no injected bug; only those are written to files of tasks")
    line = _Line(
        schema=SCHEMA,
        task=_Task(
            id=task.id,
            package=task.package,
            kind="injected",
            title=task.title,
            body=task.body,
            arrival=task.arrival,
            priority=task.priority,
            metadata=dict(sorted(task.metadata.items())),
        ),
        truth=_Truth(
            package_spec=truth.package_spec,
            package_hash=truth.package_hash,
            operator=truth.operator,
            edits=tuple(
                _Edit(path=e.path, start_line=e.start_line, end_line=e.end_line, replacement=e.replacement)
                for e in truth.edits
            ),
            path=truth.path,
            qualname=truth.qualname,
            split_seed=truth.split_seed,
            killing=dict(truth.killing),
            covering=dict(truth.covering),
        ),
    )
    return line.model_dump_json(by_alias=True) + "\n"


def _from_line(line: str, where: str) -> StreamItem:
    try:
        record = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "json_invalid":
            raise LabError(f"{where} is not readable JSON ({first['msg']}); build the tasks again") from error
        if place == "schema":
            raise LabError(f"{where} is not of the form {SCHEMA}; build the tasks again with this version") from error
        raise LabError(f"{where}: {place or 'the record'} is wrong ({first['msg']}); build the tasks again") from error
    task, truth = record.task, record.truth
    return StreamItem(
        Task(
            id=task.id,
            package=task.package,
            kind=TaskKind(task.kind),
            title=task.title,
            body=task.body,
            arrival=task.arrival,
            priority=task.priority,
            metadata=task.metadata,
        ),
        InjectedTruth(
            task_id=task.id,
            package_spec=truth.package_spec,
            package_hash=truth.package_hash,
            operator=truth.operator,
            edits=tuple(Edit(e.path, e.start_line, e.end_line, e.replacement) for e in truth.edits),
            path=truth.path,
            qualname=truth.qualname,
            split_seed=truth.split_seed,
            killing=truth.killing,
            covering=truth.covering,
        ),
    )
