"""Evaluation in fixed chunks: what is asked for is what can be kept, and every logical evaluation is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from autodev_lab.protocols import Workspace
from autodev_lab.records import Candidate, Cost, Verdict

__all__ = ["SECONDS_PER_CANDIDATE", "ChunkedEvaluation"]

SECONDS_PER_CANDIDATE = 3.0
"""Virtual seconds that one logical evaluation takes: about a fresh pytest process on the tests of a small package."""


class ChunkedEvaluation:
    """Asks a workspace for whole chunks of a fixed list, and hands out single verdicts.

    Parameters
    ----------
    workspace
        Where candidates are tried.
    upto
        ``upto(n)`` gives the first `n` candidates of the fixed list (fewer if it ends before).
    chunk
        Candidates in a chunk.
    """

    def __init__(self, workspace: Workspace, upto: Callable[[int], Sequence[Candidate]], chunk: int) -> None:
        self._workspace = workspace
        self._upto = upto
        self._chunk = chunk
        self._verdicts: dict[int, tuple[Verdict, ...]] = {}
        self._cost = Cost()

    @property
    def cost(self) -> Cost:
        """What the evaluations so far count for, kept ones in full."""
        return self._cost

    def verdict(self, index: int) -> Verdict:
        """Verdict on the candidate at a place of the list, confirmed; counts as one evaluation each time."""
        number, offset = divmod(index, self._chunk)
        if number not in self._verdicts:
            members = self._upto((number + 1) * self._chunk)[number * self._chunk :]
            self._verdicts[number] = self._workspace.evaluate(members)
        verdict = self._verdicts[number][offset]
        if verdict.plausible:
            checked = self._workspace.confirm(self._upto(index + 1)[index])
            verdict = replace(checked, test_executions=verdict.test_executions + checked.test_executions)
        self._cost += Cost(1, verdict.test_executions, 0, SECONDS_PER_CANDIDATE)
        return verdict
