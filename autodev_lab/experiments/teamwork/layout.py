"""Who does what: the roles of any number of agents, in proportion to the work there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autodev_lab.records import Role

__all__ = ["Seat", "Turns", "seats"]

_SLIVER = 1e-9


@dataclass(frozen=True, slots=True)
class Seat:
    """One agent's place in a team.

    Parameters
    ----------
    name
        Of its main role, and a number; an agent that takes the seat anew has a suffix.
    shares
        How much of its time each of its roles is meant to have, in workflow order.
    """

    name: str
    shares: Mapping[Role, float] = field(hash=False)

    @property
    def roles(self) -> tuple[Role, ...]:
        """All roles it acts in."""
        return tuple(self.shares)


class Turns:
    """Which of its roles an agent looks for work in first: the one that is furthest behind its share.

    Stride scheduling (Waldspurger and Weihl 1995), by what the agent knows of itself alone. An agent that always did
    what is nearly done first would starve those who come after it in the workflow.

    Parameters
    ----------
    seat
        The agent's.

    Examples
    --------
    >>> turns = Turns(Seat("developer-1", {Role.ARCHITECT: 0.25, Role.DEVELOPER: 0.75}))
    >>> turns.worked(Role.DEVELOPER, 30.0)
    >>> turns.order()[0].value
    'architect'
    """

    def __init__(self, seat: Seat) -> None:
        self._shares = seat.shares
        self._worked = dict.fromkeys(seat.shares, 0.0)

    def order(self) -> tuple[Role, ...]:
        """Roles, the first to look in first; of those that are level the latest in the workflow."""
        if len(self._worked) == 1:
            return tuple(self._worked)
        late_first = tuple(reversed(self._worked))
        return tuple(sorted(late_first, key=lambda role: self._worked[role] / self._shares[role]))

    def worked(self, role: Role, seconds: float) -> None:
        """Take note of work that was done."""
        self._worked[role] += seconds


def seats(shares: Mapping[Role, float], agents: int) -> tuple[Seat, ...]:
    """Cut the line of roles, each as long as its share of the work, into equal pieces: one an agent.

    So the mix is that of the work for every number of agents. An agent whose piece spans a border has several roles;
    one agent alone has all; of twenty most have one.

    Parameters
    ----------
    shares
        Of the work's seconds, in workflow order; they sum to 1.
    agents
        How many; at least 1.

    Examples
    --------
    >>> shares = {Role.ARCHITECT: 0.25, Role.DEVELOPER: 0.5, Role.TESTER: 0.25}
    >>> [(seat.name, [str(role) for role in seat.roles]) for seat in seats(shares, 2)]
    [('architect-1', ['architect', 'developer']), ('developer-1', ['developer', 'tester'])]
    """
    if agents < 1:
        raise ValueError(f"agents must be 1 or more, not {agents}")
    found: list[Seat] = []
    counts: dict[Role, int] = {}
    for number in range(agents):
        low, high = number / agents, (number + 1) / agents
        start, spans = 0.0, dict[Role, float]()
        for role, share in shares.items():
            overlap = min(high, start + share) - max(low, start)
            if overlap > _SLIVER:
                spans[role] = overlap
            start += share
        main = max(spans, key=lambda role: spans[role])
        counts[main] = counts.get(main, 0) + 1
        found.append(Seat(f"{main.value}-{counts[main]}", spans))
    return tuple(found)
