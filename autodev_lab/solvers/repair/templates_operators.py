"""Repair templates for arithmetic, indices, slices and ranges."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from autodev_lab.solvers.repair.numbers import is_number, numbers_of
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, interleaved, template

__all__ = ["OPERATOR_TEMPLATES"]

_OPERATOR = re.compile(r"\*\*|//|<<|>>|[-+*/%@&|^]")
_OTHERS: Mapping[str, tuple[str, ...]] = {
    "+": ("-", "*"),
    "-": ("+", "*"),
    "*": ("/", "+", "**", "//"),
    "/": ("*", "//", "-"),
    "//": ("/", "%", "*"),
    "%": ("//", "/", "*"),
    "**": ("*", "+"),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|", "^"),
    "|": ("&", "^"),
    "^": ("&", "|"),
    "@": ("*",),
}


def _operator(site: Site, node: ast.BinOp) -> tuple[str, int, int] | None:
    """Symbol and byte span of a binary operator."""
    start, end = site.source.span(node.left)[1], site.source.span(node.right)[0]
    gap = site.source.data[start:end].decode("latin-1")
    found = _OPERATOR.search(gap)
    return (found.group(), start + found.start(), start + found.end()) if found and "#" not in gap else None


def _is_formatting(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)


@template("replace-arithmetic-operator", "TBar FP12 mutate operators (Liu 2019)")
def replace_arithmetic_operator(site: Site) -> Iterator[Proposal]:
    """An arithmetic or bit operator for another, in expressions and in augmented assignments; a sign given."""
    nodes = [node for node in site.of(ast.BinOp) if not _is_formatting(node)]
    for rank in range(4):
        for node in nodes:
            found = _operator(site, node)
            if found and rank < len(_OTHERS[found[0]]):
                yield site.raw(found[1], found[2], _OTHERS[found[0]][rank])
    statement = site.statement
    if isinstance(statement, ast.AugAssign):
        start, end = site.source.span(statement.target)[1], site.source.span(statement.value)[0]
        gap = site.source.data[start:end].decode("latin-1")
        match = re.search(r"(\*\*|//|<<|>>|[-+*/%@&|^])=", gap)
        if match:
            for other in _OTHERS[match.group(1)]:
                yield site.raw(start + match.start(), start + match.end(), f"{other}=")
    numbers = numbers_of(site)
    for value in site.of(ast.Name, ast.Attribute):
        if is_number(value, numbers) and not isinstance(site.parent(value), ast.UnaryOp | ast.Attribute):
            yield site.replace(value, f"-{site.text(value)}")


def _swap_operands(site: Site) -> Iterator[Proposal]:
    """The two sides of an operator that is not symmetric, for each other."""
    for node in site.of(ast.BinOp, ast.Compare):
        if isinstance(node, ast.BinOp):
            left, right = node.left, node.right
        elif (
            isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
        ):
            left, right = node.left, node.comparators[0]
        else:
            continue
        if not (isinstance(node, ast.BinOp) and _is_formatting(node)):
            one, other = site.replace(left, site.text(right)), site.replace(right, site.text(left))
            yield (*one, *other)


def _drop_operand(site: Site) -> Iterator[Proposal]:
    """One side of an arithmetic operator for the whole; a sign is taken away."""
    for node in site.of(ast.BinOp, ast.UnaryOp):
        if isinstance(node, ast.UnaryOp):
            if not isinstance(node.op, ast.Not):
                yield site.replace(node, site.text(node.operand))
        elif isinstance(node, ast.BinOp) and not _is_formatting(node):
            yield site.replace(node, site.text(node.left))
            yield site.replace(node, site.text(node.right))


def _counts(site: Site) -> Iterator[ast.expr]:
    """Expressions that count or point: indices, bounds, sides of order comparisons, lengths."""
    for node in site.expressions:
        if isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Slice):
                yield from (part for part in (node.slice.lower, node.slice.upper) if part is not None)
            elif not (isinstance(node.slice, ast.Constant) and not isinstance(node.slice.value, int)):
                yield node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("range", "islice", "enumerate", "takewhile", "repeat"):
                yield from node.args
            elif node.func.id == "len":
                yield node
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            yield from (node.comparators[0], node.left)
    numbers = numbers_of(site)
    value = getattr(site.statement, "value", None)
    parts: list[ast.expr] = []
    if isinstance(site.statement, ast.Return | ast.Assign | ast.AugAssign) and isinstance(value, ast.expr):
        parts.append(value)
    for node in site.expressions:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv):
            parts += [node, node.left, node.right]
        elif isinstance(node, ast.Call):
            parts += node.args
    yield from (part for part in parts if is_number(part, numbers))


@template("off-by-one", "SketchFix expression holes (Hua 2018); TBar FP12; PAR range checker")
def off_by_one(site: Site) -> Iterator[Proposal]:
    """A count, an index or a bound that is no constant, one more or one less."""
    for node in dict.fromkeys(_counts(site)):
        number = isinstance(node, ast.Constant) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
        )
        shape = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.BinOp)
        if shape and not number:
            own = site.fitted_operand(node) if not isinstance(node, ast.BinOp) else site.text(node)
            for sign in (" + 1", " - 1"):
                yield site.replace(node, own + sign)


def _bounds(site: Site) -> Iterator[ast.Constant]:
    """Numbers that bound slices of the statement, in order of the text, then its other whole numbers."""
    numbers = [node for node in site.of(ast.Constant) if type(node.value) is int]
    yield from (node for node in numbers if isinstance(site.parent(node), ast.Slice))
    yield from numbers


@template("change-slice", "SketchFix (Hua 2018); PAR expression adder and remover (Kim 2013)")
def change_slice(site: Site) -> Iterator[Proposal]:
    """A slice with a bound dropped, given, negated or exchanged; an index for a slice."""
    yield from interleaved(*(_changed_slice(site, node) for node in site.of(ast.Subscript)))


def _changed_slice(site: Site, node: ast.Subscript) -> Iterator[Proposal]:
    base = site.text(node.value)
    if not isinstance(node.slice, ast.Slice):
        if isinstance(node.slice, ast.Constant) and not isinstance(node.slice.value, int):
            return
        own = site.text(node.slice)
        ends = ("-1", "0") if isinstance(node.slice, ast.Constant | ast.UnaryOp) else (f"-{own}",)
        for inside in (*ends, f"{own}:", f":{own}"):
            if inside != own.strip("()"):
                yield site.replace(node, f"{base}[{inside}]")
        return
    lower, upper, step = (
        site.text(part) if part is not None else "" for part in (node.slice.lower, node.slice.upper, node.slice.step)
    )
    tail = f":{step}" if step else ""
    given = list(_missing_bounds(site, node.slice))
    for start, stop in given[:1]:
        yield site.replace(node, f"{base}[{start}:{stop}{tail}]")
    if lower or upper:
        yield site.replace(node, f"{base}[{upper}:{lower}{tail}]")
    if lower and upper:
        yield site.replace(node, f"{base}[{lower}:{tail}]")
        yield site.replace(node, f"{base}[:{upper}{tail}]")
    for start, stop in given[1:]:
        yield site.replace(node, f"{base}[{start}:{stop}{tail}]")
    if not step:
        yield site.replace(node, f"{base}[{lower}:{upper}:-1]")
    else:
        yield site.replace(node, f"{base}[{lower}:{upper}]")
        yield site.replace(node, f"{base}[{lower}:{upper}:-({step})]")


def _missing_bounds(site: Site, part: ast.Slice) -> Iterator[tuple[str, str]]:
    """Both bounds of a slice that lacks one: numbers of the statement nearest to the other bound first."""
    lower, upper = (site.text(one) if one is not None else "" for one in (part.lower, part.upper))
    numbers = list(dict.fromkeys(one.value for one in _bounds(site) if isinstance(one.value, int)))
    known = (part.lower or part.upper) if not (lower and upper) else None
    if isinstance(known, ast.Constant) and type(known.value) is int:
        bound = known.value
        numbers.sort(key=lambda one: (one <= bound if lower else one >= bound, abs(one - bound)))
    counts = [text for text, kind in site.words.constants(site.function or site.source.tree) if kind is int]
    names = [name for name in site.near_names if name in numbers_of(site)]
    for text in dict.fromkeys((*(str(one) for one in numbers[:5]), "1", "-1", *names[:2], *counts[:3])):
        if not lower:
            yield text, upper
        if not upper:
            yield lower, text


@template("rearrange-operands", "TBar FP3 and FP12 (Liu 2019); PAR expression remover (Kim 2013); SketchFix (Hua 2018)")
def rearrange_operands(site: Site) -> Iterator[Proposal]:
    """The two sides of an operator for each other, or one of them alone."""
    yield from _swap_operands(site)
    yield from _drop_operand(site)


OPERATOR_TEMPLATES: tuple[Template, ...] = (
    rearrange_operands,
    replace_arithmetic_operator,
    off_by_one,
    change_slice,
)
