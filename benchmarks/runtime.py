"""The virtual kernel against SimPy on the same model, in one run.

Twenty processes sleep for exponentially distributed times, and every tenth wake-up also fires a signal that a partner
waits for. Each side runs the model several times in turn; the best of each side counts, because noise only slows down.

    python benchmarks/runtime.py [--json] [--seconds VIRTUAL_SECONDS] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import random
import sys
import time
from collections.abc import Callable

from autodev_lab.kernel import VirtualRuntime

PROCESSES = 20
SIGNAL_EVERY = 10


def run_kernel(seconds: float) -> tuple[int, float]:
    """Run the model on the virtual kernel; returns (wake-ups, processor seconds)."""
    runtime = VirtualRuntime(seed=1)
    wakes = 0

    async def sleeper(seed: int, partner) -> None:
        nonlocal wakes
        rng = random.Random(seed)
        count = 0
        while True:
            await runtime.sleep(rng.expovariate(1.0))
            wakes += 1
            count += 1
            if count % SIGNAL_EVERY == 0:
                partner.set()

    async def waiter(signal) -> None:
        nonlocal wakes
        while True:
            await signal.wait()
            signal.clear()
            wakes += 1

    async def main() -> None:
        for seed in range(PROCESSES):
            signal = runtime.signal()
            runtime.spawn(sleeper(seed, signal), f"sleeper {seed}")
            runtime.spawn(waiter(signal), f"waiter {seed}")
        await runtime.sleep(seconds)

    start = time.process_time()
    runtime.run(main())
    return wakes, time.process_time() - start


def run_simpy(seconds: float) -> tuple[int, float]:
    """Run the same model on SimPy; returns (wake-ups, processor seconds)."""
    import simpy

    environment = simpy.Environment()
    wakes = 0

    def sleeper(seed: int, box: list):
        nonlocal wakes
        rng = random.Random(seed)
        count = 0
        while True:
            yield environment.timeout(rng.expovariate(1.0))
            wakes += 1
            count += 1
            if count % SIGNAL_EVERY == 0 and not box[0].triggered:
                box[0].succeed()

    def waiter(box: list):
        nonlocal wakes
        while True:
            yield box[0]
            box[0] = environment.event()
            wakes += 1

    for seed in range(PROCESSES):
        box = [environment.event()]
        environment.process(sleeper(seed, box))
        environment.process(waiter(box))
    start = time.process_time()
    environment.run(until=seconds)
    return wakes, time.process_time() - start


def best(run: Callable[[float], tuple[int, float]], seconds: float) -> tuple[int, float]:
    """One round: (wake-ups, wake-ups a second)."""
    wakes, spent = run(seconds)
    return wakes, wakes / spent


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=5000.0, help="virtual seconds a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds a side")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("simpy") is None:
        print("SimPy is not installed; run: python -m pip install simpy", file=sys.stderr)
        return 2
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(best(run_kernel, options.seconds))
        theirs.append(best(run_simpy, options.seconds))
    if {wakes for wakes, _ in ours} != {wakes for wakes, _ in theirs}:
        print(f"the models differ: {ours[0][0]} and {theirs[0][0]} wake-ups", file=sys.stderr)
        return 1
    kernel, simpy = max(rate for _, rate in ours), max(rate for _, rate in theirs)
    result = {
        "benchmark": "runtime",
        "ratio": kernel / simpy,
        "kernel_events_per_second": kernel,
        "simpy_events_per_second": simpy,
        "events": ours[0][0],
        "rounds": options.rounds,
        "versions": {
            "autodev_lab": importlib.metadata.version("autodev-lab"),
            "simpy": importlib.metadata.version("simpy"),
            "python": platform.python_version(),
        },
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(f"virtual kernel {kernel:,.0f} events/s, SimPy {simpy:,.0f} events/s: ratio {kernel / simpy:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
