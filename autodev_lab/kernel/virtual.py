"""The virtual runtime: a seeded coroutine scheduler over a virtual clock, in one thread and without asyncio.

Why not asyncio is told in ``docs/why-not-asyncio.md``. A coroutine suspends by yielding the virtual second at which it
wants to go on; infinity means that something else must wake it. Everything else is built on that.
"""

from __future__ import annotations

import heapq
import math
import random
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import PurePath
from typing import TypeVar

from autodev_lab.records import Cost

__all__ = ["Checkpoint", "DeadlockError", "VirtualRuntime", "VirtualSignal"]

T = TypeVar("T")

Checkpoint = Callable[[str, float, float], float]
"""Called at every suspension with (process, now, deadline); returns the deadline to use instead (a seam for faults)."""

_FOREVER = math.inf
_COMPACT_ABOVE = 64


class DeadlockError(RuntimeError):
    """Nothing can run any more and the main coroutine has not finished; the message names what each one waits for."""


class _Process:
    """One coroutine of the scheduler. ``turn`` grows at each wake-up, which makes older timers and waits void."""

    __slots__ = ("coroutine", "deadline", "name", "send", "turn", "woken")

    def __init__(self, coroutine: Coroutine[object, object, object], name: str) -> None:
        self.coroutine = coroutine
        self.name = name
        self.send = coroutine.send
        self.turn = 0
        self.woken = False
        self.deadline = _FOREVER


@types.coroutine
def _suspend(deadline: float) -> Generator[float, object, None]:
    """Hand control to the scheduler until `deadline` (virtual seconds), or until woken."""
    yield deadline


@types.coroutine
def _pause(runtime: VirtualRuntime, seconds: float) -> Generator[float, object, None]:
    """`VirtualRuntime.sleep` in one frame: it is what coroutines do most."""
    if not seconds >= 0.0:
        _duration(seconds)
    yield runtime._clock + seconds


