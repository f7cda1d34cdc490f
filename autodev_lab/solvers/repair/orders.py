"""Orders of search: in which order the candidates of the canonical enumeration are tried.

An order is a permutation of the enumeration that may depend on what is known of each template. Within a template,
candidates always come in canonical order; orders differ in which template goes next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from autodev_lab.errors import LabError
from autodev_lab.pattern_rates import RatePrior, rank_promise
from autodev_lab.records import PatternRecord
from autodev_lab.solvers.repair.search import Entry, Enumeration
from autodev_lab.solvers.repair.undoing import weights_under

__all__ = [
    "HAND_ORDER",
    "CandidateOrder",
    "LearnedOrder",
    "OracleOrder",
    "PlaceboOrder",
    "StaticOrder",
    "UniformOrder",
    "order_named",
]

Floats = npt.NDArray[np.float64]


HAND_ORDER: tuple[tuple[str, ...], ...] = (
    (
        "change-comparison",
        "extend-condition",
        "replace-condition",
        "negate-condition",
        "drop-condition-operand",
        "insert-guard",
        "guard-statement",
        "synthesise-condition",
    ),
    ("replace-function", "replace-method", "replace-argument", "add-argument", "drop-argument", "wrap-call"),
    ("insert-assignment", "change-assignment", "change-result", "insert-exit", "borrow-from-sibling"),
    (
        "replace-variable",
        "replace-attribute",
        "test-for-none",
        "swap-boolean-operator",
        "swap-arguments",
        "change-alike",
    ),
    ("adjust-number", "replace-constant", "borrow-constant", "change-default", "off-by-one", "change-slice"),
)
"""Groups of templates, the most usual kind of fix first; templates in no group come last.

The order follows what is added or changed most in fixes of real bugs: conditions, calls and assignments (Sobreira et
al. 2018, "Dissection of a bug dataset: anatomy of 395 patches from Defects4J", SANER; Pan, Kim and Whitehead 2009,
"Toward an understanding of bug fix patterns", EMSE). Who is in which group, and the weights, are our judgement.
"""

POSITION_DECAY = 1.1
"""Exponent of a candidate's position in `promise_of`, fitted together with that of its rank (`pattern_rates`)."""


class CandidateOrder(Protocol):
    """Chooses which template goes next."""

    @property
    def name(self) -> str:
        """Short name, part of the solver's."""
        ...

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """All candidates of the enumeration, each once, in the order in which to try them."""
        ...


class UniformOrder:
    """Each step takes one of the templates that have candidates left, all with the same chance."""

    name = "uniform"

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`; the records are not read."""
        alive = list(range(len(enumeration.patterns)))
        tried = [0] * len(alive)
        while alive:
            slot = int(rng.integers(len(alive)))
            entry = enumeration.of(alive[slot], tried[alive[slot]])
            if entry is None:
                alive.pop(slot)
                continue
            tried[alive[slot]] += 1
            yield entry


class LearnedOrder:
    """Each step takes the template whose next candidate is most likely to pass, as far as the records tell.

    A template's rate of success a trial is the posterior mean of `PatternRates`: its own record, shrunk towards that of
    all templates, a failure at an unpromising statement counting for less. Of two candidates of a template, the one at
    a more suspicious statement and earlier in the template's list is more likely to pass: see `promise_of`. Templates
    below the prior's threshold are tried when all others are exhausted. Ties are broken at random; without any record
    the order is `UniformOrder`, in distribution and in every draw.

    Parameters
    ----------
    prior
        How records are read.

    Notes
    -----
    The decays of `promise_of` were fitted on packages marked `development`, and so far the order has been tried on
    those alone: no gain over `UniformOrder` has been shown on packages that were held out. docs/patterns.md has the
    figures.
    """

    name = "learned"

    def __init__(self, prior: RatePrior | None = None) -> None:
        self.prior = prior or RatePrior()

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`."""
        if not any(record.tries > 0 for record in records.values()):
            yield from UniformOrder().arrange(enumeration, records, rng)
            return
        names = enumeration.patterns
        rates = self.prior.of({name: records[name] for name in names if name in records})

        def worth(entry: Entry) -> float:
            return rates.rate(entry.candidate.pattern, entry.context) * promise_of(entry)

        offered = [number for number, name in enumerate(names) if rates.is_offered(name)]
        last = [number for number, name in enumerate(names) if not rates.is_offered(name)]
        yield from _by_worth(enumeration, offered, worth, rng)
        yield from _by_worth(enumeration, last, worth, rng)


class StaticOrder:
    """The hand-made order: what people change most often in real bug fixes first, whatever the lab has learned.

    `HAND_ORDER` puts templates into groups. Each template of the group at place g (from 1) has the weight 1 / g; within
    a template, candidates are as likely as in `LearnedOrder`. It is what learning has to beat to be worth its trouble.
    """

    name = "static"

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`; the records are not read."""
        places = {name: place for place, group in enumerate(HAND_ORDER, start=1) for name in group}
        last = len(HAND_ORDER) + 1
        return _greedily(enumeration, np.array([1 / places.get(name, last) for name in enumeration.patterns]), rng)


