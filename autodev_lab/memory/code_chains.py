"""Chains of expressions and annotations that stand alone: nothing is noted while they are read."""

from __future__ import annotations

import ast

__all__ = ["UNKNOWN", "annotation_chains", "dotted", "literal_strings"]

UNKNOWN = "?|"
"""The binding of a name of which only a run could tell what it stands for."""

_CHOICES = frozenset(("Optional", "Union"))
_TRANSPARENT = frozenset(("Annotated", "ClassVar", "Final", "InitVar", "Required", "NotRequired"))


def dotted(node: ast.expr) -> str | None:
    """The chain of names and attributes, or None when the expression is anything else.

    Examples
    --------
    >>> dotted(ast.parse("a.b.c", mode="eval").body), dotted(ast.parse("a().b", mode="eval").body)
    ('a.b.c', None)
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else None
    return None


def literal_strings(node: ast.expr) -> list[str]:
    """Strings that are written out: one, or those of a list, tuple or set (``+`` joins them).

    Examples
    --------
    >>> literal_strings(ast.parse("['a', 'b'] + ['c'] + more", mode="eval").body)
    ['a', 'b', 'c']
    """
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [text for part in node.elts for text in literal_strings(part)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal_strings(node.left) + literal_strings(node.right)
    return []


def annotation_chains(node: ast.expr) -> list[str]:
    """Chains of what a value with this annotation may be: an instance of ``Parser`` is what ``Parser()`` gives.

    Examples
    --------
    >>> annotation_chains(ast.parse("Optional['ast.Parser'] | list[int] | type[Base]", mode="eval").body)
    ['ast.Parser.()', 'list.()', 'Base']
    """
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, str):
            return []
        try:
            return annotation_chains(ast.parse(node.value.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError):
            return []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return annotation_chains(node.left) + annotation_chains(node.right)
    if isinstance(node, ast.Subscript):
        base = dotted(node.value)
        last = (base or "").rpartition(".")[2]
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if last in _CHOICES:
            return [chain for part in parts for chain in annotation_chains(part)]
        if last in _TRANSPARENT:
            return annotation_chains(parts[0]) if parts else []
        if last in ("type", "Type"):
            return [chain.removesuffix(".()") for part in parts for chain in annotation_chains(part)]
        return [f"{base}.()"] if base else []
    chain = dotted(node)
    return [f"{chain}.()"] if chain else []
