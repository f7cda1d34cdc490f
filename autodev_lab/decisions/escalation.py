"""The Human twin: a person's answer to an escalation, with latency, accuracy and cost as stated assumptions."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.errors import LabError
from autodev_lab.files import stable_seed
from autodev_lab.records import Attempt, Change, Cost, HumanAnswer, TaskState

__all__ = ["HumanTwin"]


class HumanTwin:
    """Approves correct changes and declines wrong ones, except for a stated share of mistakes.

    Parameters
    ----------
    judge
        Tells whether the change of an escalated task is correct (from the environment's truth).
    seed
        Seed of the mistakes; the same task and change get the same answer whenever they are asked.
    accuracy
        Probability that the answer is right. The default, .9, is an assumption.
    latency_seconds
        Virtual seconds until the answer comes. The default, 1800 (half an hour), is an assumption.
    minutes
        Cost of one answer, in person-minutes. The default, 15, is an assumption.

    Raises
    ------
    LabError
        If a parameter is out of its range.
    """

    def __init__(
        self,
        judge: Callable[[TaskState, Change], bool],
        *,
        seed: int,
        accuracy: float = 0.9,
        latency_seconds: float = 1800.0,
        minutes: float = 15.0,
    ) -> None:
        if not 0.0 <= accuracy <= 1.0:
            raise LabError(f"human accuracy is {accuracy}; it is a probability and must lie between 0 and 1")
        if latency_seconds < 0 or minutes < 0:
            raise LabError("human latency and cost cannot be negative")
        self._judge = judge
        self._seed = seed
        self._accuracy = accuracy
        self._latency = latency_seconds
        self._minutes = minutes

    def answer(self, state: TaskState) -> tuple[HumanAnswer, Cost]:
        """Look at the last proposed change and say yes or no."""
        change = _last_change(state)
        if change is None:
            answer = HumanAnswer(state.task.id, False, self._latency, self._minutes, "there is no change to look at")
            return answer, Cost(seconds=self._latency)
        draw = stable_seed(self._seed, "human", state.task.id, change.candidate.id) / 2**63
        approve = self._judge(state, change) == (draw < self._accuracy)
        answer = HumanAnswer(state.task.id, approve, self._latency, self._minutes, "twin")
        return answer, Cost(seconds=self._latency)


def _last_change(state: TaskState) -> Change | None:
    for entry in reversed(state.history):
        if isinstance(entry.result, Attempt):
            return entry.result.change
    return None
