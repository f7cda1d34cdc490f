"""A source file as repair templates see it: its syntax tree beside its text, and splices that keep the rest.

Templates never print code from a tree: they splice pieces of the text, so that everything a template did not mean to
change stays as it was, comments and layout included.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from autodev_lab.records import Edit

__all__ = ["FunctionNode", "SourceFile", "Splice", "header_expressions", "parse_source", "quiet"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_INNER = (ast.stmt, ast.ExceptHandler, ast.match_case)


@dataclass(frozen=True, slots=True, order=True)
class Splice:
    """Replace the bytes from `start` to `end` (exclusive) of a file's UTF-8 text by `text`."""

    start: int
    end: int
    text: str


class SourceFile:
    """One parsed file.

    Parameters
    ----------
    path
        Relative to the workspace root.
    text
        The whole text.

    Raises
    ------
    SyntaxError
        If the text is not Python.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.data = text.encode("utf-8", "surrogatepass")
        self.tree = ast.parse(text)
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self._starts = _line_starts(self.data)
        self._line_index = {offset: number for number, offset in enumerate(self._starts, start=1)}
        self._statement_of_line = self._index_lines()

    # ------------------------------------------------------------------------------------------ positions

    def offset(self, line: int, column: int) -> int:
        """Byte offset of a 1-based line and a 0-based column in bytes, as syntax trees count them."""
        return self._starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Byte offsets of a node's first byte and of the byte after its last."""
        line, column, end_line, end_column = _position(node)
        return self.offset(line, column), self.offset(end_line, end_column)

    def segment(self, node: ast.AST) -> str:
        """The node's text."""
        start, end = self.span(node)
        return self.between(start, end)

    def between(self, start: int, end: int) -> str:
        """The text between two byte offsets."""
        return self.data[start:end].decode("utf-8", "surrogatepass")

    def line_text(self, line: int) -> str:
        """One line with its end; empty beyond the last."""
        if line > len(self._starts) - 1:
            return ""
        return self.between(self._starts[line - 1], self._starts[line])

    def line_of(self, offset: int) -> int:
        """1-based line that holds a byte offset."""
        low, high = 0, len(self._starts) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return low + 1

    def line_start(self, line: int) -> int:
        """Byte offset at which a line starts; one line beyond the last is the end of the text."""
        return self._starts[line - 1]

    # ----------------------------------------------------------------------------------------- statements

    def statement_at(self, line: int) -> ast.stmt | None:
        """The innermost statement that holds a line (a compound statement holds its header only)."""
        return self._statement_of_line.get(line)

    def function_of(self, node: ast.AST) -> FunctionNode | None:
        """The innermost function around a node, or None at module or class level."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
            current = self.parents.get(current)
        return current

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around a node."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, ast.ClassDef):
            current = self.parents.get(current)
        return current

    def unit_of(self, node: ast.AST) -> ast.stmt:
        """The outermost function around a node, or its top-level statement: the unit that is compiled."""
        current: ast.AST = node
        unit: ast.AST | None = None
        while True:
            if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef):
                unit = current
            parent = self.parents.get(current)
            if parent is None or isinstance(parent, ast.Module):
                break
            current = parent
        chosen = unit if unit is not None else current
        assert isinstance(chosen, ast.stmt)
        return chosen

    def block_of(self, statement: ast.stmt) -> tuple[list[ast.stmt], int]:
        """The list of statements a statement stands in, and its index there."""
        parent = self.parents[statement]
        for name in ("body", "orelse", "finalbody", "handlers"):
            block = getattr(parent, name, None)
            if isinstance(block, list):
                for index, one in enumerate(block):
                    if one is statement:
                        return block, index
        raise ValueError("the statement stands in no block")

    def first_line(self, statement: ast.stmt) -> int:
        """First line, decorators included."""
        decorators: Sequence[ast.expr] = getattr(statement, "decorator_list", ())
        return min([statement.lineno, *(one.lineno for one in decorators)])

    def indent_of(self, statement: ast.stmt) -> str | None:
        """White space before a statement, or None when it is not the first on its line."""
        line = self.first_line(statement)
        before = self.line_text(line)[: statement.col_offset]
        return before if not before.strip() else None

    def owns_lines(self, statement: ast.stmt) -> bool:
        """Whether nothing but the statement (and comments) stands on its lines."""
        if self.indent_of(statement) is None:
            return False
        _, _, end_line, end_column = _position(statement)
        rest = self.line_text(end_line).encode("utf-8", "surrogatepass")[end_column:].strip()
        return not rest or rest.startswith(b"#")

    # ---------------------------------------------------------------------------------------------- edits

    def edits(self, splices: Sequence[Splice]) -> tuple[Edit, ...]:
        """Line edits that carry out some splices.

        Raises
        ------
        ValueError
            If the splices overlap.
        """
        groups: list[tuple[int, int, list[Splice]]] = []
        for splice in sorted(splices):
            first, last = self._lines_of(splice)
            if groups and first <= groups[-1][1] + 1:
                start, end, members = groups[-1]
                groups[-1] = (start, max(end, last), [*members, splice])
            else:
                groups.append((first, last, [splice]))
        return tuple(self._edit(first, last, members) for first, last, members in groups)

    def _lines_of(self, splice: Splice) -> tuple[int, int]:
        """Lines a splice touches; a whole-line insertion touches none (last is first - 1)."""
        whole = splice.text.endswith("\n") or not splice.text
        if whole and splice.start in self._line_index and splice.end in self._line_index:
            return self._line_index[splice.start], self._line_index[splice.end] - 1
        return self.line_of(splice.start), self.line_of(max(splice.start, splice.end - 1))

    def _edit(self, first: int, last: int, splices: Sequence[Splice]) -> Edit:
        start, end = self._starts[first - 1], self._starts[last]
        pieces: list[str] = []
        cursor = start
        for splice in splices:
            if splice.start < cursor:
                raise ValueError(f"{self.path}: splices overlap at byte {splice.start}")
            pieces += [self.between(cursor, splice.start), splice.text]
            cursor = splice.end
        pieces.append(self.between(cursor, end))
        replacement = "".join(pieces)
        if replacement and not replacement.endswith("\n"):
            replacement += "\n"
        return Edit(self.path, first, last, replacement)

    def _index_lines(self) -> dict[int, ast.stmt]:
        owner: dict[int, ast.stmt] = {}
        for statement in _statements(self.tree):
            for line in range(self.first_line(statement), (statement.end_lineno or statement.lineno) + 1):
                owner[line] = statement
        return owner


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """All statements, outer before inner, so that the last to claim a line is the innermost."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _line_starts(data: bytes) -> list[int]:
    r"""Offsets at which lines start (``\n``, ``\r\n`` and ``\r`` end one), and the end of the data."""
    starts = [0]
    position = 0
    while position < len(data):
        byte = data[position]
        if byte == 10 or (byte == 13 and data[position + 1 : position + 2] != b"\n"):
            starts.append(position + 1)
        position += 1
    if starts[-1] != len(data):
        starts.append(len(data))
    return starts


