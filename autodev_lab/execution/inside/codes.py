"""Compile a tree's files before any of its code runs, so that rooms of the same tree need not do it again.

Rewriting assertions is most of what collecting tests costs. Code is kept by path and content hash; it is made in a
room where nothing of the tree has run yet, so a hostile tree cannot put its own code under another file's name.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.machinery
import marshal
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from types import CodeType

from _pytest.assertion import rewrite

from .lines import LineEdit, encoding_of, splice, split_lines
from .running import Plan

__all__ = ["Codes"]

_Key = tuple[str, str]  # "plain" or "test" (assertions rewritten), and the path


class _Plain:
    """Stands in for pytest's configuration while there is none yet."""

    def getini(self, name: str) -> bool:
        return False


class Codes:
    """Compiled files by kind, path and content; `install` makes imports use them."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[str, CodeType]] = {}
        self._compile = importlib.machinery.SourceFileLoader.source_to_code
        self._rewrite = rewrite._rewrite_test

    def load(self, sent: object) -> None:
        """Take what an earlier room of this tree compiled."""
        if isinstance(sent, Mapping):
            for name, (digest, data) in sent.items():
                kind, _, path = str(name).partition(":")
                code = marshal.loads(base64.b64decode(data))
                self._known[kind, path] = (str(digest), code)

    def compile_tree(self, plan: Plan) -> dict[str, list[str]]:
        """Compile every file not known yet; returns the new ones, ready to be sent."""
        new: dict[str, list[str]] = {}
        for base, folders, files in os.walk(plan.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                if name.endswith(".py"):
                    path = f"{base}/{name}"
                    self._add(path, "test" if _is_test(path, name, plan) else "plain", new)
        return new

    def _add(self, path: str, kind: str, new: dict[str, list[str]]) -> None:
        try:
            data = Path(path).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            known = self._known.get((kind, path))
            if known is not None and known[0] == digest:
                return
            if kind == "test":
                _, code = self._rewrite(Path(path), _Plain())  # type: ignore[arg-type]
            else:
                code = compile(data, path, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError):
            return  # the import, if there is one, fails in its own way
        self._known[kind, path] = (digest, code)
        new[f"{kind}:{path}"] = [digest, base64.b64encode(marshal.dumps(code)).decode("ascii")]

    def overlay(self, root: str, edits: Sequence[LineEdit]) -> None:
        """Make imports of this process see edited files, as if the edits were on disk.

        Raises
        ------
        ValueError
            If an edit does not fit its file.
        """
        texts: dict[str, bytes] = {}
        for name in dict.fromkeys(edit[0] for edit in edits):
            data = Path(root, name).read_bytes()
            encoding = encoding_of(data)
            text = splice(split_lines(data.decode(encoding)), [edit for edit in edits if edit[0] == name])
            texts[f"{root}/{name}"] = text.encode(encoding)
        from_disk = importlib.machinery.SourceFileLoader.get_data

        def get_data(loader: importlib.machinery.SourceFileLoader, path: str) -> bytes:
            return texts[path] if path in texts else from_disk(loader, path)

        importlib.machinery.SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]

    def install(self) -> None:
        """Make imports of this process use the compiled files where path and content match."""
        known, plainly, rewritten = self._known, self._compile, self._rewrite

        def source_to_code(
            loader: importlib.machinery.SourceFileLoader, data: bytes, path: str, *, _optimize: int = -1
        ) -> CodeType:
            found = known.get(("plain", path))
            if found is not None and isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == found[0]:
                return found[1]
            return plainly(loader, data, path, _optimize=_optimize)

        def rewrite_test(path: Path, config: object) -> tuple[bytes, CodeType]:
            found = known.get(("test", str(path)))
            if found is not None and hashlib.sha256(path.read_bytes()).hexdigest() == found[0]:
                return b"", found[1]  # the first part would go into a cached file, and none is written here
            return rewritten(path, config)  # type: ignore[arg-type]

        importlib.machinery.SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign, assignment]
        rewrite._rewrite_test = rewrite_test  # type: ignore[assignment]


def _is_test(path: str, name: str, plan: Plan) -> bool:
    if name == "conftest.py" or fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py"):
        return True
    return path[len(plan.root) + 1 :] in plan.paths
