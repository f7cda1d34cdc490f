"""Hosts crash, stand still and have wrong clocks, and what runs on them cannot prevent it; plans come from a seed."""

from __future__ import annotations

import random

import pytest

from autodev_lab.kernel import VirtualRuntime
from autodev_lab.kernel.faults import Crash, FaultMix, Pause, SkewedClock, draw_faults
from autodev_lab.kernel.hosts import Host, SoundHost
from autodev_lab.records import Cost


def ticking(host, seen):
    async def tick():
        try:
            while True:
                seen.append(host._runtime.now())
                await host.sleep(1.0)
        finally:
            seen.append("cleaned up")

    return tick()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_crash_ends_all_of_a_host_at_any_step_and_cleans_nothing_up(step):
    runtime, one, two = VirtualRuntime(), [], []
    host = Host(runtime, "h", {2 * step - 1: Crash("h", 2 * step - 1, 1.0)})
    host.spawn(ticking(host, one), "one")
    host.spawn(ticking(host, two), "two")
    runtime.run(runtime.sleep(10.0))
    assert not host.alive
    assert {len(one), len(two)} == {step - 1}
    host.close()
    assert one[step - 1 :] == two[step - 1 :] == (["cleaned up"] if step > 1 else [])


def test_a_pause_holds_every_coroutine_and_lets_it_go_on():
    runtime, seen, other = VirtualRuntime(), [], []
    host = Host(runtime, "h", {3: Pause("h", 3, 7.5)})
    free = Host(runtime, "free")
    host.spawn(ticking(host, seen), "ticks")
    free.spawn(ticking(free, other), "ticks")
    runtime.run(runtime.sleep(11.0))
    assert seen[:4] == [0.0, 1.0, 9.5, 10.5]
    assert other[:11] == [float(second) for second in range(11)]


def test_a_signal_does_not_wake_a_host_that_stands_still_and_is_not_lost():
    runtime = VirtualRuntime()
    host = Host(runtime, "h", {2: Pause("h", 2, 5.0)})
    signal, seen = host.signal(), []

    async def waits():
        seen.append((await signal.wait(timeout=60.0), runtime.now()))
        seen.append((await host.call(lambda: ("worked", Cost(seconds=1.0))))[0])

    async def main():
        host.spawn(waits(), "waits")
        await runtime.sleep(1.0)
        signal.set()
        await runtime.sleep(10.0)

    runtime.run(main())
    assert seen == [(True, 6.0), "worked"]


def test_timers_run_at_the_rate_of_the_hosts_clock():
    runtime, seen = VirtualRuntime(), []
    host = Host(runtime, "h", clock=SkewedClock("h", 0.5, 100.0))
    host.spawn(ticking(host, seen), "ticks")

    async def main():
        await runtime.sleep(5.0)
        return host.now()

    assert runtime.run(main()) == 102.5
    assert seen[:3] == [0.0, 2.0, 4.0]


def test_a_host_cannot_run_a_world():
    host = Host(VirtualRuntime(), "h")
    with pytest.raises(RuntimeError, match="host h cannot run"):
        host.run(host.sleep(1.0))


def test_a_clock_that_stands_is_refused():
    with pytest.raises(ValueError, match="rate"):
        SkewedClock("h", 0.0, 0.0)


def test_a_plan_comes_from_its_seed_and_holds_every_kind():
    hosts = ["a", "b"]
    plans = [draw_faults(random.Random(seed), hosts, FaultMix(skewed=0.5)) for seed in range(40)]
    assert plans == [draw_faults(random.Random(seed), hosts, FaultMix(skewed=0.5)) for seed in range(40)]
    assert len({fault.kind for plan in plans for fault in plan}) == 7
    assert draw_faults(random.Random(1), hosts, FaultMix(0, 0, 0, 0, 0.0)) == ()


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_host_runs_as_one_without_faults(seed):
    def run(make):
        runtime, seen = VirtualRuntime(seed=seed), []
        hosts = [make(runtime, f"h{number}") for number in range(3)]

        async def work(host, signal):
            for _ in range(4):
                await host.sleep(1.0)
                seen.append((host.name, host.now()))
                signal.set()

        for host in hosts:
            signal = host.signal()
            host.spawn(work(host, signal), host.name)
        runtime.run(runtime.sleep(3.5))
        for host in hosts:
            host.close()
        return seen, runtime.events

    assert run(SoundHost) == run(Host)


def test_a_sound_host_cannot_be_struck():
    with pytest.raises(RuntimeError, match="host h is sound"):
        SoundHost(VirtualRuntime(), "h").strike(Crash("h", 1, 1.0))