def _position(node: ast.AST) -> tuple[int, int, int, int]:
    """First line, column, last line and column after the last byte of a node that has a place."""
    if not isinstance(node, ast.expr | ast.stmt | ast.arg | ast.keyword | ast.ExceptHandler | ast.alias):
        raise ValueError(f"{type(node).__name__} has no place in the text")
    return (
        node.lineno,
        node.col_offset,
        node.lineno if node.end_lineno is None else node.end_lineno,
        node.col_offset if node.end_col_offset is None else node.end_col_offset,
    )


def header_expressions(statement: ast.stmt) -> tuple[ast.expr, ...]:
    """Expressions of a statement itself, outer before inner: not those of statements inside it.

    Left out are annotations, and what lies inside formatted strings, whose positions older Pythons report wrongly.

    Examples
    --------
    >>> loop = ast.parse("while x < 1:\\n    y = 2").body[0]
    >>> [ast.unparse(node) for node in header_expressions(loop)]
    ['x < 1', 'x', '1']
    """
    found: list[ast.expr] = []
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.expr):
            found.append(node)
        if isinstance(node, ast.JoinedStr):
            continue
        children: list[ast.AST] = []
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params"):
                continue
            values = value if isinstance(value, list) else [value]
            children += [one for one in values if isinstance(one, ast.AST) and not isinstance(one, _INNER)]
        stack.extend(reversed(children))
    return tuple(found)


@contextmanager
def quiet() -> Iterator[None]:
    """Compile without a word: whether a warning is an error must not decide what is a candidate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=16)
def parse_source(path: str, text: str) -> SourceFile | None:
    """Parse a file once; None when it is not valid Python (there is nothing to repair in it by templates)."""
    try:
        with quiet():
            return SourceFile(path, text)
    except (SyntaxError, ValueError, RecursionError):
        return None
