"""What lies between a host and the ledger: commands and answers that take time and may be lost, and a careless bus.

A client sends a command again until it is answered: *at least once* is all that a network can give, so that a command
whose answer was lost arrives a second time after it took effect. That nothing happens twice is the ledger's part.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from autodev_lab.kernel.faults import Loss, MessageDelay, MessageLoss, MessageRepeat, Partition
from autodev_lab.kernel.virtual import VirtualRuntime
from autodev_lab.ledger.bus import InMemoryEventBus, InMemorySubscription
from autodev_lab.protocols import Ledger, Runtime
from autodev_lab.records import Claim, Event, HumanAnswer, Refusal, Result, Role, Stage, Task, TaskState
from autodev_lab.workflow import TERMINAL_STAGES

__all__ = ["CarelessBus", "Link", "LinkedBus", "MessageFault", "RemoteLedger"]

T = TypeVar("T")
P = ParamSpec("P")

MessageFault = MessageLoss | MessageRepeat | MessageDelay

ANSWER_SECONDS = 0.1
"""How long an answer is under way. Commands arrive at once: a fault on their way is one at the await before."""

TIMEOUT_SECONDS = 4.0
"""How long a client waits for an answer before it sends its command again."""


class Link:
    """A host's line to the ledger and the bus.

    Parameters
    ----------
    now
        The true clock.
    partitions
        When what is lost on it.
    lost
        Told of everything that is lost.
    """

    def __init__(
        self, now: Callable[[], float], partitions: Sequence[Partition], lost: Callable[[str, str], None]
    ) -> None:
        self._now = now
        self._partitions = tuple(partitions)
        self.whole = not partitions
        self._lost = lost

    def loses(self, what: Loss) -> bool:
        """Whether a command, or an answer, that passes now is lost."""
        now = self._now()
        for partition in self._partitions:
            if partition.lost is what and partition.start <= now < partition.start + partition.seconds:
                self._lost(partition.host, f"lost {what}")
                return True
        return False

    def cut(self) -> bool:
        """Whether a message of the bus that comes now is lost."""
        if self.whole:
            return False
        now = self._now()
        for partition in self._partitions:
            if partition.start <= now < partition.start + partition.seconds:
                self._lost(partition.host, "missed messages")
                return True
        return False


class RemoteLedger:
    """A ledger at the other end of a link.

    Parameters
    ----------
    runtime
        Of the host that uses it.
    ledger
        The ledger at the other end.
    link
        The line between them.
    """

    def __init__(self, runtime: Runtime, ledger: Ledger, link: Link) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._link = link

    async def _send(
        self, command: Callable[P, Coroutine[object, object, T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        sleep, link = self._runtime.sleep, self._link
        while True:
            if link.whole or not link.loses(Loss.COMMANDS):
                answer = await command(*arguments, **named)
                if link.whole or not link.loses(Loss.ANSWERS):
                    await sleep(ANSWER_SECONDS)
                    return answer
            await sleep(TIMEOUT_SECONDS)

    def submit(self, task: Task, after: Sequence[str] = ()) -> Coroutine[object, object, Refusal | None]:
        """See `Ledger`."""
        return self._send(self._ledger.submit, task, after)

    def claim(self, role: Role, agent_id: str, lease_seconds: float) -> Coroutine[object, object, Claim | None]:
        """See `Ledger`."""
        return self._send(self._ledger.claim, role, agent_id, lease_seconds)

    def renew(self, claim: Claim, lease_seconds: float) -> Coroutine[object, object, Claim | Refusal]:
        """See `Ledger`."""
        return self._send(self._ledger.renew, claim, lease_seconds)

    def complete(
        self, claim: Claim, stage: Stage, result: Result, follow_up: Task | None = None
    ) -> Coroutine[object, object, Refusal | None]:
        """See `Ledger`."""
        return self._send(self._ledger.complete, claim, stage, result, follow_up)

    def fail(self, claim: Claim, reason: str) -> Coroutine[object, object, Refusal | None]:
        """See `Ledger`."""
        return self._send(self._ledger.fail, claim, reason)

    def expire(self) -> Coroutine[object, object, int]:
        """See `Ledger`."""
        return self._send(self._ledger.expire)

    def answer(self, answer: HumanAnswer) -> Coroutine[object, object, Refusal | None]:
        """See `Ledger`."""
        return self._send(self._ledger.answer, answer)

    def state(self, task_id: str) -> Coroutine[object, object, TaskState | None]:
        """See `Ledger`."""
        return self._send(self._ledger.state, task_id)

    def open_count(self) -> Coroutine[object, object, int]:
        """See `Ledger`."""
        return self._send(self._ledger.open_count)

    def states(self) -> Coroutine[object, object, tuple[TaskState, ...]]:
        """See `Ledger`."""
        return self._send(self._ledger.states)


class CarelessBus(InMemoryEventBus):
    """The in-memory bus, but it loses, repeats and delays the deliveries that a plan names.

    Parameters
    ----------
    runtime
        The kernel.
    faults
        What happens to which delivery, counted from 1.
    struck
        Told of every fault when it strikes.
    """

    def __init__(
        self,
        runtime: VirtualRuntime,
        faults: Mapping[int, MessageFault],
        struck: Callable[[MessageFault, str, Event], None],
    ) -> None:
        super().__init__(runtime)
        self._faults = faults
        self._struck = struck
        self._deliveries = 0
        self.ended = runtime.signal()
        self.links: dict[InMemorySubscription, tuple[str, Link]] = {}

    async def publish(self, event: Event) -> None:
        """Tell every subscriber of the event's stage, as well as this bus can; a task's end sets `ended`."""
        if event.stage in TERMINAL_STAGES:
            self.ended.set()
        for subscription in self._subscriptions.get(event.stage, ()):
            self._deliveries += 1
            fault = self._faults.get(self._deliveries)
            if fault is not None:
                self._struck(fault, self.links[subscription][0], event)
                if not isinstance(fault, MessageLoss):
                    self.runtime.spawn(self._later(subscription, event, fault.seconds), "late message")
                if not isinstance(fault, MessageRepeat):
                    continue
            self._arrive(subscription, event)

    def forget(self) -> None:
        """Let go of all subscribers and of whoever is told of faults, at the end of a world."""
        self.links.clear()
        self._subscriptions.clear()
        self._struck = _nobody

    async def _later(self, subscription: InMemorySubscription, event: Event, seconds: float) -> None:
        await self.runtime.sleep(seconds)
        self._arrive(subscription, event)

    def _arrive(self, subscription: InMemorySubscription, event: Event) -> None:
        if not self.links[subscription][1].cut():
            subscription.deliver(event)


def _nobody(fault: MessageFault, host: str, event: Event) -> None:
    """Nothing strikes a world that has ended."""


class LinkedBus:
    """A bus at the other end of a host's link.

    Parameters
    ----------
    bus
        The bus at the other end.
    name
        The host.
    link
        The line between them.
    """

    def __init__(self, bus: CarelessBus, name: str, link: Link) -> None:
        self._bus = bus
        self._name = name
        self._link = link

    async def publish(self, event: Event) -> None:
        """See `EventBus`."""
        await self._bus.publish(event)

    def subscribe(self, stages: Iterable[Stage]) -> InMemorySubscription:
        """See `EventBus`."""
        subscription = self._bus.subscribe(stages)
        self._bus.links[subscription] = (self._name, self._link)
        return subscription
