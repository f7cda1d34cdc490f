"""What a file's own code offers to a repair: its variables, constants, calls, conditions and statements.

The ingredients of most fixes are already in the file (Barr et al., "The plastic surgery hypothesis", FSE 2014);
frequency in the file is the order in which ingredients are offered (ELIXIR, Saha et al., ASE 2017, ranks by it too).
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from autodev_lab.solvers.repair.bindings import (
    bound_in,
    bound_together,
    first_bound,
    names_in,
    variables_of,
)
from autodev_lab.solvers.repair.source import FunctionNode, SourceFile

__all__ = ["Donor", "Vocabulary", "vocabulary_of"]

_SIMPLE = (
    ast.Assign,
    ast.AugAssign,
    ast.Return,
    ast.Expr,
    ast.Raise,
    ast.Continue,
    ast.Break,
    ast.Delete,
    ast.Assert,
)
_LONGEST_DONOR = 160
_LONGEST_BLOCK = 6
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """A statement or condition that could be copied elsewhere.

    ``follower`` is what stands after it where it is; ``nested`` is true inside a loop or branch.
    """

    text: str
    statement: ast.AST
    function: FunctionNode | None
    reads: frozenset[str]
    binds: frozenset[str]
    follower: ast.stmt | None = None
    nested: bool = False


class Vocabulary:
    """Everything templates take from one file, gathered once."""

    builtins: frozenset[str] = frozenset(name for name in dir(builtins) if not name.startswith("_"))

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self.module_names: frozenset[str] = frozenset(_module_names(source.tree))
        self.has_star_import = any(
            isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
            for node in ast.walk(source.tree)
        )
        self._variables: dict[FunctionNode, tuple[str, ...]] = {}
        self._first_bound: dict[FunctionNode, Mapping[str, int]] = {}
        self._mates: dict[FunctionNode, frozenset[frozenset[str]]] = {}
        self._attributes_of: dict[ast.ClassDef, tuple[str, ...]] = {}
        self._identifiers: dict[FunctionNode, frozenset[str]] = {}
        self._reads: dict[FunctionNode, Mapping[str, int]] = {}
        self._shapes: dict[ast.AST, str] = {}
        self._constants: dict[ast.AST, tuple[tuple[str, type], ...]] = {}
        self.donors: tuple[Donor, ...] = tuple(self._find_donors())
        self.blocks: tuple[Donor, ...] = tuple(self._find_blocks())
        self.conditions: tuple[Donor, ...] = tuple(self._find_conditions())
        self.unary_calls: tuple[str, ...] = ()
        self.methods: tuple[str, ...] = ()
        self.bare_methods: tuple[str, ...] = ()
        self.attributes: tuple[str, ...] = ()
        self.functions: tuple[str, ...] = ()
        self.exceptions: tuple[str, ...] = ()
        self.keywords: dict[str, tuple[tuple[str, str], ...]] = {}
        self.signatures: dict[str, ast.arguments] = {
            node.name: node.args for node in ast.walk(source.tree) if isinstance(node, FunctionNode)
        }
        self.uncalled: tuple[str, ...] = tuple(_uncalled(source.tree))
        self.functions_defined: tuple[FunctionNode, ...] = tuple(
            node for node in ast.walk(source.tree) if isinstance(node, FunctionNode)
        )
        self.attribute_names: frozenset[str] = frozenset(
            node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)
        ) | frozenset(node.name for node in self.functions_defined)
        self.checked_types: tuple[str, ...] = tuple(_checked_types(source))
        self._count_calls()

    def variables(self, function: FunctionNode) -> tuple[str, ...]:
        """Parameters and variables a function binds, in order of appearance."""
        if function not in self._variables:
            self._variables[function] = variables_of(function)
        return self._variables[function]

    def first_bound(self, function: FunctionNode) -> Mapping[str, int]:
        """Line at which each variable that is no parameter is bound first in the text of its function."""
        if function not in self._first_bound:
            self._first_bound[function] = first_bound(function)
        return self._first_bound[function]

    def bound_together(self, function: FunctionNode) -> frozenset[frozenset[str]]:
        """Pairs of variables that one tuple binds, or that start with the same value."""
        if function not in self._mates:
            self._mates[function] = bound_together(function)
        return self._mates[function]

    def identifiers(self, function: FunctionNode | None) -> frozenset[str]:
        """All names, attributes and parameters in a function."""
        if function is None:
            return frozenset()
        if function not in self._identifiers:
            found = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            found |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
            found |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
            self._identifiers[function] = frozenset(found)
        return self._identifiers[function]

    def reads(self, function: FunctionNode) -> Mapping[str, int]:
        """How often a function reads each name."""
        if function not in self._reads:
            self._reads[function] = Counter(
                node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            )
        return self._reads[function]

    def shape(self, node: ast.AST) -> str:
        """A node's tree as a text, without positions."""
        if node not in self._shapes:
            self._shapes[node] = ast.dump(node)
        return self._shapes[node]

    def constants(self, scope: ast.AST) -> tuple[tuple[str, type], ...]:
        """Texts and types of the constants below a node, most frequent first; documentation is left out."""
        if scope not in self._constants:
            self._constants[scope] = self._find_constants(scope)
        return self._constants[scope]

    def attributes_of(self, owner: ast.ClassDef) -> tuple[str, ...]:
        """Attributes and methods of `self` that a class uses or defines, most used first."""
        if owner not in self._attributes_of:
            counts = Counter(
                node.attr
                for node in ast.walk(owner)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
            )
            self._attributes_of[owner] = _by_frequency(counts)
        return self._attributes_of[owner]

    def donors_of(self, function: FunctionNode) -> tuple[Donor, ...]:
        """The simple statements of one function that could be copied elsewhere."""
        return tuple(donor for donor in self.donors if donor.function is function)

    def conditions_of(self, function: FunctionNode) -> tuple[Donor, ...]:
        """The conditions of one function."""
        return tuple(donor for donor in self.conditions if donor.function is function)

    def _find_constants(self, scope: ast.AST) -> tuple[tuple[str, type], ...]:
        counts: Counter[tuple[str, type]] = Counter()
        skipped = {id(node) for node in ast.walk(scope) if isinstance(node, ast.JoinedStr)}
        for node in ast.walk(scope):
            if not isinstance(node, ast.Constant):
                continue
            parent = self._source.parents.get(node)
            if isinstance(parent, ast.Expr) or id(parent) in skipped or isinstance(parent, ast.FormattedValue):
                continue
            text = repr(node.value)
            if len(text) <= 60:
                counts[text, type(node.value)] += 1
        return tuple(key for key, _ in counts.most_common())

    def _find_donors(self) -> Iterator[Donor]:
        seen: set[tuple[FunctionNode | None, str]] = set()
        for block, index, statement in _blocks(self._source.tree):
            if not isinstance(statement, _SIMPLE) or statement.lineno != statement.end_lineno:
                continue
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            text = self._source.segment(statement)
            function = self._source.function_of(statement)
            if function is None or len(text) > _LONGEST_DONOR or (function, text) in seen:
                continue
            seen.add((function, text))
            follower = block[index + 1] if index + 1 < len(block) else None
            nested = self._source.parents.get(statement) is not function
            yield Donor(text, statement, function, names_in(statement), bound_in(statement), follower, nested)

    def _find_blocks(self) -> Iterator[Donor]:
        for block, index, statement in _blocks(self._source.tree):
            length = (statement.end_lineno or statement.lineno) - statement.lineno
            if not isinstance(statement, ast.If | ast.For | ast.While | ast.Try) or not 0 < length <= _LONGEST_BLOCK:
                continue
            function = self._source.function_of(statement)
            if function is not None:
                follower = block[index + 1] if index + 1 < len(block) else None
                yield Donor("", statement, function, names_in(statement), bound_in(statement), follower)

    def _find_conditions(self) -> Iterator[Donor]:
        seen: set[tuple[FunctionNode | None, str]] = set()
        for node in ast.walk(self._source.tree):
            tests: list[ast.expr] = []
            if isinstance(node, ast.If | ast.While | ast.IfExp):
                tests.append(node.test)
            elif isinstance(node, ast.comprehension):
                tests.extend(node.ifs)
            for test in tests:
                parts = [test, *test.values] if isinstance(test, ast.BoolOp) else [test]
                for part in parts:
                    text = self._source.segment(part)
                    function = self._source.function_of(part)
                    if "\n" in text or len(text) > 100 or (function, text) in seen:
                        continue
                    seen.add((function, text))
                    yield Donor(text, part, function, names_in(part), frozenset())

    def _count_calls(self) -> None:
        unary: Counter[str] = Counter()
        methods: Counter[str] = Counter()
        bare: Counter[str] = Counter()
        attributes: Counter[str] = Counter()
        functions: Counter[str] = Counter()
        exceptions: Counter[str] = Counter()
        keywords: dict[str, Counter[tuple[str, str]]] = {}
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Call):
                self._count_call(node, unary, methods, bare, functions, keywords)
            elif isinstance(node, ast.Attribute):
                parent = self._source.parents.get(node)
                if not (isinstance(parent, ast.Call) and parent.func is node):
                    attributes[node.attr] += 1
            elif isinstance(node, ast.Raise) and node.exc is not None:
                exceptions[_callee(node.exc)] += 1
            elif isinstance(node, ast.ExceptHandler) and node.type is not None:
                parts = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                exceptions.update(self._source.segment(part) for part in parts)
        self.unary_calls = tuple(name for name in _by_frequency(unary) if name not in exceptions)
        self.methods = _by_frequency(methods)
        self.bare_methods = _by_frequency(bare)
        self.attributes = _by_frequency(attributes)
        self.functions = _by_frequency(functions)
        self.exceptions = tuple(name for name in _by_frequency(exceptions) if name)
        self.keywords = {name: _by_frequency(found) for name, found in keywords.items()}

    def _count_call(
        self,
        node: ast.Call,
        unary: Counter[str],
        methods: Counter[str],
        bare: Counter[str],
        functions: Counter[str],
        keywords: dict[str, Counter[tuple[str, str]]],
    ) -> None:
        name = _callee(node)
        if isinstance(node.func, ast.Attribute):
            methods[node.func.attr] += 1
            if not node.args and not node.keywords:
                bare[node.func.attr] += 1
        elif name:
            functions[name] += 1
        single = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
        if single and name and names_in(node.func) <= self.module_names | self.builtins:
            unary[self._source.segment(node.func)] += 1
        for keyword in node.keywords:
            if keyword.arg is not None:
                text = self._source.segment(keyword.value)
                if "\n" not in text:
                    keywords.setdefault(name, Counter())[keyword.arg, text] += 1


