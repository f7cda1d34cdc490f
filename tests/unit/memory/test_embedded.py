"""The embedded memory: the contract, reopening, readers beside the writer, and what a user is told of a broken one."""

import json
import sqlite3
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.memory import EmbeddedMemory, HashedEmbedder, InMemoryMemory, rebuild_memory
from autodev_lab.memory.embedded import ITEMS, VECTORS, VERSIONS
from autodev_lab.memory.fusion import Weights
from autodev_lab.records import Link, MemoryItem, SearchMode
from autodev_lab.testing import check_linked_memory, check_memory

pytest.importorskip("Stemmer", reason="keyword search needs PyStemmer: pip install 'autodev-lab[memory]'")

SMALL = HashedEmbedder(32)


def open_memory(folder, **options):
    return EmbeddedMemory(folder, embedder=SMALL, **options)


@pytest.fixture
def make(tmp_path):
    opened, numbers = [], count()

    def another():
        opened.append(EmbeddedMemory(tmp_path / str(next(numbers)), embedder=HashedEmbedder()))
        return opened[-1]

    yield another
    for memory in opened:
        memory.close()


def test_it_keeps_the_contract(make):
    check_memory(make)
    check_linked_memory(make)


ids = st.sampled_from(["one", "two", "three", "four"])
item_texts = st.sampled_from(["parse the date", "render a table", "date of a table", ""])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), ids, item_texts),
        st.tuples(st.just("change"), ids, item_texts),
        st.tuples(st.just("delete"), ids),
        st.tuples(st.just("link"), ids, ids),
        st.tuples(st.just("search")),
    ),
    max_size=20,
)


def apply(memory, operation):
    match operation:
        case ("add" | "change" as action, item_id, text):
            getattr(memory, action)(MemoryItem("tasks", text, {"name": item_id}, id=item_id))
        case ("delete", item_id):
            memory.delete("tasks", item_id)
        case ("link", source, target):
            memory.link([Link(source, "NEAR", target)])
        case _:
            for mode in SearchMode:
                memory.search("date table", collection="tasks", mode=mode)


def answers(memory):
    return [
        [
            (hit.item, pytest.approx(hit.score, abs=1e-6))
            for hit in memory.search("date table", collection="tasks", mode=mode)
        ]
        for mode in SearchMode
    ]


@settings(deadline=None, max_examples=40)
@given(operations)
def test_reopened_or_read_beside_the_writer_it_answers_the_same_and_holds_what_the_twin_holds(done):
    with tempfile.TemporaryDirectory() as folder, open_memory(folder) as memory:
        twin = InMemoryMemory()
        with open_memory(folder, read_only=True) as reader:
            for operation in done:
                refused = []
                for one in (memory, twin):
                    try:
                        apply(one, operation)
                    except LabError as error:
                        refused.append(str(error))
                assert len(set(refused)) <= 1, "both refuse, with the same words"
                assert reader.since("tasks", -1) == memory.since("tasks", -1)
            assert answers(reader) == answers(memory)
        assert [(item.id, item.text) for item in memory.since("tasks", -1)] == [
            (item.id, item.text) for item in twin.since("tasks", -1)
        ]
        for item_id in ("one", "two", "three", "four"):
            assert memory.neighbours(item_id) == twin.neighbours(item_id)
            assert memory.impact(item_id, 2) == twin.impact(item_id, 2)
        before = answers(memory)
        memory.close()
        with open_memory(folder) as again:
            assert answers(again) == before


def test_several_items_are_added_or_none(tmp_path):
    with open_memory(tmp_path) as memory:
        added = memory.add_all(MemoryItem("tasks", text, {}) for text in ("one", "two"))
        with pytest.raises(LabError, match="already"):
            memory.add_all([MemoryItem("tasks", "three", {}), MemoryItem("tasks", "four", {}, id=added[0].id)])
        assert memory.since("tasks", -1) == added


