"""Faults on real processes: agents are killed and stopped, Redis is killed and started again, connections are cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from autodev_lab.chaos.proxy import Proxy
from autodev_lab.integrations.redis_process import RedisProcess
from autodev_lab.processes import Child

__all__ = ["Breaker", "Strike"]

_KILL, _STOP, _CUT, _RESTART = 0.5, 0.4, 0.4, 0.12
_BLIND_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that was injected: at which second of the campaign, what, and whom it hit."""

    at: float
    kind: str
    what: str


class Breaker:
    """Draws faults and injects them.

    Parameters
    ----------
    rng
        Decides what is broken.
    running
        The agents' processes, by post.
    lease_seconds
        A stopped agent stands still for longer than that.
    proxy
        What agents reach Redis through; None when connections cannot be cut.
    redis
        The server; None when it is not ours to kill.
    """

    def __init__(
        self,
        rng: random.Random,
        running: Callable[[], Mapping[str, Child]],
        lease_seconds: float,
        proxy: Proxy | None,
        redis: RedisProcess | None,
    ) -> None:
        self._rng = rng
        self._whom = random.Random(
            rng.random()
        )  # how often it is asked depends on who is there; what is drawn must not
        self._running = running
        self._lease_seconds = lease_seconds
        self._proxy = proxy
        self._redis = redis
        self._begun = time.monotonic()
        self._later: set[asyncio.Task[None]] = set()
        self._stopped: set[int] = set()
        self.strikes: list[Strike] = []
        self.counts: Counter[str] = Counter()

    async def strike(self) -> None:
        """Inject what the draw says; something always happens."""
        rng = self._rng
        kill, stop, cut, restart = (rng.random() < chance for chance in (_KILL, _STOP, _CUT, _RESTART))
        if restart and self._redis is not None:
            self._begin(self._restart(self._redis, 0.3 * rng.random()))
        if cut and self._proxy is not None:
            self._begin(self._cut(self._proxy, rng.random() < 0.5, 0.2 * rng.random()))
        if stop:
            self._stop(self._lease_seconds * rng.uniform(1.1, 2.0))
        if kill or not (stop or cut or restart):
            self._kill()

    async def calm(self) -> None:
        """Wait until every stopped agent goes on and Redis is back."""
        while self._later:
            await asyncio.gather(*self._later)

    async def close(self) -> None:
        """Let go of what is still to come, and leave nobody stopped."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    def _note(self, kind: str, what: str) -> None:
        self.strikes.append(Strike(round(time.monotonic() - self._begun, 3), kind, what))
        self.counts[kind] += 1

    def _begin(self, action: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(action)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _pick(self) -> tuple[str, Child] | None:
        """An agent that is there and not stopped."""
        there = sorted((name, child) for name, child in self._running().items() if child.pid not in self._stopped)
        return self._whom.choice(there) if there else None

    def _kill(self) -> None:
        chosen = self._pick()
        if chosen is not None and chosen[1].signal(signal.SIGKILL):
            self._note("kills", chosen[0])

    def _stop(self, seconds: float) -> None:
        chosen = self._pick()
        if chosen is not None and chosen[1].signal(signal.SIGSTOP):
            self._note("stops", f"{chosen[0]} for {seconds:.2f} s")
            self._stopped.add(chosen[1].pid)
            self._begin(self._go_on(chosen[1], seconds))

    async def _go_on(self, child: Child, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            self._stopped.discard(child.pid)
            child.signal(signal.SIGCONT)

    async def _cut(self, proxy: Proxy, blind: bool, shut_seconds: float) -> None:
        if blind:
            self._note("cuts", f"{await proxy.cut_answers(_BLIND_SECONDS)} connections, after answers were kept back")
        else:
            self._note("cuts", f"{proxy.cut(shut_seconds)} connections, and none taken for {shut_seconds:.2f} s")

    async def _restart(self, redis: RedisProcess, away_seconds: float) -> None:
        if redis.process is None:
            return  # it is down already
        self._note("restarts", f"Redis, away for {away_seconds:.2f} s")
        redis.kill()
        try:
            await asyncio.sleep(away_seconds)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.to_thread(redis.start))
