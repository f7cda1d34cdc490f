"""Find the test functions in a module's source, and remove chosen ones while the rest keeps its form."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from autodev_lab.execution.trees import apply_edits
from autodev_lab.records import Edit

__all__ = ["names_of_tests", "strip_tests"]


def names_of_tests(text: str) -> tuple[str, ...]:
    r"""Names of the test functions a module defines, in source order, each once.

    Raises
    ------
    SyntaxError
        If the text is not Python.

    Examples
    --------
    >>> names_of_tests("def test_a(): pass\nclass TestB:\n    def test_b(self): pass\n")
    ('test_a', 'test_b')
    """
    return tuple(dict.fromkeys(one.name for one in _definitions(ast.parse(text))))


def strip_tests(text: str, keeps: Callable[[str], bool]) -> str:
    r"""Remove test functions from a test module's text; the rest keeps its form.

    Parameters
    ----------
    text
        Source of the module.
    keeps
        Tells from a test function's name whether it stays.

    Returns
    -------
    str
        Source that can be imported: emptied blocks hold ``pass``, and a removed function that something else refers
        to leaves an empty one of its name behind.

    Raises
    ------
    SyntaxError
        If the text is not Python.

    Examples
    --------
    >>> print(strip_tests("LIMIT = 3\n\n@mark\ndef test_a():\n    assert LIMIT\n", lambda name: False), end="")
    LIMIT = 3
    <BLANKLINE>
    """
    module = ast.parse(text)
    removed = [one for one in _definitions(module) if not keeps(one.name)]
    if not removed:
        return text
    gone = {id(part) for removal in removed for part in ast.walk(removal.node)}
    wanted = {name for node in ast.walk(module) if id(node) not in gone for name in _references(node)}
    edits = [edit for removal in removed for edit in removal.edits(wanted)]
    emptied: dict[int, _Definition] = {}
    for removal in removed:
        if all(id(statement) in gone for statement in removal.block) and not any(
            other.is_wanted(wanted) for other in removed if other.block is removal.block
        ):
            emptied.setdefault(id(removal.block), removal)
    for removal in emptied.values():
        line = removal.first_line
        edits = [edit for edit in edits if edit.start_line != line]
        edits.append(Edit("", line, removal.last_line, " " * removal.node.col_offset + "pass\n"))
    return apply_edits(text, edits)


@dataclass(frozen=True, slots=True)
class _Definition:
    """One test definition, and the block it stands in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign
    name: str
    block: list[ast.stmt]

    @property
    def first_line(self) -> int:
        decorators = [] if isinstance(self.node, ast.Assign) else self.node.decorator_list
        return min([self.node.lineno, *(decorator.lineno for decorator in decorators)])

    @property
    def last_line(self) -> int:
        return self.node.end_lineno or self.node.lineno

    def is_wanted(self, wanted: Collection[str]) -> bool:
        return self.name in wanted

    def edits(self, wanted: Collection[str]) -> Iterator[Edit]:
        if not self.is_wanted(wanted):
            yield Edit("", self.first_line, self.last_line, "")
            return
        indent = " " * self.node.col_offset
        stub = f"{indent}def {self.name}(*arguments, **keywords): pass\n"
        yield Edit("", self.first_line, self.last_line, stub)


def _definitions(module: ast.Module) -> list[_Definition]:
    used = frozenset(name for node in ast.walk(module) for name in _references(node))
    return list(_within(module.body, used))


def _within(block: list[ast.stmt], used: Collection[str]) -> Iterator[_Definition]:
    """Test definitions at module and class level and in blocks (if, try, with, for) at those levels."""
    for statement in block:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if _is_test(statement):
                yield _Definition(statement, statement.name, block)
            continue
        if isinstance(statement, ast.Assign):
            name = _made_test(statement, used)
            if name is not None:
                yield _Definition(statement, name, block)
            continue
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if isinstance(inner, list):
                yield from _within(inner, used)
        for handler in getattr(statement, "handlers", ()):
            yield from _within(handler.body, used)


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether pytest or unittest would collect it: the default prefix, and not a fixture or a property."""
    if not node.name.startswith("test"):
        return False
    for decorator in node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name in ("fixture", "property", "yield_fixture"):
            return False
    return True


def _made_test(node: ast.Assign, used: Collection[str]) -> str | None:
    """Name of a test made by assignment (`test_b = make(3)`, `test_b = test_a`, a lambda), not of data in use."""
    if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return None
    name = node.targets[0].id
    if not name.startswith("test") or (isinstance(node.value, ast.Call) and name in used):
        return None
    return name if isinstance(node.value, ast.Lambda | ast.Name | ast.Call) else None


def _references(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