class PlaceboOrder:
    """The learned order with every template's record given to another template: what learning nothing looks like.

    Every search draws an exchange of its own, in which no template keeps its record: a single one, however it was
    drawn, is lucky or unlucky over a whole run, and no interval over tasks or packages would show it.

    Parameters
    ----------
    learned
        The order whose records are exchanged.
    """

    name = "placebo"

    def __init__(self, learned: LearnedOrder | None = None) -> None:
        self._learned = learned or LearnedOrder()

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`."""
        names = enumeration.patterns
        circle = rng.permutation(len(names)).tolist()
        exchanged = {
            names[place]: replace(records[names[other]], pattern=names[place])
            for place, other in zip(circle, [*circle[1:], *circle[:1]], strict=True)
            if names[other] in records
        }
        return self._learned.arrange(enumeration, exchanged, rng)


class OracleOrder:
    """Templates by how many of the stream's own faults they undo: what knowing the injector is worth.

    A template's weight is the share of the tasks that it can undo (`autodev_lab.solvers.repair.undoing`); within a
    template, candidates are as likely as in `LearnedOrder`. It knows the mix of the whole stream and nothing of the
    single task.

    Parameters
    ----------
    mix
        Share of the stream's tasks by fault operator.

    Raises
    ------
    LabError
        If the mix is empty: the tasks were not made by the injector.
    """

    name = "oracle"

    def __init__(self, mix: Mapping[str, float]) -> None:
        if not mix:
            raise LabError("the oracle order needs tasks with injected faults; leave it out where tasks are of history")
        self._weights = weights_under(mix)

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`; the records are not read."""
        return _greedily(enumeration, np.array([self._weights.get(name, 0.0) for name in enumeration.patterns]), rng)


def promise_of(entry: Entry) -> float:
    """How likely a candidate is to pass, relative to the first of its template at the most suspicious statement.

    ``(rank + 2) ** -RANK_DECAY * (position + 2) ** -POSITION_DECAY``, up to a factor, with the place of its statement
    among the suspicious ones and its own place in its template's list, both from 0.
    """
    return rank_promise(entry.rank) * float((1 + entry.position / 2) ** -POSITION_DECAY)


def _greedily(enumeration: Enumeration, rates: Floats, rng: np.random.Generator) -> Iterator[Entry]:
    """Always the candidate of the greatest rate times promise, ties at random; `rates` by template, of shape (P,)."""
    of_name = dict(zip(enumeration.patterns, rates.tolist(), strict=True))
    return _by_worth(
        enumeration, range(len(rates)), lambda entry: of_name[entry.candidate.pattern] * promise_of(entry), rng
    )


def _by_worth(
    enumeration: Enumeration, templates: Sequence[int], worth: Callable[[Entry], float], rng: np.random.Generator
) -> Iterator[Entry]:
    """Always the candidate of the greatest worth, of those that are next in one of the templates; ties at random."""
    heads = [enumeration.of(template, 0) for template in templates]
    scores = np.array([-1.0 if head is None else worth(head) for head in heads])
    while scores.size and scores.max() >= 0:
        best = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
        chosen = int(best[rng.integers(len(best))])
        entry = heads[chosen]
        assert entry is not None
        following = enumeration.of(templates[chosen], entry.position + 1)
        heads[chosen] = following
        scores[chosen] = -1.0 if following is None else worth(following)
        yield entry


def order_named(name: str, mix: Mapping[str, float] | None = None) -> CandidateOrder:
    """The order a configuration names.

    Parameters
    ----------
    name
        ``uniform``, ``static``, ``learned``, ``placebo`` or ``oracle``.
    mix
        Share of the tasks by fault operator, for the oracle alone.

    Raises
    ------
    LabError
        If there is none of that name, or the oracle has no faults to know of.

    Examples
    --------
    >>> order_named("learned").name
    'learned'
    """
    if name == OracleOrder.name:
        return OracleOrder(mix or {})
    orders: tuple[CandidateOrder, ...] = (UniformOrder(), StaticOrder(), LearnedOrder(), PlaceboOrder())
    for order in orders:
        if order.name == name:
            return order
    raise LabError(f"there is no order {name!r}; choose one of {', '.join(order.name for order in orders)}, oracle")
