"""Line edits on text, in the form that crosses the wall: (path, first line, last line, replacement)."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence

LineEdit = tuple[str, int, int, str]

__all__ = ["LineEdit", "encoding_of", "splice", "split_lines"]


def split_lines(text: str) -> list[str]:
    r"""Split into lines as Python counts them (``\n``, ``\r\n``, ``\r``; a form feed ends no line), ends kept.

    Examples
    --------
    >>> split_lines("a\x0cb\r\nc")
    ['a\x0cb\r\n', 'c']
    """
    return io.StringIO(text, newline="").readlines()


def encoding_of(data: bytes) -> str:
    """Encoding of a Python file by byte order mark or coding comment (PEP 263)."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        return "utf-8"


def splice(lines: Sequence[str], edits: Sequence[LineEdit], first_line: int = 1) -> str:
    """Apply edits of one file to its lines; `first_line` is the number of ``lines[0]`` in that file.

    Raises
    ------
    ValueError
        If edits overlap, name different files or lie outside the lines.
    """
    if len({edit[0] for edit in edits}) > 1:
        raise ValueError("edits of several files; apply them one file at a time")
    last_line = first_line + len(lines) - 1
    result: list[str] = []
    cursor = first_line
    for path, start, end, replacement in sorted(edits, key=lambda one: (one[1], one[2])):
        if start < first_line or end < start - 1 or end > last_line or start > last_line + 1:
            raise ValueError(f"{path}: lines {start}-{end} lie outside the file's {first_line}-{last_line}")
        if start < cursor:
            raise ValueError(f"{path}: edits overlap at line {start}")
        _append(result, lines[cursor - first_line : start - first_line])
        _append(result, [replacement])
        cursor = end + 1
    _append(result, lines[cursor - first_line :])
    return "".join(result)


def _append(result: list[str], parts: Sequence[str]) -> None:
    """Add text on a line of its own: a last line without its newline gets one before more follows."""
    parts = [part for part in parts if part]
    if parts and result and not result[-1].endswith(("\n", "\r")):
        result[-1] += "\n"
    result.extend(parts)
