"""A Jupyter kernel interrupted or killed while the notebook runs: a partial result, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation
from autodev_lab.experiments import load_run, run_experiment
from autodev_lab.resources import resource

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine cannot isolate candidate code"),
]

SMALL: dict[str, object] = {
    "tasks_per_package": 1,
    "budget": 4,
    "arms": ["team_shared", "uniform"],
    "replicates": 20,
}
"""Eighty small cells: an interrupt that comes when the first are done comes long before the last."""


class Family(Protocol):
    """The processes below the test; see `conftest.py`."""

    def left(self) -> list[str]: ...

    def gone(self) -> bool: ...


class Notebook:
    """The learning notebook in a real kernel, cell by cell."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client
        notebook = json.loads(resource("notebooks/learning.ipynb").read_text("utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        self.parameters, self.run, *self.rest = ("".join(cell["source"]) for cell in code)
        assert "run_directory" in self.parameters
        assert "run_experiment(" in self.run

    def begin(self, source: str) -> str:
        """Send a cell and do not wait."""
        return str(self.client.execute(source))

    def end(self, message: str) -> Mapping[str, Any]:
        """Wait for a cell's reply."""
        while True:
            reply = self.client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == message:
                content: Mapping[str, Any] = reply["content"]
                return content

    def execute(self, source: str) -> Mapping[str, Any]:
        """Send a cell and wait for its reply."""
        return self.end(self.begin(source))


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: Family) -> Iterator[Notebook]:
    """A kernel in an empty folder, with runs and a cache of its own."""
    monkeypatch.setenv("AUTODEV_PROFILE", "smoke")
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path), env=dict(os.environ))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def wait_for(what: Callable[[], object]) -> None:
    for _ in range(6000):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("waited two minutes in vain")


def sealed(runs: Path) -> list[Path]:
    return list(runs.glob("*/cells/*.json"))


def begin_the_run(notebook: Notebook) -> str:
    assert notebook.execute(notebook.parameters)["status"] == "ok"
    assert notebook.execute(f"overrides = {SMALL!r}")["status"] == "ok"
    return notebook.begin(notebook.run)


def digest(path: Path) -> str:
    return hashlib.sha256((path / "outcomes.parquet").read_bytes()).hexdigest()


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_kernel_keeps_what_was_finished(notebook: Notebook, tmp_path: Path, family: Family) -> None:
    message = begin_the_run(notebook)
    # one more than there are workers: of one at least the run has heard
    wait_for(lambda: len(sealed(tmp_path / "runs")) > min(40, os.cpu_count() or 1))
    notebook.manager.interrupt_kernel()
    reply = notebook.end(message)
    assert (reply["status"], reply["ename"]) == ("error", "Interrupted")
    assert "the partial result is in" in reply["evalue"]

    # the kernel lives on, and nothing but the kernel
    wait_for(lambda: len(family.left()) <= 1)
    (kernel,) = family.left()
    assert "ipykernel" in kernel

    run = load_run("last")
    assert run.summary["complete"] is False
    cells = run.summary["cells"]
    assert isinstance(cells, dict)
    done = cells["done"]
    # a worker may have finished a cell that the interrupted run no longer heard of
    assert 0 < done <= len(sealed(tmp_path / "runs")) < cells["total"] == 80
    assert len(run.outcomes.groupby(["arm", "twin", "replicate"])) == done

    # what the notebook says about it, in the same kernel
    assert notebook.execute("from autodev_lab import load_run; load_run('last').outcomes")["status"] == "ok"
    assert notebook.execute("run_directory = 'last'")["status"] == "ok"
    assert notebook.execute(notebook.run)["status"] == "ok"
    for cell in notebook.rest:
        reply = notebook.execute(cell)
        assert reply["status"] == "ok", reply
    whole = load_run("last")
    assert whole.path == run.path
    assert whole.summary["complete"] is True
    same = run_experiment("learning", profile="smoke", overrides=SMALL, workers=1, offline=True, progress="quiet")
    assert digest(same.path) == digest(whole.path)


@pytest.mark.usefixtures("undrawn")
def test_an_interrupt_before_the_first_cell_leaves_a_run_to_go_on_with(
    notebook: Notebook, tmp_path: Path, family: Family
) -> None:
    message = begin_the_run(notebook)
    results = tmp_path / "cache" / "results.sqlite"
    wait_for(results.exists)
    notebook.manager.interrupt_kernel()
    reply = notebook.end(message)
    assert (reply["status"], reply["ename"]) == ("error", "Interrupted")
    assert "interrupted after 0 of 80 cells" in reply["evalue"]
    wait_for(lambda: len(family.left()) <= 1)
    assert not sealed(tmp_path / "runs")
    (path,) = (tmp_path / "runs").iterdir()
    assert run_experiment(resume=path, offline=True, progress="quiet").summary["complete"] is True


@pytest.mark.usefixtures("undrawn")
def test_a_killed_kernel_leaves_no_process(notebook: Notebook, tmp_path: Path, family: Family) -> None:
    """What *Restart kernel* does to a kernel that is busy."""
    begin_the_run(notebook)
    wait_for(lambda: sealed(tmp_path / "runs"))
    notebook.manager.shutdown_kernel(now=True)
    assert family.gone(), family.left()
    (path,) = (tmp_path / "runs").iterdir()
    assert not (path / "outcomes.parquet").exists()
    assert run_experiment(resume=path, offline=True, progress="quiet").summary["complete"] is True


@pytest.mark.parametrize("arms", ["team_shared,uniform", "uniform,placebo"])
def test_the_notebook_shows_runs_without_a_comparison(
    arms: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It proposes arms that no registered claim compares: all of its cells have to bear that, and no claim at all."""
    source = json.loads(resource("notebooks/learning.ipynb").read_text("utf-8"))
    proposed = "".join(line for cell in source["cells"] for line in cell["source"])
    assert '{"arms": ["team_shared", "uniform"]}' in proposed
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    run = run_experiment(
        "learning",
        profile="quick",
        overrides={
            "environment": "simulated",
            "packages": ["ant", "bee"],
            "tasks_per_package": 3,
            "arms": tuple(arms.split(",")),
        },
        workers=1,
        out=tmp_path / "run",
        notebook=True,
        progress="quiet",
    )
    assert run.summary["claims"] == []
    artifacts = run.summary["artifacts"]
    assert isinstance(artifacts, dict)
    assert "notebook" in artifacts, "the notebook ran to its end"
