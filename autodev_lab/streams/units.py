"""The parts of a module that can be put back one by one: functions, methods and assignments, by qualified name."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autodev_lab.execution.trees import split_lines

__all__ = ["Module", "Unit", "free_names", "own_attributes"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchStar | ast.MatchAs
_BUILTINS = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__class__"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A function, a method, an assignment at module or class level, or an import.

    Parameters
    ----------
    qualname
        For example ``"Graph.add"``, or the name an assignment or an import binds.
    node
        Its syntax.
    first, last
        Its lines, decorators included.
    owner
        Qualified name of the class around it, ``""`` at module level.
    top
        First line of the module's statement that holds it, decorators included.
    """

    qualname: str
    node: ast.stmt
    first: int
    last: int
    owner: str
    top: int

    @property
    def is_function(self) -> bool:
        """Whether it is a function or a method."""
        return isinstance(self.node, FunctionNode)

    @property
    def is_import(self) -> bool:
        """Whether it is an import."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)

    @property
    def code(self) -> str:
        """What it does, for comparison: without docstrings, annotations, comments and layout."""
        return ast.dump(_bare(self.node))

    @property
    def interface(self) -> str:
        """How a function is called, for comparison: names, kinds and defaults of its parameters."""
        return ast.dump(_bare(self.node.args)) if isinstance(self.node, FunctionNode) else ""

    @property
    def body_lines(self) -> tuple[int, int]:
        """Lines that run when a function is called; of anything else, its own lines."""
        if isinstance(self.node, FunctionNode):
            return self.node.body[0].lineno, self.last
        return self.first, self.last


class Module:
    r"""A module's text and units.

    Parameters
    ----------
    text
        The module's text.

    Raises
    ------
    SyntaxError
        If it is not Python of this version.

    Examples
    --------
    >>> module = Module("import os\nTOP = 3\n\n\nclass A:\n    size = 1\n\n    def low(self):\n        return TOP\n")
    >>> [unit.qualname for unit in module.units.values()]
    ['os', 'TOP', 'A.size', 'A.low']
    >>> module.units["A.low"].first, module.units["A.low"].top
    (8, 5)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = split_lines(text)
        tree = ast.parse(text)
        self.units: dict[str, Unit] = {}
        self.names = _bound(tree.body)
        """Names bound at module level, by whatever statement."""
        self.members: dict[str, frozenset[str]] = {}
        """Names bound in the body of each class, by the class's qualified name."""
        for unit in self._units(tree.body, "", None):
            self.units.setdefault(unit.qualname, unit)

    def _units(self, body: Sequence[ast.stmt], owner: str, top: int | None) -> Iterator[Unit]:
        prefix = f"{owner}." if owner else ""
        for node in body:
            first, last = _first(node), node.end_lineno or node.lineno
            start = first if top is None else top
            if isinstance(node, FunctionNode):
                yield Unit(prefix + node.name, node, first, last, owner, start)
            elif isinstance(node, ast.ClassDef):
                self.members[prefix + node.name] = _bound(node.body)
                yield from self._units(node.body, prefix + node.name, start)
            elif isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.AugAssign):
                for name in sorted(_bound([node])):
                    yield Unit(prefix + name, node, first, last, owner, start)

    def source(self, unit: Unit) -> str:
        """Text of a unit's lines, its last line ended."""
        text = "".join(self.lines[unit.first - 1 : unit.last])
        return text if text.endswith(("\n", "\r")) else text + "\n"

    def indent(self, unit: Unit) -> str:
        """White space before a unit."""
        line = self.lines[unit.first - 1]
        return line[: len(line) - len(line.lstrip())]


def free_names(node: ast.AST) -> frozenset[str]:
    r"""Names that code reads and does not bind anywhere in itself: what it needs from its module.

    Examples
    --------
    >>> sorted(free_names(ast.parse("def f(a):\n    return helper(a, len(a), LIMIT)\n")))
    ['LIMIT', 'helper']
    """
    read: set[str] = set()
    bound: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (read if isinstance(inner.ctx, ast.Load) else bound).add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
        elif isinstance(inner, _NAMED) and inner.name:
            bound.add(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
    return frozenset(read - bound - _BUILTINS)


def own_attributes(node: ast.AST) -> frozenset[str]:
    """Attributes of ``self`` or ``cls`` that code reads."""
    return frozenset(
        inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Load)
        and isinstance(inner.value, ast.Name)
        and inner.value.id in ("self", "cls")
    )


def _first(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, FunctionNode | ast.ClassDef) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def _bound(body: Sequence[ast.stmt]) -> frozenset[str]:
    """Names that statements bind in their own scope; those inside functions and classes are not theirs."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        waiting.extend(ast.iter_child_nodes(node))
    return frozenset(names)


class _Bare(ast.NodeTransformer):
    """Takes docstrings and annotations of functions out of a tree."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: FunctionNode) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        node.type_comment = None
        if hasattr(node, "type_params"):
            node.type_params = []
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        node.type_comment = None
        return node


def _bare(node: ast.AST) -> ast.AST:
    """A copy without annotations and docstrings of functions."""
    bare: ast.AST = _Bare().visit(copy.deepcopy(node))
    return bare
