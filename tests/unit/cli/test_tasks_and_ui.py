"""`tasks show`, `ui` and `--version`: what they print, and what they do not."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.resources import resource
from autodev_lab.streams.jsonl import read_tasks

SHIPPED = resource("data/tasks/pocketkit.jsonl")


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_tasks_are_listed_with_the_bug_each_one_holds() -> None:
    items = read_tasks(SHIPPED)
    *lines, last = shown("tasks", "show", str(SHIPPED)).splitlines()
    assert last == f"{len(items)} tasks"
    assert [line.split()[0] for line in lines] == [item.task.id for item in items]
    assert all("pocketkit/" in line for line in lines)


def test_tasks_as_json() -> None:
    items = read_tasks(SHIPPED)
    told = json.loads(shown("tasks", "show", str(SHIPPED), "--json"))
    assert (told["path"], told["n"]) == (str(SHIPPED), len(items))
    assert [row["id"] for row in told["tasks"]] == [item.task.id for item in items]
    for row in told["tasks"]:
        assert set(row) == {"id", "package", "kind", "title", "operator", "path", "function"}
        assert row["package"] == "pocketkit"
        assert all(row.values())


def test_a_server_has_a_ui_of_its_own_and_its_password_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@tracking.example/base")
    told = shown("ui")
    assert told == "The tracking server has its own UI: https://tracking.example/base\n"


def test_the_version_is_the_installed_one() -> None:
    assert shown("--version") == f"autodev-lab {version('autodev-lab')}\n"
