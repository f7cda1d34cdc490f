"""What names and chains of names stand for, across all files of a graph."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from autodev_lab.memory.code_facts import FileFacts, Import, NodeKind
from autodev_lab.memory.code_files import SourceFile
from autodev_lab.memory.code_modules import ModuleTable
from autodev_lab.memory.code_values import Found, Value, ValueKind

__all__ = ["Names"]

T = TypeVar("T")

_FUEL = 8  # imports, aliases and results that are followed from one name before giving up
_MAX_VALUES = 16
_BUILTIN_NAMES = frozenset((*dir(builtins), "__file__", "__class__", "__path__", "__annotations__", "__builtins__"))
_PROPERTIES = frozenset(("property", "cached_property", "abstractproperty", "setter", "getter", "deleter"))
_ENTERING = ("__enter__", "__exit__", "__aenter__", "__aexit__")
_GIVING = frozenset(("__enter__", "__aenter__"))
_SELF_TYPES = frozenset(("Self",))
_NOWHERE = Path()


_UNKNOWN = Value(ValueKind.UNKNOWN)
_MISSING = Value(ValueKind.MISSING)
_EXTERNAL = Value(ValueKind.EXTERNAL)
_OUTSIDE = (ValueKind.UNKNOWN, ValueKind.MISSING, ValueKind.EXTERNAL)


class Names:
    """Resolves chains against the facts of all files.

    An answer depends on the facts alone, never on what was asked before, so that a graph brought up to date equals a
    fresh one. Every module an answer depends on is noted, those that do not exist included.

    Parameters
    ----------
    table
        The modules.
    facts
        Gives the facts of a module by its id.
    """

    def __init__(self, table: ModuleTable, facts: Callable[[str], FileFacts]) -> None:
        self._table = table
        self._facts = facts
        self._memo: dict[tuple[object, ...], tuple[object, frozenset[str]]] = {}
        self._local: dict[tuple[object, ...], tuple[object, frozenset[str]]] = {}
        self._noted: list[set[str]] = [set()]

    # --------------------------------------------------------------------------------------------- asking

    @contextmanager
    def noting(self) -> Iterator[set[str]]:
        """Collect the names of modules that answers within this block depend on."""
        noted: set[str] = set()
        self._noted.append(noted)
        self._local.clear()
        try:
            yield noted
        finally:
            self._noted.pop()

    def forget(self) -> None:
        """Let go of answers kept for later; the next ones are the same."""
        self._memo.clear()
        self._local.clear()

    def facts(self, module: str) -> FileFacts:
        """Facts of a module, noted as looked at."""
        self._noted[-1].add(module)
        return self._facts(module)

    def chain(self, module: str, scope: int, chain: str, fuel: int = _FUEL) -> Found:
        """What a chain stands for when it is evaluated in a scope of a module."""
        touched: dict[Value, None] = {}
        first, *steps = chain.split(".")
        if first == "?":
            return Found((_UNKNOWN,))
        if first == '"':
            return Found((_EXTERNAL,))
        if first == "super" and steps[:1] == ["()"]:
            values = self._parent(module, scope)
            steps = steps[1:]
        elif first.startswith("(module "):
            values = self.imported(module, Import(0, first[8:-1].replace("/", ".")), fuel)
        else:
            values = self._name(module, scope, first, fuel)
        self._touch(values, touched)
        for step in steps:
            if step == "()":
                values = self._all(self._called(value, fuel) for value in values)
            elif step == "[]":
                values = self._all(self._subscripted(value, fuel) for value in values)
            elif step[0] == "(":
                values = self._implied(values, _ENTERING if step == "(with)" else (step[1:-1],), fuel, touched)
            else:
                values = self._attribute(values, step, fuel, touched)
            self._touch(values, touched)
        return Found(values, tuple(touched))

    def imported(self, module: str, found: Import, fuel: int = _FUEL) -> tuple[Value, ...]:
        """What an import gives: the module, or the name taken from it."""
        importer = self._table.files[module]
        name = self._table.absolute(found, importer)
        if name is None:
            return (_MISSING,)
        value = self._module(name, importer)
        if not found.name or found.name == "*":
            return (value,)
        if value.kind is ValueKind.MODULE:
            if value.module == module:  # a package that imports a submodule of its own
                inner = self._module(f"{name}.{found.name}", importer)
                if inner.kind is ValueKind.MODULE:
                    return (inner,)
            return self.member(value.module, found.name, fuel - 1)
        if value.kind is ValueKind.NAMESPACE:
            return (self._module(f"{name}.{found.name}", importer),)
        return (value,)

    def member(self, module: str, name: str, fuel: int = _FUEL) -> tuple[Value, ...]:
        """What a module's global name stands for."""
        if fuel <= 0:
            return (_UNKNOWN,)
        return self._remember(("member", module, name, fuel), lambda: self._member(module, name, fuel))

    def order(self, module: str, scope: int, fuel: int = _FUEL) -> tuple[tuple[Value, ...], bool]:
        """A class and its bases in the graph, depth first, and whether these are all its bases."""
        return self._remember(("order", module, scope, fuel), lambda: self._order(module, scope, fuel))

    def in_class(self, module: str, scope: int, name: str, *, beyond: bool = False) -> tuple[Value, ...]:
        """What a class, or the first of its bases that has it, binds a name to; `beyond` leaves itself out."""
        return self._in_class(module, scope, name, _FUEL, of_instance=False, beyond=beyond)

    def in_place_of(self, function: Value) -> tuple[Value, ...]:
        """Functions that decorators from the graph put in the place of a function: what is run when it is called."""
        module, number = function.module, function.scope
        scope = self.facts(module).scopes[number]
        if not scope.decorators:
            return ()

        def compute() -> tuple[Value, ...]:
            found = self._all(self.chain(module, scope.parent, f"{one}.()").values for one in scope.decorators)
            decorators = self._all(
                self.chain(module, scope.parent, one.removesuffix(".()")).values for one in scope.decorators
            )
            return tuple(
                one for one in found if one.kind is ValueKind.FUNCTION and one != function and one not in decorators
            )  # a decorator that may be given arguments first gives itself

        return self._remember(("decorated", module, number), compute)

    def fixtures(self, module: str, holder: int, name: str, *, asking: Value | None = None) -> tuple[Value, ...]:
        """The fixture functions that tests in a class (or 0, the module) get by a name; none if there is none.

        A fixture that asks for its own name gets the one it hides: `asking` is left out.
        """
        return self._remember(
            ("fixture", module, holder, name, asking), lambda: self._fixture(module, holder, name, asking)
        )

    def reach_of_fixtures(self, module: str) -> tuple[str, ...]:
        """The module and the ``conftest`` modules whose fixtures its tests see, nearest first."""
        file = self._table.files[module]
        parts = module.partition("@")[0].split(".")[:-1]
        found = [module]
        for length in range(len(parts), -1, -1):
            name = ".".join((*parts[:length], "conftest"))
            self._noted[-1].update(self._table.candidates(name, file))
            conftest = self._table.find(name, file)
            if conftest is not None and conftest not in found:
                found.append(conftest)
        return tuple(found)

    # ---------------------------------------------------------------------------------------- remembering

    def _remember(self, key: tuple[object, ...], compute: Callable[[], T], *, local: bool = False) -> T:
        memo = self._local if local else self._memo
        hit = memo.get(key)
        if hit is None:
            self._noted.append(set())
            try:
                answer = compute()
            finally:
                noted = self._noted.pop()
            memo[key] = hit = (answer, frozenset(noted))
        self._noted[-1].update(hit[1])
        return cast("T", hit[0])

    @staticmethod
    def _all(groups: Iterable[Iterable[Value]]) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(value for group in groups for value in group))[:_MAX_VALUES]

    @staticmethod
    def _touch(values: tuple[Value, ...], touched: dict[Value, None]) -> None:
        for value in values:
            if value.kind is ValueKind.VARIABLE:
                touched[value] = None

    # ---------------------------------------------------------------------------------------------- names

    def _name(self, module: str, scope: int, name: str, fuel: int) -> tuple[Value, ...]:
        if fuel <= 0:
            return (_UNKNOWN,)
        scopes = self.facts(module).scopes
        at, first = scope, True
        while at > 0:
            here = scopes[at]
            if first or here.kind is not NodeKind.CLASS:
                bindings = here.bindings.get(name)
                if bindings:
                    return self._local_name(module, at, name, bindings, fuel)
            at, first = here.parent, False
        values = self.member(module, name, fuel)
        return (_EXTERNAL,) if values == (_MISSING,) and name in _BUILTIN_NAMES else values

    def _local_name(self, module: str, scope: int, name: str, bindings: Iterable[str], fuel: int) -> tuple[Value, ...]:
        return self._remember(
            ("name", module, scope, name, fuel),
            lambda: self._bound(module, scope, name, bindings, fuel),
            local=True,
        )

    def _member(self, module: str, name: str, fuel: int) -> tuple[Value, ...]:
        facts = self.facts(module)
        if facts.problem:
            return (_UNKNOWN,)
        bindings = facts.scopes[0].bindings
        if name in bindings:
            found = bindings[name]
            values = self._bound(module, 0, name, found, fuel)
            if any(one.startswith(("is|", "?|")) for one in found) and not any(
                value.kind in (ValueKind.CLASS, ValueKind.FUNCTION) for value in values
            ):
                values = (*values, Value(ValueKind.VARIABLE, module))
            return values
        file = self._table.files[module]
        if file.is_package:
            inner = self._module(f"{module.partition('@')[0]}.{name}", file)
            if inner.kind in (ValueKind.MODULE, ValueKind.NAMESPACE):
                return (inner,)
        outside = False
        for star in facts.stars:
            (origin,) = self.imported(module, star, fuel)
            if origin.kind is not ValueKind.MODULE:
                outside = True
            elif name in (self.facts(origin.module).exports or ()) or not name.startswith("_"):
                values = self.member(origin.module, name, fuel - 1)
                if values != (_MISSING,):
                    return values
        if outside and name not in _BUILTIN_NAMES:
            return (_EXTERNAL,)
        return (_UNKNOWN,) if "__getattr__" in bindings else (_MISSING,)

    def _bound(self, module: str, scope: int, name: str, bindings: Iterable[str], fuel: int) -> tuple[Value, ...]:
        return self._all(self._binding(module, scope, name, binding, fuel) for binding in bindings)

    def _binding(self, module: str, scope: int, name: str, binding: str, fuel: int) -> tuple[Value, ...]:
        kind, _, rest = binding.partition("|")
        if kind == "def":
            number = int(rest)
            is_class = self.facts(module).scopes[number].kind is NodeKind.CLASS
            return (Value(ValueKind.CLASS if is_class else ValueKind.FUNCTION, module, number),)
        if kind == "from":
            level, origin, taken = rest.split("|")
            return self.imported(module, Import(int(level), origin, taken), fuel)
        if kind == "module":
            return (self._module(rest, self._table.files[module]),)
        if kind == "is":
            return self.chain(module, scope, rest, fuel - 1).values
        if kind in ("self", "class"):
            holder = self.facts(module).scopes[scope].parent
            return (Value(ValueKind.INSTANCE if kind == "self" else ValueKind.CLASS, module, holder),)
        if kind == "parameter":
            here = self.facts(module).scopes[scope]
            if here.kind is not NodeKind.TEST and not here.fixture:
                return (_UNKNOWN,)
            found = self.fixtures(module, here.parent, name, asking=Value(ValueKind.FUNCTION, module, scope))
            return self._all(self._results(one, fuel - 1) for one in found) or (_UNKNOWN,)
        return (_UNKNOWN,)

    def _module(self, name: str, importer: SourceFile) -> Value:
        self._noted[-1].update(self._table.candidates(name, importer))
        module = self._table.find(name, importer)
        if module is not None:
            return Value(ValueKind.MODULE, module)
        if self._table.is_namespace(name):
            return Value(ValueKind.NAMESPACE, name)
        top = name.partition(".")[0]
        self._noted[-1].update(self._table.candidates(top, importer))
        known = top != name and (self._table.find(top, importer) is not None or self._table.is_namespace(top))
        return _MISSING if known else _EXTERNAL

    def _parent(self, module: str, scope: int) -> tuple[Value, ...]:
        scopes = self.facts(module).scopes
        while scope > 0:
            scope = scopes[scope].parent
            if scopes[scope].kind is NodeKind.CLASS:
                return (Value(ValueKind.PARENT, module, scope),)
        return (_UNKNOWN,)

    # ---------------------------------------------------------------------------------------------- steps

    def _called(self, value: Value, fuel: int) -> tuple[Value, ...]:
        if value.kind is ValueKind.CLASS:
            return (Value(ValueKind.INSTANCE, value.module, value.scope),)
        if value.kind is ValueKind.FUNCTION:
            scope = self.facts(value.module).scopes[value.scope]
            return (_UNKNOWN,) if scope.is_generator else self._results(value, fuel - 1)
        if value.kind is ValueKind.INSTANCE:
            called = self._in_class(value.module, value.scope, "__call__", fuel)
            return self._all(self._results(one, fuel - 1) for one in called if one.kind is ValueKind.FUNCTION)
        return (_EXTERNAL,) if value.kind is ValueKind.EXTERNAL else (_UNKNOWN,)

    def _results(self, function: Value, fuel: int) -> tuple[Value, ...]:
        """What a function returns, or yields."""
        if fuel <= 0 or function.kind is not ValueKind.FUNCTION:
            return (_UNKNOWN,)
        module, number = function.module, function.scope

        def compute() -> tuple[Value, ...]:
            scope = self.facts(module).scopes[number]
            values: list[tuple[Value, ...]] = []
            for chain in scope.returns:
                if chain.removesuffix(".()").rpartition(".")[2] in _SELF_TYPES:
                    values.append((Value(ValueKind.INSTANCE, module, scope.parent),))
                else:
                    values.append(self.chain(module, number, chain, fuel - 1).values)
            return self._all(values) or (_UNKNOWN,)

        return self._remember(("results", module, number, fuel), compute)

    def _subscripted(self, value: Value, fuel: int) -> tuple[Value, ...]:
        if value.kind is ValueKind.CLASS or value.kind in _OUTSIDE:  # a generic class with its parameters is the class
            return (value,)
        if value.kind is ValueKind.INSTANCE:
            found = self._in_class(value.module, value.scope, "__getitem__", fuel)
            return self._all(self._results(one, fuel - 1) for one in found)
        return (_UNKNOWN,)

    def _implied(
        self, values: tuple[Value, ...], methods: tuple[str, ...], fuel: int, touched: dict[Value, None]
    ) -> tuple[Value, ...]:
        """Touch methods of instances that a statement or operator calls, and give what the first of them results in."""
        found: list[tuple[Value, ...]] = []
        for value in values:
            if value.kind is not ValueKind.INSTANCE:
                found.append((_EXTERNAL if value.kind is ValueKind.EXTERNAL else _UNKNOWN,))
                continue
            for name in methods:
                for one in self._in_class(value.module, value.scope, name, fuel):
                    if one.kind is ValueKind.FUNCTION:
                        touched[one] = None
                        if name in _GIVING:
                            found.append(self._results(one, fuel - 1))
        return self._all(found)

    def _attribute(
        self, values: tuple[Value, ...], name: str, fuel: int, touched: dict[Value, None]
    ) -> tuple[Value, ...]:
        found: list[tuple[Value, ...]] = []
        for value in values:
            if value.kind is ValueKind.MODULE:
                found.append(self.member(value.module, name, fuel - 1))
            elif value.kind is ValueKind.NAMESPACE:
                found.append((self._module(f"{value.module}.{name}", SourceFile("", _NOWHERE, "", False)),))
            elif value.kind in (ValueKind.INSTANCE, ValueKind.PARENT, ValueKind.CLASS):
                found.append(self._of_object(value, name, fuel, touched))
            else:
                found.append((_EXTERNAL if value.kind is ValueKind.EXTERNAL else _UNKNOWN,))
        return self._all(found)

    def _of_object(self, value: Value, name: str, fuel: int, touched: dict[Value, None]) -> tuple[Value, ...]:
        if name == "__class__" and value.kind is ValueKind.INSTANCE:
            return (Value(ValueKind.CLASS, value.module, value.scope),)
        of_instance = value.kind is not ValueKind.CLASS
        members = self._in_class(
            value.module, value.scope, name, fuel, of_instance=of_instance, beyond=value.kind is ValueKind.PARENT
        )
        if not of_instance:
            return members
        found: list[tuple[Value, ...]] = []
        for member in members:
            if member.kind is ValueKind.FUNCTION and self._is_property(member):
                touched[member] = None
                found.append(self._results(member, fuel - 1))
            else:
                found.append((member,))
        return self._all(found)

    def _is_property(self, function: Value) -> bool:
        decorators = self.facts(function.module).scopes[function.scope].decorators
        return any(chain.removesuffix(".()").rpartition(".")[2] in _PROPERTIES for chain in decorators)

    # -------------------------------------------------------------------------------------------- classes

    def _order(self, module: str, scope: int, fuel: int) -> tuple[tuple[Value, ...], bool]:
        found: dict[Value, None] = {Value(ValueKind.CLASS, module, scope): None}
        complete = True
        if fuel <= 0:
            return tuple(found), False
        facts = self.facts(module)
        here = facts.scopes[scope]
        for base in here.bases:
            known = [
                value
                for value in self.chain(module, here.parent, base, fuel - 1).values
                if value.kind is ValueKind.CLASS and value != Value(ValueKind.CLASS, module, scope)
            ]
            complete = complete and (bool(known) or base == "object")
            for value in known:
                above, all_above = self.order(value.module, value.scope, fuel - 1)
                found.update(dict.fromkeys(above))
                complete = complete and all_above
        return tuple(found), complete

    def _in_class(
        self, module: str, scope: int, name: str, fuel: int, *, of_instance: bool = True, beyond: bool = False
    ) -> tuple[Value, ...]:
        if fuel <= 0:
            return (_UNKNOWN,)
        return self._remember(
            ("class", module, scope, name, fuel, of_instance, beyond),
            lambda: self._look_in_class(module, scope, name, fuel, of_instance, beyond),
        )

    def _look_in_class(
        self, module: str, scope: int, name: str, fuel: int, of_instance: bool, beyond: bool
    ) -> tuple[Value, ...]:
        classes, complete = self.order(module, scope, fuel - 1)
        for one in classes[1:] if beyond else classes:
            here = self.facts(one.module).scopes[one.scope]
            values: list[tuple[Value, ...]] = []
            if name in here.bindings:
                values.append(self._bound(one.module, one.scope, name, here.bindings[name], fuel - 1))
            if of_instance and not beyond:
                for method, chain in here.attributes.get(name, ()):
                    values.append(self.chain(one.module, method, chain, fuel - 1).values)
            if values:
                return self._all(values)
        if hasattr(object, name):
            return (_EXTERNAL,)
        return (_MISSING,) if complete else (_EXTERNAL,)

    # ------------------------------------------------------------------------------------------- fixtures

    def _fixture(self, module: str, holder: int, name: str, asking: Value | None) -> tuple[Value, ...]:
        if self.facts(module).scopes[holder].kind is NodeKind.CLASS:
            for one in self.order(module, holder)[0]:
                found = self._fixture_among(one.module, one.scope, name, asking)
                if found:
                    return found
        for reached in self.reach_of_fixtures(module):
            found = self._fixture_among(reached, 0, name, asking)
            if found:
                return found
        return ()

    def _fixture_among(self, module: str, holder: int, name: str, asking: Value | None) -> tuple[Value, ...]:
        facts = self.facts(module)
        found = [
            Value(ValueKind.FUNCTION, module, number)
            for number, scope in enumerate(facts.scopes)
            if scope.fixture.rstrip("!") == name and scope.parent == holder
        ]
        if not found and holder == 0 and (name in facts.scopes[0].bindings or facts.stars):
            found = [
                value
                for value in self.member(module, name)
                if value.kind is ValueKind.FUNCTION and self.facts(value.module).scopes[value.scope].fixture
            ]
        return tuple(value for value in found if value != asking)
