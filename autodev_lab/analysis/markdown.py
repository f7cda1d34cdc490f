"""Words and tables in Markdown that mean themselves, whatever is in them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["flat", "table", "text"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are escaped, the header is taken as it is.

    Examples
    --------
    >>> print(table(("arm", "n"), [("a_b", "3")]))
    | arm | n |
    |---|---|
    | a\\_b | 3 |
    """
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(text(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def text(words: str) -> str:
    """Words that stand in Markdown for themselves, on one line."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>|" else character for character in flat(words))


def flat(words: str) -> str:
    """Words on one line, single spaces between them."""
    return " ".join(words.split())
