"""Split a package's tests into visible, exposure and oracle sides, and write trees that hold chosen sides only.

A test's side depends on the **name of its test function** and a seed. Parametrised cases of a function, methods of that
name in several classes, and tests that a class inherits or a module imports from elsewhere therefore share a side,
and removing every definition of that name removes the test wherever pytest would have found it.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from autodev_lab.execution.trees import SourceTree, apply_edits, apply_to_tree, read_source, split_lines
from autodev_lab.files import stable_seed
from autodev_lab.records import Edit

if TYPE_CHECKING:
    from autodev_lab.execution.subjects import Subject

__all__ = ["IGNORED", "Side", "function_name", "side_of", "strip_tests", "write_side_tree"]

IGNORED = (
    ".*",
    "__pycache__",
    "*.pyc",
    "*.pyo",
    "*.egg-info",
    "*.orig",
    "node_modules",
    "__pypackages__",
)
"""Names that never belong to a subject: version control, byte code, caches, environments and install records."""

_SHARES = ((60, "visible"), (80, "exposure"), (100, "oracle"))


class Side(StrEnum):
    """Who may run a test: the agents, the rollout, or only the analysis."""

    VISIBLE = "visible"
    EXPOSURE = "exposure"
    ORACLE = "oracle"


def function_name(test_id: str) -> str:
    """Name of the test function behind a pytest node id.

    Examples
    --------
    >>> function_name("tests/test_a.py::TestX::test_join[a::b-1]")
    'test_join'
    """
    return test_id.partition("[")[0].rpartition("::")[2]


def side_of(test_id: str, seed: int) -> Side:
    """The side of a test: 60 % visible, 20 % exposure, 20 % oracle, by a stable hash of its function's name.

    Parameters
    ----------
    test_id
        Pytest node id, or the bare name of a test function.
    seed
        Seed of the split.

    Examples
    --------
    >>> side_of("tests/test_a.py::test_join[1]", 7) is side_of("tests/test_b.py::TestJoin::test_join[2]", 7)
    True
    """
    place = stable_seed("side", seed, function_name(test_id)) % 100
    return next(Side(name) for bound, name in _SHARES if place < bound)


def write_side_tree(
    subject: Subject, sides: Collection[Side], destination: Path, *, seed: int, edits: Sequence[Edit] = ()
) -> SourceTree:
    """Copy a subject with the tests of some sides only, and with edits applied to its source.

    Parameters
    ----------
    subject
        The pristine package.
    sides
        Sides whose test functions stay; helpers, fixtures and data files always stay.
    destination
        Directory to write; it must not exist.
    seed
        Seed of the split.
    edits
        Edits of the package's source, relative to the pristine tree.

    Returns
    -------
    SourceTree
        The copy.

    Raises
    ------
    FileExistsError
        If the destination exists.
    ValueError
        If an edit does not fit the source.
    """
    tree = subject.tree
    shutil.copytree(tree.root, destination, symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))
    for path in sorted(destination.rglob("*.py")):
        relative = path.relative_to(destination).as_posix()
        if path.is_symlink() or not _holds_tests(relative, tree):
            continue
        try:
            text = read_source(path)
            kept = strip_tests(text, sides, seed=seed)
        except (SyntaxError, UnicodeDecodeError):
            continue  # a data file with the name of a module: pytest cannot collect it either
        if kept != text:
            apply_to_tree(destination, [Edit(relative, 1, len(split_lines(text)), kept)])
    apply_to_tree(destination, edits)
    return replace(tree, root=destination)


def strip_tests(text: str, sides: Collection[Side], *, seed: int) -> str:
    r"""Remove test functions of other sides from a test module's text; the rest keeps its form.

    Parameters
    ----------
    text
        Source of the module.
    sides
        Sides that stay.
    seed
        Seed of the split.

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
    >>> print(strip_tests("LIMIT = 3\n\n@mark\ndef test_a():\n    assert LIMIT\n", [], seed=0), end="")
    LIMIT = 3
    <BLANKLINE>
    """
    module = ast.parse(text)
    removed: list[_Removal] = []
    used = {name for node in ast.walk(module) for name in _references(node)}
    _collect(module.body, _Choice(frozenset(sides), seed, frozenset(used)), removed)
    if not removed:
        return text
    gone = {id(part) for removal in removed for part in ast.walk(removal.node)}
    wanted = {name for node in ast.walk(module) if id(node) not in gone for name in _references(node)}
    edits = [edit for removal in removed for edit in removal.edits(wanted)]
    emptied: dict[int, _Removal] = {}
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
class _Removal:
    """One test definition that goes, and the block it stands in."""

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


@dataclass(frozen=True, slots=True)
class _Choice:
    """What decides whether a test definition goes; `used` holds every name the module refers to."""

    sides: frozenset[Side]
    seed: int
    used: frozenset[str]

    def drops(self, name: str) -> bool:
        return side_of(name, self.seed) not in self.sides


def _collect(block: list[ast.stmt], choice: _Choice, removed: list[_Removal]) -> None:
    """Find test definitions that go, at module and class level and in blocks (if, try, with, for) at those levels."""
    for statement in block:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if _is_test(statement) and choice.drops(statement.name):
                removed.append(_Removal(statement, statement.name, block))
            continue
        if isinstance(statement, ast.Assign):
            name = _made_test(statement, choice.used)
            if name is not None and choice.drops(name):
                removed.append(_Removal(statement, name, block))
            continue
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if isinstance(inner, list):
                _collect(inner, choice, removed)
        for handler in getattr(statement, "handlers", ()):
            _collect(handler.body, choice, removed)


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


def _holds_tests(relative: str, tree: SourceTree) -> bool:
    path = PurePosixPath(relative)
    if path.name == "conftest.py":
        return False
    if any(path == PurePosixPath(part) or PurePosixPath(part) in path.parents for part in tree.test_paths):
        return True
    package = PurePosixPath(tree.package_path)
    if path == package or package in path.parents:
        return False
    return fnmatch(path.name, "test*.py") or fnmatch(path.name, "*_test.py") or bool({"test", "tests"} & {*path.parts})
