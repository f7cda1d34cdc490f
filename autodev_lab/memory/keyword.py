"""Keyword search that knows identifiers: BM25 over stemmed parts of names and text, growing item by item."""

from __future__ import annotations

import functools
import math
import re
from array import array
from collections import Counter
from collections.abc import Callable

import numpy as np

from autodev_lab.errors import LabError
from autodev_lab.memory.words import content_words, name_of
from autodev_lab.records import MemoryItem

__all__ = ["TOKENIZER", "KeywordIndex", "stemmed"]

TOKENIZER = "identifiers-stop-snowball-1"
"""Name and version of how text becomes words; an index made with another is not used."""

_RUN = re.compile(r"\w+")
_K1 = 1.2
_B = 0.75
_NAME_WEIGHT = 3

Scores = np.ndarray[tuple[int], np.dtype[np.float32]]


def stemmed(text: str) -> list[str]:
    """Words of a text, identifiers split, stop words left out, each cut to its stem (Snowball English; Porter 2001).

    Raises
    ------
    LabError
        If the stemmer is not installed.
    """
    parts = _parts()
    return [word for run in _RUN.findall(text) for word in parts(run)]


@functools.cache
def _parts() -> Callable[[str], tuple[str, ...]]:
    try:
        import Stemmer
    except ImportError as error:
        raise LabError("keyword search needs PyStemmer; pip install 'autodev-lab[memory]'") from error
    stem: Callable[[str], str] = Stemmer.Stemmer("english").stemWord

    @functools.lru_cache(maxsize=100_000)  # code says the same names over and over
    def parts(run: str) -> tuple[str, ...]:
        return tuple(stem(word) for word in content_words(run))

    return parts


class KeywordIndex:
    """An inverted index by position: what was removed leaves no trace in the scores of what remains.

    Words are scored by Okapi BM25 (Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and
    beyond", §3.5); a word of an item's name counts three times, as BM25F weighs fields before they saturate (§3.6).
    """

    def __init__(self) -> None:
        self._postings: dict[str, tuple[array[int], array[int]]] = {}
        self._frequency: Counter[str] = Counter()
        self._lengths = array("f")
        self._living = 0
        self._total = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def append(self, item: MemoryItem | None) -> None:
        """Take an item in at the next position, or leave the position empty."""
        if item is None:
            self._lengths.append(0.0)
            return
        counts = _counts(item)
        position = len(self._lengths)
        for word, count in counts.items():
            positions, counted = self._postings.setdefault(word, (array("I"), array("H")))
            positions.append(position)
            counted.append(min(count, 0xFFFF))
        self._frequency.update(counts.keys())
        length = counts.total()
        self._lengths.append(length)
        self._living += 1
        self._total += length

    def remove(self, item: MemoryItem) -> None:
        """Take an item out of all counts; its position keeps a score that the caller masks."""
        counts = _counts(item)
        self._frequency.subtract(counts.keys())
        self._living -= 1
        self._total -= counts.total()

    def scores(self, query: str) -> Scores:
        """A score for every position, 0 for those without a word of the query."""
        scores: Scores = np.zeros(len(self._lengths), np.float32)
        if not self._total:
            return scores
        lengths = np.frombuffer(self._lengths, np.float32)
        norms = _K1 * (1.0 - _B + _B * lengths * (self._living / self._total))
        for word in dict.fromkeys(stemmed(query)):
            frequency = self._frequency[word]
            if frequency <= 0:
                continue
            places, counts = self._postings[word]
            positions, counted = np.frombuffer(places, np.uint32), np.frombuffer(counts, np.uint16).astype(np.float32)
            rarity = math.log(1.0 + (self._living - frequency + 0.5) / (frequency + 0.5))
            scores[positions] += rarity * (_K1 + 1.0) * counted / (counted + norms[positions])
        return scores


def _counts(item: MemoryItem) -> Counter[str]:
    counts = Counter(stemmed(item.text))
    for word in stemmed(name_of(item)):
        counts[word] += _NAME_WEIGHT
    return counts
