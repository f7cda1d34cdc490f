"""The in-memory memory: a log that loses nothing and a search that finds what was just added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory import InMemoryMemory
from autodev_lab.memory.collections import COLLECTIONS
from autodev_lab.records import Link, MemoryItem, SearchMode
from autodev_lab.testing import check_linked_memory, check_memory

texts = st.lists(st.text(alphabet="abcd eF_G1", max_size=12), max_size=20)


@given(texts)
def test_the_log_keeps_everything_in_order(written):
    memory = InMemoryMemory()
    for text in written:
        memory.add(MemoryItem("tasks", text, {}))
    items = memory.since("tasks", -1)
    assert [item.text for item in items] == written
    assert [item.sequence for item in items] == list(range(len(written)))


@given(texts, st.integers(0, 20))
def test_since_gives_only_what_is_newer(written, cursor):
    memory = InMemoryMemory()
    for text in written:
        memory.add(MemoryItem("patterns", text, {}))
    assert [item.text for item in memory.since("patterns", cursor)] == written[cursor + 1 :]


def test_collections_do_not_mix():
    memory = InMemoryMemory()
    for name in COLLECTIONS:
        memory.add(MemoryItem(name, f"only in {name}", {}))
    for name in COLLECTIONS:
        assert [hit.item.collection for hit in memory.search("only", collection=name)] == [name]


def test_an_item_is_found_as_soon_as_it_is_added():
    memory = InMemoryMemory()
    assert memory.search("date", collection="tasks") == ()
    memory.add(MemoryItem("tasks", "parseDate fails", {}))
    assert len(memory.search("date", collection="tasks")) == 1
    memory.add(MemoryItem("tasks", "another parse_date", {}))
    assert len(memory.search("date", collection="tasks")) == 2


def test_the_rarer_word_counts_more_and_results_say_why():
    memory = InMemoryMemory()
    for text in ("parse text", "parse number", "parse isoweek"):
        memory.add(MemoryItem("tasks", text, {}))
    best = memory.search("parse isoweek", collection="tasks")[0]
    assert best.item.text == "parse isoweek"
    assert best.signals["keyword"] == best.score > 0


def test_filters_and_k_limit_the_results():
    memory = InMemoryMemory()
    for number in range(6):
        memory.add(MemoryItem("tasks", "same words", {"package": "even" if number % 2 == 0 else "odd"}))
    hits = memory.search("words", collection="tasks", k=2, filters={"package": "odd"})
    assert [hit.item.sequence for hit in hits] == [1, 3]
    assert memory.search("words", collection="tasks", k=0) == ()


def test_an_unknown_collection_names_those_there_are():
    with pytest.raises(LabError, match="codebase, tasks, patterns, decisions"):
        InMemoryMemory().since("wishes", -1)


def test_it_keeps_the_contract():
    check_memory(InMemoryMemory)
    check_linked_memory(InMemoryMemory)


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "change", "delete", "search"]), st.integers(0, 5), st.sampled_from(["a b", "b c"])
    ),
    max_size=30,
)


@given(steps)
def test_after_any_changes_it_searches_as_if_it_had_always_held_what_it_holds(done):
    memory, living = InMemoryMemory(), {}
    for action, number, text in done:
        item_id = f"item {number}"
        item = MemoryItem("tasks", text, {}, id=item_id)
        if action == "add" and item_id not in living:
            living[item_id] = memory.add(item)
        elif action == "change" and item_id in living:
            living[item_id] = memory.change(item)
        elif action == "delete" and item_id in living:
            memory.delete("tasks", item_id)
            del living[item_id]
        elif action == "search":
            memory.search("b", collection="tasks")
    fresh = InMemoryMemory()
    for item in memory.since("tasks", -1):
        fresh.add(item)
    assert {item.id for item in fresh.since("tasks", -1)} == set(living)
    for mode in SearchMode:
        ours, theirs = (
            [
                (hit.item.id, pytest.approx(hit.score), hit.item.text)
                for hit in one.search("a b c", collection="tasks", mode=mode)
            ]
            for one in (memory, fresh)
        )
        assert ours == theirs


def test_an_id_that_somebody_chose_is_not_given_to_another():
    memory = InMemoryMemory()
    chosen = memory.add(MemoryItem("tasks", "first", {}, id="tasks:1"))
    given_id = memory.add(MemoryItem("tasks", "second", {})).id
    assert given_id != chosen.id


def test_an_unknown_mode_names_those_there_are_and_a_plain_string_will_do():
    memory = InMemoryMemory()
    memory.add(MemoryItem("tasks", "parse date", {}))
    assert memory.search("date", collection="tasks", mode="hybrid")[0].signals.keys() == {"keyword", "vector"}
    with pytest.raises(LabError, match="choose one of keyword, vector, graph, hybrid, hybrid_graph"):
        memory.search("date", collection="tasks", mode="psychic")


def test_vectors_find_what_shares_no_word():
    memory = InMemoryMemory()
    memory.add(MemoryItem("tasks", "parsing of calendars", {}))
    memory.add(MemoryItem("tasks", "rendering of tables", {}))
    assert memory.search("calendar parser", collection="tasks") == ()
    best = memory.search("calendar parser", collection="tasks", mode=SearchMode.VECTOR)[0]
    assert best.item.text == "parsing of calendars"


def test_a_decayed_item_does_not_crowd_out_a_fresh_one():
    memory = InMemoryMemory()
    for number in range(300):
        memory.add(MemoryItem("tasks", "date parser", {"number": number}, half_life=1.0))
    fresh = memory.add(MemoryItem("tasks", "date parser", {}, at=1000.0, half_life=1.0))
    for mode in SearchMode:
        assert memory.search("date parser", collection="tasks", mode=mode, at=1000.0)[0].item == fresh


def test_negative_hops_are_refused():
    memory = InMemoryMemory()
    memory.link([Link("a", "CALLS", "b")])
    with pytest.raises(LabError, match="hops is -1"):
        memory.impact("b", -1)
