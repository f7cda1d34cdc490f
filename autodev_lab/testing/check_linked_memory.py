"""Contract suite for linked memories: neighbours, what depends on what, and links that help a search."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.protocols import LinkedMemory
from autodev_lab.records import Link, MemoryItem, SearchMode

__all__ = ["check_linked_memory"]

_CHAIN = (
    Link("test_a", "TESTS", "a"),
    Link("a", "CALLS", "b"),
    Link("b", "CALLS", "c"),
    Link("c", "CALLS", "a"),
    Link("d", "INHERITS", "b"),
    Link("a", "CALLS", "a2"),
)


def check_linked_memory(make: Callable[[], LinkedMemory]) -> None:
    """Check that a memory keeps the promises of links; those of every memory are checked by `check_memory`.

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
    >>> check_linked_memory(InMemoryMemory)
    """
    _check_neighbours(make())
    _check_impact(make())
    _check_deletion(make())
    _check_search(make())


def _check_neighbours(memory: LinkedMemory) -> None:
    assert memory.neighbours("a") == (), "an unknown id must have no neighbours"
    memory.link(_CHAIN[3:])
    memory.link(_CHAIN)  # half of them again
    out = memory.neighbours("a")
    assert len(out) == len(set(out)), "links that exist already must not be doubled"
    assert out == (Link("a", "CALLS", "a2"), Link("a", "CALLS", "b")), (
        f"neighbours must be the links from an id, by relation and other end, not {out}"
    )
    into = memory.neighbours("a", incoming=True)
    assert into == (Link("c", "CALLS", "a"), Link("test_a", "TESTS", "a")), (
        f"incoming neighbours must be the links to an id, by relation and other end, not {into}"
    )
    tests = memory.neighbours("a", relation="TESTS", incoming=True)
    assert tests == (Link("test_a", "TESTS", "a"),), "neighbours must keep to a relation when one is named"
    memory.link([Link("a", "TESTS", "b")])
    assert len(memory.neighbours("a")) == 3, "links of two relations between the same ends are two links"


def _check_impact(memory: LinkedMemory) -> None:
    assert dict(memory.impact("b", 3)) == {}, "nothing depends on an unknown id"
    memory.link(_CHAIN)
    for hops, expected in (
        (0, {}),
        (1, {"a": 1, "d": 1}),
        (2, {"a": 1, "d": 1, "test_a": 2, "c": 2}),
        (9, {"a": 1, "d": 1, "test_a": 2, "c": 2}),
    ):
        found = dict(memory.impact("b", hops))
        assert found == expected, (
            f"impact in {hops} hops must be what leads to an id with its distance: {expected}, not {found}"
        )
    calls = dict(memory.impact("b", 3, relations=["CALLS"]))
    assert calls == {"a": 1, "c": 2}, f"impact must keep to the relations named, not find {calls}"


def _check_deletion(memory: LinkedMemory) -> None:
    for name in ("a", "b", "c"):
        memory.add(MemoryItem("codebase", f"function {name}", {}, id=name))
    memory.link(_CHAIN)
    memory.delete("codebase", "a")
    assert memory.neighbours("a") == memory.neighbours("a", incoming=True) == (), (
        "links from and to a deleted item must be gone"
    )
    assert memory.neighbours("test_a") == (), "a link to a deleted item must be gone from its other end"
    assert dict(memory.impact("c", 5)) == {"b": 1, "d": 2}, "no path may lead through a deleted item"
    memory.add(MemoryItem("codebase", "function a", {}, id="a"))
    assert memory.neighbours("a") == (), "an item that comes back must come without its old links"


def _check_search(memory: LinkedMemory) -> None:
    hit = memory.add(MemoryItem("codebase", "parser of empty dates", {}, id="parser"))
    near = memory.add(MemoryItem("codebase", "renderer", {"package": "a"}, id="renderer"))
    memory.add(MemoryItem("codebase", "unrelated", {}, id="unrelated"))
    memory.add(MemoryItem("tasks", "elsewhere", {}, id="elsewhere"))
    before = memory.search("parser dates", collection="codebase", mode=SearchMode.GRAPH)
    plain = memory.search("parser dates", collection="codebase")
    assert [one.item for one in before] == [one.item for one in plain], (
        "without links a graph search finds what words do"
    )
    # the way leads over something that is no item
    memory.link(
        [Link(near.id, "READS", "calendar"), Link(hit.id, "READS", "calendar"), Link("elsewhere", "READS", hit.id)]
    )
    for mode in (SearchMode.GRAPH, SearchMode.HYBRID_GRAPH):
        found = memory.search("parser dates", collection="codebase", mode=mode)
        assert found[0].item == hit, f"mode {mode}: what matches must come before what is linked to it"
        linked = [one for one in found if one.item == near]
        assert linked, f"mode {mode}: what is linked to a hit must be found"
        assert linked[0].signals.get("graph", 0.0) > 0.0, f"mode {mode}: a hit found by links must say so, as 'graph'"
        assert all(one.item.collection == "codebase" for one in found), (
            f"mode {mode}: links must not leave a collection"
        )
        kept = memory.search("parser dates", collection="codebase", mode=mode, filters={"package": "b"})
        assert kept == (), f"mode {mode}: what links lead to must agree with the filters"
    plain_again = memory.search("parser dates", collection="codebase")
    assert plain_again == plain, "links must not change a search by words"
