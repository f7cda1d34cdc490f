"""Repair templates that make a condition or a result from the values at hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autodev_lab.solvers.repair.predicates import predicates
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, interleaved, template

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
    """An operand like one that is there, of another variable; then a test that protects the operands."""
    for test in site.conditions:
        if isinstance(test, ast.Constant):
            continue
        own = site.text(test)
        whole = own if isinstance(test, ast.Name | ast.Attribute | ast.Call) else f"({own})"
        word = "or" if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else "and"
        for text in _alike(site, test):
            for joint in (word, "or" if word == "and" else "and"):
                yield site.replace(test, f"{whole} {joint} {text}")
        for name in _read(site, test)[:3]:
            yield site.replace(test, f"{name} and {whole}")
            yield site.replace(test, f"not {name} or {whole}")
            yield site.replace(test, f"{name} is not None and {whole}")
            yield site.replace(test, f"{name} is None or {whole}")


def _read(site: Site, test: ast.expr) -> list[str]:
    """Variables and attributes that a condition reads, those it takes apart first."""
    nodes = [node for node in ast.walk(test) if isinstance(node, ast.Subscript | ast.Attribute)]
    held = [site.text(node.value) for node in nodes if isinstance(node.value, ast.Name | ast.Attribute)]
    names = [node.id for node in ast.walk(test) if isinstance(node, ast.Name) and node.id in site.locals]
    return [text for text in dict.fromkeys((*held, *names)) if text not in ("self", "cls")]


def _alike(site: Site, test: ast.expr) -> Iterator[str]:
    """Operands of the condition with another variable of the function in the place of one."""
    operands = test.values if isinstance(test, ast.BoolOp) else [test]
    present = {site.text(one) for one in operands}
    for operand in operands[:2]:
        text = site.text(operand)
        if "\n" in text or isinstance(operand, ast.BoolOp | ast.UnaryOp | ast.Constant):
            continue
        names = [node.id for node in ast.walk(operand) if isinstance(node, ast.Name) and node.id in site.locals]
        for name in dict.fromkeys(names):
            for other in _kin(site, name)[:3]:
                made = re.sub(rf"(?<![\w.]){re.escape(name)}\b", other, text)
                if made not in present:
                    present.add(made)
                    yield made


def _kin(site: Site, name: str) -> list[str]:
    """Other variables of the function, those bound beside this one first."""
    if name in ("self", "cls"):
        return []
    ordered = (
        [one for one in site.words.variables(site.function) if one not in ("self", "cls")] if site.function else []
    )
    if name not in ordered:
        return []
    place = ordered.index(name)
    return sorted((one for one in ordered if one != name), key=lambda one: abs(ordered.index(one) - place))


SYNTHESIS_TEMPLATES: tuple[Template, ...] = (synthesise_condition,)
