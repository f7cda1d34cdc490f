"""Tasks with their truths as JSON lines: one versioned record a line, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from autodev_lab.errors import LabError
from autodev_lab.execution.subjects import Subject
from autodev_lab.files import write_atomic
from autodev_lab.records import Edit, StreamItem, Task, TaskKind
from autodev_lab.streams.historical import BuiltTruth, HistoricalTruth
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
    kind: Literal["injected", "historical"]
    title: str
    body: str
    arrival: float
    priority: int
    metadata: dict[str, str]


class _InjectedTruth(_Strict):
    package_spec: str
    package_hash: str
    operator: str
    edits: tuple[_Edit, ...]
    path: str
    qualname: str
    split_seed: int
    killing: dict[str, tuple[str, ...]]
    covering: dict[str, tuple[str, ...]]


class _HistoricalTruth(_Strict):
    package_spec: str
    package_hash: str
    older: str
    newer: str
    edits: tuple[_Edit, ...] = Field(min_length=1)
    places: tuple[tuple[str, str], ...] = Field(min_length=1)
    interface_changed: bool
    split_seed: int
    killing: dict[str, tuple[str, ...]]
    covering: dict[str, tuple[str, ...]]


class _InjectedLine(_Strict):
    form: Literal["autodev_lab.task/1"] = Field(alias="schema")
    task: _Task
    truth: _InjectedTruth


class _HistoricalLine(_Strict):
    form: Literal["autodev_lab.task/1"] = Field(alias="schema")
    task: _Task
    truth: _HistoricalTruth


def _kind_of(line: object) -> str:
    """Which of the two forms a line claims to have; all that is not historical is read as injected."""
    task = line.get("task") if isinstance(line, dict) else None
    return "historical" if isinstance(task, dict) and task.get("kind") == "historical" else "injected"


_LINES: TypeAdapter[_InjectedLine | _HistoricalLine] = TypeAdapter(
    Annotated[
        Annotated[_InjectedLine, Tag("injected")] | Annotated[_HistoricalLine, Tag("historical")],
        Discriminator(_kind_of),
    ]
)


def write_tasks(path: Path, items: Iterable[StreamItem]) -> None:
    """Write tasks, one a line; the same tasks give the same bytes.

    Parameters
    ----------
    path
        The file; a reader sees the old content or the new one.
    items
        Tasks with an `InjectedTruth` or a `HistoricalTruth`.

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
        The packages the tasks are to be worked on with, by the spec their truths name; their content must be what the
        tasks were made from.

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
    if not isinstance(truth, BuiltTruth):
        raise LabError(f"{where} has no fault in a package; give tasks made by `autodev-lab tasks build`")
    subject = subjects.get(truth.package_spec)
    if subject is None:
        raise LabError(f"{where} is about {truth.package_spec}, which is not at hand; obtain it first")
    if subject.content_hash != truth.package_hash:
        raise LabError(
            f"{where} was made from other content of {item.task.package} (hash {truth.package_hash[:12]}) than what is "
            f"at hand ({subject.name} {subject.version}, hash {subject.content_hash[:12]}); build the tasks again"
        )


def _to_line(item: StreamItem) -> str:
    truth = item.truth
    line: _InjectedLine | _HistoricalLine
    if isinstance(truth, InjectedTruth):
        line = _InjectedLine(
            schema=SCHEMA,
            task=_task_of(item.task, "injected"),
            truth=_InjectedTruth(
                package_spec=truth.package_spec,
                package_hash=truth.package_hash,
                operator=truth.operator,
                edits=_edits_of(truth),
                path=truth.path,
                qualname=truth.qualname,
                split_seed=truth.split_seed,
                killing=dict(truth.killing),
                covering=dict(truth.covering),
            ),
        )
    elif isinstance(truth, HistoricalTruth):
        line = _HistoricalLine(
            schema=SCHEMA,
            task=_task_of(item.task, "historical"),
            truth=_HistoricalTruth(
                package_spec=truth.package_spec,
                package_hash=truth.package_hash,
                older=truth.older,
                newer=truth.newer,
                edits=_edits_of(truth),
                places=truth.places,
                interface_changed=truth.interface_changed,
                split_seed=truth.split_seed,
                killing=dict(truth.killing),
                covering=dict(truth.covering),
            ),
        )
    else:
        raise LabError(f"task {item.task.id} has no fault in a package; only built tasks are written to files of tasks")
    return line.model_dump_json(by_alias=True) + "\n"


def _task_of(task: Task, kind: Literal["injected", "historical"]) -> _Task:
    return _Task(
        id=task.id,
        package=task.package,
        kind=kind,
        title=task.title,
        body=task.body,
        arrival=task.arrival,
        priority=task.priority,
        metadata=dict(sorted(task.metadata.items())),
    )


def _edits_of(truth: BuiltTruth) -> tuple[_Edit, ...]:
    return tuple(
        _Edit(path=one.path, start_line=one.start_line, end_line=one.end_line, replacement=one.replacement)
        for one in truth.edits
    )


def _from_line(line: str, where: str) -> StreamItem:
    try:
        record = _LINES.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise LabError(f"{where} is not readable JSON ({first['msg']}); build the tasks again") from error
        place = ".".join(str(part) for part in first["loc"][1:])  # the first part is the form it was read as
        if place == "schema":
            raise LabError(f"{where} is not of the form {SCHEMA}; build the tasks again with this version") from error
        raise LabError(f"{where}: {place or 'the record'} is wrong ({first['msg']}); build the tasks again") from error
    task = Task(
        id=record.task.id,
        package=record.task.package,
        kind=TaskKind(record.task.kind),
        title=record.task.title,
        body=record.task.body,
        arrival=record.task.arrival,
        priority=record.task.priority,
        metadata=record.task.metadata,
    )
    return StreamItem(task, _truth_of(record))


def _truth_of(record: _InjectedLine | _HistoricalLine) -> BuiltTruth:
    truth = record.truth
    edits = tuple(Edit(one.path, one.start_line, one.end_line, one.replacement) for one in truth.edits)
    if isinstance(truth, _InjectedTruth):
        return InjectedTruth(
            task_id=record.task.id,
            package_spec=truth.package_spec,
            package_hash=truth.package_hash,
            operator=truth.operator,
            edits=edits,
            path=truth.path,
            qualname=truth.qualname,
            split_seed=truth.split_seed,
            killing=truth.killing,
            covering=truth.covering,
        )
    return HistoricalTruth(
        task_id=record.task.id,
        package_spec=truth.package_spec,
        package_hash=truth.package_hash,
        older=truth.older,
        newer=truth.newer,
        edits=edits,
        places=truth.places,
        interface_changed=truth.interface_changed,
        split_seed=truth.split_seed,
        killing=truth.killing,
        covering=truth.covering,
    )