class VirtualSignal:
    """The virtual runtime's `autodev_lab.protocols.Signal`."""

    __slots__ = ("_is_set", "_runtime", "_waiting")

    def __init__(self, runtime: VirtualRuntime) -> None:
        self._runtime = runtime
        self._is_set = False
        self._waiting: list[tuple[_Process, int]] = []

    def set(self) -> None:
        """Wake all waiters; later waits return at once until `clear`."""
        self._is_set = True
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for process, turn in waiting:
                if process.turn == turn:
                    self._runtime._wake(process)

    def clear(self) -> None:
        """Make later waits block again."""
        self._is_set = False

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until set, at most `timeout` virtual seconds; True when set, False when the time ran out."""
        if self._is_set:
            return True
        process = self._runtime._current_process()
        entry = (process, process.turn)
        self._waiting.append(entry)
        if timeout is None:
            await _suspend(_FOREVER)
        else:
            await _pause(self._runtime, timeout)
        if process.woken:
            process.woken = False
            return True
        if entry in self._waiting:
            self._waiting.remove(entry)
        return self._is_set


class VirtualRuntime:
    """Clock, sleep, spawn and call in virtual time; the same seed gives the same schedule, another seed another.

    Among the coroutines that can run at the same virtual second one is chosen at random, so that no program comes to
    depend on an order that the real world does not promise.

    Parameters
    ----------
    seed
        Seed of the choice among runnable coroutines.
    checkpoint
        Sees every suspension and may move its deadline; None leaves them alone.

    Examples
    --------
    >>> runtime = VirtualRuntime(seed=1)
    >>> async def main():
    ...     await runtime.sleep(3600.0)
    ...     return runtime.now()
    >>> runtime.run(main())
    3600.0
    """

    def __init__(self, seed: int = 0, *, checkpoint: Checkpoint | None = None) -> None:
        self._random = random.Random(seed).random
        self._checkpoint = checkpoint
        self._clock = 0.0
        self._order = 0
        self._stale = 0
        self._timers: list[tuple[float, int, _Process, int]] = []
        self._ready: list[_Process] = []
        self._processes: dict[_Process, None] = {}
        self._current: _Process | None = None
        self._running = False
        self.events = 0

    # ------------------------------------------------------------------------------------- the protocol

    def now(self) -> float:
        """Virtual seconds since the runtime started."""
        return self._clock

    def sleep(self, seconds: float) -> Coroutine[object, object, None]:
        """Let `seconds` of virtual time pass; 0 lets the others run first.

        Raises
        ------
        ValueError
            If `seconds` is negative or not a number.
        """
        return _pause(self, seconds)

    async def call(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """Run `function` inline and resume `cost.seconds` virtual seconds later."""
        result, cost = function()
        await _suspend(self._clock + _duration(cost.seconds))
        return result, cost

    def ask(self, function: Callable[[], tuple[T, Cost]]) -> Coroutine[object, object, tuple[T, Cost]]:
        """Run `function` as `call` does: here nobody really waits for a person."""
        return self.call(function)

    def spawn(self, coroutine: Coroutine[object, object, None], name: str) -> None:
        """Start a coroutine of its own, now or when `run` begins. An exception in it ends `run` with that exception."""
        self._start(coroutine, name)

    def signal(self) -> VirtualSignal:
        """Make a new, unset signal."""
        return VirtualSignal(self)

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Run `main` to its end and return its result; what it spawned and left running is closed.

        Raises
        ------
        DeadlockError
            If nothing can run any more and `main` has not finished.
        RuntimeError
            If this runtime is already running.
        """
        if self._running:
            main.close()
            raise RuntimeError("this virtual runtime is already running; make a second VirtualRuntime for a nested run")
        self._running = True
        failure: BaseException | None = None
        try:
            return self._loop(self._start(main, "main"))  # type: ignore[return-value]  # what main returned
        except BaseException as error:
            failure = error
            raise
        finally:
            self._running = False
            self._current = None
            self._close_leftovers(failure)
            failure = None  # an exception must not hold the frame that holds it

    # ------------------------------------------------------------------------------------- the scheduler

    def _start(self, coroutine: Coroutine[object, object, object], name: str) -> _Process:
        process = _Process(coroutine, name)
        self._processes[process] = None
        self._ready.append(process)
        return process

    def _current_process(self) -> _Process:
        if self._current is None:
            raise RuntimeError("only a coroutine that this virtual runtime runs can wait for its signals")
        return self._current

    def _wake(self, process: _Process) -> None:
        """Make a suspended process runnable before its timer."""
        if process.deadline < _FOREVER:
            self._stale += 1
            if self._stale > _COMPACT_ABOVE and self._stale * 2 > len(self._timers):
                self._timers[:] = [
                    timer for timer in self._timers if timer[2].turn == timer[3] and timer[2] is not process
                ]
                heapq.heapify(self._timers)
                self._stale = 0
        process.turn += 1
        process.woken = True
        self._ready.append(process)

    def _one_of(self, process: _Process) -> _Process:
        """Choose one of those due now: `process` and whoever else has a timer for this very moment."""
        timers, ready, moment = self._timers, self._ready, self._clock
        ready.append(process)
        while timers and timers[0][0] == moment:
            _, _, other, turn = heapq.heappop(timers)
            if other.turn == turn:
                other.turn = turn + 1
                ready.append(other)
            else:
                self._stale -= 1
        return self._choose()

    def _choose(self) -> _Process:
        """Take one of the runnable processes, each with the same probability."""
        ready = self._ready
        last = ready.pop()
        if not ready:
            return last
        index = int(self._random() * (len(ready) + 1))
        if index == len(ready):
            return last
        chosen = ready[index]
        ready[index] = last
        return chosen

    def _loop(self, main: _Process) -> object:
        """Run processes until `main` ends; every suspension of every coroutine passes through this function.

        The commonest paths stand here in full, because a function call an event would cost a fifth of the speed.
        """
        checkpoint, ready, timers = self._checkpoint, self._ready, self._timers
        push, pop = heapq.heappush, heapq.heappop
        while True:
            if ready:
                process = self._choose() if len(ready) > 1 else ready.pop()
            elif timers:
                moment, _, process, turn = pop(timers)
                if process.turn != turn:
                    self._stale -= 1
                    continue
                process.turn = turn + 1
                self._clock = moment
                if timers and timers[0][0] == moment:
                    process = self._one_of(process)
            else:
                raise DeadlockError(self._deadlock_message())
            self._current = process
            self.events += 1
            try:
                deadline = process.send(None)
            except StopIteration as stop:
                self._current = None
                del self._processes[process]
                if process is main:
                    return stop.value
                continue
            except BaseException:
                self._current = None
                del self._processes[process]
                raise
            if type(deadline) is not float:
                raise TypeError(
                    f"{process.name} awaited {deadline!r}, which is not of this runtime; "
                    "use the runtime's sleep, call and signals instead of asyncio's"
                )
            if checkpoint is not None:
                self._current = None
                deadline = checkpoint(process.name, self._clock, deadline)
            process.deadline = deadline
            if self._clock < deadline < _FOREVER:
                self._order = order = self._order + 1
                push(timers, (deadline, order, process, process.turn))
            elif deadline < _FOREVER:
                process.deadline = _FOREVER
                process.turn += 1
                ready.append(process)

    # ------------------------------------------------------------------------------------------- endings

    def _close_leftovers(self, failure: BaseException | None) -> None:
        """Close what is still suspended, newest first.

        The first cleanup that fails is raised, unless `run` fails anyway; the others are noted on what is raised.
        """
        raised = failure
        while self._processes:
            process, _ = self._processes.popitem()
            try:
                process.coroutine.close()
            except BaseException as error:
                if raised is None:
                    raised = error
                else:
                    raised.add_note(f"closing {process.name} failed, too: {error!r}")
        self._timers.clear()
        self._ready.clear()
        self._stale = 0
        if raised is not None and failure is None:
            raise raised

    def _deadlock_message(self) -> str:
        waits = "; ".join(f"{process.name} waits {_place(process.coroutine)}" for process in self._processes)
        return f"deadlock at virtual second {self._clock:g}: nothing can run any more ({waits})"


def _duration(seconds: float) -> float:
    """Check a number of seconds."""
    if not seconds >= 0.0:
        raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
    return float(seconds)


def _place(coroutine: Coroutine[object, object, object]) -> str:
    """Where a suspended coroutine stands: its innermost frame outside this file, for the deadlock message."""
    frames: list[types.FrameType] = []
    awaited: object = coroutine
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            frames.append(frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    what = "for a signal" if any(frame.f_code is VirtualSignal.wait.__code__ for frame in frames) else "for a wake-up"
    outside = [frame for frame in frames if frame.f_code.co_filename != __file__]
    if not outside:
        return what
    frame = outside[-1]
    return f"{what} in {frame.f_code.co_qualname} ({PurePath(frame.f_code.co_filename).name}:{frame.f_lineno})"
