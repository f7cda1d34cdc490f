"""Where vectors come from when a large memory is measured: from a file of those that were made, or from nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autodev_lab.memory import MiniLmEmbedder
from autodev_lab.memory.vectors import Matrix, VectorCache
from autodev_lab.protocols import Embedder

__all__ = ["KeptVectors", "NamedEmbedder", "RandomVectors"]


class KeptVectors:
    """The trained embedder, with every vector it makes kept in a file; for documents, never for queries that are timed.

    Parameters
    ----------
    path
        SQLite file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        embedder = MiniLmEmbedder()
        self._cache = VectorCache(path, embedder, keeps=True)
        self.name = embedder.name
        """See `Embedder`."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """See `Embedder`."""
        return self._cache.of(texts)

    def close(self) -> None:
        """Close the file."""
        self._cache.close()


class RandomVectors:
    """Vectors of unit length in directions that mean nothing, as many numbers each as the trained embedder's.

    What a search takes does not depend on what vectors say, so a memory of these can be timed and not judged.
    """

    name = "random-384"
    """See `Embedder`."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """See `Embedder`."""
        rows = self._rng.standard_normal((len(texts), 384), dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class NamedEmbedder:
    """An embedder under another's name, so that a memory filled with that one's vectors can be searched with it.

    Parameters
    ----------
    embedder
        Makes the vectors.
    name
        What it calls itself.
    """

    def __init__(self, embedder: Embedder, name: str) -> None:
        self._embedder = embedder
        self.name = name
        """See `Embedder`."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """See `Embedder`."""
        return self._embedder.embed(texts)
