"""Both runtimes keep the contract; what is special to each is tested beside it."""

from __future__ import annotations

import asyncio
import signal as signals
import threading

import pytest

from autodev_lab.kernel import AsyncioRuntime, DeadlockError, VirtualRuntime
from autodev_lab.records import Cost
from autodev_lab.testing.check_runtime import check_runtime


@pytest.mark.parametrize("seed", range(5))
def test_virtual_runtime_keeps_the_contract(seed):
    check_runtime(lambda: VirtualRuntime(seed))


def test_asyncio_runtime_keeps_the_contract():
    check_runtime(AsyncioRuntime)


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_both_keep_the_contract_inside_a_running_loop(make):
    async def cell():
        check_runtime(make)

    asyncio.run(cell())


def schedule(seed):
    runtime = VirtualRuntime(seed)
    trace = []

    async def worker(name):
        for step in range(4):
            trace.append((name, step))
            await runtime.sleep(1.0)

    async def main():
        for name in "abcde":
            runtime.spawn(worker(name), name)
        await runtime.sleep(10.0)

    runtime.run(main())
    return trace


def test_a_seed_gives_one_schedule_and_seeds_differ():
    assert schedule(7) == schedule(7)
    assert len({tuple(schedule(seed)) for seed in range(20)}) == 20


def test_every_order_of_two_runnable_coroutines_occurs():
    def first(seed):
        return schedule(seed)[0][0]

    assert {first(seed) for seed in range(60)} == set("abcde")


def test_virtual_time_is_exact_and_costs_no_real_time():
    runtime = VirtualRuntime()

    async def main():
        await runtime.sleep(1e9)
        result, _ = await runtime.call(lambda: ("x", Cost(seconds=0.25)))
        return result, runtime.now()

    assert runtime.run(main()) == ("x", 1e9 + 0.25)


def test_timeout_and_signal_at_the_same_moment_count_as_set():
    for seed in range(20):
        runtime = VirtualRuntime(seed)

        async def waits(signal, seen, runtime=runtime):
            seen.append((await signal.wait(timeout=5.0), runtime.now()))

        async def main(runtime=runtime, waits=waits):
            signal, seen = runtime.signal(), []
            runtime.spawn(waits(signal, seen), "waits")
            await runtime.sleep(5.0)
            signal.set()
            await runtime.sleep(1.0)
            return seen

        ((woken, at),) = runtime.run(main())
        assert at == 5.0
        assert isinstance(woken, bool)


def test_a_void_timer_neither_moves_the_clock_nor_piles_up():
    runtime = VirtualRuntime()
    signal = runtime.signal()

    async def waiter():
        while True:
            await signal.wait(timeout=1e6)
            signal.clear()

    async def main():
        runtime.spawn(waiter(), "waiter")
        for _ in range(5000):
            await runtime.sleep(1.0)
            signal.set()
        return runtime.now()

    assert runtime.run(main()) == 5000.0
    assert len(runtime._timers) < 500


def test_deadlock_names_who_waits_where():
    runtime = VirtualRuntime()

    async def helper():
        await runtime.signal().wait()

    async def main():
        runtime.spawn(helper(), "the helper")
        await runtime.sleep(3.0)
        await runtime.signal().wait()

    with pytest.raises(DeadlockError, match=r"virtual second 3.*the helper waits for a signal.*helper \(test_runtimes"):
        runtime.run(main())


def test_waiting_for_asyncio_under_the_virtual_runtime_is_refused_in_words():
    runtime = VirtualRuntime()

    async def main():
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="not of this runtime"):
        runtime.run(main())


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_negative_seconds_are_refused(make, seconds):
    runtime = make()
    with pytest.raises(ValueError, match="0 or more"):
        runtime.run(runtime.sleep(seconds))


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_a_nested_run_is_refused(make):
    runtime = make()

    async def inner():
        return None

    async def main():
        runtime.run(inner())

    with pytest.raises(RuntimeError, match="already running"):
        runtime.run(main())


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_a_failing_cleanup_is_not_swallowed(make):
    runtime = make()

    async def stubborn():
        try:
            await runtime.signal().wait()
        finally:
            raise LookupError("cleanup failed")

    async def main():
        runtime.spawn(stubborn(), "stubborn")
        await runtime.sleep(0.001)

    try:
        raise ValueError("something else that is being handled")
    except ValueError:
        with pytest.raises(LookupError, match="cleanup failed"):
            runtime.run(main())


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_a_failing_cleanup_is_noted_on_the_failure_that_ended_the_run(make):
    runtime = make()

    async def stubborn():
        try:
            await runtime.signal().wait()
        finally:
            raise LookupError("cleanup failed")

    async def main():
        runtime.spawn(stubborn(), "stubborn")
        await runtime.sleep(0.001)
        raise ArithmeticError("the real trouble")

    with pytest.raises(ArithmeticError) as caught:
        runtime.run(main())
    assert any("cleanup failed" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_coroutines_spawned_before_run_start_with_it(make):
    runtime = make()
    seen = []

    async def early():
        seen.append("early")

    async def main():
        await runtime.sleep(0.001)

    runtime.spawn(early(), "early")
    runtime.run(main())
    assert seen == ["early"]


def test_the_checkpoint_sees_every_suspension_and_may_delay_it():
    seen = []

    def late(name, now, deadline):
        seen.append((name, now, deadline))
        return deadline + 10.0

    runtime = VirtualRuntime(checkpoint=late)

    async def main():
        await runtime.sleep(1.0)
        await runtime.call(lambda: (None, Cost(seconds=2.0)))
        return runtime.now()

    assert runtime.run(main()) == 23.0
    assert seen == [("main", 0.0, 1.0), ("main", 11.0, 13.0)]


@pytest.mark.parametrize("make", [VirtualRuntime, AsyncioRuntime])
def test_keyboard_interrupt_ends_the_run_and_closes_what_is_left(make):
    runtime = make()
    closed = []

    async def busy():
        try:
            while True:
                await runtime.sleep(0.001)
        finally:
            closed.append(True)

    async def main():
        runtime.spawn(busy(), "busy")
        await runtime.sleep(0.01)
        signals.raise_signal(signals.SIGINT)
        await runtime.sleep(3600.0 if make is AsyncioRuntime else 1e12)

    with pytest.raises(KeyboardInterrupt):
        runtime.run(main())
    assert closed == [True]


def test_interrupting_a_live_run_inside_a_running_loop_leaves_no_thread():
    runtime = AsyncioRuntime()
    main_thread = threading.main_thread()

    async def main():
        await runtime.sleep(0.02)
        signals.pthread_kill(main_thread.ident, signals.SIGINT)
        await runtime.sleep(3600.0)

    async def cell():
        runtime.run(main())

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        loop.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "autodev-lab-runtime"] == []


def test_a_live_signal_can_be_set_from_another_thread():
    runtime = AsyncioRuntime()

    async def main():
        signal = runtime.signal()
        thread = threading.Thread(target=signal.set)
        thread.start()
        woken = await signal.wait()
        thread.join()
        return woken

    assert runtime.run(main()) is True
