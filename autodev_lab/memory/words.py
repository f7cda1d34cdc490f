"""What of an item is searched, and how text and identifiers are split into words."""

from __future__ import annotations

import re

from autodev_lab.records import MemoryItem

__all__ = ["NAME", "content_words", "name_of", "searchable", "tokenize"]

NAME = "name"
"""The fact that names what an item is about, for example a function by its qualified name."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
"""The last alternative takes letters of other alphabets as they come."""


def tokenize(text: str) -> tuple[str, ...]:
    """Split text and identifiers into lower-case words: ``getHTTPHeader`` and ``get_http_header`` agree.

    Examples
    --------
    >>> tokenize("getHTTPHeader(x_2)")
    ('get', 'http', 'header', 'x', '2')
    >>> tokenize("разбор даты")
    ('разбор', 'даты')
    """
    return tuple(word.lower() for word in _WORD.findall(text))


_STOP = frozenset(
    tokenize(
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they "
        "this to was will with"
    )
)
"""Lucene's English stop words: rare in code, and so by far too telling when a sentence is looked for in it."""


def content_words(text: str) -> tuple[str, ...]:
    """Words of a text without English stop words.

    Examples
    --------
    >>> content_words("the size of a table")
    ('size', 'table')
    """
    return tuple(word for word in tokenize(text) if word not in _STOP)


def name_of(item: MemoryItem) -> str:
    """The name of what an item is about; empty when it has none."""
    return str(item.facts.get(NAME, ""))


def searchable(item: MemoryItem) -> str:
    """All text by which an item is found: its name, if it has one, and its text.

    Examples
    --------
    >>> searchable(MemoryItem("codebase", "def f(): ...", {"name": "package.f"}))
    'package.f\\ndef f(): ...'
    """
    name = name_of(item)
    return f"{name}\n{item.text}" if name else item.text
