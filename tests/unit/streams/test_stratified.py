"""The order in which faults are tried: everything once, operators in turn, functions in turn."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.records import Edit
from autodev_lab.streams.mutations import Mutant
from autodev_lab.streams.stratified import stratified

MUTANTS = st.lists(
    st.builds(
        Mutant,
        st.sampled_from(["a", "b", "c"]),
        st.builds(Edit, st.just("m.py"), st.integers(1, 50), st.integers(1, 50), st.text("xy", max_size=3)),
        st.sampled_from(["f", "g", "h"]),
        st.just((1, 1)),
    ),
    max_size=40,
    unique=True,
)


@given(MUTANTS, st.integers(0, 5))
def test_every_fault_once_and_always_the_same(mutants: list[Mutant], seed: int) -> None:
    order = stratified(mutants, seed)
    assert Counter(order) == Counter(mutants)
    assert order == stratified(mutants, seed)


@given(MUTANTS, st.integers(0, 5))
def test_operators_take_turns(mutants: list[Mutant], seed: int) -> None:
    order = [mutant.operator for mutant in stratified(mutants, seed)]
    total = Counter(order)
    for end in range(len(order)):
        so_far = Counter(order[:end])
        for left in total:
            for right in total:
                # One operator runs ahead of another by more than a round only when the other has no more.
                assert so_far[left] <= so_far[right] + 1 or so_far[right] == total[right]


@given(MUTANTS)
def test_functions_take_turns_within_an_operator(mutants: list[Mutant]) -> None:
    for operator in "abc":
        order = [mutant.qualname for mutant in stratified(mutants, 1) if mutant.operator == operator]
        functions = set(order)
        assert set(order[: len(functions)]) == functions