def vocabulary_of(source: SourceFile) -> Vocabulary:
    """The file's vocabulary, gathered at the first call and kept with the file."""
    known: Vocabulary | None = source.__dict__.get("vocabulary")
    if known is None:
        known = Vocabulary(source)
        source.__dict__["vocabulary"] = known
    return known


def _blocks(tree: ast.AST) -> Iterator[tuple[list[ast.stmt], int, ast.stmt]]:
    """Every statement with the block it stands in and its index there, in order of the text."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        block = getattr(tree, name, None)
        if not isinstance(block, list):
            continue
        for index, statement in enumerate(block):
            if isinstance(statement, ast.stmt):
                yield block, index, statement
            yield from _blocks(statement)


def _uncalled(tree: ast.Module) -> Iterator[str]:
    """Private functions and imported names of the module that no code in it reads: something may have lost its use."""
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name not in read:
            if statement.name.startswith("_") and not statement.name.startswith("__"):
                yield statement.name
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            yield from (name for one in statement.names if (name := one.asname or one.name) not in read and name != "*")


def _checked_types(source: SourceFile) -> Iterator[str]:
    """Types the file tests for with `isinstance`, most often tested first."""
    counts: Counter[str] = Counter()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _callee(node) == "isinstance" and len(node.args) == 2:
            text = source.segment(node.args[1])
            if "\n" not in text and names_in(node.args[1]):
                counts[text] += 1
    yield from _by_frequency(counts)


def _module_names(tree: ast.Module) -> Iterator[str]:
    """Names that module-level code binds, inside `if` and `try` too."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        stack.extend(ast.iter_child_nodes(node))


def _callee(node: ast.expr) -> str:
    """Last name of what is called, or of what is raised; empty when it has none."""
    target = node.func if isinstance(node, ast.Call) else node
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _by_frequency(counts: Counter[_Key]) -> tuple[_Key, ...]:
    return tuple(key for key, _ in counts.most_common())
