"""A sealed memory: it takes nothing up, and what it leaves out changes nothing but its own place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.memory import InMemoryMemory, SealedMemory
from autodev_lab.records import Link, MemoryItem

words = st.lists(st.sampled_from(["parse", "empty", "date", "slow", "index"]), min_size=1, max_size=5).map(" ".join)


def filled(texts: list[str]) -> InMemoryMemory:
    memory = InMemoryMemory()
    for text in texts:
        memory.add(MemoryItem("tasks", text, {}))
    return memory


def test_nothing_is_taken_up() -> None:
    inner = filled(["parse a date"])
    sealed = SealedMemory(inner)
    added = sealed.add(MemoryItem("tasks", "another", {}))
    assert added.id, "whoever adds may link what came back"
    sealed.change(MemoryItem("tasks", "changed", {}, id="tasks:0"))
    sealed.delete("tasks", "tasks:0")
    sealed.link([Link("a", "CALLS", "b")])
    assert [item.text for item in inner.since("tasks", -1)] == ["parse a date"]
    assert sealed.since("tasks", -1) == inner.since("tasks", -1)
    assert sealed.neighbours("a") == ()


@given(st.lists(words, min_size=1, max_size=12), st.sets(st.integers(0, 11)), words, st.integers(0, 6))
def test_what_is_left_out_is_not_found_and_all_else_is_found_as_before(
    texts: list[str], places: set[int], query: str, k: int
) -> None:
    memory = filled(texts)
    without = {f"tasks:{place}" for place in places}
    whole = memory.search(query, collection="tasks", k=len(texts))
    sealed = SealedMemory(memory, without)
    assert sealed.search(query, collection="tasks", k=k) == tuple(h for h in whole if h.item.id not in without)[:k]
    assert sealed.since("tasks", -1) == tuple(i for i in memory.since("tasks", -1) if i.id not in without)


def test_links_of_what_is_left_out_are_not_seen_and_paths_through_it_are() -> None:
    memory = InMemoryMemory()
    memory.link([Link("a", "CALLS", "b"), Link("b", "CALLS", "c"), Link("d", "CALLS", "c")])
    sealed = SealedMemory(memory, ["b"])
    assert sealed.neighbours("c", incoming=True) == (Link("d", "CALLS", "c"),)
    assert dict(sealed.impact("c", 2)) == {"d": 1, "a": 2}
