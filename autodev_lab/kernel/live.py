"""The live runtime: the same protocol on asyncio, in real time.

Where a loop already runs in the calling thread (a Jupyter cell), the work moves to a worker thread with its own loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TypeVar

from autodev_lab.records import Cost

__all__ = ["AsyncioRuntime", "AsyncioSignal"]

T = TypeVar("T")


class AsyncioSignal:
    """The live runtime's `autodev_lab.protocols.Signal`; `set` and `clear` may be called from any thread."""

    def __init__(self, runtime: AsyncioRuntime) -> None:
        self._runtime = runtime
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake all waiters; later waits return at once until `clear`."""
        self._runtime._in_loop(self._event.set)

    def clear(self) -> None:
        """Make later waits block again."""
        self._runtime._in_loop(self._event.clear)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until set, at most `timeout` seconds; True when set, False when the time ran out."""
        if self._event.is_set():
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timeout is None else _duration(timeout)):
                await self._event.wait()
                return True
        return self._event.is_set()


class AsyncioRuntime:
    """Clock, sleep, spawn and call on asyncio. `call` and `ask` run the function in a worker thread.

    A function that a worker thread is running cannot be stopped: `run` returns, or passes Ctrl-C on, once it has ended.
    What `ask` runs is left behind instead: nobody may be there to answer, and it holds nothing that must be cleaned up.

    Examples
    --------
    >>> runtime = AsyncioRuntime()
    >>> async def main():
    ...     result, cost = await runtime.call(lambda: (21 * 2, Cost()))
    ...     return result
    >>> runtime.run(main())
    42
    """

    def __init__(self) -> None:
        self._epoch = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._failure: asyncio.Future[None] | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._early: list[tuple[Coroutine[object, object, None], str]] = []

    # ------------------------------------------------------------------------------------- the protocol

    def now(self) -> float:
        """Seconds since the runtime was made, on the monotonic clock."""
        return time.monotonic() - self._epoch

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(_duration(seconds))

    async def call(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """Run `function` in a worker thread; its cost is reported, not slept."""
        return await asyncio.to_thread(function)

    async def ask(self, function: Callable[[], tuple[T, Cost]]) -> tuple[T, Cost]:
        """Run `function`, which may wait for a person, in a thread that the end of `run` and of Python leaves alone."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[T, Cost]] = loop.create_future()
        context = contextvars.copy_context()

        def tell(result: tuple[T, Cost] | None, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif result is not None:
                answer.set_result(result)

        def work() -> None:
            result: tuple[T, Cost] | None = None
            failure: BaseException | None = None
            try:
                result = context.run(function)
            except BaseException as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
                loop.call_soon_threadsafe(tell, result, failure)

        threading.Thread(target=work, name="autodev-lab-question", daemon=True).start()
        return await answer

    def spawn(self, coroutine: Coroutine[object, object, None], name: str) -> None:
        """Start a coroutine of its own, now or when `run` begins. An exception in it ends `run` with that exception."""
        if self._loop is None:
            self._early.append((coroutine, name))
            return
        task = self._loop.create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def signal(self) -> AsyncioSignal:
        """Make a new, unset signal."""
        return AsyncioSignal(self)

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Run `main` to its end and return its result; what it spawned and left running is cancelled.

        Raises
        ------
        RuntimeError
            If this runtime is already running.
        """
        if self._loop is not None:
            main.close()
            raise RuntimeError("this runtime is already running; make a second AsyncioRuntime for a nested run")
        if _loop_runs_here():
            return self._run_in_thread(main)
        with asyncio.Runner() as runner:
            return runner.run(self._supervise(main))

    # ---------------------------------------------------------------------------------------- machinery

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Do `action` in the loop's thread: at once when we are in it or no loop runs yet."""
        if self._loop is None or threading.get_ident() == self._thread:
            action()
        else:
            self._loop.call_soon_threadsafe(action)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def _supervise(self, main: Coroutine[object, object, T]) -> T:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._failure = self._loop.create_future()
        main_task = self._loop.create_task(main, name="main")
        early, self._early = self._early, []
        for coroutine, name in early:
            self.spawn(coroutine, name)
        failure: BaseException | None = None
        try:
            ends: set[asyncio.Future[T] | asyncio.Future[None]] = {main_task, self._failure}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            return main_task.result()
        except BaseException as error:
            failure = error
            raise
        finally:
            raised = failure
            errors = await self._cancel_leftovers(main_task)
            if self._failure.done():
                self._failure.exception()
            else:
                self._failure.cancel()
            self._loop = None
            for broken in errors:
                if raised is None:
                    raised = broken
                else:
                    raised.add_note(f"a cleanup failed, too: {broken!r}")
            if raised is not None and failure is None:
                raise raised

    async def _cancel_leftovers(self, main_task: asyncio.Task[T]) -> list[BaseException]:
        """Cancel what still runs, newest first, also what a cleanup spawns; returns errors of the cleanups."""
        errors: list[BaseException] = []
        waiting: list[asyncio.Task[T] | asyncio.Task[None]] = [] if main_task.done() else [main_task]
        waiting.extend(reversed(self._tasks))
        while waiting:
            for task in waiting:
                task.cancel()
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            errors += [
                end for end in ended if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError)
            ]
            waiting = list(reversed(self._tasks))
        return errors

    def _run_in_thread(self, main: Coroutine[object, object, T]) -> T:
        """Run in a worker thread because this thread's loop is busy; Ctrl-C here cancels there."""
        results: list[T] = []
        errors: list[BaseException] = []
        started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

        async def supervised() -> T:
            task = asyncio.current_task()
            assert task is not None
            started.append((asyncio.get_running_loop(), task))
            return await self._supervise(main)

        def work() -> None:
            try:
                with asyncio.Runner() as runner:
                    results.append(runner.run(supervised()))
            except BaseException as error:
                errors.append(error)
            finally:
                finished.set()

        finished = threading.Event()  # an interrupted Thread.join wrongly takes the thread for ended (Python 3.11)
        thread = threading.Thread(target=work, name="autodev-lab-runtime")
        thread.start()
        try:
            finished.wait()
        except BaseException:
            for loop, task in started:
                with contextlib.suppress(RuntimeError):  # the loop may have closed in between
                    loop.call_soon_threadsafe(task.cancel)
            finished.wait()
            raise
        finally:
            if finished.is_set():
                thread.join()
        if errors:
            raise errors[0]
        return results[0]


def _loop_runs_here() -> bool:
    """Whether this thread is busy with an asyncio loop, as a Jupyter cell's is."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _duration(seconds: float) -> float:
    """Check a number of seconds."""
    if not seconds >= 0.0:
        raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
    return float(seconds)
