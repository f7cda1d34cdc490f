"""The solver of the simulated world: tries templates uniformly, by what was learned, or by a placebo of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.protocols import Workspace
from autodev_lab.records import Attempt, Candidate, Change, Cost, Edit, PatternRecord, PatternTrial, TaskContext

__all__ = ["SimulatedSolver"]

_ORDERS = ("uniform", "static", "learned", "placebo", "oracle")
_PRIOR_SUCCESSES = 1.0
_PRIOR_TRIES = 10.0


class SimulatedSolver:
    """Search over the templates that apply to a simulated task.

    ``uniform`` takes the next candidate from a template drawn uniformly each time. ``learned`` prefers templates by
    success per try, shrunk towards 1 in 10, the k-th candidate of a template counting 1/k of its first (if the first
    ones failed, the template is likely the wrong one). ``placebo`` does the same with every template's record
    exchanged for another's, anew for each search: it has the machinery and none of the knowledge. ``static`` goes
    round the templates in the order of the file: nobody has hand-made knowledge of a made-up world. ``oracle`` ranks
    templates by the chances it is given, as ``learned`` does by its rates.

    Parameters
    ----------
    order
        ``"uniform"``, ``"static"``, ``"learned"``, ``"placebo"`` or ``"oracle"``.
    candidate_seconds
        Virtual seconds a candidate takes.
    chances
        For the oracle: how likely a candidate of each template is to pass, over the tasks that will come.

    Raises
    ------
    LabError
        If `order` is unknown, or an oracle is given no chances.
    """

    def __init__(
        self,
        order: str = "learned",
        candidate_seconds: float = 0.0065,
        *,
        chances: Mapping[str, float] | None = None,
    ) -> None:
        if order not in _ORDERS:
            raise LabError(f"order is {order!r}; choose one of {', '.join(_ORDERS)}")
        if order == "oracle" and not chances:
            raise LabError("an oracle needs to know the tasks that will come; give it their chances")
        self._chances = dict(chances or {})
        self._order = order
        self._seconds = candidate_seconds

    @property
    def name(self) -> str:
        """Short name, recorded with every change."""
        return f"simulated-{self._order}"

    def solve(
        self, context: TaskContext, workspace: Workspace, budget: int, rng: np.random.Generator
    ) -> tuple[Attempt, Cost]:
        """Try candidates until one passes the visible tests or `budget` of them are spent; never a rejected one."""
        path = workspace.paths()[0]
        sites = [(name, int(count)) for name, count in map(str.split, workspace.read(path).splitlines())]
        refused = {change.edits for change in context.rejected}
        tries = [0] * len(sites)
        executions = spent = 0
        found: Change | None = None
        winner = -1
        for number, site in self._sequence(context, sites, budget + len(refused), rng):
            if spent >= budget:
                break
            pattern = sites[number][0]
            edits = (Edit(path, number + 1, number + 1, f"{pattern} {site}\n"),)
            if edits in refused:
                continue
            candidate = Candidate(edits, pattern)
            verdict = workspace.evaluate((candidate,))[0]
            spent += 1
            tries[number] += 1
            executions += verdict.test_executions
            if verdict.plausible and workspace.confirm(candidate).plausible:
                winner = number
                diff = f"--- a/{path}\n+++ b/{path}\n@@ -{number + 1} +{number + 1} @@\n-{pattern} {sites[number][1]}\n"
                found = Change(context.task.id, edits, f"{diff}+{pattern} {site}\n", self.name, (pattern,), spent)
                break
        trials = tuple(
            PatternTrial(sites[number][0], count, int(number == winner)) for number, count in enumerate(tries) if count
        )
        cost = Cost(candidates=spent, test_executions=executions, seconds=spent * self._seconds)
        return Attempt(context.task.id, found, trials, cost), cost

    def _sequence(
        self, context: TaskContext, sites: Sequence[tuple[str, int]], most: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, int]]:
        """(template, candidate) pairs in the order to try them, at most `most`."""
        if self._order == "uniform":
            return _uniform(sites, rng.random(min(most, sum(count for _, count in sites))).tolist())
        if self._order == "static":
            return _ranked(sites, [1.0] * len(sites), [float(number) for number in range(len(sites))])
        names = [name for name, _ in sites]
        if self._order == "oracle":
            return _ranked(sites, [self._chances.get(name, 0.0) for name in names], rng.random(len(sites)).tolist())
        records = context.patterns if self._order == "learned" else _exchanged(context.patterns, names, rng)
        rates = [_rate(records.get(name)) for name in names]
        return _ranked(sites, rates, rng.random(len(sites)).tolist())


def _uniform(sites: Sequence[tuple[str, int]], draws: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Draw a template uniformly among those with candidates left, and take its next candidate; one for each draw."""
    left = [number for number, (_, count) in enumerate(sites) if count]
    used = [0] * len(sites)
    for draw in draws:
        place = int(draw * len(left))
        number = left[place]
        yield number, used[number]
        used[number] += 1
        if used[number] == sites[number][1]:
            del left[place]


def _ranked(
    sites: Sequence[tuple[str, int]], rates: Sequence[float], ties: Sequence[float]
) -> Iterator[tuple[int, int]]:
    """Candidates by their template's rate over their place in it, best first; equal ones in the order of `ties`."""
    heap = [(-rates[number], ties[number], number, 0) for number, (_, count) in enumerate(sites) if count]
    heapq.heapify(heap)
    while heap:
        _, tie, number, site = heap[0]
        yield number, site
        site += 1
        if site < sites[number][1]:
            heapq.heapreplace(heap, (-rates[number] / (site + 1), tie, number, site))
        else:
            heapq.heappop(heap)


def _rate(record: PatternRecord | None) -> float:
    """Success per try, shrunk towards the prior."""
    if record is None:
        return _PRIOR_SUCCESSES / _PRIOR_TRIES
    return (record.successes + _PRIOR_SUCCESSES) / (record.tries + _PRIOR_TRIES)


def _exchanged(
    records: Mapping[str, PatternRecord], names: Sequence[str], rng: np.random.Generator
) -> dict[str, PatternRecord]:
    """Give every template the record of the next one in a shuffled circle, so that none keeps its own."""
    everybody = sorted({*records, *names})
    circle = [everybody[place] for place in rng.permutation(len(everybody)).tolist()]
    return {
        name: records[other] for name, other in zip(circle, [*circle[1:], *circle[:1]], strict=True) if other in records
    }
