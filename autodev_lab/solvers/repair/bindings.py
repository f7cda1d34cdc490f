"""Which names a piece of code reads and binds, where a function binds them first, and which it binds together."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import combinations

from autodev_lab.solvers.repair.source import FunctionNode

__all__ = ["bound_in", "bound_together", "first_bound", "names_in", "own_nodes", "variables_of"]


def names_in(node: ast.AST) -> frozenset[str]:
    """Names a piece of code reads from around it: those bound inside it (comprehensions, lambdas) are left out."""
    reads = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    inner = {
        one.id
        for part in ast.walk(node)
        if isinstance(part, ast.comprehension)
        for one in ast.walk(part.target)
        if isinstance(one, ast.Name)
    }
    inner |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    return frozenset(reads - inner)


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Nodes of a function's body, without those of functions and classes inside it (their own node counts)."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def bound_in(statement: ast.stmt) -> frozenset[str]:
    """Variables that a statement binds."""
    return frozenset(
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def variables_of(function: FunctionNode) -> tuple[str, ...]:
    """Parameters and variables a function binds, in order of appearance.

    Examples
    --------
    >>> variables_of(ast.parse("def f(a, *rest):\\n    b, a = a, 1\\n").body[0])
    ('a', 'rest', 'b')
    """
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [one.arg for one in (arguments.vararg, arguments.kwarg) if one is not None]
    places = sorted(
        (node.lineno, node.col_offset, node.id)
        for node in own_nodes(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    inner = sorted(
        (node.lineno, node.name)
        for node in own_nodes(function)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    caught = sorted(
        (node.lineno, node.name)
        for node in own_nodes(function)
        if isinstance(node, ast.ExceptHandler) and node.name is not None
    )
    names += [name for _, _, name in places] + [name for _, name in (*inner, *caught)]
    return tuple(dict.fromkeys(names))


def first_bound(function: FunctionNode) -> Mapping[str, int]:
    """Line at which each variable that is no parameter is bound first in the text of its function."""
    parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    lines: dict[str, int] = {}
    declared: set[str] = set()
    for node in own_nodes(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            declared.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
        elif isinstance(node, ast.ExceptHandler | ast.FunctionDef | ast.AsyncFunctionDef) and node.name:
            lines[node.name] = min(node.lineno, lines.get(node.name, node.lineno))
    return {name: line for name, line in lines.items() if name not in parameters and name not in declared}


def bound_together(function: FunctionNode) -> frozenset[frozenset[str]]:
    """Pairs of variables that one tuple binds, or that start with the same value."""
    groups: dict[str, list[str]] = {}
    for node in own_nodes(function):
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            names = [one.id for one in node.elts if isinstance(one, ast.Name)]
            groups.setdefault(f"{node.lineno}:{node.col_offset}", []).extend(names)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for one in targets if isinstance(one, ast.Name)]
            groups.setdefault(ast.dump(node.value), []).extend(names)
    return frozenset(frozenset(pair) for names in groups.values() for pair in combinations(dict.fromkeys(names), 2))
