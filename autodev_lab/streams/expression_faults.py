"""Fault operators on expressions: wrong comparisons, arithmetic, conditions, constants, variables and slices."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.streams.mutations import Fault, Operator, Site

__all__ = ["EXPRESSION_OPERATORS"]

_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("//", "*")),
    ast.FloorDiv: ("//", ("/", "%")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}


def comparison_swap(site: Site) -> Iterator[Fault]:
    """Another comparison, or the same with the other boundary."""
    yield from _compare(site, _COMPARISONS)


def membership_swap(site: Site) -> Iterator[Fault]:
    """`in` for `not in` and the other way round."""
    yield from _compare(site, {ast.In: ("in", ("not in",)), ast.NotIn: ("not in", ("in",))})


def identity_swap(site: Site) -> Iterator[Fault]:
    """`is` for `is not` and the other way round."""
    yield from _compare(site, {ast.Is: ("is", ("is not",)), ast.IsNot: ("is not", ("is",))})


def _compare(site: Site, table: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]]) -> Iterator[Fault]:
    node = site.node
    if not isinstance(node, ast.Compare):
        return
    operands = [node.left, *node.comparators]
    for index, operator in enumerate(node.ops):
        if type(operator) in table:
            word, others = table[type(operator)]
            yield from _between(site, operands[index], operands[index + 1], word, others)


def _between(site: Site, left: ast.expr, right: ast.expr, word: str, others: tuple[str, ...]) -> Iterator[Fault]:
    end = (left.end_lineno or left.lineno, left.end_col_offset or 0)
    for other in others:
        span = site.source.token(end, (right.lineno, right.col_offset), word, other)
        if span is not None:
            yield (span,)


def boolean_swap(site: Site) -> Iterator[Fault]:
    """`and` for `or` and the other way round."""
    node = site.node
    if isinstance(node, ast.BoolOp):
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from _between(site, left, right, word, (other,))


def arithmetic_swap(site: Site) -> Iterator[Fault]:
    """Another arithmetic or bitwise operator."""
    node = site.node
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not _is_text(node.left):
        word, others = _ARITHMETIC[type(node.op)]
        yield from _between(site, node.left, node.right, word, others)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        word, others = _ARITHMETIC[type(node.op)]
        yield from _between(site, node.target, node.value, f"{word}=", tuple(f"{other}=" for other in others))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def negated_condition(site: Site) -> Iterator[Fault]:
    """A condition turned round, or a `not` forgotten."""
    node = site.node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield (site.source.replace(node, f"({site.source.segment(node.operand)})"),)
    elif isinstance(node, ast.expr) and getattr(site.parent, "test", None) is node:
        if isinstance(site.parent, ast.While) and isinstance(node, ast.Constant):
            return
        yield (site.source.replace(node, f"not ({site.source.segment(node)})"),)
    elif isinstance(site.parent, ast.comprehension) and any(node is condition for condition in site.parent.ifs):
        yield (site.source.replace(node, f"not ({site.source.segment(node)})"),)


def removed_condition(site: Site) -> Iterator[Fault]:
    """One part of a compound condition forgotten, or a comprehension's filter."""
    node = site.node
    if isinstance(node, ast.BoolOp):
        for index in range(len(node.values)):
            kept = [site.source.segment(value) for position, value in enumerate(node.values) if position != index]
            word = " and " if isinstance(node.op, ast.And) else " or "
            parts = [_wrapped(text, value) for text, value in zip(kept, _without(node.values, index), strict=True)]
            yield (site.source.replace(node, f"({word.join(parts)})"),)
    elif isinstance(site.parent, ast.comprehension) and any(node is condition for condition in site.parent.ifs):
        yield (site.source.replace(node, "True"),)


def _without(values: list[ast.expr], index: int) -> list[ast.expr]:
    return values[:index] + values[index + 1 :]


def _wrapped(text: str, node: ast.expr) -> str:
    loose = isinstance(node, ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr | ast.Await | ast.Yield)
    return f"({text})" if loose or "\n" in text else text


def off_by_one(site: Site) -> Iterator[Fault]:
    """An index, bound, range or compared number that is one too large or too small."""
    node = site.node
    if isinstance(node, ast.Constant) and type(node.value) is int and _counts(site):
        for value in (node.value + 1, node.value - 1):
            yield (site.source.replace(node, str(value) if value >= 0 else f"({value})"),)
    elif isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Starred) and _bounds(site):
        text = site.source.segment(node)
        loose = not isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript) or "\n" in text
        inner = f"({text})" if loose else text
        for change in (" - 1", " + 1"):
            yield (site.source.replace(node, inner + change),)


