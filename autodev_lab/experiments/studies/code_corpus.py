"""Functions of installed packages as pairs of a query and a document, and more of them for these to be found among."""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.records import Link, MemoryItem

__all__ = ["CodeFunction", "as_item", "folder_of", "functions_of", "links_of", "others_of"]

_SENTENCE = re.compile(r"(?<=[.!?])\s")
_LEAST_WORDS = 3
_LEAST_LINES = 3

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class CodeFunction:
    """A function of a package.

    Parameters
    ----------
    name
        Qualified name: ``package.module.Class.method``.
    package
        The installed package it belongs to.
    sentence
        First sentence of its docstring; empty without one.
    code
        Its source without the docstring.
    calls
        Last parts of the names it calls, each once.
    """

    name: str
    package: str
    sentence: str
    code: str
    calls: tuple[str, ...] = ()


def functions_of(packages: Iterable[str]) -> list[CodeFunction]:
    """Documented functions of some importable packages, in a fixed order; the packages are parsed, not imported.

    Left out is what CodeSearchNet leaves out (Husain et al. 2019, "CodeSearchNet challenge", §2): docstrings of fewer
    than three words, functions of fewer than three lines, tests, constructors and other special methods, and all but
    the first of functions with equal code. Also left out are functions whose sentence describes another one just as
    well: no search can tell them apart.

    Raises
    ------
    LabError
        If a package cannot be found.
    """
    found: list[CodeFunction] = []
    seen: set[str] = set()
    for function in _everything(packages):
        if not _is_described(function):
            continue
        body = _body(function)
        if function.name not in seen and body not in seen:
            seen.update((function.name, body))
            found.append(function)
    sentences = Counter(function.sentence for function in found)
    return [function for function in found if sentences[function.sentence] == 1]


def others_of(packages: Iterable[str], wanted: Sequence[CodeFunction]) -> list[CodeFunction]:
    """Functions of some packages, documented or not, that those wanted can be taken for but are not.

    Left out are functions of fewer than three lines, tests, all but the first of functions with equal code, and those
    that the sentence of one that is wanted describes just as well.

    Parameters
    ----------
    wanted
        Functions that are looked for.

    Raises
    ------
    LabError
        If a package cannot be found.
    """
    seen = {one for function in wanted for one in (function.name, _body(function))}
    sentences = {function.sentence for function in wanted}
    found: list[CodeFunction] = []
    for function in _everything(packages):
        body = _body(function)
        if function.name in seen or body in seen or function.sentence in sentences:
            continue
        seen.update((function.name, body))
        found.append(function)
    return found


def _body(function: CodeFunction) -> str:
    return function.code.partition("\n")[2]


def _is_described(function: CodeFunction) -> bool:
    own = function.name.rpartition(".")[2]
    special = own.startswith("__") and own.endswith("__")
    return len(function.sentence.split()) >= _LEAST_WORDS and not special


def _everything(packages: Iterable[str]) -> Iterator[CodeFunction]:
    for package in packages:
        for name, path in _modules(package):
            yield from _in_file(name, package, path)


def folder_of(package: str) -> Path:
    """The folder of an importable package.

    Raises
    ------
    LabError
        If it cannot be found.
    """
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"there is no package {package!r} to read functions from; install it, or name another")
    return Path(spec.submodule_search_locations[0])


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    root = folder_of(package)
    for path in sorted(root.rglob("*.py")):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        if not any(part.startswith("test") or part.endswith("test") for part in parts):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _in_file(module: str, package: str, path: Path) -> Iterator[CodeFunction]:
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's escape sequences
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # templates, and code for another Python
            return
    text = source.decode("utf-8", errors="replace").splitlines()
    for scope, node in _functions(tree, ()):
        doc = ast.get_docstring(node)
        if "test" in node.name.lower():
            continue
        sentence = "" if doc is None else first_sentence(doc)
        code = _without_docstring(node, text)
        if code.count("\n") + 1 < _LEAST_LINES:
            continue
        calls = {
            call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name)
        }
        yield CodeFunction(".".join((module, *scope, node.name)), package, sentence, code, tuple(sorted(calls)))


def _functions(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FunctionNode]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            yield scope, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*scope, child.name))
        elif isinstance(child, ast.If | ast.Try):
            yield from _functions(child, scope)


def first_sentence(doc: str) -> str:
    """First sentence of a docstring's first paragraph, on one line.

    Examples
    --------
    >>> first_sentence("Parse a date.  Fails on none.\\n\\nMore.")
    'Parse a date.'
    """
    paragraph = " ".join(doc.strip().split("\n\n")[0].split())
    return _SENTENCE.split(paragraph)[0]


def _without_docstring(node: FunctionNode, text: Sequence[str]) -> str:
    if ast.get_docstring(node, clean=False) is None:
        return "\n".join(text[node.lineno - 1 : node.end_lineno])
    doc = node.body[0]
    first, last = doc.lineno, doc.end_lineno or doc.lineno
    return "\n".join([*text[node.lineno - 1 : first - 1], *text[last : node.end_lineno]])


def as_item(function: CodeFunction, *, hard: bool = False) -> MemoryItem:
    """A function as something to remember; if `hard`, its own name is taken out of its text and its qualified name."""
    name, code = function.name, function.code
    if hard:
        scope, _, own = name.rpartition(".")
        name, code = scope, re.sub(rf"\b{re.escape(own)}\b", "_", code)
    return MemoryItem("codebase", code, {"name": name, "package": function.package}, id=function.name)


def links_of(functions: Iterable[CodeFunction]) -> Iterator[Link]:
    """What can be told of the functions alone: where each is defined, and calls of names that only one function has."""
    functions = list(functions)
    named = Counter((function.package, function.name.rpartition(".")[2]) for function in functions)
    by_name = {(function.package, function.name.rpartition(".")[2]): function.name for function in functions}
    for function in functions:
        yield Link(function.name.rpartition(".")[0], "DEFINES", function.name)
        for called in function.calls:
            key = (function.package, called)
            if named[key] == 1 and by_name[key] != function.name:
                yield Link(function.name, "CALLS", by_name[key])
