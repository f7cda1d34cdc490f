"""Split a package's tests into visible, exposure and oracle sides, and write trees that hold chosen sides only.

The split is made once for a package and a seed, before any bug: of every four test functions that stand next to each
other, two are visible, one is exposure and one is oracle, which is which by a hash of seed and name (permuted blocks,
as trials allot treatments). Neighbours mostly test the same code, so that each side gets its share of every
function's tests: over eight packages, 52 % of the faults that visible tests notice are also noticed on the exposure
side and 53 % on the oracle side, against 42 % and 42 % when every test drew alone with 60/20/20; 24 % of the noticed
faults have no failing test on the visible side, against 20 % (per package in data/README.md).

A test's side goes with the **name of its test function**. Parametrised cases of a function, methods of that name in
several classes, and tests that a class inherits or a module imports from elsewhere therefore share a side, and
removing every definition of that name removes the test wherever pytest would have found it.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from autodev_lab.execution.stripping import names_of_tests, strip_tests
from autodev_lab.execution.trees import SourceTree, apply_to_tree, read_source, split_lines
from autodev_lab.files import stable_seed
from autodev_lab.records import Edit

if TYPE_CHECKING:
    from autodev_lab.execution.shelf import Subject

__all__ = ["IGNORED", "Side", "Sides", "assign_sides", "function_name", "write_side_tree"]

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


class Side(StrEnum):
    """Who may run a test: the agents, the rollout, or only the analysis."""

    VISIBLE = "visible"
    EXPOSURE = "exposure"
    ORACLE = "oracle"


_BLOCK = (Side.VISIBLE, Side.EXPOSURE, Side.VISIBLE, Side.ORACLE)
"""Sides of four neighbouring test functions, dealt out in random order; a last, shorter block gets the first ones."""


def function_name(test_id: str) -> str:
    """Name of the test function behind a pytest node id.

    Examples
    --------
    >>> function_name("tests/test_a.py::TestX::test_join[a::b-1]")
    'test_join'
    """
    return test_id.partition("[")[0].rpartition("::")[2]


class Sides:
    """The split of one package's tests, under one seed.

    Parameters
    ----------
    functions
        Names of all test functions of the package, in the order of their files and of the source.
    seed
        Seed of the split.

    Examples
    --------
    >>> sides = Sides([f"test_{index}" for index in range(8)], seed=7)
    >>> sorted(sides.of(f"test_{index}").value for index in range(4))
    ['exposure', 'oracle', 'visible', 'visible']
    >>> sides.of("tests/test_a.py::test_2[1]") is sides.of("tests/test_b.py::TestJoin::test_2[x]")
    True
    """

    def __init__(self, functions: Iterable[str], seed: int) -> None:
        self._seed = seed
        self._of: dict[str, Side] = {}
        names = list(dict.fromkeys(functions))
        for start in range(0, len(names), len(_BLOCK)):
            drawn = sorted(names[start : start + len(_BLOCK)], key=self._draw)
            self._of.update(zip(drawn, _BLOCK, strict=False))

    def _draw(self, name: str) -> tuple[int, str]:
        return stable_seed("side", self._seed, name), name

    def of(self, test_id: str) -> Side:
        """The side of a test, by its node id or the bare name of its function.

        A function that is in no source file (it was made while pytest collected) gets a side by hash alone.
        """
        name = function_name(test_id)
        return self._of.get(name) or _BLOCK[self._draw(name)[0] % len(_BLOCK)]


def assign_sides(subject: Subject, seed: int) -> Sides:
    """Split the tests of a package: fixed by its test files and a seed, whatever bug is looked at.

    Parameters
    ----------
    subject
        The pristine package.
    seed
        Seed of the split.
    """
    return _assigned(subject.tree, subject.content_hash, seed)


@functools.lru_cache(maxsize=32)
def _assigned(tree: SourceTree, content_hash: str, seed: int) -> Sides:
    names: list[str] = []
    for path in _test_files(tree.root, tree):
        with contextlib.suppress(SyntaxError, UnicodeDecodeError):  # data named like a module: pytest cannot either
            names += names_of_tests(read_source(path))
    return Sides(names, seed)


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
    split = assign_sides(subject, seed)
    for path in _test_files(destination, tree):
        try:
            text = read_source(path)
            kept = strip_tests(text, lambda name: split.of(name) in sides)
        except (SyntaxError, UnicodeDecodeError):
            continue  # a data file with the name of a module: pytest cannot collect it either
        if kept != text:
            relative = path.relative_to(destination).as_posix()
            apply_to_tree(destination, [Edit(relative, 1, len(split_lines(text)), kept)])
    apply_to_tree(destination, edits)
    return replace(tree, root=destination)


def _test_files(root: Path, tree: SourceTree) -> list[Path]:
    """Modules below a root, laid out like the tree, that may hold tests; in a fixed order."""
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if not path.is_symlink() and _holds_tests(path.relative_to(root).as_posix(), tree)
    ]


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
