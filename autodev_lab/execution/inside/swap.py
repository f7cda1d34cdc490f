"""Put a candidate's code into live functions, or find that only a fresh import would do.

Only the top-level definitions that the edits touch are compiled. Old and new code objects are walked together; where
a function's own code differs, every live function object with the old code gets the new one. What cannot be swapped
with the meaning of a fresh import (module level, class attributes, changed free variables, functions that already ran
while modules were imported) raises `NeedsImport`.
"""

from __future__ import annotations

import ast
import contextlib
import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType

from .lines import LineEdit
from .sections import CodeKey, Outline, Outside, children, compiled, key_of, nested, same_definitions, same_shell

__all__ = ["Invalid", "NeedsImport", "Swapper"]


class NeedsImport(Exception):
    """The edit has effects that only a fresh import shows."""


class Invalid(Exception):
    """The edited text is no Python, or the edits do not fit."""


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
        self._outlines: dict[str, Outline] = {}
        self._imported = imported
        self._modules = {str(getattr(module, "__file__", "")): module for module in modules}
        self._live: dict[CodeKey, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if type(thing) is FunctionType and thing.__code__.co_filename in self._modules:
                self._live.setdefault(key_of(thing.__code__), []).append(thing)
        self._undo: list[_Undo] = []

    def prepare(self) -> None:
        """Read and parse every file once, before forking."""
        for name in sorted(self._names):
            self._outline(name)

    def expect(self, edits: Iterable[LineEdit]) -> None:
        """Compile the original text of what the edits touch, so that no fork need do it; theirs is not looked at."""
        for edit in edits:
            if edit[0] in self._names:
                outline = self._outline(edit[0])
                with contextlib.suppress(Outside):
                    outline.original(outline.section_of(edit))

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

    def _outline(self, name: str) -> Outline:
        if name not in self._outlines:
            self._outlines[name] = Outline.of(f"{self._root}/{name}")
        return self._outlines[name]

    def _plan(
        self,
        name: str,
        edits: list[LineEdit],
        changes: list[tuple[FunctionType, CodeType]],
        defaults: list[tuple[FunctionType, tuple[object, ...] | None, dict[str, object] | None]],
    ) -> None:
        outline = self._outline(name)
        module = self._modules.get(outline.filename)
        if module is None:
            raise NeedsImport(f"{name} is not imported")
        touched: dict[int, list[LineEdit]] = {}
        for edit in edits:
            try:
                touched.setdefault(outline.section_of(edit), []).append(edit)
            except Outside as error:
                raise NeedsImport(str(error)) from None
        for index, group in touched.items():
            try:
                text = outline.edited(index, group)
                new = compiled(text, outline.filename, outline.flags)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
                raise Invalid(str(error)) from None
            old = outline.original(index)
            if not same_definitions(old, new):
                old, new = self._without_defaults(outline, module, index, text, defaults)
            pairs: list[tuple[CodeType, CodeType]] = []
            for before, after in children(old, new):
                self._walk(before, after, pairs)
            for before, after in pairs:
                for function in self._live.get(key_of(before), ()):
                    if function.__code__.co_freevars != after.co_freevars:
                        raise NeedsImport("free variables differ")
                    changes.append((function, after))

    def _walk(self, old: CodeType, new: CodeType, pairs: list[tuple[CodeType, CodeType]]) -> bool:
        """Note what differs below (and at) a pair of code objects; True when anything does."""
        is_class = not old.co_flags & 0x2  # class bodies lack CO_NEWLOCALS
        own = not same_shell(old, new)
        if own and (key_of(old) in self._imported or is_class):
            raise NeedsImport(f"{old.co_qualname} has run while modules were imported")
        below = False
        if [one.co_name for one in nested(old)] == [one.co_name for one in nested(new)]:
            for before, after in children(old, new):
                below = self._walk(before, after, pairs) or below
        elif self._has_live(old):
            raise NeedsImport(f"definitions inside {old.co_qualname} changed and some are alive")
        if (own or below) and not is_class:
            pairs.append((old, new))
        return own or below

    def _has_live(self, code: CodeType) -> bool:
        return any(key_of(child) in self._live or self._has_live(child) for child in nested(code))

    # ------------------------------------------------------------------------------------------- defaults

    def _without_defaults(
        self,
        outline: Outline,
        module: ModuleType,
        index: int,
        after: str,
        result: list[tuple[FunctionType, tuple[object, ...] | None, dict[str, object] | None]],
    ) -> tuple[CodeType, CodeType]:
        """The code around the definitions differs: fine when only default values do, else a fresh import is needed."""
        before = outline.sections[index].alone(outline.text(index))
        old_tree, new_tree = ast.parse(before), ast.parse(after)
        filename, flags = outline.filename, outline.flags
        if len(new_tree.body) != 1:
            raise NeedsImport("no longer one definition")
        changed: list[tuple[ast.arguments, list[str], int]] = []
        _blank_defaults(old_tree.body[0], new_tree.body[0], [], changed)
        old = compiled(old_tree, filename, flags)
        new = compiled(new_tree, filename, flags)
        if not changed or not same_definitions(old, new):
            raise NeedsImport("decorators, bases, annotations or class attributes changed")
        for arguments, path, line in changed:
            functions = self._live.get((filename, ".".join(path), line), [])
            if not functions:
                raise NeedsImport(f"no live function {'.'.join(path)}")
            scope = vars(module)
            local: dict[str, object] = {}
            for part in path[:-1]:
                owner = vars(module).get(part) if not local else local.get(part)
                if not isinstance(owner, type):
                    raise NeedsImport("defaults in a scope that is not a class")
                local = dict(vars(owner))
            positional = tuple(_value(node, filename, flags, scope, local) for node in arguments.defaults)
            keywords = {
                argument.arg: _value(node, filename, flags, scope, local)
                for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                if node is not None
            }
            result += [(function, positional or None, keywords or None) for function in functions]
        return old, new


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
