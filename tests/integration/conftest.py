"""What integration tests share: no process outlives a test, and a figure is drawn where figures are looked at."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from autodev_lab.experiments import report as team_report
from autodev_lab.experiments.studies import report as study_report

_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>: a process whose parent dies becomes this process's child instead of the system's."""


class Family:
    """The processes below this one, whatever they call themselves and whoever started them."""

    def __init__(self) -> None:
        self._before = set(self._below())

    def left(self) -> list[str]:
        """Command lines of what is alive below this process and was not when the test began."""
        found = []
        for pid, zombie in self._below().items():
            if pid in self._before:
                continue
            if zombie:
                # an orphan that died in peace: it was handed to this process, which has to bury it
                self._bury(pid)
                continue
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            found.append(words.replace(b"\0", b" ").decode("utf-8", "replace").strip() or f"process {pid}")
        return found

    def gone(self) -> bool:
        """Wait until nothing is left; False when something does not go."""
        for _ in range(1200):
            if not self.left():
                return True
            time.sleep(0.05)
        return False

    @staticmethod
    def _below() -> dict[int, bool]:
        """Process ids below this one, each with whether it is dead already."""
        parents: dict[int, tuple[int, bool]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state, parent = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                except OSError:
                    continue
                parents[int(entry.name)] = (int(parent), state == "Z")
        below: dict[int, bool] = {}
        fresh = {os.getpid()}
        while fresh:
            fresh = {pid for pid, (parent, _) in parents.items() if parent in fresh and pid not in below}
            below |= {pid: parents[pid][1] for pid in fresh}
        return below

    @staticmethod
    def _bury(pid: int) -> None:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return


@pytest.fixture
def family() -> Iterator[Family]:
    """Adopt every orphan among the test's descendants, so that none can hide; skips where the system cannot."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux to adopt orphans")
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        pytest.skip("this system does not let a process adopt orphans")
    try:
        yield Family()
    finally:
        system.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(scope="session")
def without_figures() -> Callable[[], AbstractContextManager[None]]:
    """Runs within draw no figures: they are derived from what tests compare, and take most of a small run's time."""

    @contextmanager
    def undrawn() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            for module in (team_report, study_report):
                patched.setattr(module, "_draw", lambda *arguments: None)
            yield

    return undrawn


@pytest.fixture
def undrawn(without_figures: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Runs of the test itself draw no figures; those of its module's fixtures do."""
    with without_figures():
        yield
