"""Fault operators on statements: things left out, branches missing, loops and exceptions that go wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autodev_lab.streams.mutations import Fault, Operator, Site, Span

__all__ = ["STATEMENT_OPERATORS"]

_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_EXCEPTIONS = {
    "KeyError": "IndexError",
    "IndexError": "KeyError",
    "ValueError": "TypeError",
    "TypeError": "ValueError",
    "AttributeError": "TypeError",
    "LookupError": "KeyError",
    "StopIteration": "IndexError",
    "NotImplementedError": "ValueError",
    "RuntimeError": "ValueError",
    "OSError": "ValueError",
    "ZeroDivisionError": "ValueError",
    "OverflowError": "ValueError",
    "Exception": "ValueError",
    "ImportError": "AttributeError",
    "UnicodeDecodeError": "KeyError",
}


def removed_call(site: Site) -> Iterator[Fault]:
    """A statement that calls something left out."""
    node = site.node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
        yield from _removed(site, node)


def removed_assignment(site: Site) -> Iterator[Fault]:
    """An assignment left out where the name, attribute or item has a value without it."""
    node = site.node
    if isinstance(node, ast.AugAssign):
        yield from _removed(site, node)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        rebound = isinstance(target, ast.Name) and site.function.bindings.get(target.id, 0) > 1
        if rebound or isinstance(target, ast.Attribute | ast.Subscript):
            yield from _removed(site, node)


def removed_accumulation(site: Site) -> Iterator[Fault]:
    """A plain assignment where the value should have been added to."""
    node = site.node
    if isinstance(node, ast.AugAssign):
        end = (node.target.end_lineno or node.lineno, node.target.end_col_offset or 0)
        gap = site.source.between(end, (node.value.lineno, node.value.col_offset))
        word = gap.strip().rstrip("(").strip()
        span = site.source.token(end, (node.value.lineno, node.value.col_offset), word, "=") if word else None
        if span is not None:
            yield (span,)


def missing_guard(site: Site) -> Iterator[Fault]:
    """A guard left out: an `if` that leaves the function or the loop early."""
    node = site.node
    if (
        isinstance(node, ast.If)
        and not node.orelse
        and isinstance(node.body[-1], _LEAVING)
        and not _is_elif(site, node)
    ):
        yield from _removed(site, node)


def missing_condition(site: Site) -> Iterator[Fault]:
    """An `if` left out, so that what it protects happens always."""
    node = site.node
    if isinstance(node, ast.If) and not node.orelse and not isinstance(node.body[-1], _LEAVING):
        yield (site.source.replace(node.test, "True"),)


def missing_branch(site: Site) -> Iterator[Fault]:
    """An `else` or an `elif` left out."""
    node = site.node
    if not isinstance(node, ast.If) or not node.orelse:
        return
    first = node.orelse[0]
    last = node.end_lineno or node.lineno
    start = _branch_line(site, node)
    if start is None:
        return
    if isinstance(first, ast.If) and len(node.orelse) == 1 and first.lineno == start and first.orelse:
        following = _branch_line(site, first)
        if following is None:
            return
        last = following - 1
    yield (site.source.whole_lines(start, last),)


def _branch_line(site: Site, node: ast.If) -> int | None:
    """Line of the `else` or `elif` that belongs to an `if`; None when the layout is unusual."""
    first = node.orelse[0]
    body_end = node.body[-1].end_lineno or node.lineno
    for number in range(body_end + 1, first.lineno + 1):
        word = site.source.line(number).strip()
        if word.startswith(("else:", "else :", "elif ", "elif(")):
            return number
    return None


def removed_branch_body(site: Site) -> Iterator[Fault]:
    """An `if` with an `else` whose first branch is never taken, or always."""
    node = site.node
    if isinstance(node, ast.If) and node.orelse:
        for text in ("False", "True"):
            yield (site.source.replace(node.test, text),)


def missing_return(site: Site) -> Iterator[Fault]:
    """A `return` forgotten: its value is computed, and the function goes on."""
    node = site.node
    if not isinstance(node, ast.Return):
        return
    nested = len(site.parents) > 1
    if node.value is None:
        if nested:
            yield from _removed(site, node)
    elif nested or not isinstance(node.value, ast.Name | ast.Constant):
        yield (site.source.replace(node, f"({site.source.segment(node.value)})"),)


def wrong_return(site: Site) -> Iterator[Fault]:
    """A returned value that is forgotten, turned round, or one of its parts."""
    node = site.node
    if not isinstance(node, ast.Return) or node.value is None:
        return
    value = node.value
    if isinstance(value, ast.Compare | ast.BoolOp) or (
        isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    ):
        yield (site.source.replace(value, f"not ({site.source.segment(value)})"),)
    elif isinstance(value, ast.Tuple) and len(value.elts) == 2 and not isinstance(value.elts[0], ast.Starred):
        first, second = site.source.segment(value.elts[0]), site.source.segment(value.elts[1])
        if first != second and not isinstance(value.elts[1], ast.Starred):
            yield (site.source.replace(value.elts[0], second), site.source.replace(value.elts[1], first))
    elif not isinstance(value, ast.Constant):
        yield (site.source.replace(value, "None"),)


def early_return(site: Site) -> Iterator[Fault]:
    """The final `return` indented into the loop before it, so that only the first round happens."""
    node = site.node
    if not isinstance(node, ast.For | ast.While) or node.orelse:
        return
    position = next((index for index, other in enumerate(site.block) if other is node), -1)
    if position < 0 or position + 1 >= len(site.block):
        return
    following = site.block[position + 1]
    last = node.body[-1]
    if not isinstance(following, ast.Return) or following.value is None or isinstance(last, _LEAVING):
        return
    if not site.source.stands_alone(last) and not _spans_whole_lines(site, last):
        return
    text = site.source.segment(following)
    line = last.end_lineno or last.lineno
    if "\n" in text or (following.end_lineno or 0) <= line:
        return
    body = site.source.line(line)
    ending = body if body.endswith("\n") else body + "\n"
    yield (site.source.whole_lines(line, line, ending + " " * node.body[0].col_offset + text + "\n"),)


def _spans_whole_lines(site: Site, node: ast.stmt) -> bool:
    return not site.source.line(node.lineno)[: node.col_offset].strip()


def loop_boundary(site: Site) -> Iterator[Fault]:
    """A loop left too early or not at all: `break` for `continue`, either one left out."""
    node = site.node
    if isinstance(node, ast.Break | ast.Continue):
        yield (site.source.replace(node, "continue" if isinstance(node, ast.Break) else "break"),)
        yield (site.source.replace(node, "pass"),)


def skipped_loop(site: Site) -> Iterator[Fault]:
    """A loop that misses its first element, or stops after one."""
    node = site.node
    if isinstance(node, ast.For):
        text = site.source.segment(node.iter)
        loose = isinstance(node.iter, ast.Tuple) and not text.startswith("(")
        yield (site.source.replace(node.iter, f"list({f'({text})' if loose else text})[1:]"),)


def wrong_exception(site: Site) -> Iterator[Fault]:
    """Another exception raised or caught than the one that was meant."""
    node = site.node
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        yield from _exception(site, raised)
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        for one in caught:
            yield from _exception(site, one)


def _exception(site: Site, node: ast.expr) -> Iterator[Fault]:
    if isinstance(node, ast.Name) and node.id in _EXCEPTIONS:
        yield (site.source.replace(node, _EXCEPTIONS[node.id]),)


def swapped_statements(site: Site) -> Iterator[Fault]:
    """Two neighbouring simple statements in the wrong order."""
    node = site.node
    simple = ast.Assign | ast.AugAssign | ast.Expr
    if not isinstance(node, simple):
        return
    position = next((index for index, other in enumerate(site.block) if other is node), -1)
    if position < 0 or position + 1 >= len(site.block):
        return
    after = site.block[position + 1]
    if not isinstance(after, simple) or not site.source.stands_alone(node) or not site.source.stands_alone(after):
        return
    if (node.end_lineno or node.lineno) >= after.lineno or not _depends(node, after):
        return
    first, second = site.source.segment(node), site.source.segment(after)
    yield (site.source.replace(node, second), site.source.replace(after, first))


def _depends(first: ast.stmt, second: ast.stmt) -> bool:
    """Whether the order of two statements can matter: one writes what the other reads or writes."""
    written = {part.id for part in ast.walk(first) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    rewritten = {part.id for part in ast.walk(second) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    read = {part.id for part in ast.walk(first) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    return bool(rewritten & (read | written))


def _is_elif(site: Site, node: ast.If) -> bool:
    return site.source.line(node.lineno)[node.col_offset :].startswith("elif")


def _removed(site: Site, node: ast.stmt) -> Iterator[Fault]:
    """A statement taken out; `pass` takes its place when nothing else is in the block."""
    if not site.source.stands_alone(node):
        if not isinstance(node, ast.If):
            yield (site.source.replace(node, "pass"),)
        return
    if len(site.block) > 1:
        yield (site.source.whole_lines(node.lineno, node.end_lineno or node.lineno),)
    else:
        start = Span(node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0, "pass")
        yield (start,)


STATEMENT_OPERATORS: tuple[Operator, ...] = tuple(
    Operator(function.__name__, (function.__doc__ or "").strip(), reference, function)
    for function, reference in (
        (removed_call, "Just 2014 (statement deletion)"),
        (removed_assignment, "Pan 2009 (AS); SWE-smith 2025 (remove assign)"),
        (removed_accumulation, "Derezinska 2014; Pan 2009 (AS)"),
        (missing_guard, "Sobreira 2018 (missing not-null and return checks)"),
        (missing_condition, "SWE-smith 2025 (remove conditional); Pan 2009 (IF-APC)"),
        (missing_branch, "Pan 2009 (IF-RBR); SWE-smith 2025"),
        (removed_branch_body, "Just 2014 (conditional replaced by a constant)"),
        (missing_return, "Sobreira 2018 (missing return)"),
        (wrong_return, "Sobreira 2018 (return expression)"),
        (early_return, "Derezinska 2014; Sobreira 2018"),
        (loop_boundary, "Derezinska 2014 (BCR)"),
        (skipped_loop, "Derezinska 2014 (one and reverse iteration)"),
        (wrong_exception, "Sobreira 2018 (exception handling)"),
        (swapped_statements, "SWE-smith 2025 (shuffle lines); Pan 2009 (SQ)"),
    )
)
"""The operators of this module."""
