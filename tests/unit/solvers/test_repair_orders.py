"""Orders of search are permutations of one enumeration, and differ as they should."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from autodev_lab.errors import LabError
from autodev_lab.pattern_rates import RatePrior, place_of
from autodev_lab.records import ContextTally, Diagnosis, PatternContext, PatternRecord, Suspect
from autodev_lab.solvers.repair.orders import (
    HAND_ORDER,
    CandidateOrder,
    LearnedOrder,
    PlaceboOrder,
    StaticOrder,
    UniformOrder,
    order_named,
)
from autodev_lab.solvers.repair.search import Entry, Enumeration, Limits, enumerate_candidates

SOURCE = """
def between(value, low, high, strict=False):
    if value is None or low is None:
        return False
    if strict and value - low > 1:
        return low < value < high
    for item in range(low, high + 1):
        if item == value:
            return True
    return len(str(value)) > 2
"""


@pytest.fixture(scope="module")
def enumeration() -> Enumeration:
    suspects = [Suspect("m.py", line, 1.0) for line in range(3, 11)]
    return enumerate_candidates(
        lambda path: SOURCE,
        suspects,
        Diagnosis("t", ("x",), 1, 0, (), ("KeyError: 3",)),
        limits=Limits(per_template=12),
    )


def records(**successes: float) -> dict[str, PatternRecord]:
    names = {name.replace("_", "-"): value for name, value in successes.items()}
    return {name: PatternRecord(name, value, 40.0) for name, value in names.items()}


ORDERS: tuple[CandidateOrder, ...] = (UniformOrder(), StaticOrder(), LearnedOrder(), PlaceboOrder())
KNOWN = records(change_comparison=9, wrap_call=0, insert_guard=1, replace_constant=4)


@pytest.mark.parametrize("order", ORDERS, ids=lambda one: one.name)
def test_every_order_is_a_permutation_of_the_enumeration(order: CandidateOrder, enumeration: Enumeration) -> None:
    arranged = list(order.arrange(enumeration, KNOWN, np.random.default_rng(3)))
    assert sorted(arranged, key=lambda entry: entry.index) == list(enumeration.all())
    again = list(order.arrange(enumeration, KNOWN, np.random.default_rng(3)))
    assert arranged == again


@pytest.mark.parametrize("order", ORDERS, ids=lambda one: one.name)
def test_a_template_keeps_its_own_order(order: CandidateOrder, enumeration: Enumeration) -> None:
    seen: Counter[str] = Counter()
    for entry in order.arrange(enumeration, KNOWN, np.random.default_rng(4)):
        assert entry.position == seen[entry.candidate.pattern]
        seen[entry.candidate.pattern] += 1


def first_patterns(order: CandidateOrder, enumeration: Enumeration, known: dict[str, PatternRecord]) -> Counter[str]:
    draws: Counter[str] = Counter()
    for seed in range(1500):
        first: Entry = next(iter(order.arrange(enumeration, known, np.random.default_rng(seed))))
        draws[first.candidate.pattern] += 1
    return draws


def test_uniform_gives_every_template_the_same_chance(enumeration: Enumeration) -> None:
    draws = first_patterns(UniformOrder(), enumeration, KNOWN)
    alive = {entry.candidate.pattern for entry in enumeration.all()}
    expected = 1500 / len(alive)
    assert set(draws) == alive
    statistic = sum((draws[name] - expected) ** 2 / expected for name in alive)
    assert statistic < len(alive) + 4 * (2 * len(alive)) ** 0.5


def test_learned_without_records_is_uniform_draw_by_draw(enumeration: Enumeration) -> None:
    for seed in range(5):
        one = list(LearnedOrder().arrange(enumeration, {}, np.random.default_rng(seed)))
        assert one == list(UniformOrder().arrange(enumeration, {}, np.random.default_rng(seed)))


def test_learned_starts_with_what_worked(enumeration: Enumeration) -> None:
    assert set(first_patterns(LearnedOrder(), enumeration, KNOWN)) == {"change-comparison"}


def test_learned_puts_off_what_failed(enumeration: Enumeration) -> None:
    arranged = list(LearnedOrder().arrange(enumeration, KNOWN, np.random.default_rng(0)))
    places = {entry.candidate.pattern: place for place, entry in reversed(list(enumerate(arranged)))}
    assert places["wrap-call"] > places["replace-constant"]
    assert places["wrap-call"] > places["insert-guard"]


def test_static_reads_no_records_and_follows_the_hand_order(enumeration: Enumeration) -> None:
    assert {name for group in HAND_ORDER for name in group} <= set(enumeration.patterns)
    arranged = list(StaticOrder().arrange(enumeration, KNOWN, np.random.default_rng(1)))
    assert arranged == list(StaticOrder().arrange(enumeration, {}, np.random.default_rng(1)))
    firsts = {entry.candidate.pattern: place for place, entry in enumerate(arranged) if entry.position == 0}
    assert arranged[0].candidate.pattern in HAND_ORDER[0]
    assert firsts["change-comparison"] < firsts["replace-variable"] < firsts["remove-condition"]


def test_a_candidate_at_a_less_suspicious_statement_is_put_off(enumeration: Enumeration) -> None:
    alike = {name: PatternRecord(name, 1.0, 10.0) for name in enumeration.patterns}
    arranged = list(LearnedOrder().arrange(enumeration, alike, np.random.default_rng(1)))
    ranks = [entry.rank for entry in arranged if entry.position == 0]
    assert ranks == sorted(ranks) and ranks[-1] > 0


def test_what_is_below_the_threshold_is_tried_when_all_else_is_exhausted(enumeration: Enumeration) -> None:
    order = LearnedOrder(RatePrior(threshold=0.05))
    arranged = [entry.candidate.pattern for entry in order.arrange(enumeration, KNOWN, np.random.default_rng(0))]
    assert sorted(arranged) == sorted(entry.candidate.pattern for entry in enumeration.all())
    offered = {name for name in enumeration.patterns if order.prior.of(KNOWN).is_offered(name)}
    assert {"change-comparison"} <= offered < set(enumeration.patterns)
    first_of_the_rest = next(place for place, name in enumerate(arranged) if name not in offered)
    assert not offered & set(arranged[first_of_the_rest:])


def test_every_candidate_says_where_it_acts(enumeration: Enumeration) -> None:
    for entry in enumeration.all():
        assert entry.context.place == place_of(entry.rank)
        assert entry.context.failure == "KeyError"
    kinds = {entry.context.statement for entry in enumeration.all()}
    assert {"If", "Return", "For"} <= kinds


def test_learned_weighs_a_template_by_the_statement_it_would_change(enumeration: Enumeration) -> None:
    """A template that works, though never at statements like that of its next candidate, has to wait there."""
    head = next(entry for entry in enumeration.all() if entry.candidate.pattern == "replace-variable")
    kind = head.context.statement
    tallies = (
        ContextTally(PatternContext("Raise", "", "first"), 12.0, 20.0),
        ContextTally(PatternContext(kind, "", "first"), 0.0, 20.0),
    )
    known = {
        "replace-variable": PatternRecord("replace-variable", 12.0, 40.0, contexts=tallies),
        "change-comparison": PatternRecord("change-comparison", 6.0, 40.0),
    }

    def first(order: LearnedOrder) -> str:
        return next(iter(order.arrange(enumeration, known, np.random.default_rng(0)))).candidate.pattern

    assert first(LearnedOrder(RatePrior(context_strength=math.inf))) == "replace-variable"
    assert first(LearnedOrder(RatePrior(context_strength=1.0))) == "change-comparison"


def test_placebo_exchanges_contexts_with_the_rest_of_a_record(enumeration: Enumeration) -> None:
    """Nothing of a template's own record is left to it, and none is lost."""
    names = enumeration.patterns
    known = {
        name: PatternRecord(
            name, 1.0, 9.0 + number, 1.0, 2.0, (ContextTally(PatternContext("If", name, "first"), 1.0, 5.0),)
        )
        for number, name in enumerate(names)
    }
    seen: dict[str, PatternRecord] = {}

    class Watching(LearnedOrder):
        def arrange(
            self, enumeration: Enumeration, records: Mapping[str, PatternRecord], rng: np.random.Generator
        ) -> Iterator[Entry]:
            seen.update(records)
            return super().arrange(enumeration, records, rng)

    next(iter(PlaceboOrder(Watching()).arrange(enumeration, known, np.random.default_rng(0))))
    assert set(seen) == set(names)
    given = {name: seen[name].contexts[0].context.failure for name in names}
    assert sorted(given.values()) == sorted(names)
    assert not any(name == other for name, other in given.items())
    for name, other in given.items():
        assert seen[name] == replace(known[other], pattern=name)


def test_placebo_gives_the_records_to_other_templates(enumeration: Enumeration) -> None:
    firsts = {
        seed: next(iter(PlaceboOrder().arrange(enumeration, KNOWN, np.random.default_rng(seed)))).candidate.pattern
        for seed in range(8)
    }
    assert len(set(firsts.values())) > 3
    assert list(firsts.values()).count("change-comparison") <= 2


def test_names_are_known_or_refused() -> None:
    names = ["uniform", "static", "learned", "placebo"]
    assert [order_named(name).name for name in names] == names
    with pytest.raises(LabError, match="choose one of"):
        order_named("best")
