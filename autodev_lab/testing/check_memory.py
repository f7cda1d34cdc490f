"""Contract suite for memories: what was added is found, what was changed or deleted is not, and hits say why."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from autodev_lab.errors import LabError
from autodev_lab.protocols import Memory
from autodev_lab.records import MemoryHit, MemoryItem, SearchMode

__all__ = ["check_memory"]

_USES = {
    SearchMode.KEYWORD: {"keyword"},
    SearchMode.VECTOR: {"vector"},
    SearchMode.GRAPH: {"keyword"},
    SearchMode.HYBRID: {"keyword", "vector"},
    SearchMode.HYBRID_GRAPH: {"keyword", "vector"},
}
"""The signals that must be behind the best hit of each mode, when the query shares words with it and links are none."""


def check_memory(make: Callable[[], Memory]) -> None:
    """Check that a memory keeps its promises; those of links have a suite of their own, `check_linked_memory`.

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
    _check_fidelity(make())
    _check_search(make())
    _check_modes(make())
    _check_filters(make())
    _check_change(make())
    _check_deletion(make())
    _check_time(make())
    _check_mistakes(make())


def _item(text: str, collection: str = "tasks", **facts: str) -> MemoryItem:
    return MemoryItem(collection, text, dict(facts), task_id=f"id of {text}")


def _texts(hits: tuple[MemoryHit, ...]) -> list[str]:
    return [hit.item.text for hit in hits]


def _check_log(memory: Memory) -> None:
    assert memory.since("tasks", -1) == (), "a new memory must be empty"
    first = memory.add(_item("alpha"))
    elsewhere = memory.add(_item("elsewhere", "patterns"))
    second = memory.add(_item("beta"))
    assert first.sequence >= 0, "add must give the item a sequence number of 0 or more"
    assert second.sequence > first.sequence, "sequence numbers must grow within a collection"
    assert first.id and second.id and elsewhere.id, "add must give an item an id where it has none"
    assert len({first.id, second.id, elsewhere.id}) == 3, "ids must differ, in other collections too"
    assert (first.text, first.task_id) == ("alpha", "id of alpha"), "add must return the item that was given"
    assert memory.since("tasks", -1) == (first, second), "since(-1) must return all items, oldest first"
    assert memory.since("tasks", first.sequence) == (second,), "since(n) must return what came after n only"
    assert memory.since("tasks", second.sequence) == (), "since(the last) must return nothing"
    assert memory.since("patterns", -1) == (elsewhere,), "collections must not see one another's items"


def _check_fidelity(memory: Memory) -> None:
    full = MemoryItem(
        "decisions",
        "Größe ≥ 3: 'quoted', \"twice\",\n\ttabbed",
        {"package": "a", "tries": 3, "risk": 0.25, "success": True},
        task_id="t1",
        agent_id="deployer-1",
        at=12.5,
        id="decision of t1",
        decision_id="d1",
        run_id="r1",
        valid_from=10.0,
        valid_until=20.0,
        half_life=5.0,
    )
    added = memory.add(full)
    plain = memory.add(_item("plain", "decisions"))
    assert added == replace(full, sequence=added.sequence), "add must change nothing but the sequence number and the id"
    assert memory.since("decisions", -1) == (added, plain), "an item must come back as it was added, field by field"
    kinds = {key: type(value) for key, value in memory.since("decisions", -1)[0].facts.items()}
    expected = {"package": str, "tries": int, "risk": float, "success": bool}
    assert kinds == expected, f"facts must keep their types, not become {kinds}"


def _check_search(memory: Memory) -> None:
    query = "parser fails on empty date"
    assert memory.search(query, collection="tasks", k=3) == (), "searching an empty memory must find nothing"
    memory.add(_item(query))
    for number in range(5):
        memory.add(_item(f"renderer fails with table {number}"))
    # The word "fails" is in all of them, so there is an order to get wrong.
    hits = memory.search(query, collection="tasks", k=3)
    assert hits, "an item must be visible to the next search"
    assert hits[0].item.text == query, "the item that shares most with the query must come first"
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True), f"hits must come best first, not with scores {scores}"
    assert hits[0].item in memory.since("tasks", -1), "a hit must hold the item as it was added"
    assert len(memory.search("renderer fails table", collection="tasks", k=2)) == 2, "search must return at most k hits"
    assert memory.search("renderer", collection="tasks", k=0) == (), "search for 0 hits must return none"
    assert memory.search("parser", collection="decisions") == (), "search must stay within its collection"
    again = memory.search(query, collection="tasks", k=3)
    assert again == hits, "the same search must find the same, as long as nothing is added"
    memory.add(_item("a value is wrong", name="package.calendar.leapYear"))
    named = memory.search("leap year calendar", collection="tasks", k=1)
    assert _texts(named) == ["a value is wrong"], "an item must be found by the words of its name"


