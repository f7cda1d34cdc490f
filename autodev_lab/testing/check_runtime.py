"""Contract suite for runtimes: the promises that agents rely on, virtual or real."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar

from autodev_lab.protocols import Runtime, Signal
from autodev_lab.records import Cost

__all__ = ["check_runtime"]

T = TypeVar("T")


class _SpawnedError(Exception):
    """What a spawned coroutine of the suite raises."""


def check_runtime(make: Callable[[], Runtime], *, tick: float = 0.01) -> None:
    """Check that a runtime keeps its promises.

    Parameters
    ----------
    make
        Makes a fresh runtime.
    tick
        Seconds that the suite treats as a short while; small, because a live runtime really waits.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.kernel.virtual import VirtualRuntime
    >>> check_runtime(lambda: VirtualRuntime(seed=0))
    """
    _check_result_and_clock(make(), tick)
    _check_call(make())
    _check_signal(make(), tick)
    _check_spawned_run(make(), tick)
    _check_main_error(make())
    _check_spawned_error(make())
    _check_leftovers(make(), tick)


def _check_result_and_clock(runtime: Runtime, tick: float) -> None:
    async def main() -> tuple[float, float]:
        before = runtime.now()
        await runtime.sleep(tick)
        return before, runtime.now()

    before, after = runtime.run(main())
    # A live loop may wake a sleeper one tick of its clock early.
    assert after - before >= tick * 0.9, (
        f"sleep({tick}) must let that much time pass, but now() grew by {after - before}"
    )


def _check_call(runtime: Runtime) -> None:
    async def main() -> list[tuple[str, tuple[str, Cost], bool]]:
        seen = []
        for name, way in (("call", runtime.call), ("ask", runtime.ask)):
            answer = await way(lambda: ("result", Cost(candidates=3)))
            raised = False
            try:
                await way(_raise)
            except _SpawnedError:
                raised = True
            seen.append((name, answer, raised))
        return seen

    for name, answer, raised in runtime.run(main()):
        assert answer == ("result", Cost(candidates=3)), f"{name} must return the function's (result, cost)"
        assert raised, f"{name} must raise what the function raises, where it is awaited"


def _raise() -> tuple[str, Cost]:
    raise _SpawnedError


def _check_signal(runtime: Runtime, tick: float) -> None:
    async def waiter(signal: Signal, woken: list[bool]) -> None:
        woken.append(await signal.wait())

    async def main() -> tuple[bool, list[bool], bool, bool]:
        signal = runtime.signal()
        early = await signal.wait(timeout=tick)
        woken: list[bool] = []
        for number in range(2):
            runtime.spawn(waiter(signal, woken), f"waiter {number}")
        await runtime.sleep(tick)
        signal.set()
        await runtime.sleep(tick)
        set_already = await signal.wait(timeout=tick)
        signal.clear()
        cleared = await signal.wait(timeout=tick)
        return early, woken, set_already, cleared

    early, woken, set_already, cleared = runtime.run(main())
    assert early is False, "wait on an unset signal must return False when its time has run out"
    assert woken == [True, True], f"set must wake all waiters with True, but they returned {woken}"
    assert set_already is True, "wait on a set signal must return True"
    assert cleared is False, "wait must block again after clear"


def _check_spawned_run(runtime: Runtime, tick: float) -> None:
    seen: list[str] = []

    async def worker(name: str) -> None:
        seen.append(f"{name} starts")
        await runtime.sleep(tick)
        seen.append(f"{name} ends")

    async def main() -> None:
        runtime.spawn(worker("a"), "a")
        runtime.spawn(worker("b"), "b")
        assert not seen, "spawn must not run the coroutine before the caller waits"
        await runtime.sleep(tick * 5)

    runtime.run(main())
    starts = sorted(seen[:2])
    assert starts == ["a starts", "b starts"], f"spawned coroutines must run side by side, but this happened: {seen}"
    assert sorted(seen[2:]) == ["a ends", "b ends"], f"spawned coroutines must run to their end, but saw: {seen}"


def _check_main_error(runtime: Runtime) -> None:
    async def main() -> None:
        raise _SpawnedError

    assert _raises(runtime, main()), "run must raise what main raises"


def _check_spawned_error(runtime: Runtime) -> None:
    async def fails() -> None:
        raise _SpawnedError

    async def main() -> None:
        runtime.spawn(fails(), "fails")
        await runtime.signal().wait()

    assert _raises(runtime, main()), "an exception in a spawned coroutine must end run with that exception"


def _raises(runtime: Runtime, main: Coroutine[object, object, None]) -> bool:
    try:
        runtime.run(main)
    except _SpawnedError:
        return True
    return False


def _check_leftovers(runtime: Runtime, tick: float) -> None:
    ended: list[str] = []

    async def waits(signal: Signal) -> None:
        try:
            await signal.wait()
        finally:
            ended.append("waiting")

    async def hardly_started() -> None:
        await runtime.sleep(3600.0)
        ended.append("went on after the end")

    async def main() -> str:
        runtime.spawn(waits(runtime.signal()), "waits")
        await runtime.sleep(tick)
        runtime.spawn(hardly_started(), "hardly started")
        return "done"

    result = runtime.run(main())
    assert result == "done", f"run must return main's result, not {result!r}"
    assert ended == ["waiting"], (
        "run must cancel what was spawned and still runs (its finally blocks run, nothing goes on), "
        f"but this happened: {ended}"
    )
