"""Vectors: made once for each text, the same whether new or read, and never mixed between embedders."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.memory import HashedEmbedder
from autodev_lab.memory.vectors import VectorCache, VectorIndex


class Counting(HashedEmbedder):
    def __init__(self, dimensions=32):
        super().__init__(dimensions)
        self.made = []

    def embed(self, texts):
        self.made.extend(texts)
        return super().embed(texts)


def test_a_vector_is_made_once_and_comes_back_bit_by_bit(tmp_path):
    embedder = Counting()
    first = VectorCache(tmp_path / "v.sqlite", embedder, keeps=True)
    new = first.of(["parse date", "render table", "parse date"])
    assert embedder.made == ["parse date", "render table"]
    first.close()
    second = VectorCache(tmp_path / "v.sqlite", embedder, keeps=True)
    assert np.array_equal(second.of(["render table", "parse date"]), new[[1, 0]])
    assert len(embedder.made) == 2
    second.close()


def test_more_texts_than_a_chunk_keep_their_order(tmp_path):
    cache = VectorCache(tmp_path / "v.sqlite", HashedEmbedder(32), keeps=True)
    texts = [f"text {number} {number % 7}" for number in range(450)]
    together = cache.of(texts)
    assert np.array_equal(together[[3, 449]], cache.of([texts[3], texts[449]]))
    assert cache.of([]).size == 0
    cache.close()


def test_a_reader_keeps_nothing_and_reads_what_is_kept(tmp_path):
    path, embedder = tmp_path / "v.sqlite", Counting()
    reader = VectorCache(path, embedder, keeps=False)
    reader.of(["parse date"])
    assert not path.exists()
    writer = VectorCache(path, HashedEmbedder(32), keeps=True)
    writer.of(["render table"])
    reader.of(["render table"])
    assert embedder.made == ["parse date"]
    reader.close()
    writer.close()


def test_vectors_of_another_embedder_are_not_taken(tmp_path):
    for size in (32, 64):
        cache = VectorCache(tmp_path / "v.sqlite", HashedEmbedder(size), keeps=True)
        assert cache.of(["parse date"]).shape == (1, size)
        cache.close()


@given(st.lists(st.integers(0, 5), max_size=6))
def test_rows_grow_in_any_portions(portions):
    rows = np.arange(2.0 * sum(portions), dtype=np.float32).reshape(-1, 2)
    index, start = VectorIndex(), 0
    for portion in portions:
        index.extend(rows[start : start + portion])
        start += portion
    assert index.scores(np.array([1.0, 0.5], np.float32)).tolist() == (rows @ [1.0, 0.5]).tolist()


def test_an_inner_product_below_zero_counts_as_zero():
    index = VectorIndex()
    index.extend(np.array([[-1.0], [2.0]], np.float32))
    assert index.scores(np.array([1.0], np.float32)).tolist() == [0.0, 2.0]
