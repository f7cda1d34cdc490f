"""The search-based repair solver: localise, enumerate, try in some order, stop at the first plausible candidate."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.execution.trees import apply_edits, unified_diff
from autodev_lab.protocols import Workspace
from autodev_lab.records import (
    Attempt,
    Candidate,
    Change,
    ContextTally,
    Cost,
    Edit,
    PatternContext,
    PatternTrial,
    TaskContext,
)
from autodev_lab.solvers.accounting import ChunkedEvaluation
from autodev_lab.solvers.repair.localisation import ochiai
from autodev_lab.solvers.repair.orders import CandidateOrder, UniformOrder
from autodev_lab.solvers.repair.search import Entry, Enumeration, Limits, enumerate_candidates

__all__ = ["RepairSolver", "diff_of"]

_KEPT_ENUMERATIONS = 1024


class RepairSolver:
    """Tries template repairs at suspicious statements until one passes all visible tests.

    Parameters
    ----------
    order
        In which order candidates are tried.
    chunk
        Candidates evaluated together. It changes what a workspace keeps and how many test cases a failing candidate
        runs (a chunk runs the tests that reach any of its members), never what is found.
    limits
        How much of the space of repairs is enumerated.

    Examples
    --------
    >>> RepairSolver().name
    'repair-uniform'
    """

    def __init__(self, order: CandidateOrder | None = None, *, chunk: int = 40, limits: Limits | None = None) -> None:
        if chunk < 1:
            raise LabError(f"chunk is {chunk}; it counts candidates evaluated together and must be at least 1")
        self._order = order or UniformOrder()
        self._chunk = chunk
        self._limits = limits or Limits()

    @property
    def name(self) -> str:
        """Recorded with every change."""
        return f"repair-{self._order.name}"

    def solve(
        self, context: TaskContext, workspace: Workspace, budget: int, rng: np.random.Generator
    ) -> tuple[Attempt, Cost]:
        """Look for a change with at most `budget` evaluations; what was rejected before is passed over uncounted.

        Returns
        -------
        Attempt
            With the trials of every template tried; the change is None when the budget or the enumeration ran out.
        Cost
            The attempt's cost again.

        Raises
        ------
        LabError
            If the budget is below 1.
        """
        if budget < 1:
            raise LabError(f"budget is {budget}; it counts candidates and must be at least 1")
        enumeration = _enumeration(context, workspace, self._limits)
        evaluation = ChunkedEvaluation(workspace, lambda count: _candidates(enumeration, count), self._chunk)
        rejected = {change.candidate.id for change in context.rejected}
        tried: list[Entry] = []
        found: Candidate | None = None
        for entry in self._walk(enumeration, context, rng, rejected):
            tried.append(entry)
            if evaluation.verdict(entry.index).plausible:
                found = entry.candidate
                break
            if evaluation.cost.candidates >= budget:
                break
        enumeration.rest()
        trials = _trials(tried, found)
        change = None if found is None else self._change(context, workspace, found, evaluation.cost.candidates)
        attempt = Attempt(context.task.id, change, trials, evaluation.cost)
        return attempt, evaluation.cost

    def _walk(
        self, enumeration: Enumeration, context: TaskContext, rng: np.random.Generator, rejected: set[str]
    ) -> Iterator[Entry]:
        for entry in self._order.arrange(enumeration, context.patterns, rng):
            if entry.candidate.id not in rejected:
                yield entry

    def _change(self, context: TaskContext, workspace: Workspace, found: Candidate, evaluations: int) -> Change:
        diff = diff_of(workspace, found.edits)
        return Change(context.task.id, found.edits, diff, self.name, (found.pattern,), evaluations)


def _trials(tried: list[Entry], found: Candidate | None) -> tuple[PatternTrial, ...]:
    """What was tried of every template, and where; the last entry is the one found, if one was."""
    of_pattern: dict[str, dict[PatternContext, list[int]]] = {}
    for entry in tried:
        counts = of_pattern.setdefault(entry.candidate.pattern, {}).setdefault(entry.context, [0, 0])
        counts[0] += entry.candidate is found
        counts[1] += 1
    return tuple(
        PatternTrial(
            pattern,
            sum(tries for _, tries in contexts.values()),
            sum(successes for successes, _ in contexts.values()),
            tuple(ContextTally(context, successes, tries) for context, (successes, tries) in contexts.items()),
        )
        for pattern, contexts in of_pattern.items()
    )


def diff_of(workspace: Workspace, edits: tuple[Edit, ...]) -> str:
    """Unified diff of edits against a workspace's files."""
    pieces: list[str] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        before = workspace.read(path)
        pieces.append(unified_diff(path, before, apply_edits(before, [edit for edit in edits if edit.path == path])))
    return "".join(pieces)


def _candidates(enumeration: Enumeration, count: int) -> tuple[Candidate, ...]:
    return tuple(entry.candidate for entry in enumeration.upto(count))


_kept: OrderedDict[str, Enumeration] = OrderedDict()
"""Enumerations made in this process: arms and replicates ask for the same ones. Keyed by all that they depend on."""


def _enumeration(context: TaskContext, workspace: Workspace, limits: Limits) -> Enumeration:
    """The task's enumeration, from the plan's suspects or, without any, from the diagnosis."""
    suspects = context.plan.suspects or ochiai(context.diagnosis)
    texts = {path: workspace.read(path) for path in dict.fromkeys(suspect.path for suspect in suspects)}
    digest = hashlib.sha256(repr((limits, suspects, context.diagnosis.messages, sorted(texts.items()))).encode())
    key = digest.hexdigest()
    if key not in _kept:
        _kept[key] = enumerate_candidates(lambda path: texts[path], suspects, context.diagnosis, limits=limits)
        if len(_kept) > _KEPT_ENUMERATIONS:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]
