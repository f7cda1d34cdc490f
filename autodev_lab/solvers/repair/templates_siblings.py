"""Repair templates that take code from similar functions of the package, under the names of this place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.solvers.repair.adaptation import adapted_conditions, adapted_statements
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.template import Template, interleaved, template

__all__ = ["SIBLING_TEMPLATES"]

_KINDS = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete)
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@template("borrow-from-sibling", "SimFix (Jiang 2018); ssFix (Xin 2017); ARJA (Yuan 2018); plastic surgery (Barr 2014)")
def borrow_from_sibling(site: Site) -> Iterator[Proposal]:
    """A statement, or a condition, that a similar function has and this one lacks, with the names of this place."""
    if site.function is None or isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    yield from interleaved(_inserted(site), _replaced(site), _other_conditions(site))


def _replaced(site: Site) -> Iterator[Proposal]:
    """The sibling's statement of the same kind in place of this one."""
    kind = type(site.statement)
    if isinstance(site.statement, _KINDS):
        for donor in adapted_statements(site, (kind,), 8):
            yield from site.instead(donor.text)
    elif isinstance(site.statement, ast.Pass):
        for donor in adapted_statements(site, _KINDS, 8):
            yield from site.instead(donor.text)


def _inserted(site: Site) -> Iterator[Proposal]:
    """The sibling's statement before this one, or after it where a block ends."""
    if isinstance(site.statement, ast.Pass):
        return  # in its place is the same
    ends = site.is_last and not isinstance(site.statement, _LEAVING)
    for donor in adapted_statements(site, _KINDS, 8):
        leaves = issubclass(donor.kind, _LEAVING)
        if not leaves:
            yield from site.before(donor.text)
        if ends:
            yield from site.after(donor.text)


def _other_conditions(site: Site) -> Iterator[Proposal]:
    """The sibling's condition in place of this one."""
    for test in site.conditions:
        for text in adapted_conditions(site):
            if text != site.text(test):
                yield site.replace(test, text)


SIBLING_TEMPLATES: tuple[Template, ...] = (borrow_from_sibling,)
