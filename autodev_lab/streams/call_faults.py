"""Fault operators on calls and names: wrong functions, attributes, arguments, keywords and conversions."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from autodev_lab.streams.mutations import Fault, Operator, Site, Span

__all__ = ["CALL_OPERATORS"]

_SIMILAR = {
    "append": ("extend",),
    "extend": ("append",),
    "appendleft": ("append",),
    "popleft": ("pop",),
    "strip": ("lstrip", "rstrip"),
    "lstrip": ("strip", "rstrip"),
    "rstrip": ("strip", "lstrip"),
    "lower": ("upper",),
    "upper": ("lower",),
    "capitalize": ("title",),
    "title": ("capitalize",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "find": ("rfind",),
    "rfind": ("find",),
    "index": ("rindex",),
    "split": ("rsplit",),
    "rsplit": ("split",),
    "partition": ("rpartition",),
    "rpartition": ("partition",),
    "ljust": ("rjust",),
    "rjust": ("ljust",),
    "keys": ("values",),
    "values": ("keys",),
    "items": ("keys",),
    "get": ("pop",),
    "setdefault": ("get",),
    "add": ("discard",),
    "discard": ("add",),
    "union": ("intersection",),
    "intersection": ("union",),
    "difference": ("symmetric_difference",),
    "issubset": ("issuperset",),
    "issuperset": ("issubset",),
    "match": ("search",),
    "search": ("match",),
    "fullmatch": ("match",),
    "isdigit": ("isalpha",),
    "isalpha": ("isalnum",),
    "min": ("max",),
    "max": ("min",),
    "any": ("all",),
    "all": ("any",),
    "sum": ("len",),
    "sorted": ("list",),
    "reversed": ("iter",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "list": ("set",),
    "set": ("list",),
    "isinstance": ("issubclass",),
    "issubclass": ("isinstance",),
    "hasattr": ("callable",),
    "int": ("float",),
    "float": ("int",),
    "repr": ("str",),
    "str": ("repr",),
}
_CONVERSIONS = ("abs", "dict", "float", "int", "iter", "list", "reversed", "set", "sorted", "str", "tuple")
_NORMALISATIONS = ("casefold", "copy", "lower", "lstrip", "rstrip", "strip", "upper")


def swapped_arguments(site: Site) -> Iterator[Fault]:
    """Two neighbouring arguments, or the operands of a non-commutative operator, the wrong way round."""
    node = site.node
    if isinstance(node, ast.Call):
        for left, right in zip(node.args, node.args[1:], strict=False):
            if not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
                yield from _swap(site, left, right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
        simple = ast.Name | ast.Attribute | ast.Subscript | ast.Call
        if isinstance(node.left, simple) and isinstance(node.right, simple):
            yield from _swap(site, node.left, node.right)
    elif isinstance(node, ast.IfExp):
        yield from _swap(site, node.body, node.orelse)


def _swap(site: Site, left: ast.expr, right: ast.expr) -> Iterator[Fault]:
    first, second = site.source.segment(left), site.source.segment(right)
    if first != second and "#" not in first + second:
        yield (site.source.replace(left, second), site.source.replace(right, first))


def wrong_name(site: Site) -> Iterator[Fault]:
    """A method or function with a similar name, or another attribute of the same object."""
    node = site.node
    if isinstance(node, ast.Attribute):
        for other in _SIMILAR.get(node.attr, ()) if _is_called(site) else _sibling_attributes(site, node):
            yield (_attribute_span(site, node, other),)
    elif isinstance(node, ast.Name) and _is_called(site) and node.id not in site.function.bindings:
        for other in _SIMILAR.get(node.id, ()):
            yield (site.source.replace(node, other),)


def _is_called(site: Site) -> bool:
    return isinstance(site.parent, ast.Call) and site.parent.func is site.node


def _sibling_attributes(site: Site, node: ast.Attribute) -> tuple[str, ...]:
    owner = site.function.class_node
    if owner is None or not isinstance(node.value, ast.Name) or node.value.id != "self":
        return ()
    if not isinstance(node.ctx, ast.Load):
        return ()
    names = sorted(
        {
            part.attr
            for part in ast.walk(owner)
            if isinstance(part, ast.Attribute)
            and isinstance(part.ctx, ast.Store)
            and isinstance(part.value, ast.Name)
            and part.value.id == "self"
        }
    )
    if node.attr not in names or len(names) < 2:
        return ()
    return (names[(names.index(node.attr) + 1) % len(names)],)


def _attribute_span(site: Site, node: ast.Attribute, name: str) -> Span:
    line, column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return Span(line, column - len(node.attr.encode()), line, column, name)


def removed_keyword(site: Site) -> Iterator[Fault]:
    """A keyword argument forgotten, so that the callee's default holds."""
    node = site.node
    if not isinstance(node, ast.Call):
        return
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is None:
            continue
        before: list[ast.expr | ast.keyword] = [*node.args, *node.keywords[:index]]
        previous = max(before, key=lambda part: (part.end_lineno or 0, part.end_col_offset or 0), default=None)
        if previous is None:
            if len(node.keywords) == 1:
                yield (site.source.replace(keyword, ""),)
            continue
        start = (previous.end_lineno or previous.lineno, previous.end_col_offset or 0)
        gap = site.source.between(start, (keyword.lineno, keyword.col_offset))
        if gap.strip() == ",":
            yield (Span(*start, keyword.end_lineno or keyword.lineno, keyword.end_col_offset or 0, ""),)


def wrong_keyword(site: Site) -> Iterator[Fault]:
    """A keyword argument with the wrong truth value, or under the name of a neighbouring one."""
    node = site.node
    if not isinstance(node, ast.Call):
        return
    named = [keyword for keyword in node.keywords if keyword.arg is not None]
    for left, right in itertools.pairwise(named):
        yield from _swap(site, left.value, right.value)


def removed_call_around(site: Site) -> Iterator[Fault]:
    """A conversion or a copy around a value forgotten: `list(x)` becomes `x`, `x.strip()` becomes `x`."""
    node = site.node
    if not isinstance(node, ast.Call) or isinstance(site.parent, ast.Expr) or node.keywords:
        return
    called, arguments = node.func, node.args
    if isinstance(called, ast.Name) and called.id in _CONVERSIONS and len(arguments) == 1:
        if not isinstance(arguments[0], ast.Starred):
            yield (site.source.replace(node, f"({site.source.segment(arguments[0])})"),)
    elif isinstance(called, ast.Attribute) and called.attr in _NORMALISATIONS and not arguments:
        yield (site.source.replace(node, site.source.segment(called.value)),)


CALL_OPERATORS: tuple[Operator, ...] = tuple(
    Operator(function.__name__, (function.__doc__ or "").strip(), reference, function)
    for function, reference in (
        (swapped_arguments, "Just 2014; Pan 2009 (MC-DAP)"),
        (wrong_name, "Just 2014 (similar method called); Sobreira 2018"),
        (removed_keyword, "Pan 2009 (MC-DNP)"),
        (wrong_keyword, "Pan 2009 (MC-DAP)"),
        (removed_call_around, "Sobreira 2018 (missing conversion)"),
    )
)
"""The operators of this module."""
