"""Contract suite for task streams: ordered, restartable, and with a truth for every task."""

from __future__ import annotations

from autodev_lab.protocols import TaskStream

__all__ = ["check_stream"]


def check_stream(stream: TaskStream) -> None:
    """Check that a stream keeps its promises. It is iterated twice, so give a short one.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.streams.synthetic import SyntheticStream
    >>> check_stream(SyntheticStream(5, seed=1))
    """
    assert stream.name, "a stream must have a name"
    first = list(stream)
    assert first, "a stream must have at least one task"
    assert list(stream) == first, "iterating a stream twice must give the same items"
    seen: dict[str, None] = {}
    arrival = 0.0
    for item in first:
        task = item.task
        assert task.id not in seen, f"task ids must be unique in a stream, but {task.id!r} comes twice"
        seen[task.id] = None
        assert "~" not in task.id, f"the id {task.id!r} holds '~', which marks follow-ups"
        assert task.parent is None and task.depth == 0, f"task {task.id!r} of a stream must not be a follow-up"
        assert item.truth.task_id == task.id, f"the truth of {task.id!r} is of {item.truth.task_id!r}"
        assert task.package, f"task {task.id!r} must name its package: it is the cluster of the analysis"
        assert task.arrival >= arrival, f"tasks must come in order of arrival, but {task.id!r} arrives before another"
        arrival = task.arrival
