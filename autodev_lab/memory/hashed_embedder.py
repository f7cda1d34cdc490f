"""An embedder without weights: hashed pieces of words, so that near spellings are near."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodev_lab.memory.words import tokenize

__all__ = ["HashedEmbedder"]


class HashedEmbedder:
    """Vectors of hashed character n-grams within words (n = 3 to 5), with signs against collisions.

    Feature hashing is by Weinberger et al. 2009, "Feature hashing for large scale multitask learning" (ICML), n-grams
    within words as in Bojanowski et al. 2017, "Enriching word vectors with subword information" (TACL). It knows no
    meaning: it is the deterministic twin of a trained embedder, for tests and for simulated worlds.

    Parameters
    ----------
    dimensions
        Length of a vector.

    Examples
    --------
    >>> parse, parser, table = HashedEmbedder().embed(["parse dates", "date parser", "render a table"])
    >>> bool(parse @ parser > parse @ table)
    True
    """

    def __init__(self, dimensions: int = 256) -> None:
        self._dimensions = dimensions

    @property
    def name(self) -> str:
        """See `Embedder`."""
        return f"hashed-ngrams-{self._dimensions}-1"

    def embed(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """See `Embedder`."""
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        from sklearn.feature_extraction.text import HashingVectorizer  # a second to import, and few runs need it

        hashed = HashingVectorizer(
            analyzer="char_wb",
            ngram_range=(3, 5),
            n_features=self._dimensions,
            preprocessor=lambda text: " ".join(tokenize(text)),
        )
        return np.asarray(hashed.transform(texts).toarray(), np.float32)
