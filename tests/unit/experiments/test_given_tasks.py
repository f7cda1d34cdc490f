"""A run that was given a file of tasks goes on without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import load_experiment, make_plan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.world_repository import RepositoryMaker, read_task_file
from autodev_lab.streams.jsonl import write_tasks


def test_a_run_goes_on_elsewhere_and_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_tasks(Path("mine.jsonl"), read_task_file("data/tasks/pocketkit.jsonl")[:6])
    plan = make_plan(load_experiment("learning"), profile="smoke", overrides={"tasks": "mine.jsonl"})
    directory, settings = RunDirectory(tmp_path / "run"), Settings(str(tmp_path / "cache"), "")
    maker = RepositoryMaker()
    assert maker.to_build(plan, directory) == ()
    hashes = maker.assemble(plan, directory, settings)
    tasks = directory.tasks.read_bytes()
    monkeypatch.chdir(tmp_path / "there")
    assert maker.to_build(plan, directory) == ()
    assert maker.assemble(plan, directory, settings) == hashes
    assert directory.tasks.read_bytes() == tasks
    with pytest.raises(LabError, match=r"mine\.jsonl does not exist"):
        maker.to_build(plan, RunDirectory(tmp_path / "another"))
