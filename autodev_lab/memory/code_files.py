"""Python files below some folders, and the dotted name each of them is imported by."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath

from autodev_lab.errors import LabError

__all__ = ["SourceFile", "find_source_files", "is_test_file", "is_test_side"]

_PROJECT_FILES = frozenset(("pyproject.toml", "setup.py", "setup.cfg"))
_SKIPPED_FOLDERS = frozenset(("__pycache__", "node_modules", "site-packages", "dist-packages"))
_TEST_FOLDERS = frozenset(("tests", "test"))
_TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "test.py")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file and its place among modules.

    Parameters
    ----------
    path
        Names the file in the graph: relative to its folder, after the folder's name if there are several folders.
    location
        Where it is on disk.
    module
        Its id in the graph: the dotted name; where two files have the same dotted name, the later one (by path) has
        ``@`` and its import root after it.
    is_package
        Whether it is an ``__init__.py``.
    import_root
        The folder its dotted name starts from, as `path` is written.
    beside
        Dotted name of the folder that Python or pytest puts on ``sys.path`` when it runs the file as a script or test
        (the first folder above it without ``__init__.py``), or empty when that is the import root.
    """

    path: str
    location: Path
    module: str
    is_package: bool
    import_root: str = ""
    beside: str = ""


@lru_cache(maxsize=8192)
def is_test_file(path: str) -> bool:
    """Whether a file holds tests, by its name.

    Examples
    --------
    >>> [is_test_file(path) for path in ("tests/test_a.py", "a/a_test.py", "a/tests/tests.py", "tests/helpers.py")]
    [True, True, True, False]
    """
    name = PurePosixPath(path).name
    return any(fnmatchcase(name, pattern) for pattern in _TEST_FILES)


@lru_cache(maxsize=8192)
def is_test_side(path: str) -> bool:
    """Whether a file holds tests or what only tests use: helpers below a folder of tests, and ``conftest.py``.

    Examples
    --------
    >>> [is_test_side(path) for path in ("tests/helpers.py", "conftest.py", "a/testing.py")]
    [True, True, False]
    """
    parts = PurePosixPath(path).parts
    return is_test_file(path) or parts[-1] == "conftest.py" or not _TEST_FOLDERS.isdisjoint(parts[:-1])


def find_source_files(folders: Sequence[Path]) -> tuple[SourceFile, ...]:
    """All Python files below the folders, by path; links to folders and installed packages below are not followed.

    Parameters
    ----------
    folders
        Repositories, packages, or folders with packages, as ``site-packages`` is.

    Raises
    ------
    LabError
        If a folder does not exist, two have the same name, or there is none.
    """
    if not folders:
        raise LabError("no folder to read code from; give at least one package or repository")
    roots = [folder.resolve() for folder in folders]
    for given, root in zip(folders, roots, strict=True):
        if not root.is_dir():
            raise LabError(f"there is no folder {given} to read code from; give a package or a repository")
    if len({root.name for root in roots}) < len(roots):
        names = ", ".join(sorted(root.name for root in roots))
        raise LabError(f"folders of one graph need different names, but these are {names}; give one above them instead")
    found = []
    for root in roots:
        prefix = f"{root.name}/" if len(roots) > 1 else ""
        found += list(_files_below(root, prefix))
    return _with_unique_names(found)


def _files_below(root: Path, prefix: str) -> Iterator[SourceFile]:
    listing: dict[str, list[str]] = {}
    for current, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_entered(Path(current), name))
        relative = Path(current).relative_to(root).as_posix()
        listing["" if relative == "." else relative] = files
    packages = {folder for folder, files in listing.items() if "__init__.py" in files}
    import_roots = {folder for folder, files in listing.items() if _is_import_root(folder, files)}
    above = _packages_above(root) if "" in packages else ()
    for folder, files in listing.items():
        python = sorted(name for name in files if name.endswith(".py"))
        if not python:
            continue
        start = _nearest(folder, import_roots)
        names = (*(above if start == "" else ()), *_parts_after(folder, start))
        base = _parts_after(_first_without_init(folder, packages), start)
        for name in python:
            stem = name.removesuffix(".py").replace(".", "_")
            is_package = stem == "__init__" and bool(names)
            yield SourceFile(
                path=f"{prefix}{folder}/{name}" if folder else f"{prefix}{name}",
                location=root / folder / name,
                module=".".join(names if is_package else (*names, stem)),
                is_package=is_package,
                import_root=f"{prefix}{start}".rstrip("/"),
                beside=".".join(base),
            )


def _is_entered(parent: Path, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED_FOLDERS:
        return False
    folder = parent / name
    return not folder.is_symlink() and not (folder / "pyvenv.cfg").exists()


def _is_import_root(folder: str, files: list[str]) -> bool:
    if folder == "":
        return True
    name = folder.rpartition("/")[2]
    if not name.isidentifier():  # nothing below it can be imported through it
        return True
    return "__init__.py" not in files and (name == "src" or not _PROJECT_FILES.isdisjoint(files))


def _nearest(folder: str, import_roots: set[str]) -> str:
    while folder not in import_roots:
        folder = folder.rpartition("/")[0]
    return folder


def _parts_after(folder: str, start: str) -> tuple[str, ...]:
    if len(folder) <= len(start):
        return ()
    return tuple(folder[len(start) :].strip("/").split("/"))


def _first_without_init(folder: str, packages: set[str]) -> str:
    while folder in packages and folder:
        folder = folder.rpartition("/")[0]
    return folder


def _packages_above(root: Path) -> tuple[str, ...]:
    names: list[str] = []
    while (root / "__init__.py").exists() and root.name.isidentifier():
        names.insert(0, root.name)
        root = root.parent
    return tuple(names)


def _with_unique_names(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    taken: set[str] = set()
    named = []
    for one in sorted(files, key=lambda file: file.path):
        module = one.module
        if module in taken:
            module = f"{module}@{one.import_root}"
        if module in taken:
            module = f"{one.module}@{one.path}"
        taken.add(module)
        named.append(
            SourceFile(one.path, one.location, module, one.is_package, one.import_root, one.beside)
            if module != one.module
            else one
        )
    return tuple(named)
