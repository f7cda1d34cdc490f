"""Several signals of one search made into one score: a weighted sum, each signal scaled to [0, 1] first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Weights", "min_max", "weighted_sum"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Weights:
    """How signals are weighed against one another.

    Parameters
    ----------
    keyword, vector
        Shares of a hybrid score.
    graph
        What links add to a score at most.
    head, content
        Share of an item's head in its vector, and of the words that are no stop words in a query's, which costs every
        query a second run of the embedder.
    pool
        How many of a signal's best items take part.
    """

    keyword: float = 0.4
    vector: float = 0.6
    graph: float = 0.1
    head: float = 0.4
    content: float = 0.0
    pool: int = 100


def min_max(scores: Mapping[Key, float]) -> dict[Key, float]:
    """Scores moved and scaled so that the lowest is 0 and the highest 1; all are 1 where they are equal.

    Examples
    --------
    >>> min_max({"a": 2.0, "b": 4.0, "c": 3.0})
    {'a': 0.0, 'b': 1.0, 'c': 0.5}
    """
    if not scores:
        return {}
    least, most = min(scores.values()), max(scores.values())
    if most <= least:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - least) / (most - least) for key, score in scores.items()}


def weighted_sum(signals: Mapping[str, Mapping[Key, float]], weights: Mapping[str, float]) -> dict[Key, float]:
    """Scaled scores weighted and added up; a signal that does not know a key adds nothing to it.

    Sums of scaled scores beat reciprocal ranks where the weights fit (Bruch et al. 2023, "An analysis of fusion
    functions for hybrid retrieval", ACM TOIS, §4 to §6).

    Examples
    --------
    >>> weighted_sum({"keyword": {"a": 7.0, "b": 3.0}, "vector": {"b": 0.9}}, {"keyword": 0.5, "vector": 0.25})
    {'a': 0.5, 'b': 0.25}
    """
    total: dict[Key, float] = {}
    for signal, scores in signals.items():
        for key, score in min_max(scores).items():
            total[key] = total.get(key, 0.0) + weights[signal] * score
    return total
