"""The embedder without weights: unit vectors that depend on the text alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.memory import HashedEmbedder

texts = st.lists(st.text(alphabet="abc XYZ_1é", max_size=12), max_size=5)


@settings(deadline=None)  # the first call imports scikit-learn
@given(texts)
def test_vectors_are_of_unit_length_and_do_not_depend_on_their_neighbours(written):
    embedder = HashedEmbedder(64)
    vectors = embedder.embed(written)
    assert vectors.shape == (len(written), 64) and vectors.dtype == np.float32
    for text, vector in zip(written, vectors, strict=True):
        assert np.array_equal(vector, embedder.embed([text])[0])
        assert np.isclose(np.linalg.norm(vector), 1.0) or not vector.any()


def test_its_name_tells_its_size():
    assert HashedEmbedder(64).name != HashedEmbedder(128).name
