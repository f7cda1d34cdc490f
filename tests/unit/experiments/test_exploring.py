"""Which tasks of the repository world are looked at before cells are run, and in what order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from autodev_lab.experiments.design import load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.lessons import parts_of
from autodev_lab.experiments.world_repository import RepositoryMaker, read_task_file
from autodev_lab.streams.jsonl import write_tasks


def test_every_task_that_is_drawn_is_explored_once_and_packages_take_turns(tmp_path: Path) -> None:
    plan = make_plan(load_experiment("learning"), profile="smoke", overrides={"tasks_per_package": 3})
    items = [
        replace(item, task=replace(item.task, id=f"{package}-{number}", package=package))
        for package in ("a", "b")
        for number, item in enumerate(read_task_file("data/tasks/pocketkit.jsonl")[:5])
    ]
    directory = RunDirectory(tmp_path)
    write_tasks(directory.tasks, items)
    names = RepositoryMaker().to_explore(plan, directory, {0, 1})
    drawn = {item.task.id for replicate in (0, 1) for item in parts_of(items, plan, replicate)[0].stream}
    assert Counter(names) == Counter(drawn)
    assert [name[0] for name in names[:4]] == ["a", "b", "a", "b"]
    assert set(RepositoryMaker().to_explore(plan, directory, {1})) < {item.task.id for item in items}
