"""Which expressions hold numbers, as far as their uses in a function tell: Python declares no types.

Repair tools drop changes that no type allows (PAR: Kim et al., ICSE 2013; ELIXIR: Saha et al., ASE 2017). Without
types, how a name is used is evidence of what it holds (Xu, Zhang, Chen, Pei and Xu, "Python probabilistic type
inference with natural language support", FSE 2016).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.solvers.repair.site import Site

__all__ = ["is_number", "numbers_of"]

_NUMERIC_CALLS = frozenset(
    ("len", "int", "float", "round", "abs", "sum", "ord", "index", "rindex", "find", "rfind", "count")
)
_NOTHING: frozenset[str] = frozenset()


def is_number(node: ast.AST, numbers: frozenset[str]) -> bool:
    """Whether an expression holds a number, given the names that do.

    Examples
    --------
    >>> is_number(ast.parse("len(x) + y", mode="eval").body, frozenset())
    True
    >>> is_number(ast.parse("x.name", mode="eval").body, frozenset(("x",)))
    False
    """
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in _NUMERIC_CALLS
    if isinstance(node, ast.BinOp):
        formats = isinstance(node.op, ast.Mod) and not is_number(node.left, numbers)
        return not formats and (is_number(node.left, numbers) or is_number(node.right, numbers))
    if isinstance(node, ast.UnaryOp):
        return is_number(node.operand, numbers)
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in numbers


def numbers_of(site: Site) -> frozenset[str]:
    """Variables and attributes that the function around a statement counts, indexes or measures with."""
    scope: ast.AST = site.function or site.source.tree
    known: dict[ast.AST, frozenset[str]] = site.source.__dict__.setdefault("numbers", {})
    if scope not in known:
        known[scope] = frozenset(_used_as_numbers(scope))
    return known[scope]


def _used_as_numbers(scope: ast.AST) -> Iterator[str]:
    for node in ast.walk(scope):
        for one, other in _paired(node):
            if is_number(other, _NOTHING):
                yield one.arg if isinstance(one, ast.arg) else ast.unparse(one)
        yield from (ast.unparse(one) for one in _measures(node))


def _paired(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Pairs of which the first holds a number if the second does."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mod | ast.Mult):
        yield from ((node.left, node.right), (node.right, node.left))
    elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
        yield from ((node.left, node.comparators[0]), (node.comparators[0], node.left))
    elif isinstance(node, ast.AugAssign):
        yield node.target, node.value
    elif isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.arguments):
        named = [*node.posonlyargs, *node.args]
        yield from zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True)


def _measures(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that stand where only numbers may."""
    if isinstance(node, ast.Slice):
        yield from (one for one in (node.lower, node.upper) if one is not None)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("range", "islice"):
        yield from node.args
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Div | ast.Pow):
        yield from (node.left, node.right)