def _check_modes(memory: Memory) -> None:
    texts = ("parser fails on empty date", "renderer draws a table twice", "cache forgets its oldest key")
    for text in texts:
        memory.add(_item(text))
    for mode in SearchMode:
        assert memory.search(" ", collection="tasks", mode=mode) == (), f"mode {mode}: an empty query must find nothing"
        assert memory.search("date", collection="patterns", mode=mode) == (), (
            f"mode {mode}: searching an empty collection must find nothing"
        )
        for text in texts:
            hits = memory.search(text, collection="tasks", mode=mode, k=2)
            assert hits and hits[0].item.text == text, f"mode {mode}: a query that is an item's text must find it first"
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True), f"mode {mode}: hits must come best first, not with {scores}"
            assert len(hits) <= 2, f"mode {mode}: search must return at most k hits"
            missing = _USES[mode] - set(hits[0].signals)
            assert not missing, f"mode {mode}: the best hit must say the score of each signal; {missing} is missing"
            for hit in hits:
                assert hit.signals, f"mode {mode}: a hit must say why it was found"
                assert all(map(math.isfinite, [hit.score, *hit.signals.values()])), (
                    f"mode {mode}: scores and signals must be finite numbers"
                )


def _check_filters(memory: Memory) -> None:
    memory.add(_item("date parser one", package="a"))
    memory.add(_item("date parser two", package="b"))
    memory.add(MemoryItem("tasks", "date parser three", {"tries": 3, "solved": True}))
    for mode in SearchMode:
        hits = memory.search("date parser", collection="tasks", mode=mode, filters={"package": "b"})
        assert _texts(hits) == ["date parser two"], f"mode {mode}: filters must keep items whose facts agree, no others"
        hits = memory.search("date parser", collection="tasks", mode=mode, k=1, filters={"package": "b"})
        assert _texts(hits) == ["date parser two"], f"mode {mode}: filters must count before k does"
    for key, value in (("tries", "3"), ("solved", "True")):
        hits = memory.search("date parser", collection="tasks", filters={key: value})
        assert _texts(hits) == ["date parser three"], f"filters must compare the fact {key} as text"
    both = memory.search("date parser", collection="tasks", filters={"package": "a", "tries": "3"})
    assert both == (), "filters must all agree"
    absent = memory.search("date parser", collection="tasks", filters={"package": "None"})
    assert absent == (), "a fact that an item does not have must agree with no filter"


def _check_change(memory: Memory) -> None:
    first = memory.add(_item("parser fails on empty date"))
    second = memory.add(_item("renderer draws a table twice"))
    for mode in SearchMode:  # whatever waits for a first search, or is kept of one, has been done
        memory.search("cache forgets oldest key", collection="tasks", mode=mode, k=1)
    changed = memory.change(replace(first, text="cache forgets its oldest key", facts={"package": "b"}))
    assert changed.id == first.id, "change must keep the id"
    assert changed.sequence > second.sequence, "change must give the item a new sequence number"
    assert memory.since("tasks", -1) == (second, changed), "since must return a changed item once, in its new place"
    assert memory.since("tasks", second.sequence) == (changed,), "since must return what changed since"
    for mode in SearchMode:
        found = memory.search("cache forgets oldest key", collection="tasks", mode=mode, k=1)
        assert [hit.item for hit in found] == [changed], f"mode {mode}: a change must be visible to the next search"
        old = memory.search("parser fails on empty date", collection="tasks", mode=mode)
        assert "parser fails on empty date" not in _texts(old), f"mode {mode}: the old text must not be found any more"
        kept = memory.search("cache", collection="tasks", mode=mode, filters={"package": "b"})
        assert [hit.item for hit in kept] == [changed], f"mode {mode}: filters must see changed facts"


