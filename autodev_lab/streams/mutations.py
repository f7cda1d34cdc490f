"""The machinery below the fault operators: where code may be changed, and edits that keep every other byte.

A mutation is a set of replaced source spans. Spans become one line-range edit, so comments, spacing and quotes of
everything that is not replaced stay as they were; the module is never unparsed.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from autodev_lab.execution.trees import split_lines
from autodev_lab.records import Edit

__all__ = ["Fault", "Function", "Mutant", "Operator", "Site", "Source", "Span", "enumerate_mutants"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Source text to replace: from (line, column) up to but not including (end_line, end_column).

    Lines are 1-based; columns are 0-based UTF-8 byte offsets, as in `ast`.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


Fault = tuple[Span, ...]
"""One way of being wrong: spans replaced together."""


class Source:
    """One file's text with byte-exact segments.

    Parameters
    ----------
    path
        The file, relative to the tree's root.
    text
        Its text.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._lines = [line.encode("utf-8", "surrogatepass") for line in split_lines(text)]

    def line(self, number: int) -> str:
        """One line, its end included."""
        return self._lines[number - 1].decode("utf-8", "surrogatepass")

    def segment(self, node: ast.AST) -> str:
        """Source text of a node."""
        line, column, end_line, end_column = _place(node)
        return self.between((line, column), (end_line, end_column))

    def between(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        """Source text between two places."""
        if start[0] == end[0]:
            return self._lines[start[0] - 1][start[1] : end[1]].decode("utf-8", "surrogatepass")
        parts = [self._lines[start[0] - 1][start[1] :], *self._lines[start[0] : end[0] - 1]]
        parts.append(self._lines[end[0] - 1][: end[1]])
        return b"".join(parts).decode("utf-8", "surrogatepass")

    def replace(self, node: ast.AST, text: str) -> Span:
        """The span that puts `text` in a node's place."""
        return Span(*_place(node), text)

    def token(self, start: tuple[int, int], end: tuple[int, int], word: str, text: str) -> Span | None:
        """The span that replaces the only occurrence of `word` between two places; None if it is not the only one."""
        gap = self.between(start, end)
        if gap.count(word) != 1 or "#" in gap:
            return None
        before = gap[: gap.index(word)].encode("utf-8", "surrogatepass")
        breaks = before.count(b"\n")
        line = start[0] + breaks
        column = len(before) - before.rfind(b"\n") - 1 if breaks else start[1] + len(before)
        return Span(line, column, line, column + len(word.encode()), text)

    def whole_lines(self, first: int, last: int, text: str = "") -> Span:
        """The span that replaces whole lines."""
        if last < len(self._lines):
            return Span(first, 0, last + 1, 0, text)
        return Span(first, 0, last, len(self._lines[last - 1]), text)

    def stands_alone(self, node: ast.stmt) -> bool:
        """Whether a statement shares its lines with nothing but a trailing comment."""
        line, column, end_line, end_column = _place(node)
        before = self._lines[line - 1][:column]
        after = self._lines[end_line - 1][end_column:].strip()
        return not before.strip() and (not after or after.startswith(b"#"))

    def edit(self, fault: Fault) -> Edit:
        """One line-range edit that makes all replacements; raises ValueError if spans overlap."""
        spans = sorted(fault)
        for left, right in itertools.pairwise(spans):
            if (left.end_line, left.end_column) > (right.line, right.column):
                raise ValueError("spans overlap")
        first = spans[0].line
        last = max(span.end_line for span in spans)
        pieces: list[str] = []
        cursor = (first, 0)
        for span in spans:
            pieces += [self.between(cursor, (span.line, span.column)), span.text]
            cursor = (span.end_line, span.end_column)
        if spans[-1].end_column == 0 and spans[-1].end_line == last and last > first:
            last -= 1  # the span ends just before a line that stays as it is
        else:
            pieces.append(self._lines[last - 1][cursor[1] :].decode("utf-8", "surrogatepass"))
        return Edit(self.path, first, last, "".join(pieces))


@dataclass(slots=True)
class Function:
    """A function with what its operators need to know.

    ``variables`` maps a kind (``parameter`` or ``local``) to names in order of first binding; ``bindings`` counts how
    often each name is bound.
    """

    node: FunctionNode
    qualname: str
    class_node: ast.ClassDef | None
    variables: dict[str, list[str]] = field(default_factory=dict)
    bindings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """A node inside a function, with the statement and block around it.

    ``parents`` runs from the function down to the node's parent. ``block`` is the list that holds `statement`.
    """

    node: ast.AST
    parents: tuple[ast.AST, ...]
    statement: ast.stmt
    block: Sequence[ast.stmt]
    function: Function
    source: Source

    @property
    def parent(self) -> ast.AST:
        """The node one level up."""
        return self.parents[-1]


@dataclass(frozen=True, slots=True)
class Operator:
    """A kind of fault: how to make it, and where it is described.

    Parameters
    ----------
    name
        Stable identifier, recorded with the truth of a task.
    description
        The mistake in words.
    reference
        Where the kind of fault is described.
    faults
        All faults of this kind at a site, in a fixed order.
    """

    name: str
    description: str
    reference: str
    faults: Callable[[Site], Iterator[Fault]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A faulty version of one file.

    Parameters
    ----------
    operator
        Name of the operator.
    edit
        The fault, relative to the pristine file.
    qualname
        Function it is in, for example ``"Graph.add_edge"``.
    lines
        Lines of the pristine file whose execution shows that a test reaches the fault (inclusive range).
    """

    operator: str
    edit: Edit
    qualname: str
    lines: tuple[int, int]


def enumerate_mutants(
    path: str, text: str, operators: Sequence[Operator], covered: Collection[int] | None = None
) -> tuple[Mutant, ...]:
    r"""All faults the operators can make in one file, in a fixed order, each distinct text once.

    Parameters
    ----------
    path
        The file, relative to the tree's root; it goes into the edits.
    text
        Its text.
    operators
        Operators to apply.
    covered
        Lines that tests execute, or None for all: a fault elsewhere could not be noticed.

    Raises
    ------
    SyntaxError
        If the text is not Python.

    Examples
    --------
    >>> from autodev_lab.streams.operators import choose_operators
    >>> code = "def low(a, b):\n    return a if a < b else b  # smaller\n"
    >>> for mutant in enumerate_mutants("m.py", code, choose_operators(["comparison_swap"])):
    ...     print(mutant.edit.replacement.strip())
    return a if a <= b else b  # smaller
    return a if a > b else b  # smaller
    """
    source = Source(path, text)
    executed = None if covered is None else frozenset(covered)
    mutants: list[Mutant] = []
    seen: set[Edit] = set()
    for site in _sites(ast.parse(text), source):
        reach = _reach(site)
        if executed is not None and executed.isdisjoint(range(reach[0], reach[1] + 1)):
            continue
        for operator in operators:
            for fault in operator.faults(site):
                edit = source.edit(fault)
                if edit in seen or edit.replacement == source.between((edit.start_line, 0), _end(source, edit)):
                    continue
                seen.add(edit)
                mutants.append(Mutant(operator.name, edit, site.function.qualname, reach))
    return tuple(mutants)


def _end(source: Source, edit: Edit) -> tuple[int, int]:
    return (edit.end_line, len(source.line(edit.end_line).encode("utf-8", "surrogatepass")))


def _place(node: ast.AST) -> tuple[int, int, int, int]:
    if not isinstance(node, ast.stmt | ast.expr | ast.arg | ast.keyword | ast.excepthandler | ast.alias):
        raise TypeError(f"{type(node).__name__} has no place in the source")
    if node.end_lineno is None or node.end_col_offset is None:
        raise TypeError("the tree was not made by parsing")
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _reach(site: Site) -> tuple[int, int]:
    """Lines that show that the fault's statement ran: a compound statement's header, or all of a simple one.

    A default is evaluated when the function is defined, so it is reached whenever the body runs.
    """
    statement = site.statement
    if statement is site.function.node:
        return site.function.node.body[0].lineno, site.function.node.end_lineno or statement.lineno
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
        if isinstance(site.node, ast.stmt) and site.node is not statement:
            return site.node.lineno, site.node.end_lineno or site.node.lineno
        return statement.lineno, max(statement.lineno, body[0].lineno - 1)
    return statement.lineno, statement.end_lineno or statement.lineno


def _sites(module: ast.Module, source: Source) -> Iterator[Site]:
    for function in _functions(module.body, "", None):
        _survey(function)
        yield from _defaults(function, source)
        yield from _block_sites(function.node.body, (function.node,), function, source)


def _functions(body: Sequence[ast.stmt], prefix: str, owner: ast.ClassDef | None) -> Iterator[Function]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(statement, prefix + statement.name, owner)
            yield from _functions(statement.body, f"{prefix}{statement.name}.<locals>.", owner)
        elif isinstance(statement, ast.ClassDef):
            yield from _functions(statement.body, f"{prefix}{statement.name}.", statement)
        else:
            for block in _blocks(statement):
                yield from _functions(block, prefix, owner)


def _blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
    for handler in getattr(statement, "handlers", ()):
        yield handler.body
    for case in getattr(statement, "cases", ()):
        yield case.body


def _survey(function: Function) -> None:
    arguments = function.node.args
    parameters = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    local: list[str] = []
    for node in ast.walk(function.node):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            function.bindings[node.id] = function.bindings.get(node.id, 0) + 1
            if node.id not in parameters and node.id not in local:
                local.append(node.id)
    for name in parameters:
        function.bindings[name] = function.bindings.get(name, 0) + 1
    function.variables["parameter"] = [name for name in parameters if name not in ("self", "cls")]
    function.variables["local"] = sorted(local)


def _defaults(function: Function, source: Source) -> Iterator[Site]:
    arguments = function.node.args
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            parents = (function.node, arguments)
            yield Site(default, parents, function.node, (), function, source)


def _block_sites(
    block: Sequence[ast.stmt], parents: tuple[ast.AST, ...], function: Function, source: Source
) -> Iterator[Site]:
    for statement in block:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue  # a function of its own, or a class body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring or a bare `...`
        yield Site(statement, parents, statement, block, function, source)
        inside = (*parents, statement)
        yield from _expression_sites(statement, inside, statement, block, function, source)
        for inner in _blocks(statement):
            yield from _block_sites(inner, inside, function, source)
        for handler in getattr(statement, "handlers", ()):
            yield Site(handler, inside, statement, block, function, source)


def _expression_sites(
    node: ast.AST,
    parents: tuple[ast.AST, ...],
    statement: ast.stmt,
    block: Sequence[ast.stmt],
    function: Function,
    source: Source,
) -> Iterator[Site]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params", "type_comment", "ctx"):
            continue
        for child in value if isinstance(value, list) else [value]:
            # Places inside f-strings are unreliable before Python 3.12, so no version changes anything there.
            if isinstance(child, ast.stmt | ast.JoinedStr | ast.excepthandler) or not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.expr | ast.keyword):
                yield Site(child, parents, statement, block, function, source)
            yield from _expression_sites(child, (*parents, child), statement, block, function, source)