@pytest.mark.parametrize(
    "item",
    [
        MemoryItem("tasks", "lone surrogate \ud800", {}),
        MemoryItem("tasks", "text", {"an object": object()}),
        MemoryItem("tasks", "text", {}, at=float("nan")),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_sentence(tmp_path, item):
    with open_memory(tmp_path) as memory:
        with pytest.raises(LabError, match="cannot be kept"):
            memory.add(item)
        assert memory.since("tasks", -1) == ()


def test_a_second_writer_gets_one_sentence_and_may_write_when_the_first_is_done(tmp_path):
    with open_memory(tmp_path) as first:
        first.add(MemoryItem("tasks", "kept", {}))
        with pytest.raises(LabError, match=r"another process writes the memory in .*read_only=True"):
            open_memory(tmp_path)
    with open_memory(tmp_path) as second:
        assert [item.text for item in second.since("tasks", -1)] == ["kept"]


def test_a_reader_changes_nothing_and_needs_something_to_read(tmp_path):
    with pytest.raises(LabError, match="there is no memory in"):
        open_memory(tmp_path / "nowhere", read_only=True)
    with open_memory(tmp_path) as writer:
        kept = writer.add(MemoryItem("tasks", "kept", {}))
        with open_memory(tmp_path, read_only=True) as reader:
            for action in (
                lambda: reader.add(MemoryItem("tasks", "more", {})),
                lambda: reader.change(kept),
                lambda: reader.delete("tasks", kept.id),
                lambda: reader.link([Link("a", "CALLS", "b")]),
            ):
                with pytest.raises(LabError, match="opened for reading"):
                    action()


def test_a_closed_memory_says_so(tmp_path):
    memory = open_memory(tmp_path)
    memory.close()
    memory.close()
    for action in (
        lambda: memory.add(MemoryItem("tasks", "more", {})),
        lambda: memory.search("more", collection="tasks"),
        lambda: memory.since("tasks", -1),
    ):
        with pytest.raises(LabError, match="has been closed; open it again"):
            action()


def test_weights_are_kept_with_the_index(tmp_path):
    chosen = Weights(keyword=0.9, vector=0.1)
    with open_memory(tmp_path, weights=chosen) as memory:
        for text in ("date parser", "date", "dates and more dates of a date"):
            memory.add(MemoryItem("tasks", text, {}))
        before = memory.search("date", collection="tasks", mode=SearchMode.HYBRID)
    with open_memory(tmp_path) as memory:
        assert memory.search("date", collection="tasks", mode=SearchMode.HYBRID) == before
    with open_memory(tmp_path, weights=Weights()) as memory:
        assert memory.search("date", collection="tasks", mode=SearchMode.HYBRID) != before


def test_another_embedder_is_refused_until_the_memory_is_rebuilt(tmp_path):
    with open_memory(tmp_path) as memory:
        memory.add(MemoryItem("tasks", "date parser", {}))
        memory.index()
    other = HashedEmbedder(64)
    with pytest.raises(
        LabError, match=r"made with the embedder hashed-ngrams-32-1 and this is hashed-ngrams-64-1.*rebuild_memory"
    ):
        EmbeddedMemory(tmp_path, embedder=other)
    assert rebuild_memory(tmp_path, embedder=other).items == 1
    with EmbeddedMemory(tmp_path, embedder=other) as memory:
        assert memory.search("date", collection="tasks", mode=SearchMode.VECTOR)


def filled(folder, items=400):
    with open_memory(folder) as memory:
        added = memory.add_all(
            MemoryItem("tasks", f"item {number} " + "long text " * 30, {"number": number}) for number in range(items)
        )
        memory.link(Link(item.id, "NEAR", added[0].id) for item in added[1:])
        memory.index()
    return added


def damage(path, start, length=4096):
    with path.open("r+b") as stream:
        stream.seek(start)
        stream.write(b"\xa5" * length)


def test_a_file_that_is_no_database_says_so_and_a_rebuild_puts_it_aside(tmp_path):
    filled(tmp_path, 3)
    damage(tmp_path / ITEMS, 0)
    with pytest.raises(LabError, match=r"items\.sqlite is damaged .*rebuild_memory") as told:
        open_memory(tmp_path)
    assert "\n" not in str(told.value)
    rebuilt = rebuild_memory(tmp_path, embedder=SMALL)
    assert (rebuilt.items, rebuilt.damaged) == (0, True)
    assert (tmp_path / f"{ITEMS}.broken").exists()
    with open_memory(tmp_path) as memory:
        assert memory.since("tasks", -1) == ()


def test_of_a_file_damaged_in_the_middle_a_rebuild_saves_both_ends(tmp_path):
    added = filled(tmp_path)
    damage(tmp_path / ITEMS, (tmp_path / ITEMS).stat().st_size // 3 // 4096 * 4096, 3 * 4096)
    with pytest.raises(LabError, match="is damaged"), open_memory(tmp_path) as memory:
        memory.search("item", collection="tasks")
    rebuilt = rebuild_memory(tmp_path, embedder=SMALL)
    assert rebuilt.damaged and 0 < rebuilt.items < len(added)
    with open_memory(tmp_path) as memory:
        kept = memory.since("tasks", -1)
        assert set(kept) <= set(added) and len(kept) == rebuilt.items
        assert memory.add(MemoryItem("tasks", "goes on", {})).sequence > added[-1].sequence


def test_damaged_vectors_and_versions_say_so_and_are_made_anew(tmp_path):
    added = filled(tmp_path, 20)
    damage(tmp_path / VECTORS, 0)
    (tmp_path / VERSIONS).write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match=r"index\.json is damaged .*rebuild_memory"):
        open_memory(tmp_path)
    (tmp_path / VERSIONS).unlink()
    with open_memory(tmp_path) as memory:
        assert memory.search("item", collection="tasks"), "words need no vectors"
        with pytest.raises(LabError, match=r"vectors\.sqlite is damaged .*rebuild_memory"):
            memory.search("item", collection="tasks", mode=SearchMode.VECTOR)
    rebuilt = rebuild_memory(tmp_path, embedder=SMALL)
    assert (rebuilt.items, rebuilt.links, rebuilt.damaged) == (20, 19, False)
    with open_memory(tmp_path) as memory:
        assert memory.since("tasks", -1) == added
        assert memory.search("item 7", collection="tasks", mode=SearchMode.VECTOR)


def test_an_older_store_says_so_and_a_rebuild_brings_it_up_to_date(tmp_path):
    filled(tmp_path, 5)
    with sqlite3.connect(tmp_path / ITEMS) as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("ALTER TABLE items DROP COLUMN half_life")
    connection.close()
    with pytest.raises(LabError, match="has format 0 and this lab reads 1; rebuild_memory"):
        open_memory(tmp_path)
    rebuilt = rebuild_memory(tmp_path, embedder=SMALL)
    assert (rebuilt.items, rebuilt.links, rebuilt.damaged) == (5, 4, False)
    with open_memory(tmp_path) as memory:
        assert all(item.half_life == float("inf") for item in memory.since("tasks", -1))


def test_a_newer_store_asks_for_a_newer_lab(tmp_path):
    filled(tmp_path, 1)
    with sqlite3.connect(tmp_path / ITEMS) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LabError, match="use a newer autodev_lab"):
        open_memory(tmp_path)


def test_a_rebuild_changes_nothing_of_a_sound_memory(tmp_path):
    added = filled(tmp_path, 10)
    with open_memory(tmp_path, weights=Weights(keyword=0.7, vector=0.3)) as memory:
        memory.delete("tasks", added[3].id)
        changed = memory.change(replace(added[4], text="another"))
        before = answers(memory)
    rebuilt = rebuild_memory(tmp_path, embedder=SMALL)
    assert (rebuilt.items, rebuilt.links, rebuilt.damaged) == (9, 8, False)
    with open_memory(tmp_path) as memory:
        assert answers(memory) == before
        assert memory.since("tasks", changed.sequence - 1) == (changed,)
    with pytest.raises(LabError, match="to rebuild"):
        rebuild_memory(tmp_path / "nowhere")


def test_a_directory_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(LabError, match="cannot write in"):
        open_memory(tmp_path / "file" / "memory")


def test_versions_say_what_the_index_was_made_with(tmp_path):
    open_memory(tmp_path).close()
    found = json.loads(Path(tmp_path / VERSIONS).read_text(encoding="utf-8"))
    assert found["embedder"] == SMALL.name and found["tokenizer"] and found["weights"]["pool"] == 100
