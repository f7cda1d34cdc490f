"""The vectors of an item and of a query: of the whole text, drawn towards that of the few words that tell most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from autodev_lab.memory.words import content_words, name_of, searchable, tokenize
from autodev_lab.records import MemoryItem

__all__ = ["Matrix", "head_of", "item_vectors", "query_vector"]

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]

_SCOPES = 2


def head_of(item: MemoryItem) -> str:
    """What an item is about, in few words: its own name, the nearest scopes, and the first line of its text.

    Empty where that is all there is.

    Examples
    --------
    >>> head_of(MemoryItem("codebase", "def parse(text):\\n    ...", {"name": "package.dates.Parser.parse"}))
    'parse dates parser def parse text'
    """
    *scopes, own = name_of(item).split(".")
    first, _, rest = item.text.strip().partition("\n")
    if not own and not rest:
        return ""
    return " ".join(tokenize(" ".join((own, *scopes[-_SCOPES:], first))))


def item_vectors(
    items: Sequence[MemoryItem | None], embed: Callable[[Sequence[str]], Matrix], head_weight: float
) -> Matrix:
    """One row an item, of unit length; zero where there is none.

    A long text's vector is a mean over many words, in which what the text is about drowns; the head says it in a few.

    Parameters
    ----------
    embed
        Makes or finds the vectors of texts.
    head_weight
        Share of the head, from 0 to 1.
    """
    vectors = embed(["" if item is None else searchable(item) for item in items])
    heads = ["" if item is None else head_of(item) for item in items]
    headed = [row for row, head in enumerate(heads) if head]
    if headed and head_weight > 0.0:
        vectors[headed] = _blend(vectors[headed], embed([heads[row] for row in headed]), head_weight)
    return vectors


def query_vector(
    query: str, embed: Callable[[Sequence[str]], Matrix], content_weight: float
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The vector of a query, of unit length, drawn towards that of its words without stop words.

    Parameters
    ----------
    embed
        Makes the vectors of texts.
    content_weight
        Share of these words, from 0 to 1.
    """
    vector = embed([query])
    content = " ".join(content_words(query))
    if content and content != query and content_weight > 0.0:
        vector = _blend(vector, embed([content]), content_weight)
    row: np.ndarray[tuple[int], np.dtype[np.float32]] = vector[0]
    return row


def _blend(one: Matrix, other: Matrix, share: float) -> Matrix:
    blend = (1.0 - share) * one + share * other
    return np.asarray(blend / np.maximum(np.linalg.norm(blend, axis=1, keepdims=True), 1e-12), np.float32)
