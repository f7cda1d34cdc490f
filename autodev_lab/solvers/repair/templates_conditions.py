"""Repair templates for conditions: comparisons, boolean operators, and what is tested."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import permutations

from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, interleaved, template

__all__ = ["CONDITION_TEMPLATES"]

_SYMBOLS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_COMPARISON = re.compile(r"<=|>=|==|!=|<|>|is\s+not|not\s+in|is|in")
_COMPLEMENT = {"==": "!=", "<": ">=", ">": "<=", "is": "is not", "in": "not in"}
_COMPLEMENT.update({value: key for key, value in _COMPLEMENT.items()})
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_OTHERS = {
    "<": (">", "==", "!="),
    ">": ("<", "==", "!="),
    "<=": (">=", "==", "!="),
    ">=": ("<=", "==", "!="),
    "==": (">=", "<=", ">", "<", "is", "in"),
    "!=": (">", "<", ">=", "<=", "is not", "not in"),
    "is": ("==", "in"),
    "is not": ("!=", "not in"),
    "in": ("==",),
    "not in": ("!=",),
}


def _operators(site: Site) -> Iterator[tuple[str, int, int]]:
    """Symbol and byte span of every comparison operator of the statement."""
    for node in site.of(ast.Compare):
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            start, end = site.source.span(left)[1], site.source.span(right)[0]
            gap = site.source.data[start:end].decode("latin-1")
            found = _COMPARISON.search(gap)
            if found and "#" not in gap:
                yield _SYMBOLS[type(operator)], start + found.start(), start + found.end()
            left = right


def _move_boundary(site: Site) -> Iterator[Proposal]:
    """`<` and `<=`, `>` and `>=` for each other."""
    for symbol, start, end in _operators(site):
        if symbol in _BOUNDARY:
            yield site.raw(start, end, _BOUNDARY[symbol])


def _complement_comparison(site: Site) -> Iterator[Proposal]:
    """A comparison for its opposite."""
    for symbol, start, end in _operators(site):
        yield site.raw(start, end, _COMPLEMENT[symbol])


def _replace_comparison(site: Site) -> Iterator[Proposal]:
    """A comparison for another that is neither its opposite nor its boundary."""
    for symbol, start, end in _operators(site):
        for other in _OTHERS[symbol]:
            yield site.raw(start, end, other)


@template("swap-boolean-operator", "SPR condition refinement (Long & Rinard 2015); TBar FP6")
def swap_boolean_operator(site: Site) -> Iterator[Proposal]:
    """`and` for `or`, and the other way round: all of an expression, then each one in longer chains."""
    for node in site.of(ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        texts = [site.fitted_operand(value) for value in node.values]
        yield site.replace(node, f" {new} ".join(texts))
        for index in range(1, len(texts)):
            if len(texts) > 2:
                left, right = f" {old} ".join(texts[:index]), f" {old} ".join(texts[index:])
                yield site.replace(node, f"({left}) {new} ({right})")


@template("negate-condition", "PAR (Kim 2013); Prophet and SPR condition flips (Long & Rinard 2015)")
def negate_condition(site: Site) -> Iterator[Proposal]:
    """A condition, or one operand of it, for its negation; a `not` is taken away."""
    parts: list[ast.expr] = []
    for test in site.conditions:
        parts.append(test)
        parts.extend(value for node in ast.walk(test) if isinstance(node, ast.BoolOp) for value in node.values)
    parts.extend(value for node in site.of(ast.BoolOp) for value in node.values[:-1])
    parts.extend(site.of(ast.UnaryOp))
    for node in dict.fromkeys(parts):
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Not):
                yield site.replace(node, site.text(node.operand))
        elif not isinstance(node, ast.Compare) or len(node.ops) > 1:
            yield site.replace(node, f"not ({site.text(node)})")


@template("drop-condition-operand", "PAR expression remover (Kim 2013); TBar FP6.1")
def drop_condition_operand(site: Site) -> Iterator[Proposal]:
    """A conjunction or disjunction without one of its operands."""
    for node in site.of(ast.BoolOp):
        word = " and " if isinstance(node.op, ast.And) else " or "
        texts = [site.fitted_operand(value) for value in node.values]
        for index in range(len(texts)):
            yield site.replace(node, word.join(texts[:index] + texts[index + 1 :]))


def _tighten_condition(site: Site) -> Iterator[Proposal]:
    """`c` for `c and d` with `d` from the file or a plain test of a variable."""
    yield from _extended(site, "and")


def _loosen_condition(site: Site) -> Iterator[Proposal]:
    """`c` for `c or d` with `d` from the file or a plain test of a variable."""
    yield from _extended(site, "or")


def _extended(site: Site, word: str) -> Iterator[Proposal]:
    for test in site.conditions:
        own = site.text(test)
        for extra in _extra_conditions(site):
            if extra not in own:
                yield site.replace(test, f"({own}) {word} {_closed(extra)}")


def _extra_conditions(site: Site) -> tuple[str, ...]:
    """Plain tests of what this function does not read yet, then donors, then negations."""
    simple, donors = site.simple_conditions(8), site.donor_conditions(8)
    mixed = [text for pair in zip(simple, donors, strict=False) for text in pair]
    mixed += [*simple[len(donors) :], *donors[len(simple) :]]
    return tuple(dict.fromkeys((*mixed, *(f"not {_closed(text)}" for text in (*simple[:6:2], *donors[:4])))))


def _closed(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+(\([\w., ]*\))?", text) else f"({text})"


@template("fix-condition-value", "Kali (Qi 2015); SPR abstract conditions (Long & Rinard 2015)")
def fix_condition_value(site: Site) -> Iterator[Proposal]:
    """A condition for True or False: a branch is always or never taken."""
    for test in site.conditions:
        for value in ("False", "True"):
            yield site.replace(test, value)


@template("replace-condition", "ELIXIR (Saha 2017); plastic surgery (Barr 2014); TBar FP6; Nopol (Xuan 2017)")
def replace_condition(site: Site) -> Iterator[Proposal]:
    """A condition for another of the file, a plain test of a variable, or a comparison of two values at hand."""
    for test in site.conditions:
        own = site.text(test)
        for other in dict.fromkeys((*site.donor_conditions(8), *site.simple_conditions(6), *_comparisons(site))):
            if other != own:
                yield site.replace(test, other)


def _comparisons(site: Site) -> Iterator[str]:
    """Comparisons of values that the guarded code uses (Nopol's synthesis, Xuan et al. 2017, with one operator)."""
    names = [name for name in site.near_names if name not in ("self", "cls")]
    body = getattr(site.statement, "body", None)
    parts = [node for one in body for node in ast.walk(one)] if isinstance(body, list) else []
    used = Counter(node.id for node in parts if isinstance(node, ast.Name) and node.id in names)
    values = [
        site.text(node)
        for node in parts
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and not isinstance(site.parent(node), ast.Call)
    ]
    near = list(dict.fromkeys((*(name for name, _ in used.most_common(3)), *values[:2], *names[:3])))[:4]
    yield from (f"not {one}" for one in near[:3])
    for operator in ("in", "==", ">", "<", "not in", "!="):
        for one, other in permutations(near[:3], 2):
            if operator in ("in", "not in", ">", "<") or one < other:
                yield f"{one} {operator} {other}"


@template("test-for-none", "PAR null pointer checker (Kim 2013); TBar FP2")
def test_for_none(site: Site) -> Iterator[Proposal]:
    """Truth of a value for its being None or not, and the other way round."""
    for test in site.conditions:
        parts = [test, *(value for node in ast.walk(test) if isinstance(node, ast.BoolOp) for value in node.values)]
        for node in parts:
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                yield site.replace(node, f"{site.text(node.operand)} is None")
            elif isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.Constant):
                if node.comparators[0].value is None:
                    lead = "not " if isinstance(node.ops[0], ast.Is) else ""
                    yield site.replace(node, lead + site.text(node.left))
            elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
                yield site.replace(node, f"{site.text(node)} is not None")


