"""An item comes back from R2R as it was, whatever its text, and is found by the words that a query splits into."""

from __future__ import annotations

import json
import math
import re
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import Chunk
from autodev_lab.memory.r2r_items import (
    document_id,
    filters_for,
    item_of,
    metadata_of,
    text_of,
    text_query,
    write_of,
)
from autodev_lab.memory.words import tokenize
from autodev_lab.records import MemoryItem

HERE = UUID(int=7)
anything = st.text(st.characters(codec=None), max_size=60)
seconds = st.floats(allow_nan=False)
items = st.builds(
    MemoryItem,
    collection=st.sampled_from(["tasks", "codebase"]),
    text=anything | st.text(" \n", max_size=3),
    facts=st.dictionaries(
        st.just("name") | anything, anything | st.integers() | st.floats(allow_nan=False) | st.booleans(), max_size=4
    ),
    task_id=anything,
    at=seconds,
    sequence=st.integers(0, 2**53),
    id=anything,
    valid_from=seconds,
    valid_until=seconds,
    half_life=seconds,
)


def stored(item: MemoryItem, write: str = "w") -> Chunk:
    """What R2R gives back: everything went through JSON without NUL, infinities and halves of pairs."""
    text = text_of(item)
    text.encode("utf-8")
    assert "\0" not in text
    metadata = json.dumps(metadata_of(item, HERE, write), allow_nan=False)
    assert "\\u0000" not in re.sub(r"\\\\", "", metadata)
    return Chunk(id=UUID(int=1), document_id=UUID(int=2), text=text, metadata=json.loads(metadata))


@given(items)
@example(MemoryItem("tasks", "", {}))
@example(MemoryItem("tasks", "a \0 and \ud800", {"name": "\0", "\0": "\0"}, id="\0"))
@example(MemoryItem("tasks", "name", {"name": "name"}))
@example(MemoryItem("tasks", "word " * 10_000, {}))
def test_an_item_comes_back_as_it_was(item):
    back = item_of(stored(item))
    assert back == item
    assert {key: type(value) for key, value in back.facts.items()} == {k: type(v) for k, v in item.facts.items()}


def test_metadata_do_not_hold_the_text_again():
    item = MemoryItem("codebase", "def long(): ...\n" * 500, {})
    assert len(json.dumps(metadata_of(item, HERE, "w"))) < 500 < len(text_of(item))


def test_the_act_of_writing_is_known_again():
    assert write_of(stored(MemoryItem("tasks", "a", {}), "this one")) == "this one"


@given(anything)
def test_a_query_is_words_joined_by_or(query):
    words = text_query(query).split(" or ")
    assert len(set(words)) == len(words)
    for word in words:
        assert word != "or"
        assert not re.search(r"[\s\"'()<>&|!:*-]", word), "nothing that web search takes for an operator"


@given(st.lists(st.tuples(st.text("abXY01", min_size=1, max_size=5), st.sampled_from(" _./-:@+")), max_size=8))
def test_every_word_of_a_text_is_searchable(parts):
    """Either PostgreSQL splits it so, or it stands behind the text."""
    text = "".join(word + separator for word, separator in parts).rstrip("_./-:@+")
    searched = text_of(MemoryItem("codebase", text, {}))
    assert set(tokenize(text)) <= set(re.split(r"[\s_]", searched.lower()))


def test_a_name_weighs_more_than_the_text():
    assert text_of(MemoryItem("codebase", "leap", {"name": "year"})).split().count("year") == 3


@given(anything, anything)
def test_documents_differ_as_ids_do(first, second):
    assert (document_id(HERE, first) == document_id(HERE, second)) == (first == second)


def test_infinite_times_are_filtered_by_numbers_that_json_has():
    filters = filters_for(HERE, {"a": "b"}, math.inf)
    assert json.loads(json.dumps(filters, allow_nan=False)) == filters


@pytest.mark.parametrize(
    "metadata",
    [{}, {"autodev_item": "{", "autodev_text": [0, 1]}, {"autodev_item": '{"colour": "red"}', "autodev_text": [0, 1]}],
)
def test_a_chunk_that_something_else_wrote_into_is_told(metadata):
    chunk = Chunk(id=UUID(int=1), document_id=UUID(int=2), text="a", metadata=metadata)
    with pytest.raises(LabError, match=f"something else wrote into R2R's document {UUID(int=2)}"):
        item_of(chunk)