def _check_deletion(memory: Memory) -> None:
    first = memory.add(_item("parser fails on empty date"))
    second = memory.add(_item("parser fails on long date"))
    for mode in SearchMode:
        memory.search("parser fails on empty date", collection="tasks", mode=mode)
    memory.delete("tasks", first.id)
    assert memory.since("tasks", -1) == (second,), "since must not return what was deleted"
    for mode in SearchMode:
        hits = memory.search("parser fails on empty date", collection="tasks", mode=mode)
        assert [hit.item for hit in hits] == [second], f"mode {mode}: what was deleted must not be found"
    third = memory.add(_item("parser fails on no date"))
    assert third.sequence > second.sequence, "sequence numbers must grow after a deletion"
    assert third.id not in (first.id, second.id), "the id of a deleted item must not be given to another"
    back = memory.add(replace(first, sequence=-1))
    assert back.id == first.id, "a deleted item may come back under its id"
    assert memory.since("tasks", -1) == (second, third, back), "what came back must be the newest"


def _check_time(memory: Memory) -> None:
    memory.add(replace(_item("date parser of spring"), valid_from=10.0, valid_until=20.0))
    memory.add(replace(_item("date parser of always"), at=0.0))
    for mode in SearchMode:
        for at, valid in ((9.0, False), (10.0, True), (19.0, True), (20.0, False), (None, True)):
            hits = memory.search("date parser of spring", collection="tasks", mode=mode, at=at)
            assert ("date parser of spring" in _texts(hits)) == valid, (
                f"mode {mode}: an item valid from 10 to 20 must {'' if valid else 'not '}be found at {at}"
            )
            assert "date parser of always" in _texts(hits), f"mode {mode}: an item without an end must always be found"
    memory.add(replace(_item("old key of a cache", "patterns"), at=100.0, half_life=50.0))
    for mode in SearchMode:
        fresh, half, early = (
            memory.search("old key of a cache", collection="patterns", mode=mode, at=at)[0]
            for at in (100.0, 150.0, 0.0)
        )
        assert math.isclose(half.score, fresh.score / 2, rel_tol=1e-6), (
            f"mode {mode}: after a half-life a score must be half of {fresh.score}, not {half.score}"
        )
        assert half.signals.get("decay") == 0.5, f"mode {mode}: a hit must say how much its age took, as signal 'decay'"
        assert early.score <= fresh.score * (1 + 1e-6), f"mode {mode}: what is yet to come must not score more"
    memory.add(replace(_item("new key of a cache", "patterns"), at=400.0, half_life=50.0))
    for mode in SearchMode:
        hits = memory.search("key of a cache", collection="patterns", mode=mode, at=400.0)
        assert _texts(hits)[0] == "new key of a cache", f"mode {mode}: of what matches alike the fresh must come first"


def _check_mistakes(memory: Memory) -> None:
    item = memory.add(_item("alpha"))
    elsewhere = memory.add(_item("elsewhere", "patterns"))
    wishes = replace(item, collection="wishes")
    _refuses("add to an unknown collection", lambda: memory.add(replace(wishes, id="")))
    _refuses("change in an unknown collection", lambda: memory.change(wishes))
    _refuses("delete from an unknown collection", lambda: memory.delete("wishes", item.id))
    _refuses("since in an unknown collection", lambda: memory.since("wishes", -1))
    _refuses("search in an unknown collection", lambda: memory.search("alpha", collection="wishes"))
    _refuses("add with an id that exists", lambda: memory.add(item))
    _refuses("add with an id that another collection has", lambda: memory.add(replace(item, id=elsewhere.id)))
    _refuses("change of an unknown id", lambda: memory.change(replace(item, id="nobody")))
    _refuses("change of an id in another collection", lambda: memory.change(replace(elsewhere, collection="tasks")))
    _refuses("delete of an unknown id", lambda: memory.delete("tasks", "nobody"))
    _refuses("delete of an id in another collection", lambda: memory.delete("tasks", elsewhere.id))
    assert memory.since("tasks", -1) == (item,), "what was refused must change nothing"
    assert memory.since("patterns", -1) == (elsewhere,), "what was refused must change nothing"


def _refuses(what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except LabError as error:
        sentence = str(error)
        assert sentence.strip() and "\n" not in sentence, f"{what} must be refused in one sentence, not {sentence!r}"
        return
    raise AssertionError(f"{what} must be refused with a LabError")