def _counts(site: Site) -> bool:
    parent = site.parent
    if isinstance(parent, ast.UnaryOp):
        parent = site.parents[-2]
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in ("range", "enumerate", "islice", "round")
    return isinstance(parent, ast.Subscript | ast.Slice | ast.Compare | ast.BinOp | ast.AugAssign)


def _bounds(site: Site) -> bool:
    parent = site.parent
    if isinstance(parent, ast.Slice):
        return True
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and site.node is not parent.func:
        return parent.func.id in ("range", "islice") and not isinstance(site.node, ast.keyword)
    return False


def wrong_constant(site: Site) -> Iterator[Fault]:
    """Another truth value, number, text or nothing where a constant stands."""
    node = site.node
    if not isinstance(node, ast.Constant) or site.statement is site.function.node:
        return
    if isinstance(site.parent, ast.Slice) or (
        isinstance(node.value, int) and type(node.value) is int and _counts(site)
    ):
        return  # those are off by one
    for text in _other_constants(node, in_default=False):
        yield (site.source.replace(node, text),)


def wrong_default(site: Site) -> Iterator[Fault]:
    """A parameter's default that is not the documented one."""
    node = site.node
    if not isinstance(node, ast.Constant) or not isinstance(site.parent, ast.arguments):
        return
    if site.statement is not site.function.node:
        return  # a lambda's
    for text in _other_constants(node, in_default=True):
        yield (site.source.replace(node, text),)


def _other_constants(node: ast.Constant, *, in_default: bool) -> Iterator[str]:
    value = node.value
    if isinstance(value, bool):
        yield str(not value)
    elif value is None:
        yield "False"
        if in_default:
            yield "0"
    elif isinstance(value, int):
        yield str(value + 1)
        yield "0" if value not in (0, 1) else ("(-1)" if value == 0 else "None")
    elif isinstance(value, float):
        yield repr(value + 1.0) if abs(value) < 1e15 else "0.0"
    elif isinstance(value, str) and node.lineno == node.end_lineno:
        yield '""' if value else '" "'
        if value.strip() and value != value.swapcase() and value.isascii():
            yield repr(value.swapcase())


def wrong_variable(site: Site) -> Iterator[Fault]:
    """Another variable of the same function and kind: a parameter for a parameter, a local for a local."""
    node = site.node
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    if isinstance(site.parent, ast.Call) and site.parent.func is node:
        return
    for names in site.function.variables.values():
        if node.id not in names or len(names) < 2:
            continue
        position = names.index(node.id)
        others = [names[(position + 1) % len(names)], names[position - 1]]
        for other in dict.fromkeys(others):
            yield (site.source.replace(node, other),)


def wrong_slice(site: Site) -> Iterator[Fault]:
    """A slice without one of its bounds, or an index from the other end."""
    node = site.node
    if isinstance(node, ast.Slice):
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                yield (site.source.replace(part, ""),)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.UnaryOp):
        text = site.source.segment(node.slice)
        swap = {"0": "-1", "-1": "0"}.get(text)
        if swap is not None:
            yield (site.source.replace(node.slice, swap),)


def removed_unary(site: Site) -> Iterator[Fault]:
    """A sign forgotten."""
    node = site.node
    if isinstance(site.parent, ast.Subscript) or not isinstance(node, ast.UnaryOp):
        return
    if isinstance(node.op, ast.USub | ast.Invert):
        yield (site.source.replace(node, f"({site.source.segment(node.operand)})"),)


EXPRESSION_OPERATORS: tuple[Operator, ...] = tuple(
    Operator(function.__name__, (function.__doc__ or "").strip(), reference, function)
    for function, reference in (
        (comparison_swap, "Offutt 1996 (ROR)"),
        (membership_swap, "Derezinska 2014"),
        (identity_swap, "Derezinska 2014"),
        (boolean_swap, "Offutt 1996 (LCR)"),
        (arithmetic_swap, "Offutt 1996 (AOR)"),
        (negated_condition, "Offutt 1996 (UOI); SWE-smith 2025"),
        (removed_condition, "Pan 2009 (IF-CC); Sobreira 2018"),
        (off_by_one, "Offutt 1996 (UOI); Just 2014"),
        (wrong_constant, "Just 2014 (CRP); SWE-smith 2025"),
        (wrong_default, "Pan 2009 (MC-DAP); Derezinska 2014"),
        (wrong_variable, "Sobreira 2018 (wrong variable reference)"),
        (wrong_slice, "Derezinska 2014 (SIR)"),
        (removed_unary, "Offutt 1996 (UOD)"),
    )
)
"""The operators of this module."""
