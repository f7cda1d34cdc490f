"""Rooms on request: a warm interpreter outside every room forks a process into a new one in milliseconds."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.execution.inside.room import RoomSpec
from autodev_lab.execution.inside.wire import Closed, receive, send
from autodev_lab.execution.sandbox import (
    Limits,
    SandboxReport,
    boot_command,
    clean_environment,
    link_runner,
    room_spec,
    runner_roots,
)
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Edit

__all__ = ["Nursery", "Room"]

_GUARD = 900.0  # wall seconds the lab waits for a room's answer per request; the room itself decides long before


class Room:
    """The lab's end of one room: send a request, get its answer."""

    def __init__(self, nursery: Nursery, number: int, channel: socket.socket, home: str | None) -> None:
        self._nursery = nursery
        self._number = number
        self._channel = channel
        self._home = home

    def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """Send a request and wait for the answer.

        Raises
        ------
        Closed
            If the room died.
        LabError
            If the room reports an error of its own.
        """
        send(self._channel, request)
        return self.answer()

    def answer(self) -> dict[str, object]:
        """Wait for an answer."""
        try:
            reply = receive(self._channel)
        except TimeoutError as error:
            raise Closed("no answer") from error
        if "error" in reply:
            raise LabError(f"the sandbox failed ({reply['error']})")
        return reply

    def close(self) -> None:
        """End the room and everything in it."""
        self._channel.close()
        self._nursery.end(self._number)
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)


class Nursery:
    """A warm interpreter (standard library and pytest imported) from which rooms are forked in milliseconds.

    Safe to share between threads. Close it, or use it as a context manager; it also ends when this process does,
    however that ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                boot_command("nursery", theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("AUTODEV_LAB_TRACE") else subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=clean_environment("/nonexistent") | {"HOME": "/"},
                cwd="/",
                start_new_session=True,
            )
        finally:
            theirs.close()
        ours.settimeout(_GUARD)
        self._channel = ours
        self.codes: dict[str, dict[str, object]] = {}  # compiled files by package; latest content of each path
        try:
            send(ours, {"runner": runner_roots()})
            receive(ours)
        except Closed as error:
            self.close()
            raise LabError("the test runner's process did not start; check that pytest works here") from error

    def room(self, tree: SourceTree | None, report: SandboxReport, limits: Limits, edits: Sequence[Edit] = ()) -> Room:
        """Fork a process into a new room, with a copy of a tree to which edits are applied.

        Raises
        ------
        LabError
            If the room cannot be built, or the edits do not fit.
        """
        home = None if report.namespaces else os.path.realpath(tempfile.mkdtemp(prefix="autodev-lab-"))
        spec = room_spec(report, limits, home=home or "/lab")
        if tree is not None:
            spec = _with_tree(spec, tree, edits)
        if home is not None:
            link_runner(home)
        ours, theirs = socket.socketpair()
        with self._lock:
            number = next(self._numbers)
            try:
                send(self._channel, {"op": "room", "id": number, "spec": spec.to_json()}, [theirs.fileno()])
            except Closed as error:
                raise LabError("the test runner's process has died; run again") from error
            finally:
                theirs.close()
        ours.settimeout(_GUARD)
        room = Room(self, number, ours, home)
        try:
            room.answer()
        except Closed as error:
            room.close()
            raise LabError("the sandbox ended while it was built; check memory and limits of this machine") from error
        except LabError:
            room.close()
            raise
        return room

    def end(self, number: int) -> None:
        """Kill a room."""
        with self._lock, contextlib.suppress(Closed):
            send(self._channel, {"op": "close", "id": number})

    def close(self) -> None:
        """End the nursery and every room."""
        self._channel.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_tree(spec: RoomSpec, tree: SourceTree, edits: Sequence[Edit]) -> RoomSpec:
    home = spec.home
    first = f"{home}/tree/{tree.import_root}".rstrip("/")
    spec = replace(
        spec,
        tree=os.path.realpath(tree.root),
        edits=tuple((edit.path, edit.start_line, edit.end_line, edit.replacement) for edit in edits),
        dependencies=os.path.realpath(tree.dependencies) if tree.dependencies else "",
    )
    path = ":".join(part for part in (first, spec.dependencies_inside) if part)
    return replace(spec, environment=(*spec.environment, ("PYTHONPATH", path)))
