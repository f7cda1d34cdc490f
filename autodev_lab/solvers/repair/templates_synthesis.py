"""Repair templates that make a condition or a result from the values at hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autodev_lab.solvers.repair.predicates import predicates
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, alternated, interleaved, template

__all__ = ["SYNTHESIS_TEMPLATES"]


@template(
    "synthesise-condition", "Nopol (Xuan 2017); ACS (Xiong 2017); SPR (Long & Rinard 2015); DynaMoth (Durieux 2016)"
)
def synthesise_condition(site: Site) -> Iterator[Proposal]:
    """A condition, or one more operand of it, made from what the guarded code does with the variables in scope."""
    yield from interleaved(_replaced(site), _widened(site))


def _replaced(site: Site) -> Iterator[Proposal]:
    statement = site.statement
    if isinstance(statement, ast.If | ast.While):
        for text in predicates(site, statement.body):
            if text != site.text(statement.test):
                yield site.replace(statement.test, text)


def _widened(site: Site) -> Iterator[Proposal]:
    """A test that protects the operands, and an operand like one that is there, of another variable."""
    for test in site.conditions:
        if isinstance(test, ast.Constant):
            continue
        own = site.text(test)
        whole = own if isinstance(test, ast.Name | ast.Attribute | ast.Call) else f"({own})"
        either = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or)
        words = ("or", "and") if either else ("and", "or")
        alike = tuple(_alike(site, test))
        first = alternated(_protected(site, test, whole), (f"{whole} {words[0]} {text}" for text in alike))
        for text in (*first, *(f"{whole} {words[1]} {text}" for text in alike)):
            yield site.replace(test, text)


def _protected(site: Site, test: ast.expr, whole: str) -> Iterator[str]:
    """The condition only where what it reads is there, or also where it is not."""
    read = _read(site, test)[:3]
    yield from (f"{name} and {whole}" for name in read)
    yield from (f"not {name} or {whole}" for name in read)
    yield from (f"{name} is not None and {whole}" for name in read)
    yield from (f"{name} is None or {whole}" for name in read)


def _read(site: Site, test: ast.expr) -> list[str]:
    """Variables and attributes that a condition reads, those it takes apart or looks into first."""
    nodes = [node for node in ast.walk(test) if isinstance(node, ast.Subscript | ast.Attribute)]
    held = [site.text(node.value) for node in nodes if isinstance(node.value, ast.Name | ast.Attribute)]
    held += [
        site.text(node.comparators[-1])
        for node in ast.walk(test)
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[-1], ast.In | ast.NotIn)
        and isinstance(node.comparators[-1], ast.Name | ast.Attribute)
    ]
    names = [node.id for node in ast.walk(test) if isinstance(node, ast.Name) and node.id in site.locals]
    return [text for text in dict.fromkeys((*held, *names)) if text not in ("self", "cls")]


def _alike(site: Site, test: ast.expr) -> Iterator[str]:
    """Operands of the condition with another variable of the function in the place of one, the last operand first."""
    leaves = [node for node in ast.walk(test) if isinstance(node, ast.BoolOp)]
    operands = [value for node in leaves for value in node.values if not isinstance(value, ast.BoolOp)] or [test]
    present = {site.text(one) for one in operands}
    yield from (
        text
        for text in dict.fromkeys(alternated(*(_with_kin(site, one) for one in reversed(operands))))
        if text not in present
    )


def _with_kin(site: Site, operand: ast.expr) -> Iterator[str]:
    text = site.text(operand)
    if "\n" in text or isinstance(operand, ast.Constant):
        return
    names = [node.id for node in ast.walk(operand) if isinstance(node, ast.Name) and node.id in site.locals]
    for name in dict.fromkeys(names):
        for other in [one for one in site.kin(name) if one not in names][:2]:
            yield re.sub(rf"(?<![\w.]){re.escape(name)}\b", other, text)


SYNTHESIS_TEMPLATES: tuple[Template, ...] = (synthesise_condition,)
