"""Files of tasks: what is written is read, and what cannot be read is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Edit, StreamItem, Task, TaskKind, Truth
from autodev_lab.streams.historical import HistoricalTruth
from autodev_lab.streams.injected import BugInjectionStream, InjectedTruth
from autodev_lab.streams.jsonl import check_subjects, read_tasks, write_tasks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.lists(TEXT, max_size=3).map(tuple)
SIDES = st.fixed_dictionaries({"visible": IDS, "exposure": IDS, "oracle": IDS})
EDITS = st.lists(st.builds(Edit, TEXT, st.integers(1, 9), st.integers(0, 9), TEXT), min_size=1, max_size=3).map(tuple)


@st.composite
def items(draw: st.DrawFn) -> StreamItem:
    task_id = draw(TEXT)
    task = Task(task_id, draw(TEXT), TaskKind.INJECTED, draw(TEXT), draw(TEXT), metadata={"version": draw(TEXT)})
    truth = InjectedTruth(
        task_id, draw(TEXT), draw(TEXT), draw(TEXT), draw(EDITS), draw(TEXT), draw(TEXT), draw(st.integers(0, 99)),
        draw(SIDES), draw(SIDES),
    )  # fmt: skip
    return StreamItem(task, truth)


@st.composite
def historical_items(draw: st.DrawFn) -> StreamItem:
    task_id = draw(TEXT)
    task = Task(task_id, draw(TEXT), TaskKind.HISTORICAL, draw(TEXT), draw(TEXT), metadata={"version": draw(TEXT)})
    places = draw(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3).map(tuple))
    truth = HistoricalTruth(
        task_id, draw(TEXT), draw(TEXT), draw(TEXT), draw(TEXT), draw(EDITS), places, draw(st.booleans()),
        draw(st.integers(0, 99)), draw(SIDES), draw(SIDES),
    )  # fmt: skip
    return StreamItem(task, truth)


def one(task_id: str = "p-1-a", package_hash: str = "h" * 12) -> StreamItem:
    sides = {"visible": ("t.py::test_a",), "exposure": (), "oracle": ()}
    task = Task(task_id, "p", TaskKind.INJECTED, "p 1: test_a fails", metadata={"version": "1"})
    edits = (Edit("p.py", 1, 1, "x = 2\n"),)
    return StreamItem(
        task, InjectedTruth(task_id, "p", package_hash, "off_by_one", edits, "p.py", "f", 7, sides, sides)
    )


def subject(content_hash: str) -> Subject:
    return Subject("p", "1", SourceTree(Path(), "p", "", "p.py", ("t.py",)), content_hash, "MIT", "p")


@given(st.lists(items() | historical_items(), min_size=1, max_size=4, unique_by=lambda item: item.task.id))
@settings(max_examples=50, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, tasks: list[StreamItem]) -> None:
    path = tmp_path_factory.mktemp("tasks") / "tasks.jsonl"
    write_tasks(path, tasks)
    first = path.read_bytes()
    again = read_tasks(path)
    assert again == tuple(tasks)
    write_tasks(path, again)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not readable JSON"),
        ("[1]", "line 2"),
        ('{"schema": "autodev_lab.task/9"}', "not of the form autodev_lab.task/1"),
    ],
)
def test_unreadable_lines_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "tasks.jsonl"
    write_tasks(path, [one()])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(LabError, match=said):
        read_tasks(path)


def test_a_wrong_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    write_tasks(path, [one()])
    record = json.loads(path.read_text())
    record["truth"]["edits"][0]["start_line"] = "first"
    path.write_text(json.dumps(record))
    with pytest.raises(LabError, match=r"line 1: truth\.edits\.0\.start_line is wrong"):
        read_tasks(path)


def test_a_historical_task_needs_a_place(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    sides = {"visible": ("t.py::test_a",), "exposure": (), "oracle": ()}
    truth = HistoricalTruth(
        "t", "p==2", "h", "1", "2", (Edit("p.py", 1, 1, "x = 2\n"),), (("p.py", "f"),), False, 7, sides, sides
    )
    assert (truth.path, truth.qualname) == ("p.py", "f")
    write_tasks(path, [StreamItem(Task("t", "p", TaskKind.HISTORICAL, "p 2: test_a fails"), truth)])
    record = json.loads(path.read_text())
    record["truth"]["places"] = []
    path.write_text(json.dumps(record))
    with pytest.raises(LabError, match=r"line 1: truth\.places is wrong"):
        read_tasks(path)
    record["task"]["kind"] = "injected"
    path.write_text(json.dumps(record))
    with pytest.raises(LabError, match=r"line 1: truth\.operator is wrong"):
        read_tasks(path)


def test_versions_of_one_package_are_told_apart_by_their_spec(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    sides = {"visible": ("t.py::test_a",), "exposure": (), "oracle": ()}
    write_tasks(
        path,
        [
            StreamItem(
                Task(f"t{version}", "p", TaskKind.HISTORICAL, "p: test_a fails"),
                HistoricalTruth(
                    f"t{version}", f"p=={version}", f"hash {version}", "1", str(version), (Edit("p.py", 1, 1, "x\n"),),
                    (("p.py", "f"),), False, 7, sides, sides,
                ),
            )
            for version in (2, 3)
        ],
    )  # fmt: skip
    both = {"p==2": subject("hash 2"), "p==3": subject("hash 3")}
    assert len(read_tasks(path, both)) == 2
    with pytest.raises(LabError, match=r"line 2 was made from other content of p"):
        read_tasks(path, {**both, "p==3": subject("hash 2")})


def test_a_repeated_task_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    write_tasks(path, [one(), one()])
    with pytest.raises(LabError, match="line 2: task p-1-a is on line 1 already"):
        read_tasks(path)


def test_other_content_of_the_package_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    write_tasks(path, [one("a", "same"), one("b", "other")])
    assert len(read_tasks(path)) == 2
    with pytest.raises(LabError, match=r"line 2 was made from other content of p"):
        read_tasks(path, {"p": subject("same")})
    with pytest.raises(LabError, match="task a is about p, which is not at hand"):
        check_subjects([one("a")], {})


def test_missing_empty_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not exist"):
        read_tasks(tmp_path / "gone.jsonl")
    with pytest.raises(LabError, match="is a folder"):
        read_tasks(tmp_path)
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(LabError, match="holds no tasks"):
        read_tasks(empty)
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabError, match="not UTF-8"):
        read_tasks(binary)


def test_only_built_tasks_are_written(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no fault in a package"):
        write_tasks(tmp_path / "t.jsonl", [StreamItem(one().task, Truth("p-1-a"))])
    assert not list(tmp_path.iterdir())


def test_a_stream_starts_again() -> None:
    stream = BugInjectionStream([one("a"), one("b")])
    assert [item.task.id for item in stream] == [item.task.id for item in stream] == ["a", "b"]
    assert len(stream) == 2
