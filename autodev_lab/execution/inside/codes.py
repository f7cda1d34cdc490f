"""Compile a tree's files before any of its code runs, so that rooms of the same tree need not do it again.

Rewriting assertions is most of what collecting tests costs. Code is kept by path and content hash; it is made in a
room where nothing of the tree has run yet, so a hostile tree cannot put its own code under another file's name.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.machinery
import marshal
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from types import CodeType

from _pytest.assertion import rewrite

from .lines import LineEdit, encoding_of, splice, split_lines
from .running import Plan
from .sections import CodeKey, Outline, Outside, children, compiled, key_of, same_definitions

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
        self._outlines: dict[str, Outline] = {}
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

    def expect(self, root: str, edits: Iterable[LineEdit]) -> None:
        """Parse the files that edits touch, so that no fork need do it; the edits' text is not looked at."""
        for edit in edits:
            path = f"{root}/{edit[0]}"
            with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError, Outside):
                if path not in self._outlines:
                    self._outlines[path] = Outline.of(path)
                outline = self._outlines[path]
                outline.original(outline.section_of(edit))

    def overlay(self, root: str, edits: Sequence[LineEdit]) -> None:
        """Make imports of this process see edited files, as if the edits were on disk.

        Raises
        ------
        ValueError
            If an edit does not fit its file.
        """
        texts: dict[str, bytes] = {}
        for name in dict.fromkeys(edit[0] for edit in edits):
            path, own = f"{root}/{name}", [edit for edit in edits if edit[0] == name]
            data = Path(path).read_bytes()
            encoding = encoding_of(data)
            texts[path] = splice(split_lines(data.decode(encoding)), own).encode(encoding)
            grafted = self._grafted(path, own)
            if grafted is not None:
                self._known["plain", path] = (hashlib.sha256(texts[path]).hexdigest(), grafted)
        from_disk = importlib.machinery.SourceFileLoader.get_data

        def get_data(loader: importlib.machinery.SourceFileLoader, path: str) -> bytes:
            return texts[path] if path in texts else from_disk(loader, path)

        importlib.machinery.SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]

    def _grafted(self, path: str, edits: Sequence[LineEdit]) -> CodeType | None:
        """The file's code with the edited functions in it, or None when more than functions' own code is changed.

        Compiling the whole file would cost more than all else that a fresh import does.
        """
        outline, known = self._outlines.get(path), self._known.get(("plain", path))
        if outline is None or known is None:
            return None
        grafts: dict[CodeKey, CodeType] = {}
        try:
            for index in {outline.section_of(edit) for edit in edits}:
                own = [edit for edit in edits if outline.section_of(edit) == index]
                old = outline.original(index)
                new = compiled(outline.edited(index, own), path, outline.flags)
                if not same_definitions(old, new):
                    return None
                pairs = children(old, new)
                if outline.sections[index].header:
                    pairs = [pair for shells in pairs for pair in children(*shells)]
                grafts.update((key_of(before), after) for before, after in pairs)
        except (Outside, SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None
        return _with_grafts(known[1], grafts)

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


def _with_grafts(code: CodeType, grafts: Mapping[CodeKey, CodeType]) -> CodeType:
    """Code with some of the code objects below it replaced."""
    constants = tuple(
        grafts.get(key_of(one)) or _with_grafts(one, grafts) if isinstance(one, CodeType) else one
        for one in code.co_consts
    )
    same = all(new is old for new, old in zip(constants, code.co_consts, strict=True))
    return code if same else code.replace(co_consts=constants)


def _is_test(path: str, name: str, plan: Plan) -> bool:
    if name == "conftest.py" or fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py"):
        return True
    return path[len(plan.root) + 1 :] in plan.paths
