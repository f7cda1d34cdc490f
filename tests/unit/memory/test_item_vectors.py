"""Vectors of items and queries: unit length, drawn towards the few words that tell most."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.memory import HashedEmbedder
from autodev_lab.memory.item_vectors import head_of, item_vectors, query_vector
from autodev_lab.memory.words import searchable
from autodev_lab.records import MemoryItem

EMBEDDER = HashedEmbedder(64)
lines = st.text(alphabet="abc _T", max_size=10)
items = st.builds(
    lambda name, text: MemoryItem("codebase", text, {"name": name} if name else {}),
    st.sampled_from(["", "a.b.parse", "parse"]),
    st.lists(lines, max_size=3).map("\n".join),
)


@settings(deadline=None)
@given(st.lists(st.none() | items, max_size=5), st.floats(0.0, 1.0))
def test_item_vectors_are_of_unit_length_or_zero_and_do_not_depend_on_the_others(written, share):
    vectors = item_vectors(written, EMBEDDER.embed, share)
    for item, vector in zip(written, vectors, strict=True):
        assert np.isclose(np.linalg.norm(vector), 1.0, atol=1e-5) or not vector.any()
        assert np.allclose(item_vectors([item], EMBEDDER.embed, share)[0], vector, atol=1e-6)


def test_the_share_of_the_head_goes_from_the_text_to_the_head():
    item = MemoryItem("codebase", "def parse(text):\n    return calendar", {"name": "package.dates.parse"})
    whole, head = EMBEDDER.embed([searchable(item), head_of(item)])
    assert np.allclose(item_vectors([item], EMBEDDER.embed, 0.0)[0], whole)
    assert np.allclose(item_vectors([item], EMBEDDER.embed, 1.0)[0], head, atol=1e-6)
    closeness = [item_vectors([item], EMBEDDER.embed, share)[0] @ head for share in (0.0, 0.3, 0.6, 1.0)]
    assert closeness == sorted(closeness)


def test_one_line_without_a_name_is_its_own_head():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return EMBEDDER.embed(texts)

    item_vectors([MemoryItem("tasks", "a test fails", {})], embed, 0.4)
    assert asked == ["a test fails"]


def test_a_query_leans_towards_what_is_left_without_stop_words():
    plain, content = EMBEDDER.embed(["the size of the table", "size table"])
    vectors = [query_vector("the size of the table", EMBEDDER.embed, share) for share in (0.0, 0.3, 1.0)]
    assert np.allclose(vectors[0], plain) and np.allclose(vectors[2], content, atol=1e-6)
    assert plain @ content < vectors[1] @ content < 1.0
    assert np.isclose(np.linalg.norm(vectors[1]), 1.0)
    assert np.array_equal(query_vector("the", EMBEDDER.embed, 0.3), EMBEDDER.embed(["the"])[0])
