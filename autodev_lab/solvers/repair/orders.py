"""Orders of search: in which order the candidates of the canonical enumeration are tried.

An order is a permutation of the enumeration that may depend on what is known of each template. Within a template,
candidates always come in canonical order; orders differ in which template goes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.records import PatternRecord
from autodev_lab.solvers.repair.search import Entry, Enumeration

__all__ = ["CandidateOrder", "LearnedOrder", "PlaceboOrder", "UniformOrder", "order_named"]


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
    r"""Each step takes the template whose next candidate is most likely to pass, as far as the records tell.

    A template's rate of success a trial has a Beta prior; after `s` successes in `n` tries its mean is
    ``(strength * base + s) / (strength + n)`` where `base` is the rate of all templates together. The candidate at
    position `k` of a template's own list is less likely than the first by the hazard ``half / (half + k)``, since
    lists start with what is most suspicious. Ties are broken at random; without any record the order is
    `UniformOrder`, in distribution and in every draw.

    Parameters
    ----------
    strength
        Weight of the prior, in tries.
    half
        Position at which a template's chance has fallen to one half.

    Notes
    -----
    The defaults are the best of nine settings on 49 development tasks. That selection is optimistic, and no gain over
    `UniformOrder` has been shown on tasks that were not used for it.
    """

    name = "learned"

    def __init__(self, strength: float = 30.0, half: float = 2.0) -> None:
        self._strength = strength
        self._half = half

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`."""
        if not any(record.tries > 0 for record in records.values()):
            yield from UniformOrder().arrange(enumeration, records, rng)
            return
        rates = self._rates(enumeration.patterns, records)
        tried = np.zeros(len(rates), dtype=np.int64)
        alive = np.ones(len(rates), dtype=bool)
        while alive.any():
            scores = np.where(alive, rates * self._half / (self._half + tried), -1.0)
            best = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
            chosen = int(best[rng.integers(len(best))])
            entry = enumeration.of(chosen, int(tried[chosen]))
            if entry is None:
                alive[chosen] = False
                continue
            tried[chosen] += 1
            yield entry

    def _rates(self, patterns: tuple[str, ...], records: Mapping[str, PatternRecord]) -> np.ndarray:
        """Posterior mean success a trial of every template."""
        known = [records.get(name, PatternRecord(name, 0.0, 0.0)) for name in patterns]
        successes = np.array([record.successes for record in known])
        tries = np.array([record.tries for record in known])
        base = (successes.sum() + 1.0) / (tries.sum() + 50.0)
        return np.asarray((self._strength * base + successes) / (self._strength + tries))


class PlaceboOrder:
    """The learned order with every template's record given to another template: what learning nothing looks like.

    The exchange of records is one fixed permutation of the catalogue, drawn from `seed`.

    Parameters
    ----------
    seed
        Of the permutation.
    learned
        The order whose records are exchanged.
    """

    name = "placebo"

    def __init__(self, seed: int = 0, learned: LearnedOrder | None = None) -> None:
        self._seed = seed
        self._learned = learned or LearnedOrder()

    def arrange(
        self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
    ) -> Iterator[Entry]:
        """See `CandidateOrder`."""
        names = enumeration.patterns
        others = np.random.default_rng(stable_seed("placebo", self._seed)).permutation(len(names))
        exchanged = {
            name: PatternRecord(name, records[names[other]].successes, records[names[other]].tries)
            for name, other in zip(names, others.tolist(), strict=True)
            if names[other] in records
        }
        return self._learned.arrange(enumeration, exchanged, rng)


def order_named(name: str) -> CandidateOrder:
    """The order a configuration names.

    Raises
    ------
    LabError
        If there is none of that name.

    Examples
    --------
    >>> order_named("learned").name
    'learned'
    """
    orders: tuple[CandidateOrder, ...] = (UniformOrder(), LearnedOrder(), PlaceboOrder())
    for order in orders:
        if order.name == name:
            return order
    raise LabError(f"there is no order {name!r}; choose one of {', '.join(order.name for order in orders)}")
