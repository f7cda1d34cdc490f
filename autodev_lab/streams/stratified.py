"""The order in which faults are tried: round the operators and, within each, round the functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodev_lab.streams.mutations import Mutant

__all__ = ["stratified"]


def stratified(mutants: Sequence[Mutant], seed: int) -> list[Mutant]:
    """All faults in an order that goes round the operators and, within each, round the functions.

    Parameters
    ----------
    mutants
        Faults in a fixed order.
    seed
        Seed of the order.
    """
    rng = np.random.default_rng(seed)
    by_operator: dict[str, dict[tuple[str, str], list[Mutant]]] = {}
    for mutant in mutants:
        functions = by_operator.setdefault(mutant.operator, {})
        functions.setdefault((mutant.edit.path, mutant.qualname), []).append(mutant)
    queues: list[list[Mutant]] = []
    for name in sorted(by_operator):
        piles = [[pile[i] for i in rng.permutation(len(pile))] for _, pile in sorted(by_operator[name].items())]
        order = [piles[i] for i in rng.permutation(len(piles))]
        longest = max(len(pile) for pile in order)
        queues.append([pile[depth] for depth in range(longest) for pile in order if depth < len(pile)])
    longest = max((len(queue) for queue in queues), default=0)
    result: list[Mutant] = []
    for depth in range(longest):
        left = [queue[depth] for queue in queues if depth < len(queue)]
        result.extend(left[i] for i in rng.permutation(len(left)))
    return result
