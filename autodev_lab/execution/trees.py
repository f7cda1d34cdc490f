"""Source trees and what is done to their text: line edits, diffs and content hashes."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autodev_lab.execution.inside.lines import encoding_of, splice, split_lines
from autodev_lab.records import Edit

__all__ = ["SourceTree", "apply_edits", "apply_to_tree", "read_source", "split_lines", "tree_hash", "unified_diff"]


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A package with its tests on disk, as candidate code may see it.

    Parameters
    ----------
    root
        Directory with the package and its tests.
    package
        Top-level import name, for example ``"toolz"``.
    import_root
        Directory put first on ``sys.path``, relative to `root`: ``""`` or ``"src"``.
    package_path
        The package directory or single module file, relative to `root`: ``"src/toolz"`` or ``"schema.py"``.
    test_paths
        Test files and directories, relative to `root`.
    dependencies
        Directory with the subject's third-party (test) dependencies, or None.
    """

    root: Path
    package: str
    import_root: str
    package_path: str
    test_paths: tuple[str, ...]
    dependencies: Path | None = None


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    r"""Apply line edits of one file; every edit's line numbers refer to the text as given.

    Parameters
    ----------
    text
        The file's text.
    edits
        Edits of this one file in any order. Insertions before the same line keep their order.

    Returns
    -------
    str
        The new text.

    Raises
    ------
    ValueError
        If edits overlap, name different files or lie outside the text.

    Examples
    --------
    >>> apply_edits("a\nb\nc\n", [Edit("m.py", 2, 2, "B\n"), Edit("m.py", 1, 0, "# top\n")])
    '# top\na\nB\nc\n'
    """
    return splice(split_lines(text), [(edit.path, edit.start_line, edit.end_line, edit.replacement) for edit in edits])


def read_source(path: Path) -> str:
    """Text of a Python file in its declared encoding, line ends untouched."""
    data = path.read_bytes()
    return data.decode(encoding_of(data))


def apply_to_tree(root: Path, edits: Sequence[Edit]) -> None:
    """Apply edits to the files below a directory.

    Parameters
    ----------
    root
        Directory the edits' paths are relative to.
    edits
        Edits of any number of files. A missing file counts as empty text, so that an edit can make one.

    Raises
    ------
    ValueError
        If an edit overlaps another, lies outside its file or leaves `root`. Nothing has been written then.
    """
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    changed: list[tuple[Path, bytes]] = []
    for path, group in by_path.items():
        target = _inside(root, path)
        data = target.read_bytes() if target.exists() else b""
        encoding = encoding_of(data)
        changed.append((target, apply_edits(data.decode(encoding), group).encode(encoding)))
    for target, data in changed:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _inside(root: Path, path: str) -> Path:
    """The file an edit names, which must lie below `root` even when links are followed."""
    relative = PurePosixPath(path)
    target = root / relative
    if relative.is_absolute() or ".." in relative.parts or not target.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path} leaves the tree")
    return target


def unified_diff(path: str, before: str, after: str) -> str:
    r"""Unified diff of one file, with ``a/`` and ``b/`` prefixes; empty when nothing changed.

    Examples
    --------
    >>> print(unified_diff("m.py", "a\nb\n", "a\nc\n"), end="")
    --- a/m.py
    +++ b/m.py
    @@ -1,2 +1,2 @@
     a
    -b
    +c
    """
    lines = difflib.unified_diff(split_lines(before), split_lines(after), f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def tree_hash(root: Path) -> str:
    """SHA-256 over the sorted relative paths and bytes of all files below a directory.

    Byte code (``__pycache__``, ``.pyc``) is left out. A symbolic link counts by where it points, never by what
    is there.
    """
    digest = hashlib.sha256()
    entries = sorted((path.relative_to(root).as_posix(), path) for path in root.rglob("*"))
    for name, path in entries:
        if "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            content = b"link " + str(path.readlink()).encode()
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