@template("filter-comprehension", "SketchFix condition holes (Hua 2018); PAR expression adder and remover")
def filter_comprehension(site: Site) -> Iterator[Proposal]:
    """A filter taken from a comprehension, or given to it."""
    for node in site.expressions:
        if not isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            continue
        for part in node.generators:
            end = site.source.span(part.iter)[1]
            for test in part.ifs:
                stop = site.source.span(test)[1]
                start = max(end, site.source.data.rfind(b"if", 0, site.source.span(test)[0]))
                yield site.raw(start, stop, "")
            if not part.ifs and isinstance(part.target, ast.Name):
                name = part.target.id
                close = _closing(site, part.iter)
                for text in (name, f"{name} is not None", *(f"{name} != {other}" for other in site.locals[:3])):
                    yield site.raw(close, close, f" if {text}")
            elif not part.ifs and isinstance(part.target, ast.Tuple):
                close = _closing(site, part.iter)
                for element in part.target.elts:
                    if isinstance(element, ast.Name):
                        yield site.raw(close, close, f" if {element.id}")


def _closing(site: Site, node: ast.expr) -> int:
    """Offset after an expression and the parentheses that close around it alone."""
    start, end = site.source.span(node)
    data = site.source.data
    while data[start - 1 : start] == b"(" and data[end : end + 1] == b")":
        before = data[:start].rstrip()
        if not before.endswith(b"(") or data[: start - 1].rstrip()[-2:] != b"in":
            break
        start, end = start - 1, end + 1
    return end


@template("change-comparison", "TBar FP12 mutate operators (Liu 2019); PAR expression replacer (Kim 2013); SketchFix")
def change_comparison(site: Site) -> Iterator[Proposal]:
    """A comparison for its opposite, for the one with the boundary moved, then for any other."""
    yield from interleaved(_complement_comparison(site), _move_boundary(site))
    yield from _replace_comparison(site)


@template("extend-condition", "PAR expression adder (Kim 2013); SPR (Long & Rinard 2015); TBar FP6.3")
def extend_condition(site: Site) -> Iterator[Proposal]:
    """`c` for `c and d` or `c or d` with `d` from the file or a plain test of a variable."""
    yield from interleaved(_tighten_condition(site), _loosen_condition(site))


CONDITION_TEMPLATES: tuple[Template, ...] = (
    change_comparison,
    extend_condition,
    swap_boolean_operator,
    negate_condition,
    drop_condition_operand,
    fix_condition_value,
    replace_condition,
    test_for_none,
    filter_comprehension,
)
