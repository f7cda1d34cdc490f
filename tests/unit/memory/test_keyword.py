"""Identifier-aware BM25: what was removed leaves no trace, names weigh more, and identifiers meet words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.memory.keyword import KeywordIndex, stemmed
from autodev_lab.records import MemoryItem

pytest.importorskip("Stemmer", reason="keyword search needs PyStemmer: pip install 'autodev-lab[memory]'")

texts = st.text(alphabet="ab cD_", max_size=12)
items = st.builds(lambda text, name: MemoryItem("codebase", text, {"name": name} if name else {}), texts, texts)


def index_of(written):
    index = KeywordIndex()
    for item in written:
        index.append(item)
    return index


@settings(deadline=None)
@given(st.lists(items, max_size=8), st.sets(st.integers(0, 7)), texts)
def test_removed_items_leave_no_trace_in_the_scores_of_the_rest(written, removed, query):
    index = index_of(written)
    gone = {position for position in removed if position < len(written)}
    for position in gone:
        index.remove(written[position])
    kept = [position for position in range(len(written)) if position not in gone]
    assert np.allclose(index.scores(query)[kept], index_of([written[one] for one in kept]).scores(query))


def test_identifiers_and_inflected_words_meet():
    assert stemmed("parseDates") == stemmed("parsing date")
    scores = index_of(
        [MemoryItem("codebase", "def parse_dates(): ...", {}), MemoryItem("codebase", "table", {})]
    ).scores("parsing a date")
    assert scores[0] > scores[1] == 0.0


def test_a_word_of_the_name_weighs_more_than_one_of_the_text():
    named = MemoryItem("codebase", "body words here", {"name": "package.parse"})
    told = MemoryItem("codebase", "body words package parse", {})
    scores = index_of([told, named]).scores("parse")
    assert scores[1] > scores[0] > 0.0


def test_bm25_is_the_textbooks():
    # three documents of lengths 2, 1, 1; "b" is in one of them, once
    scores = index_of([MemoryItem("tasks", text, {}) for text in ("cat dog", "cat", "cat")]).scores("dog")
    rarity = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    norm = 1.2 * (1 - 0.75 + 0.75 * 2 / (4 / 3))
    assert scores[0] == pytest.approx(rarity * 2.2 / (1 + norm))


def test_empty_positions_and_empty_indexes_score_nothing():
    assert KeywordIndex().scores("word").tolist() == []
    assert index_of([None, MemoryItem("tasks", "", {})]).scores("word").tolist() == [0.0, 0.0]
