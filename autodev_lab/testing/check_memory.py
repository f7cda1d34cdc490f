"""Contract suite for memories: what was added can be found, in order, by its collection and its facts."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.protocols import Memory
from autodev_lab.records import MemoryItem

__all__ = ["check_memory"]


def check_memory(make: Callable[[], Memory]) -> None:
    """Check that a memory keeps its promises.

    Parameters
    ----------
    make
        Makes an empty memory with the collections ``codebase, tasks, patterns, decisions``.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.memory import InMemoryMemory
    >>> check_memory(InMemoryMemory)
    """
    _check_log(make())
    _check_search(make())
    _check_filters(make())


def _item(text: str, collection: str = "tasks", **facts: str) -> MemoryItem:
    return MemoryItem(collection, text, dict(facts), task_id=f"id of {text}")


def _check_log(memory: Memory) -> None:
    assert memory.since("tasks", -1) == (), "a new memory must be empty"
    first = memory.add(_item("alpha"))
    elsewhere = memory.add(_item("elsewhere", "patterns"))
    second = memory.add(_item("beta"))
    assert first.sequence >= 0, "add must give the item a sequence number of 0 or more"
    assert second.sequence > first.sequence, "sequence numbers must grow within a collection"
    assert (first.text, first.task_id) == ("alpha", "id of alpha"), "add must return the item that was given"
    assert memory.since("tasks", -1) == (first, second), "since(-1) must return all items, oldest first"
    assert memory.since("tasks", first.sequence) == (second,), "since(n) must return what came after n only"
    assert memory.since("tasks", second.sequence) == (), "since(the last) must return nothing"
    assert memory.since("patterns", -1) == (elsewhere,), "collections must not see one another's items"


def _check_search(memory: Memory) -> None:
    assert memory.search("anything", collection="tasks") == (), "searching an empty memory must find nothing"
    memory.add(_item("parser fails on empty date"))
    for number in range(5):
        memory.add(_item(f"renderer fails with table {number}"))
    # The word "fails" is in all of them, so there is an order to get wrong.
    hits = memory.search("parser fails on empty date", collection="tasks", k=3)
    assert hits, "an item must be visible to the next search"
    assert hits[0].item.text == "parser fails on empty date", "the item that shares most with the query must come first"
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True), f"hits must come best first, not with scores {scores}"
    assert len(memory.search("renderer fails table", collection="tasks", k=2)) <= 2, "search must return at most k hits"
    assert memory.search("parser", collection="decisions") == (), "search must stay within its collection"
    again = memory.search("parser fails on empty date", collection="tasks", k=3)
    assert again == hits, "the same search must find the same, as long as nothing is added"


def _check_filters(memory: Memory) -> None:
    memory.add(_item("date parser one", package="a"))
    memory.add(_item("date parser two", package="b"))
    hits = memory.search("date parser", collection="tasks", filters={"package": "b"})
    assert [hit.item.text for hit in hits] == ["date parser two"], (
        "filters must keep items whose facts agree, no others"
    )
