"""Repair templates that remove, move, wrap or rewrite whole statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import Splice
from autodev_lab.solvers.repair.template import Template, less_promising, template

__all__ = ["STATEMENT_TEMPLATES"]

_SIMPLE = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete, ast.AnnAssign)


@template("remove-statement", "GenProg (Le Goues 2012); Kali (Qi 2015)")
def remove_statement(site: Site) -> Iterator[Proposal]:
    """A statement without a trace, or `pass` where a block would be empty."""
    if isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return
    block, _ = site.source.block_of(site.statement)
    if len(block) == 1:
        yield from site.instead("pass")
    elif site.source.owns_lines(site.statement):
        start, end = site.whole_lines(site.statement)
        yield site.raw(start, end, "")


@template("remove-condition", "PAR expression remover (Kim 2013); TBar FP6; SPR (Long & Rinard 2015)")
def remove_condition(site: Site) -> Iterator[Proposal]:
    """The body of an `if` without its condition, or the branch that is not taken."""
    statement = site.statement
    indent = site.source.indent_of(statement)
    if isinstance(statement, ast.If) and indent is not None and not _is_elif(site, statement):
        for block in (statement.body, statement.orelse):
            lines = site.indented(block, "") if block else None
            if lines is not None and not (block is statement.orelse and _starts_elif(site, block)):
                yield from site.instead(*lines)


def _is_elif(site: Site, statement: ast.If) -> bool:
    start = site.source.span(statement)[0]
    return site.source.data[start : start + 4] == b"elif"


def _starts_elif(site: Site, block: list[ast.stmt]) -> bool:
    return len(block) == 1 and isinstance(block[0], ast.If) and _is_elif(site, block[0])


@template("guard-statement", "SPR conditional control flow (Long & Rinard 2015); PAR checkers (Kim 2013)")
def guard_statement(site: Site) -> Iterator[Proposal]:
    """A statement carried out only under a condition of the file or a plain test of a variable."""
    if not isinstance(site.statement, (*_SIMPLE, ast.For, ast.If, ast.While, ast.With)):
        return
    lines = site.indented([site.statement], "    ")
    if lines is None:
        return
    simple, donors = site.simple_conditions(6), site.donor_conditions(6)
    mixed = [text for pair in zip(donors, simple, strict=False) for text in pair]
    for test in dict.fromkeys((*mixed, *donors, *simple, *(f"not ({text})" for text in donors[:4]))):
        yield from site.instead(f"if {test}:", *lines)


@template("move-statement", "GenProg swap (Le Goues 2012); TBar FP15 move statement (Liu 2019)")
def move_statement(site: Site) -> Iterator[Proposal]:
    """A statement above or below its neighbour, or out of the block it ends, or to the end of the block above it."""
    source = site.source
    if site.function is None or site.function is site.statement:
        return  # the order of definitions is not what goes wrong, and moving one would reach beyond its unit
    block, index = source.block_of(site.statement)
    indent = source.indent_of(site.statement)
    if indent is None or not source.owns_lines(site.statement):
        return
    start, end = site.whole_lines(site.statement)
    lines = site.indented([site.statement], "")
    if index > 0 and source.owns_lines(block[index - 1]) and not _is_documentation(block[index - 1]):
        above = site.whole_lines(block[index - 1])
        own = source.between(start, end)
        own = own if own.endswith("\n") else own + "\n"
        yield (Splice(above[0], above[0], own), Splice(start, end, ""))
    if index + 1 < len(block) and source.owns_lines(block[index + 1]):
        below = site.whole_lines(block[index + 1])
        text = source.between(*below)
        yield (Splice(start, start, text if text.endswith("\n") else text + "\n"), Splice(*below, ""))
    parent = site.parent(site.statement)
    if lines is None:
        return
    outer = source.indent_of(parent) if isinstance(parent, ast.For | ast.While | ast.If | ast.With) else None
    if outer is not None and len(block) > 1 and isinstance(parent, ast.stmt) and source.owns_lines(parent):
        text = "".join(f"{outer}{line}\n" for line in lines)
        if index == len(block) - 1:
            bottom = source.line_start((parent.end_lineno or parent.lineno) + 1)
            if source.data[:bottom].endswith(b"\n"):
                yield (Splice(start, end, ""), Splice(bottom, bottom, text))
        if index == 0:
            top = source.line_start(source.first_line(parent))
            yield (Splice(top, top, text), Splice(start, end, ""))
    if index > 0:
        yield from _into_block_above(site, block[index - 1], lines, (start, end))


def _into_block_above(site: Site, above: ast.stmt, lines: list[str], place: tuple[int, int]) -> Iterator[Proposal]:
    """The statement as the last of the block that ends right above it."""
    body = above.body if isinstance(above, ast.For | ast.While | ast.If | ast.With) else None
    if not body:
        return
    inner = site.source.indent_of(body[-1])
    if inner is not None and site.source.owns_lines(body[-1]):
        bottom = site.source.line_start((body[-1].end_lineno or body[-1].lineno) + 1)
        text = "".join(f"{inner}{line}\n" for line in lines)
        yield (Splice(bottom, bottom, text), Splice(*place, ""))


def _is_documentation(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@template("replace-statement", "GenProg replace (Le Goues 2012); CapGen (Wen 2018)")
def replace_statement(site: Site) -> Iterator[Proposal]:
    """A simple statement for another of the file that fits."""
    if isinstance(site.statement, (*_SIMPLE, ast.Pass, ast.Continue, ast.Break)):
        kinds = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Continue, ast.Break)
        for text in site.donors(kinds, 12):
            yield from site.instead(text)


def _change_jump(site: Site) -> Iterator[Proposal]:
    """`break` for `continue`, `return` for `yield` or assignment, and their kin."""
    statement = site.statement
    if isinstance(statement, ast.Break | ast.Continue):
        other = "continue" if isinstance(statement, ast.Break) else "break"
        for text in (other, "return", "pass", "return None"):
            yield from site.instead(text)
    elif isinstance(statement, ast.Pass):
        for text in ("continue", "break", "return", "raise"):
            yield from site.instead(text)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield | ast.YieldFrom):
        inner = statement.value.value
        text = site.text(inner) if inner is not None else "None"
        if isinstance(statement.value, ast.Yield):
            yield from site.instead(f"yield from {text}")
        else:
            yield from site.instead(f"yield {text}")
        yield from site.instead(f"return {text}")
    elif isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Call | ast.Await | ast.Constant):
        text = site.text(statement.value)
        yield from site.instead(f"return {text}")
        yield from site.instead(f"yield {text}")
        for name in site.near_names[:4]:
            yield from site.instead(f"{name} = {text}")
    elif isinstance(statement, ast.Return) and statement.value is not None:
        text = site.text(statement.value)
        for name in site.near_names[:2]:
            yield from site.instead(f"{name} = {text}")
        yield from site.instead(text)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        text = site.text(statement.value)
        yield from site.instead(f"return {text}")
        for name in site.near_names[:3]:
            yield from site.instead(f"{name} = {text}")
    elif isinstance(statement, ast.Raise):
        for text in ("return", "pass", "raise"):
            yield from site.instead(text)


def _change_loop(site: Site) -> Iterator[Proposal]:
    """A loop for a branch, a branch for a loop; an iteration in reverse, sorted, or over a part."""
    statement = site.statement
    start = site.source.span(statement)[0]
    if isinstance(statement, ast.While):
        yield site.raw(start, start + 5, "if")
    elif isinstance(statement, ast.If) and not _is_elif(site, statement) and not statement.orelse:
        yield from less_promising(by=3)
        yield site.raw(start, start + 2, "while")
    elif isinstance(statement, ast.For):
        own = site.text(statement.iter)
        for text in (f"reversed({own})", f"list({own})", f"sorted({own})", f"{own}[1:]", f"{own}[:-1]", f"set({own})"):
            yield site.replace(statement.iter, text)
        if isinstance(statement.target, ast.Name):
            yield (
                *site.replace(statement.target, f"_, {statement.target.id}"),
                *site.replace(statement.iter, f"enumerate({own})"),
            )


@template(
    "change-control", "GenProg replace (Le Goues 2012); TBar FP14 (Liu 2019); PAR (Kim 2013); SketchFix (Hua 2018)"
)
def change_control(site: Site) -> Iterator[Proposal]:
    """How control goes on: one jump for another, a lost return, a loop for a branch, another iteration."""
    yield from _change_jump(site)
    yield from _change_loop(site)


STATEMENT_TEMPLATES: tuple[Template, ...] = (
    change_control,
    remove_statement,
    remove_condition,
    guard_statement,
    move_statement,
    replace_statement,
)
