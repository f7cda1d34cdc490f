"""The nodes and links of one file, from its facts and what its names stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from autodev_lab.memory.code_facts import FileFacts, Import, NodeKind, Scope
from autodev_lab.memory.code_files import SourceFile, is_test_file, is_test_side
from autodev_lab.memory.code_modules import ModuleTable
from autodev_lab.memory.code_names import Names
from autodev_lab.memory.code_values import Found, Value, ValueKind
from autodev_lab.memory.graph_store import GraphNode
from autodev_lab.records import Link

__all__ = [
    "CALLS",
    "DEFINES",
    "DEPENDS_ON",
    "INHERITS",
    "OVERRIDDEN_BY",
    "TESTS",
    "USES",
    "FileLinks",
    "ReferenceCounts",
    "links_of",
    "tests_of",
]

DEFINES = "DEFINES"
DEPENDS_ON = "DEPENDS_ON"
CALLS = "CALLS"
INHERITS = "INHERITS"
TESTS = "TESTS"
USES = "USES"
OVERRIDDEN_BY = "OVERRIDDEN_BY"

_MADE_BY = ("__new__", "__init__", "__post_init__")
_SETUP_OF_CLASS = (
    "setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown", "setup_method",
    "teardown_method", "setup_class", "teardown_class",
)  # fmt: skip
_SETUP_OF_MODULE = (
    "setUpModule", "tearDownModule", "setup_module", "teardown_module", "setup_function", "teardown_function",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReferenceCounts:
    """What became of a file's references, each chain counted once a scope.

    Parameters
    ----------
    resolved
        Lead to a definition, module or variable in the graph.
    external
        Lead out of the graph: builtins, other packages.
    missing
        Lead to a module or class in the graph that has no such name: made at run time, or in an extension module.
    unknown
        Start from a value of which only a run could tell the type.
    """

    resolved: int = 0
    external: int = 0
    missing: int = 0
    unknown: int = 0

    def __add__(self, other: ReferenceCounts) -> ReferenceCounts:
        return ReferenceCounts(
            self.resolved + other.resolved,
            self.external + other.external,
            self.missing + other.missing,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True)
class FileLinks:
    """What one file adds to the graph, and the names of modules this depends on."""

    nodes: tuple[GraphNode, ...]
    links: tuple[Link, ...]
    counts: ReferenceCounts
    consulted: frozenset[str] = field(default_factory=frozenset)


def links_of(file: SourceFile, facts: FileFacts, names: Names, table: ModuleTable) -> FileLinks:
    """Nodes and links that a file defines; links TESTS come later, from these of all test-side files.

    Parameters
    ----------
    file, facts
        The file and all its facts.
    names, table
        What names stand for, and the modules.
    """
    with names.noting() as noted:
        writer = _Writer(file, facts, names, table)
        writer.write()
    return FileLinks(tuple(writer.nodes.values()), tuple(writer.links), writer.counts(), frozenset(noted))


class _Writer:
    def __init__(self, file: SourceFile, facts: FileFacts, names: Names, table: ModuleTable) -> None:
        self._file, self._facts, self._names, self._table = file, facts, names, table
        self.nodes: dict[str, GraphNode] = {}
        self.links: dict[Link, None] = {}
        self._counted = [0, 0, 0, 0]

    def counts(self) -> ReferenceCounts:
        return ReferenceCounts(*self._counted)

    def write(self) -> None:
        scopes = self._facts.scopes
        ids = [self._id(self._file.module, number) for number in range(len(scopes))]
        for number, scope in enumerate(scopes):
            first, last = self._facts.lines[number]
            self.nodes.setdefault(ids[number], GraphNode(ids[number], scope.kind.value, self._file.path, first, last))
            if number:
                self._link(ids[scope.parent], DEFINES, ids[number])
        for number in range(len(scopes)):
            self._imports(number, ids)
            self._references(number, ids[number])
            self._definition(number, ids[number])
            self._fixtures(number, ids[number])
            self._inherited_tests(number, ids[number])

    def _link(self, source: str, relation: str, target: str) -> None:
        if source != target or relation == CALLS:  # a function may call itself
            self.links[Link(source, relation, target)] = None

    def _id(self, module: str, number: int) -> str:
        scope = self._names.facts(module).scopes[number]
        if number == 0:
            return module
        if scope.kind is NodeKind.TEST:
            return f"{self._table.files[module].path}::{scope.name.replace('.', '::')}"
        outermost = f"{module}.{scope.name.partition('.')[0]}"
        if outermost in self._table.files:  # a package may define what a submodule of its own is called
            return f"{module}.__init__.{scope.name}"
        return f"{module}.{scope.name}"

    def _id_of(self, value: Value) -> str:
        return self._id(value.module, value.scope)

    # ---------------------------------------------------------------------------------------- references

    def _imports(self, number: int, ids: list[str]) -> None:
        for found in self._facts.references[number].imports:
            values = self._names.imported(self._file.module, Import(found.level, found.module))
            if found.name not in ("", "*"):
                origin, values = values, self._names.imported(self._file.module, found)
                self._count(values)
                # Taking a submodule from its package imports the submodule; any other name comes from the package.
                inner = tuple(value for value in values if _is_submodule(value, origin))
                values = inner or origin
            else:
                self._count(values)
            for value in values:
                if value.kind is ValueKind.MODULE:
                    self._link(ids[0], DEPENDS_ON, value.module)
                    if number:
                        self._link(ids[number], USES, value.module)

    def _references(self, number: int, source: str) -> None:
        references = self._facts.references[number]
        for chain in references.calls:
            found = self._names.chain(self._file.module, number, chain)
            self._touched(source, found)
            self._count(found.values)
            for value in found.values:
                self._called(source, value)
        for chain in references.uses:
            found = self._names.chain(self._file.module, number, chain)
            self._touched(source, found)
            self._count(found.values)
            for value in found.values:
                self._used(source, value)
        for chain in references.implied:
            self._touched(source, self._names.chain(self._file.module, number, chain))

    def _called(self, source: str, value: Value) -> None:
        if value.kind is ValueKind.FUNCTION:
            self._link(source, CALLS, self._id_of(value))
            for one in self._names.in_place_of(value):
                self._link(source, CALLS, self._id_of(one))
        elif value.kind is ValueKind.CLASS:
            self._link(source, CALLS, self._id_of(value))
            for name in _MADE_BY:
                self._call_methods(source, value, name)
        elif value.kind is ValueKind.INSTANCE:
            self._call_methods(source, value, "__call__")

    def _call_methods(self, source: str, value: Value, name: str) -> None:
        for method in self._names.in_class(value.module, value.scope, name):
            if method.kind is ValueKind.FUNCTION:
                self._link(source, CALLS, self._id_of(method))

    def _used(self, source: str, value: Value) -> None:
        if value.kind in (ValueKind.FUNCTION, ValueKind.CLASS):
            self._link(source, USES, self._id_of(value))

    def _touched(self, source: str, found: Found) -> None:
        for value in found.touched:
            if value.kind is ValueKind.VARIABLE:
                self._link(source, USES, value.module)
            else:
                self._link(source, CALLS, self._id_of(value))

    def _count(self, values: Iterable[Value]) -> None:
        kinds = {value.kind for value in values}
        if kinds - {ValueKind.UNKNOWN, ValueKind.MISSING, ValueKind.EXTERNAL}:
            self._counted[0] += 1
        elif ValueKind.EXTERNAL in kinds:
            self._counted[1] += 1
        elif ValueKind.MISSING in kinds:
            self._counted[2] += 1
        else:
            self._counted[3] += 1

    # --------------------------------------------------------------------------------------- definitions

    def _definition(self, number: int, source: str) -> None:
        scope = self._facts.scopes[number]
        for chain in scope.decorators:
            for value in self._names.chain(self._file.module, scope.parent, chain.removesuffix(".()")).values:
                self._used(source, value)
        for chain in scope.bases:
            found = self._names.chain(self._file.module, scope.parent, chain)
            self._count(found.values)
            for value in found.values:
                if value.kind is ValueKind.CLASS:
                    self._link(source, INHERITS, self._id_of(value))
        holder = self._facts.scopes[scope.parent] if number else scope
        if scope.kind is not NodeKind.CLASS and holder.kind is NodeKind.CLASS and holder.bases:
            above = self._names.in_class(self._file.module, scope.parent, scope.last_name, beyond=True)
            for value in above:
                if value.kind is ValueKind.FUNCTION:
                    self._link(self._id_of(value), OVERRIDDEN_BY, source)

    def _fixtures(self, number: int, source: str) -> None:
        scope = self._facts.scopes[number]
        if scope.kind is NodeKind.TEST or scope.fixture:
            self._ask_for(source, scope, scope.parent, Value(ValueKind.FUNCTION, self._file.module, number))
        if scope.kind is NodeKind.TEST:
            self._set_up(source, scope.parent)

    def _ask_for(self, source: str, scope: Scope, holder: int, asking: Value) -> None:
        for name in (*scope.parameters, *scope.fixtures):
            for value in self._names.fixtures(self._file.module, holder, name, asking=asking):
                self._link(source, CALLS, self._id_of(value))

    def _set_up(self, source: str, holder: int) -> None:
        """What runs before and after a test of a class (or of the module, 0) without being asked for."""
        module = self._file.module
        if self._facts.scopes[holder].kind is NodeKind.CLASS:
            self._link(source, USES, self._id(module, holder))  # pytest makes an instance, with what its body holds
            for name in _SETUP_OF_CLASS:
                self._call_methods(source, Value(ValueKind.CLASS, module, holder), name)
            for one in self._names.order(module, holder)[0]:
                self._everywhere(source, one.module, one.scope)
        for name in _SETUP_OF_MODULE:
            if name in self._facts.scopes[0].bindings:
                for value in self._names.member(module, name):
                    self._called(source, value)
        for reached in self._names.reach_of_fixtures(module):
            self._everywhere(source, reached, 0)

    def _inherited_tests(self, number: int, source: str) -> None:
        """Tests that a class has from its bases are run in it, under ids of their own."""
        scope = self._facts.scopes[number]
        if scope.kind is not NodeKind.CLASS or not scope.bases or not is_test_file(self._file.path):
            return
        classes, complete = self._names.order(self._file.module, number)
        names_of_classes = [self._names.facts(one.module).scopes[one.scope].last_name for one in classes]
        if complete and not scope.last_name.startswith("Test") and "TestCase" not in names_of_classes:
            return
        taken = set(scope.bindings)
        for one in classes[1:]:
            for name, bindings in self._names.facts(one.module).scopes[one.scope].bindings.items():
                if not name.startswith("test") or name in taken:
                    continue
                taken.add(name)
                for binding in bindings:
                    if binding.startswith("def|"):
                        method = Value(ValueKind.FUNCTION, one.module, int(binding[4:]))
                        self._inherited_test(number, source, name, method)

    def _inherited_test(self, number: int, source: str, name: str, method: Value) -> None:
        scope = self._facts.scopes[number]
        test = f"{self._file.path}::{scope.name.replace('.', '::')}::{name}"
        first, last = self._facts.lines[number]
        self.nodes.setdefault(test, GraphNode(test, NodeKind.TEST.value, self._file.path, first, last))
        self._link(source, DEFINES, test)
        self._link(test, CALLS, self._id_of(method))
        self._ask_for(test, self._names.facts(method.module).scopes[method.scope], number, method)
        self._set_up(test, number)

    def _everywhere(self, source: str, module: str, parent: int) -> None:
        for number, scope in enumerate(self._names.facts(module).scopes):
            if scope.parent == parent and scope.fixture.endswith("!"):
                self._link(source, CALLS, self._id(module, number))


def _is_submodule(value: Value, origin: Iterable[Value]) -> bool:
    if value.kind is not ValueKind.MODULE:
        return False
    package = value.module.partition("@")[0].rpartition(".")[0]
    return any(
        one.kind is ValueKind.NAMESPACE or (one.kind is ValueKind.MODULE and one.module.partition("@")[0] == package)
        for one in origin
    )


def tests_of(
    test: str, node: Callable[[str], GraphNode | None], links: Callable[[str], Iterable[Link]]
) -> tuple[tuple[Link, ...], frozenset[str]]:
    """Links TESTS of one test: to every definition outside the test side that it, its fixtures or helpers use.

    Parameters
    ----------
    test
        Its id.
    node, links
        Give a node by its id, and the links from an id.

    Returns
    -------
    tuple
        The links, and the paths of the files that were looked through on the way: when the links of one of them
        change, these may.
    """
    seen, waiting = {test}, [test]
    told: dict[str, None] = {}
    passed, made = set(), set()
    while waiting:
        here = node(waiting.pop())
        if here is None:
            continue
        passed.add(here.path)
        from_module = here.kind == NodeKind.MODULE
        has_methods = here.id in made  # what a class defines is reached through an instance
        for link in links(here.id):
            target = node(link.target)
            if target is None or link.relation == TESTS or link.target in seen:
                continue
            if link.relation == DEFINES and here.kind == NodeKind.CLASS and not has_methods:
                continue
            if from_module and (link.relation == DEFINES or target.kind == NodeKind.MODULE):
                continue  # what else a module holds and imports is not what its variable is made of
            if is_test_side(target.path):
                seen.add(link.target)
                waiting.append(link.target)
                if link.relation == CALLS:
                    made.add(link.target)
            else:
                told[link.target] = None
    return tuple(Link(test, TESTS, target) for target in told), frozenset(passed)
