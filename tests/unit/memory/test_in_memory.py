"""The in-memory memory: a log that loses nothing and a search that finds what was just added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory import InMemoryMemory
from autodev_lab.memory.in_memory import COLLECTIONS
from autodev_lab.records import MemoryItem

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
