"""Look at a candidate's text before running it: does it name things by which a verdict could be forged?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from autodev_lab.execution.trees import read_source, split_lines
from autodev_lab.records import Candidate, Edit

__all__ = ["Screen"]

_NAMES = re.compile(
    r"\b(?:os|sys|gc|ctypes|inspect|_?pytest|unittest|builtins|importlib|subprocess|socket|signal|threading|atexit|"
    r"multiprocessing|asyncio|traceback|types|weakref|tracemalloc|faulthandler|resource|mmap|code|codeop|runpy|pickle|"
    r"eval|exec|compile|open|globals|locals|vars|dir|setattr|getattr|delattr|breakpoint|exit|quit|SystemExit|"
    r"KeyboardInterrupt|BaseException|GeneratorExit|input|memoryview|object|type|__\w+__|f_\w+|gi_\w+|cr_\w+|tb_\w+|co_\w+)\b"
)


class Screen:
    """Compares a candidate with the definition it changes; what that already named raises no suspicion."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, tuple[list[str], list[tuple[int, int]]]] = {}

    def suspicious(self, candidate: Candidate) -> bool:
        """Whether the candidate brings in such a name (or text that hides one), or cannot be compared."""
        return any(self._new_names(edit) for edit in candidate.edits)

    def _new_names(self, edit: Edit) -> bool:
        used = set(_NAMES.findall(edit.replacement))
        if "\\" in edit.replacement and re.search(r"\\(?:x|u|U|N|[0-7])", edit.replacement):
            used.add("\\")
        if not edit.replacement.isascii():
            used.add("unicode")  # identifiers are normalised (PEP 3131), so a look-alike is the same name
        if not used:
            return False
        lines, sections = self._file(edit.path)
        for first, last in sections:
            if first <= edit.start_line and edit.end_line <= last:
                before = "".join(lines[first - 1 : last])
                known = set(_NAMES.findall(before))
                known |= {"\\"} if "\\" in before else set()
                known |= set() if before.isascii() else {"unicode"}
                return not used <= known
        return True

    def _file(self, path: str) -> tuple[list[str], list[tuple[int, int]]]:
        known = self._files.get(path)
        if known is None:
            try:
                text = read_source(self._root / path)
                body = ast.parse(text).body
            except (OSError, SyntaxError, ValueError):
                text, body = "", []
            known = (split_lines(text), [(node.lineno, node.end_lineno or node.lineno) for node in body])
            self._files[path] = known
        return known
