"""Put a candidate's code into live functions, or find that only a fresh import would do.

Only the top-level definitions that the edits touch are compiled. Old and new code objects are walked together; where
a function's own code differs, every live function object with the old code gets the new one. What cannot be swapped
with the meaning of a fresh import (module level, class attributes, changed free variables, functions that already ran
while modules were imported) raises `NeedsImport`.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import gc
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from .lines import LineEdit, encoding_of, splice, split_lines

__all__ = ["Invalid", "NeedsImport", "Swapper"]

CodeKey = tuple[str, str, int]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUTURE = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}


class NeedsImport(Exception):
    """The edit has effects that only a fresh import shows."""


class Invalid(Exception):
    """The edited text is no Python, or the edits do not fit."""


@dataclass(frozen=True, slots=True)
class _Section:
    """A top-level definition: its lines, decorators included."""

    first: int
    last: int
    header: str = ""  # "class X:" line to put before a method compiled by itself


@dataclass(slots=True)
class _File:
    lines: list[str]
    sections: list[_Section]
    flags: int
    module: ModuleType | None
    compiled: dict[int, CodeType]


@dataclass(slots=True)
class _Undo:
    function: FunctionType
    code: CodeType
    defaults: tuple[object, ...] | None
    keywords: dict[str, object] | None


class Swapper:
    """Knows the package's files and live functions; swaps candidates in and out."""

    def __init__(self, root: str, files: Iterable[str], imported: set[CodeKey], modules: Iterable[ModuleType]) -> None:
        self._root = root
        self._names = set(files)
        self._files: dict[str, _File] = {}
        self._imported = imported
        self._modules = {str(getattr(module, "__file__", "")): module for module in modules}
        self._live: dict[CodeKey, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if type(thing) is FunctionType and thing.__code__.co_filename in self._modules:
                self._live.setdefault(_key(thing.__code__), []).append(thing)
        self._undo: list[_Undo] = []

    def prepare(self) -> None:
        """Read and parse every file once, before forking."""
        for name in sorted(self._names):
            self._file(name)

    def expect(self, edits: Iterable[LineEdit]) -> None:
        """Compile the original text of what the edits touch, so that no fork need do it; theirs is not looked at."""
        for edit in edits:
            if edit[0] in self._names:
                file = self._file(edit[0])
                with contextlib.suppress(NeedsImport):
                    self._original(file, f"{self._root}/{edit[0]}", _section_of(file, edit))

    def swap(self, edits: Sequence[LineEdit]) -> None:
        """Make the live package behave as if imported from the edited files.

        Raises
        ------
        NeedsImport
            If swapping cannot do that; nothing has changed.
        Invalid
            If the edited text does not compile; nothing has changed.
        """
        by_path: dict[str, list[LineEdit]] = {}
        for edit in edits:
            by_path.setdefault(edit[0], []).append(edit)
        changes: list[tuple[FunctionType, CodeType]] = []
        defaults: list[tuple[FunctionType, tuple[object, ...] | None, dict[str, object] | None]] = []
        for name, group in by_path.items():
            if name not in self._names:
                raise NeedsImport(f"{name} is not a file of the package")
            self._plan(name, group, changes, defaults)
        for function, code in changes:
            self._undo.append(_Undo(function, function.__code__, function.__defaults__, function.__kwdefaults__))
            function.__code__ = code
        for function, positional, keywords in defaults:
            self._undo.append(_Undo(function, function.__code__, function.__defaults__, function.__kwdefaults__))
            function.__defaults__ = positional
            function.__kwdefaults__ = keywords

    def restore(self) -> None:
        """Put the original code back."""
        while self._undo:
            undo = self._undo.pop()
            undo.function.__code__ = undo.code
            undo.function.__defaults__ = undo.defaults
            undo.function.__kwdefaults__ = undo.keywords

    # ------------------------------------------------------------------------------------------- one file

    def _file(self, name: str) -> _File:
        known = self._files.get(name)
        if known is None:
            data = Path(self._root, name).read_bytes()
            text = data.decode(encoding_of(data))
            tree = ast.parse(text)
            flags = 0
            sections = []
            for node in tree.body:
                if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                    for alias in node.names:
                        flags |= _FUTURE.get(alias.name, 0)
                if isinstance(node, Definition):
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    sections += _methods(node)
                    sections.append(_Section(first, node.end_lineno or node.lineno))
            known = _File(split_lines(text), sections, flags, self._modules.get(f"{self._root}/{name}"), {})
            self._files[name] = known
        return known

    def _plan(
        self,
        name: str,
        edits: list[LineEdit],
        changes: list[tuple[FunctionType, CodeType]],
        defaults: list[tuple[FunctionType, tuple[object, ...] | None, dict[str, object] | None]],
    ) -> None:
        file = self._file(name)
        if file.module is None:
            raise NeedsImport(f"{name} is not imported")
        touched: dict[int, list[LineEdit]] = {}
        for edit in edits:
            touched.setdefault(_section_of(file, edit), []).append(edit)
        for index, group in touched.items():
            section = file.sections[index]
            filename = f"{self._root}/{name}"
            lines = file.lines[section.first - 1 : section.last]
            try:
                text = _alone(section, splice(lines, group, section.first))
                new = _compile(text, filename, file.flags)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
                raise Invalid(str(error)) from None
            old = self._original(file, filename, index)
            if not _same_definitions(old, new):
                old, new = self._without_defaults(file, filename, section, "".join(lines), text, defaults)
            pairs: list[tuple[CodeType, CodeType]] = []
            for before, after in _children(old, new):
                self._walk(before, after, pairs)
            for before, after in pairs:
                for function in self._live.get(_key(before), ()):
                    if function.__code__.co_freevars != after.co_freevars:
                        raise NeedsImport("free variables differ")
                    changes.append((function, after))

    def _original(self, file: _File, filename: str, index: int) -> CodeType:
        code = file.compiled.get(index)
        if code is None:
            section = file.sections[index]
            text = "".join(file.lines[section.first - 1 : section.last])
            code = file.compiled[index] = _compile(_alone(section, text), filename, file.flags)
        return code

    def _walk(self, old: CodeType, new: CodeType, pairs: list[tuple[CodeType, CodeType]]) -> bool:
        """Note what differs below (and at) a pair of code objects; True when anything does."""
        is_class = not old.co_flags & 0x2  # class bodies lack CO_NEWLOCALS
        own = not _same_shell(old, new)
        if own and (_key(old) in self._imported or is_class):
            raise NeedsImport(f"{old.co_qualname} has run while modules were imported")
        below = False
        if _names(old) == _names(new):
            for before, after in _children(old, new):
                below = self._walk(before, after, pairs) or below
        elif self._has_live(old):
            raise NeedsImport(f"definitions inside {old.co_qualname} changed and some are alive")
        if (own or below) and not is_class:
            pairs.append((old, new))
        return own or below

    def _has_live(self, code: CodeType) -> bool:
        return any(_key(child) in self._live or self._has_live(child) for child in _nested(code))

    # ------------------------------------------------------------------------------------------- defaults

    def _without_defaults(
        self,
        file: _File,
        filename: str,
        section: _Section,
        before: str,
        after: str,
        result: list[tuple[FunctionType, tuple[object, ...] | None, dict[str, object] | None]],
    ) -> tuple[CodeType, CodeType]:
        """The code around the definitions differs: fine when only default values do, else a fresh import is needed."""
        old_tree, new_tree = ast.parse(_alone(section, before)), ast.parse(after)
        assert file.module is not None
        if len(new_tree.body) != 1:
            raise NeedsImport("no longer one definition")
        changed: list[tuple[ast.arguments, list[str], int]] = []
        _blank_defaults(old_tree.body[0], new_tree.body[0], [], changed)
        old = _compile(old_tree, filename, file.flags)
        new = _compile(new_tree, filename, file.flags)
        if not changed or not _same_definitions(old, new):
            raise NeedsImport("decorators, bases, annotations or class attributes changed")
        for arguments, path, line in changed:
            functions = self._live.get((filename, ".".join(path), line), [])
            if not functions:
                raise NeedsImport(f"no live function {'.'.join(path)}")
            scope = vars(file.module)
            local: dict[str, object] = {}
            for part in path[:-1]:
                owner = vars(file.module).get(part) if not local else local.get(part)
                if not isinstance(owner, type):
                    raise NeedsImport("defaults in a scope that is not a class")
                local = dict(vars(owner))
            positional = tuple(_value(node, filename, file.flags, scope, local) for node in arguments.defaults)
            keywords = {
                argument.arg: _value(node, filename, file.flags, scope, local)
                for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                if node is not None
            }
            result += [(function, positional or None, keywords or None) for function in functions]
        return old, new


def _compile(source: str | ast.Module, filename: str, flags: int) -> CodeType:
    """Compile without a word about what looks odd: a warning would cost more than the compilation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(source, filename, "exec", flags, True)
    return code


def _value(node: ast.expr, filename: str, flags: int, scope: dict[str, object], local: dict[str, object]) -> object:
    try:
        return eval(compile(ast.Expression(node), filename, "eval", flags, True), scope, local)
    except Exception as error:  # a fresh import would fail with it too, and shows it properly
        raise NeedsImport(f"default value raises {type(error).__name__}") from None


def _blank_defaults(
    old: ast.stmt, new: ast.stmt, path: list[str], changed: list[tuple[ast.arguments, list[str], int]]
) -> None:
    """Replace default values that differ by None in both trees, in functions and (nested) classes."""
    if isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef) and len(old.body) == len(new.body):
        for before, after in zip(old.body, new.body, strict=True):
            _blank_defaults(before, after, [*path, old.name], changed)
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    if not isinstance(old, functions) or not isinstance(new, functions) or old.name != new.name:
        return
    one, two = old.args, new.args
    if len(one.defaults) != len(two.defaults) or len(one.kw_defaults) != len(two.kw_defaults):
        return
    pairs = [*zip(one.defaults, two.defaults, strict=True)]
    pairs += [(a, b) for a, b in zip(one.kw_defaults, two.kw_defaults, strict=True) if a is not None and b is not None]
    if all(ast.dump(a) == ast.dump(b) for a, b in pairs):
        return
    kept = ast.arguments(
        two.posonlyargs, two.args, two.vararg, two.kwonlyargs, list(two.kw_defaults), two.kwarg, list(two.defaults)
    )
    first = min([old.lineno, *(node.lineno for node in old.decorator_list)])
    changed.append((kept, [*path, old.name], first))
    for arguments in (one, two):
        arguments.defaults = [_nothing(node) for node in arguments.defaults]
        arguments.kw_defaults = [None if node is None else _nothing(node) for node in arguments.kw_defaults]


def _nothing(node: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Constant(None), node)


def _alone(section: _Section, text: str) -> str:
    """A section's text at its own lines, a method below a stand-in for its class."""
    if section.header:
        return "\n" * (section.first - 2) + section.header + text
    return "\n" * (section.first - 1) + text


def _methods(node: Definition) -> list[_Section]:
    """Methods directly in a class, which can be compiled without the rest of it: names, mangling and cells agree."""
    if not isinstance(node, ast.ClassDef):
        return []
    found = []
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([inner.lineno, *(one.lineno for one in inner.decorator_list)])
            if first > node.lineno + 1:
                found.append(_Section(first, inner.end_lineno or inner.lineno, f"class {node.name}:\n"))
    return found


def _section_of(file: _File, edit: LineEdit) -> int:
    """The top-level definition that wholly holds an edit; an insertion at its very edge is outside it."""
    _, start, end, _ = edit
    for index, section in enumerate(file.sections):
        if section.first <= start and end <= section.last and (end >= start or section.first < start <= section.last):
            return index
    raise NeedsImport("module level")


def _key(code: CodeType) -> CodeKey:
    return (code.co_filename, code.co_qualname, code.co_firstlineno)


def _nested(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _names(code: CodeType) -> list[str]:
    return [one.co_name for one in _nested(code)]


def _children(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    before, after = _nested(old), _nested(new)
    return list(zip(before, after, strict=True)) if len(before) == len(after) else []


def _constants(code: CodeType) -> list[object]:
    return [one.co_name if isinstance(one, CodeType) else (type(one), repr(one)) for one in code.co_consts]


def _same_definitions(old: CodeType, new: CodeType) -> bool:
    """Whether the code that makes functions and classes (not the code of functions) does the same."""
    return _same_shell(old, new) and all(
        before.co_flags & 0x2 or _same_definitions(before, after) for before, after in _children(old, new)
    )


def _same_shell(old: CodeType, new: CodeType) -> bool:
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
