"""Definitions of a source file that can be compiled by themselves, and how to tell what an edit changes in them."""

from __future__ import annotations
import __future__

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from .lines import LineEdit, encoding_of, splice, split_lines

__all__ = [
    "CodeKey",
    "Outline",
    "Outside",
    "Section",
    "children",
    "compiled",
    "key_of",
    "nested",
    "same_definitions",
    "same_shell",
]

CodeKey = tuple[str, str, int]
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUTURE = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}


class Outside(Exception):
    """An edit that lies in no definition: it changes the module level."""


@dataclass(frozen=True, slots=True)
class Section:
    """A definition at top level, or a method right in a class at top level: its lines, decorators included."""

    first: int
    last: int
    header: str = ""  # "class X:" line to put before a method compiled by itself

    def alone(self, text: str) -> str:
        """The section's text at its own lines, a method below a stand-in for its class."""
        if self.header:
            return "\n" * (self.first - 2) + self.header + text
        return "\n" * (self.first - 1) + text


@dataclass(slots=True)
class Outline:
    """One file's text with its sections, methods before the class they are in."""

    filename: str
    lines: list[str]
    sections: list[Section]
    flags: int
    _originals: dict[int, CodeType] = field(default_factory=dict)

    @staticmethod
    def of(filename: str) -> Outline:
        """Read and parse a file.

        Raises
        ------
        OSError, SyntaxError, ValueError, RecursionError
            If it cannot be read or is no Python.
        """
        data = Path(filename).read_bytes()
        text = data.decode(encoding_of(data))
        flags = 0
        sections = []
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    flags |= _FUTURE.get(alias.name, 0)
            if isinstance(node, _Definition):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                sections += _methods(node)
                sections.append(Section(first, node.end_lineno or node.lineno))
        return Outline(filename, split_lines(text), sections, flags)

    def section_of(self, edit: LineEdit) -> int:
        """The section that wholly holds an edit; an insertion at its very edge is outside it.

        Raises
        ------
        Outside
            If there is none.
        """
        _, start, end, _ = edit
        for index, one in enumerate(self.sections):
            if one.first <= start and end <= one.last and (end >= start or one.first < start <= one.last):
                return index
        raise Outside("module level")

    def text(self, index: int) -> str:
        """A section's text."""
        section = self.sections[index]
        return "".join(self.lines[section.first - 1 : section.last])

    def original(self, index: int) -> CodeType:
        """A section compiled by itself."""
        code = self._originals.get(index)
        if code is None:
            code = compiled(self.sections[index].alone(self.text(index)), self.filename, self.flags)
            self._originals[index] = code
        return code

    def edited(self, index: int, edits: Sequence[LineEdit]) -> str:
        """A section's text with edits in it, ready to be compiled by itself.

        Raises
        ------
        ValueError
            If an edit does not fit.
        """
        section = self.sections[index]
        lines = self.lines[section.first - 1 : section.last]
        return section.alone(splice(lines, edits, section.first))


def _methods(node: _Definition) -> list[Section]:
    """Methods directly in a class, which can be compiled without the rest of it: names, mangling and cells agree."""
    if not isinstance(node, ast.ClassDef):
        return []
    found = []
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([inner.lineno, *(one.lineno for one in inner.decorator_list)])
            if first > node.lineno + 1:
                found.append(Section(first, inner.end_lineno or inner.lineno, f"class {node.name}:\n"))
    return found


def compiled(source: str | ast.Module, filename: str, flags: int) -> CodeType:
    """Compile without a word about what looks odd: a warning would cost more than the compilation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(source, filename, "exec", flags, True)
    return code


def key_of(code: CodeType) -> CodeKey:
    """What tells a file's code objects apart."""
    return (code.co_filename, code.co_qualname, code.co_firstlineno)


def nested(code: CodeType) -> list[CodeType]:
    """Code objects right inside another."""
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def children(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    """Pairs of what is nested in two code objects; none when they hold different numbers."""
    before, after = nested(old), nested(new)
    return list(zip(before, after, strict=True)) if len(before) == len(after) else []


def _constants(code: CodeType) -> list[object]:
    return [one.co_name if isinstance(one, CodeType) else (type(one), repr(one)) for one in code.co_consts]


def same_definitions(old: CodeType, new: CodeType) -> bool:
    """Whether the code that makes functions and classes (not the code of functions) does the same."""
    return same_shell(old, new) and all(
        before.co_flags & 0x2 or same_definitions(before, after) for before, after in children(old, new)
    )


def same_shell(old: CodeType, new: CodeType) -> bool:
    """Whether two code objects do the same apart from the code nested in them and from line numbers."""
    return (
        old.co_code == new.co_code
        and old.co_names == new.co_names
        and old.co_varnames == new.co_varnames
        and old.co_freevars == new.co_freevars
        and old.co_cellvars == new.co_cellvars
        and old.co_argcount == new.co_argcount
        and old.co_posonlyargcount == new.co_posonlyargcount
        and old.co_kwonlyargcount == new.co_kwonlyargcount
        and old.co_flags == new.co_flags
        and old.co_exceptiontable == new.co_exceptiontable
        and _constants(old) == _constants(new)
    )
