"""What talking to a ledger costs: a line with a latency, and a server that carries out one command after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from autodev_lab.chaos.network import Link, RemoteLedger
from autodev_lab.kernel.hosts import Host
from autodev_lab.protocols import Ledger
from autodev_lab.records import Claim, Refusal, Result, Stage, Task

__all__ = ["DistantLedger", "Server"]

T = TypeVar("T")
P = ParamSpec("P")


class Server:
    """One thread that serves in order of arrival, as Redis does.

    Parameters
    ----------
    seconds
        What a command keeps it busy.
    one_way
        Seconds that a message is under way to it, or back.
    away
        From when it is away, and for how long; None for never.
    retry_seconds
        How often a client tries again that finds it away.

    Examples
    --------
    >>> server = Server(0.5, 1.0)
    >>> server.done(0.0), server.done(0.0), server.operations  # the second waits for the first
    (1.5, 2.0, 2)
    """

    def __init__(
        self, seconds: float, one_way: float, away: tuple[float, float] | None = None, retry_seconds: float = 1.0
    ) -> None:
        self.seconds = seconds
        self.one_way = one_way
        self.operations = 0
        self._free_at = 0.0
        self._away = away
        self._retry_seconds = retry_seconds

    def done(self, now: float) -> float:
        """When a command that is sent now has been carried out."""
        self.operations += 1
        arrives = now + self.one_way
        if self._away is not None and self._away[0] <= arrives < self._away[0] + self._away[1]:
            back = self._away[0] + self._away[1]
            arrives += self._retry_seconds * math.ceil((back - arrives) / self._retry_seconds)
        self._free_at = max(arrives, self._free_at) + self.seconds
        return self._free_at


class DistantLedger(RemoteLedger):
    """A ledger on a server, as one agent reaches it.

    Parameters
    ----------
    host
        The agent's.
    ledger
        The ledger there.
    server
        What carries commands out.
    """

    def __init__(self, host: Host, ledger: Ledger, server: Server) -> None:
        super().__init__(host, ledger, Link(host.now, (), _nobody))
        self.commands = 0
        self.refused = 0
        self._host = host
        self._server = server

    async def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Refusal | None:
        """See `Ledger`; counts refusals."""
        answer = await super().complete(claim, stage, result, follow_up)
        self.refused += answer is not None
        return answer

    async def _send(
        self, command: Callable[P, Coroutine[object, object, T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        self.commands += 1
        now = self._host.now()
        await self._host.sleep(self._server.done(now) - now)
        answer = await command(*arguments, **named)
        await self._host.sleep(self._server.one_way)
        return answer


def _nobody(host: str, what: str) -> None:
    """Nothing is lost on this line."""
