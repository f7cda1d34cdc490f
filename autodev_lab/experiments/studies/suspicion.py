"""Orders of suspect lines and functions, by Ochiai and by how near failing tests they lie in the code graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import sparse

from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Diagnosis
from autodev_lab.solvers.repair.localisation import ochiai

__all__ = ["Order", "Place", "faulty_lines", "place_of", "proximity", "suspicion"]

_FORWARD = ("CALLS", "USES", "INHERITS", "OVERRIDDEN_BY")
_DAMPING = 0.7
"""Of PRFL (Zhang et al. 2017, section 3.2); not tuned here."""

_ROUNDS = 60

Key = tuple[float, ...]


class Order(StrEnum):
    """What suspects are ordered by."""

    OCHIAI = "ochiai"
    OCHIAI_GRAPH = "ochiai_graph"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault stands in an order in which equals are in random order.

    Parameters
    ----------
    better
        Suspects before it.
    equal
        Suspects as suspect as it, itself included; 0 when it is none of them.
    total
        All suspects.
    """

    better: int
    equal: int
    total: int

    @property
    def reciprocal(self) -> float:
        """One over its mean rank; 0 when it is no suspect."""
        return 1.0 / (self.better + (self.equal + 1) / 2) if self.equal else 0.0

    @property
    def exam(self) -> float:
        """Share of suspects looked at until it is found, in the mean; 1 when it is none."""
        return (self.better + (self.equal + 1) / 2) / self.total if self.equal else 1.0

    def within(self, count: int) -> float:
        """Chance to be among the first so many."""
        return min(1.0, max(0.0, (count - self.better) / self.equal)) if self.equal else 0.0


def place_of(keys: Mapping[object, Key], faults: Collection[object]) -> Place:
    """The place of the most suspect of some faults.

    Examples
    --------
    >>> place = place_of({"a": (1.0,), "b": (0.5,), "c": (0.5,)}, ["c"])
    >>> place.better, place.equal, place.within(2), place.reciprocal
    (1, 2, 0.5, 0.4)
    """
    known = [keys[one] for one in faults if one in keys]
    if not known:
        return Place(0, 0, len(keys))
    best = max(known)
    values = list(keys.values())
    return Place(sum(key > best for key in values), sum(key == best for key in values), len(values))


def proximity(graph: CodeGraph, tests: Iterable[str]) -> Mapping[str, float]:
    """How often a walk at random from some tests along calls and uses is at each definition.

    Personalised PageRank, as PRFL spreads failures over calls (Zhang et al. 2017, "Boosting spectrum-based fault
    localization using PageRank", ISSTA); of tests that pass nothing is spread here.

    Parameters
    ----------
    graph
        Of the faulty code.
    tests
        Ids of failing tests; those that are not in the graph are passed over.
    """
    links = sorted({(link.source, link.target) for link in graph.links() if link.relation in _FORWARD})
    names = sorted({end for link in links for end in link})
    number = {name: place for place, name in enumerate(names)}
    starts = [number[test] for test in sorted(set(tests)) if test in number]
    if not starts:
        return {}
    ends = [number[target] for _, target in links], [number[source] for source, _ in links]
    onward = sparse.csr_array((np.ones(len(links)), ends), shape=(len(names), len(names)))
    out = np.maximum(onward.sum(axis=0), 1.0)
    restart = np.zeros(len(names))
    restart[starts] = 1.0 / len(starts)
    at = restart
    for _ in range(_ROUNDS):
        at = (1.0 - _DAMPING) * restart + _DAMPING * (onward @ (at / out))
    # walks that end must not make equals differ in the last digits
    return {name: round(float(at[place]), 9) for name, place in number.items()}


def suspicion(
    order: Order, diagnosis: Diagnosis, graph: CodeGraph
) -> tuple[Mapping[object, Key], Mapping[object, Key]]:
    """How suspect each line that a failing test executes is, and each definition with such a line.

    Parameters
    ----------
    order
        ``ochiai_graph`` puts the nearer first of what Ochiai cannot tell apart, ``graph`` goes by nearness alone.
    diagnosis
        Failing tests and spectrum.
    graph
        Of the faulty code.

    Returns
    -------
    tuple
        Keys of lines by path and line, and of definitions by id; the greater the more suspect.
    """
    near = proximity(graph, (test.partition("[")[0] for test in diagnosis.failing))
    lines: dict[object, Key] = {}
    definitions: dict[object, Key] = {}
    for one in ochiai(diagnosis):
        node = graph.node_at(one.path, one.line)
        distance = near.get(node.id, 0.0) if node is not None else 0.0
        keys: Mapping[Order, Key] = {
            Order.OCHIAI: (one.suspiciousness,),
            Order.OCHIAI_GRAPH: (one.suspiciousness, distance),
            Order.GRAPH: (distance,),
        }
        lines[one.path, one.line] = keys[order]
        if node is not None:
            definitions[node.id] = max(definitions.get(node.id, keys[order]), keys[order])
    return lines, definitions


def faulty_lines(edits: Sequence[tuple[str, int, int]]) -> list[tuple[str, int]]:
    """Lines of faulty files by edits (path, first line, lines put in); where none was put in, the lines around.

    Examples
    --------
    >>> faulty_lines([("m.py", 4, 2), ("m.py", 9, 0)])
    [('m.py', 4), ('m.py', 5), ('m.py', 8), ('m.py', 9)]
    """
    found = []
    for path, first, count in edits:
        last = first + count - 1
        found += [(path, line) for line in range(max(1, min(first, last)), max(first, last) + 1)]
    return found
