"""Closed tasks in a file of JSON lines: a page is on disk before anybody forgets it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.ledger.wire import read_state, result_to_json, task_to_json
from autodev_lab.records import TaskState

__all__ = ["append_states", "read_states"]


def append_states(path: Path, states: Iterable[TaskState]) -> None:
    """Put states at the end of an archive, and return once they are on disk.

    Raises
    ------
    LabError
        If the file cannot be written.
    """
    lines = "".join(f"{_line(state)}\n" for state in states)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LabError(
            f"cannot write the archive {path}: {error.strerror or error}; give a file that can be"
        ) from error


def read_states(path: Path) -> Iterator[TaskState]:
    """The states of an archive, oldest first; a task that a kill wrote twice comes once, a line cut short not at all.

    Raises
    ------
    LabError
        If the file cannot be read, or was written by another version.
    """
    seen: set[str] = set()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(f"cannot read the archive {path}: {error.strerror or error}; give one that exists") from error
    except UnicodeDecodeError as error:
        raise LabError(f"{path} is no archive of tasks: it is not UTF-8 text; give one that a ledger wrote") from error
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            task, state, *history = json.loads(line)
        except (ValueError, TypeError) as error:
            raise LabError(
                f"{path}, line {number}, is no task of an archive; restore the file, or cut the line"
            ) from error
        read = read_state(task, state, history)
        if read.task.id not in seen:
            seen.add(read.task.id)
            yield read


def _line(state: TaskState) -> str:
    fields = [state.stage.value, state.fence, state.tries, state.reworks, state.reason, "", "", len(state.history), ""]
    history = [
        f"[{json.dumps(entry.stage.value)},{json.dumps(entry.agent_id)},{entry.at!r},{result_to_json(entry.result)}]"
        for entry in state.history
    ]
    return json.dumps([task_to_json(state.task), json.dumps(fields), *history])
