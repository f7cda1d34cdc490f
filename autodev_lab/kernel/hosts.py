"""Made-up machines under the virtual runtime: a host can crash and stand still, and its clock can be wrong.

A fault needs no help from the kernel or from the code it strikes: a host runs each of its coroutines inside a thin one
that passes on every suspension, and may not come back from it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Coroutine, Generator
from typing import TypeVar

from autodev_lab.kernel.faults import Crash, Pause, SkewedClock
from autodev_lab.kernel.virtual import VirtualRuntime, VirtualSignal, _pause
from autodev_lab.records import Cost

__all__ = ["Host", "SoundHost"]

T = TypeVar("T")


class Host:
    """One process as operating systems have them, and the `autodev_lab.protocols.Runtime` of what runs on it.

    Parameters
    ----------
    runtime
        The kernel beneath; its clock is the true one.
    name
        Which agent of the world this is; its incarnations share the name.
    faults
        Crashes and pauses by step. A fault that struck is taken out, so that incarnations may share the mapping.
    clock
        How this host's clock is wrong, or None.
    struck
        Told of every fault at the moment it strikes.
    steps
        Steps that earlier incarnations made.

    Examples
    --------
    >>> runtime = VirtualRuntime()
    >>> host = Host(runtime, "h", {3: Crash("h", 3, 1.0)})
    >>> seen = []
    >>> async def work():
    ...     while True:
    ...         seen.append(host.now())
    ...         await host.sleep(1.0)
    >>> host.spawn(work(), "work")
    >>> runtime.run(runtime.sleep(10.0))
    >>> host.close()
    >>> seen, host.alive
    ([0.0, 1.0], False)
    """

    def __init__(
        self,
        runtime: VirtualRuntime,
        name: str,
        faults: dict[int, Crash | Pause] | None = None,
        clock: SkewedClock | None = None,
        struck: Callable[[Host, Crash | Pause], None] | None = None,
        steps: int = 0,
    ) -> None:
        self.name = name
        self.alive = True
        self.paused_until = 0.0
        self.steps = steps
        self.faults = {} if faults is None else faults
        self._runtime = runtime
        self._clock = clock
        self._stretch = 1.0 if clock is None else 1.0 / clock.rate
        self._struck = struck
        self._coroutines: list[Coroutine[object, object, object]] = []

    def now(self) -> float:
        """Seconds on this host's clock."""
        clock = self._clock
        return self._runtime.now() if clock is None else clock.offset + clock.rate * self._runtime.now()

    def sleep(self, seconds: float) -> Coroutine[object, object, None]:
        """Let `seconds` pass on this host's clock."""
        return _pause(self._runtime, seconds)

    def call(self, function: Callable[[], tuple[T, Cost]]) -> Coroutine[object, object, tuple[T, Cost]]:
        """Run `function` inline and resume `cost.seconds` later on this host's clock."""
        return self._runtime.call(function)

    def ask(self, function: Callable[[], tuple[T, Cost]]) -> Coroutine[object, object, tuple[T, Cost]]:
        """Run `function` as `call` does."""
        return self._runtime.call(function)

    def signal(self) -> VirtualSignal:
        """Make a new, unset signal."""
        return self._runtime.signal()

    def spawn(self, coroutine: Coroutine[object, object, None], name: str) -> None:
        """Start a coroutine on this host."""
        self._coroutines.append(coroutine)
        self._runtime.spawn(_on_host(self, coroutine), name)

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Refuse: a host is part of a world, and the world's runtime runs it."""
        main.close()
        raise RuntimeError(f"host {self.name} cannot run a world of its own; run it with the runtime beneath")

    def close(self) -> None:
        """Close the coroutines that a crash or the end of the world left suspended."""
        for coroutine in self._coroutines:
            coroutine.close()

    def strike(self, fault: Crash | Pause) -> None:
        """Let a fault happen now."""
        if isinstance(fault, Crash):
            self.alive = False
        else:
            self.paused_until = self._runtime.now() + fault.seconds
        if self._struck is not None:
            self._struck(self, fault)


class SoundHost(Host):
    """A host that no fault strikes and whose clock is right. Its coroutines run as they are, which is quicker.

    Whatever runs on it runs at the same moments, and under the same draws of the scheduler, as on a `Host` without any.
    """

    def spawn(self, coroutine: Coroutine[object, object, None], name: str) -> None:
        """Start a coroutine on this host."""
        self._coroutines.append(coroutine)
        self._runtime.spawn(coroutine, name)

    def strike(self, fault: Crash | Pause) -> None:
        """Refuse: nothing stands between this host's coroutines and the scheduler."""
        raise RuntimeError(f"host {self.name} is sound; make a Host of what shall be struck")


@types.coroutine
def _on_host(host: Host, coroutine: Coroutine[object, object, None]) -> Generator[float, object, None]:
    """Run a coroutine step by step for as long as its host lives, and not while it is paused."""
    runtime, faults, stretch, send = host._runtime, host.faults, host._stretch, coroutine.send
    while True:
        if not host.alive:
            return
        host.steps = steps = host.steps + 1
        if steps in faults:
            host.strike(faults.pop(steps))
            if not host.alive:
                return
        while host.paused_until > runtime._clock:
            yield host.paused_until
            if not host.alive:
                return
        try:
            deadline: float = send(None)  # type: ignore[assignment]  # the kernel's coroutines yield nothing else
        except StopIteration:
            return
        if stretch != 1.0 and type(deadline) is float and deadline < math.inf:
            now = runtime._clock
            deadline = now + (deadline - now) * stretch
        yield deadline
