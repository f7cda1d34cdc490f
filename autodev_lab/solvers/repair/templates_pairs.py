"""Repair templates that make the same change at two or more places of a function at once.

Changes of several places in one fix are mostly alike (Hercules: Saha, Saha and Prasad, "Harnessing evolution for
multi-hunk program repair", ICSE 2019): searching pairs of one kind of edit keeps the square of the space away.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import header_expressions
from autodev_lab.solvers.repair.template import Template, interleaved, template

__all__ = ["PAIR_TEMPLATES"]


@template("change-alike", "Hercules (Saha 2019); Sydit (Meng 2011); ARJA (Yuan 2018) on edits of several places")
def change_alike(site: Site) -> Iterator[Proposal]:
    """A variable, constant or method for another wherever the statement has it, then wherever the function has it."""
    if site.function is None or site.function is site.statement:
        return
    everywhere = tuple(node for one in site.own_statements() for node in header_expressions(one))
    for nodes in (site.expressions, everywhere):
        yield from interleaved(_variables(site, nodes), _numbers(site, nodes), _methods(site, nodes))


def _together(site: Site, nodes: list[ast.expr], text: str) -> Iterator[Proposal]:
    """One text in the place of each of two to six expressions."""
    if 2 <= len(nodes) <= 6:
        yield tuple(splice for node in nodes for splice in site.replace(node, text))


def _variables(site: Site, nodes: tuple[ast.expr, ...]) -> Iterator[Proposal]:
    here = [node.id for node in site.of(ast.Name) if node.id in site.locals and node.id not in ("self", "cls")]
    choices = site.unread
    for name in tuple(dict.fromkeys(here))[:3]:
        same: list[ast.expr] = [
            node for node in nodes if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]
        for other in dict.fromkeys((*choices[:1], *site.kin(name)[:1])):
            yield from _together(site, same, other)


def _numbers(site: Site, nodes: tuple[ast.expr, ...]) -> Iterator[Proposal]:
    here = [node.value for node in site.of(ast.Constant) if type(node.value) is int]
    for value in tuple(dict.fromkeys(here))[:2]:
        same: list[ast.expr] = [
            node for node in nodes if isinstance(node, ast.Constant) and type(node.value) is int and node.value == value
        ]
        for other in (value + 1, value - 1):
            yield from _together(site, same, repr(other))


def _methods(site: Site, nodes: tuple[ast.expr, ...]) -> Iterator[Proposal]:
    here = [node.func.attr for node in site.of(ast.Call) if isinstance(node.func, ast.Attribute)]
    for method in tuple(dict.fromkeys(here))[:2]:
        same = [
            node.func
            for node in nodes
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
        ]
        for other in [name for name in site.words.methods if name != method][:2]:
            if 2 <= len(same) <= 6:
                yield tuple(
                    splice for func in same for splice in site.replace(func, f"{site.text(func.value)}.{other}")
                )


PAIR_TEMPLATES: tuple[Template, ...] = (change_alike,)
