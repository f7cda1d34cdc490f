"""Faults as data: crashes, pauses, partitions, wrong clocks, and messages that are lost, repeated or late.

A plan is a tuple of small frozen records, so that it can be drawn from a seed, written to a file, and shrunk by leaving
records out. `autodev_lab.kernel.hosts` makes the first four happen; a bus that is told of the others does the rest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from autodev_lab.records.quick_init import quick_init

__all__ = [
    "Crash",
    "Fault",
    "FaultMix",
    "Loss",
    "MessageDelay",
    "MessageLoss",
    "MessageRepeat",
    "Partition",
    "Pause",
    "SkewedClock",
    "draw_faults",
]


class Loss(StrEnum):
    """What a partition swallows: a command on its way, or (the ambiguous case) the answer to one that took effect."""

    COMMANDS = "commands"
    ANSWERS = "answers"


@quick_init
@dataclass(frozen=True, slots=True)
class Crash:
    """A host dies at its `step`-th step, at whatever await it stands; nothing of it is cleaned up.

    Parameters
    ----------
    host
        Whose.
    step
        Counted over all that runs on the host, and on through its restarts: every await is a step.
    restart_after
        Seconds until a new incarnation starts.
    """

    host: str
    step: int
    restart_after: float
    kind: Literal["crash"] = "crash"


@quick_init
@dataclass(frozen=True, slots=True)
class Pause:
    """A host stands still at its `step`-th step for `seconds` and then goes on as if nothing had been.

    Parameters
    ----------
    host, step
        As for a crash.
    seconds
        A garbage collection, a SIGSTOP, a laptop's lid; often longer than a lease.
    replaced_after
        Seconds after which somebody takes the host for dead and starts a new incarnation beside it; None for never.
    """

    host: str
    step: int
    seconds: float
    replaced_after: float | None = None
    kind: Literal["pause"] = "pause"


@quick_init
@dataclass(frozen=True, slots=True)
class Partition:
    """Between `start` and `start` + `seconds`, commands or answers between a host and the ledger are lost.

    Messages of the bus do not reach the host meanwhile.
    """

    host: str
    start: float
    seconds: float
    lost: Loss
    kind: Literal["partition"] = "partition"


@quick_init
@dataclass(frozen=True, slots=True)
class SkewedClock:
    """A host's clock shows ``offset + rate * seconds``; all its timers run at that rate."""

    host: str
    rate: float
    offset: float
    kind: Literal["skewed clock"] = "skewed clock"

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1e6:
            raise ValueError(f"a clock's rate must be more than 0 and less than a million, not {self.rate!r}")


@quick_init
@dataclass(frozen=True, slots=True)
class MessageLoss:
    """The bus loses its `message`-th delivery (counted from 1, over all subscribers)."""

    message: int
    kind: Literal["message loss"] = "message loss"


@quick_init
@dataclass(frozen=True, slots=True)
class MessageRepeat:
    """The bus makes its `message`-th delivery twice, the second time `seconds` later."""

    message: int
    seconds: float
    kind: Literal["message repeat"] = "message repeat"


@quick_init
@dataclass(frozen=True, slots=True)
class MessageDelay:
    """The bus makes its `message`-th delivery `seconds` late; what was published later may come first."""

    message: int
    seconds: float
    kind: Literal["message delay"] = "message delay"


Fault = Crash | Pause | Partition | SkewedClock | MessageLoss | MessageRepeat | MessageDelay
"""Everything that can be injected."""


@dataclass(frozen=True, slots=True)
class FaultMix:
    """How many faults of each kind a plan may hold (each number is drawn evenly from 0 to the most), and how long.

    Parameters
    ----------
    crashes, pauses, partitions, messages
        Most of each; `messages` are losses, repeats and delays together.
    skewed
        Probability that a host's clock is wrong.
    steps
        A crash or pause strikes at one of a host's first `steps` steps.
    horizon
        Virtual seconds within which partitions begin.
    deliveries
        A message fault strikes one of the first `deliveries` deliveries.
    lease_seconds
        Pauses, partitions and delays last up to two leases, most of them longer than one.
    """

    crashes: int = 3
    pauses: int = 3
    partitions: int = 3
    messages: int = 6
    skewed: float = 0.1
    steps: int = 28
    horizon: float = 50.0
    deliveries: int = 30
    lease_seconds: float = 30.0


def draw_faults(rng: random.Random, hosts: Sequence[str], mix: FaultMix) -> tuple[Fault, ...]:
    """Draw a plan; the same state of `rng` gives the same plan.

    Examples
    --------
    >>> plan = draw_faults(random.Random(4), ["developer-1", "tester-1"], FaultMix())
    >>> plan == draw_faults(random.Random(4), ["developer-1", "tester-1"], FaultMix())
    True
    """
    uniform, choice, whole = rng.random, rng.choice, rng.randrange
    lease = mix.lease_seconds

    def long() -> float:
        """A third of the time shorter than a lease, else up to two."""
        return round(lease * (uniform() if uniform() < 0.35 else 1.0 + uniform()), 2)

    def strike() -> tuple[str, int]:
        return choice(hosts), 1 + whole(mix.steps)

    def soon() -> float:
        return round(1.0 + lease * uniform(), 2)

    faults: list[Fault] = [Crash(*strike(), soon()) for _ in range(whole(mix.crashes + 1))]
    faults += [
        Pause(*strike(), long(), soon() if uniform() < 0.5 else None)  # half of the stalled are taken for dead
        for _ in range(whole(mix.pauses + 1))
    ]
    faults += [
        Partition(
            choice(hosts),
            round(mix.horizon * uniform(), 2),
            long(),
            Loss.ANSWERS if uniform() < 0.5 else Loss.COMMANDS,
        )
        for _ in range(whole(mix.partitions + 1))
    ]
    faults += [
        SkewedClock(host, round(2.0 ** (3.0 * uniform() - 1.5), 3), round(1e4 * uniform() - 5e3, 1))
        for host in hosts
        if uniform() < mix.skewed
    ]
    for _ in range(whole(mix.messages + 1)):
        message, what = 1 + whole(mix.deliveries), uniform()
        if what < 1 / 3:
            faults.append(MessageLoss(message))
        elif what < 2 / 3:
            faults.append(MessageRepeat(message, long()))
        else:
            faults.append(MessageDelay(message, long()))
    return tuple(faults)
