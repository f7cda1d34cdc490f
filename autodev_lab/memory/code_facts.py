"""What one Python file says of itself: its scopes, what names in them are bound to, and what they refer to.

Facts are found without looking at any other file, so they change only when the file does. Two small languages of
strings keep them compact and easy to store:

A *chain* is what an expression is reached by, in steps joined by dots: ``self.items.append`` or ``Parser.().parse``.
The step ``()`` is a call, ``[]`` a subscript, ``(with)`` what ``with`` gives, ``(__len__)`` the call of a method that
is not spelled out; the first step is a name, ``"`` for a literal, or ``?`` for anything that has no name.

A *binding* is what a name may stand for, with its kind before the first bar: ``def|7`` is scope 7 of the file,
``module|a.b`` an imported module, ``from|1|a.b|c`` the name c from module a.b with one leading dot, ``is|chain`` the
value of a chain, ``self|`` and ``class|`` the first parameter of a method, ``parameter|`` any other, and ``?|``
something that only a run could tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

__all__ = ["FileFacts", "Import", "NodeKind", "References", "Scope"]


class NodeKind(StrEnum):
    """Kinds of nodes of a code graph."""

    MODULE = "Module"
    CLASS = "Class"
    FUNCTION = "Function"
    TEST = "Test"


@dataclass(frozen=True, slots=True)
class Import:
    """One name of an import statement: ``level`` leading dots, the module, and the name taken from it (or empty)."""

    level: int
    module: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class References:
    """What a scope refers to, each chain once: what it calls, uses otherwise, calls by operators, and imports."""

    calls: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A module, class or function as seen from other code.

    Parameters
    ----------
    name
        Its name with the names of the scopes it is in: ``Parser.parse``; empty for the module.
    kind
        What it is.
    parent
        Number of the scope it is in, -1 for the module.
    bindings
        What each name bound in it may stand for.
    attributes
        Of a class: the number of the method that assigns to an attribute of its first parameter, and the chains.
    bases
        Chains of a class's bases.
    decorators
        Chains of its decorators.
    returns
        Chains of a function's results; a generator's are what it yields.
    is_generator
        Whether calling it gives an iterator.
    parameters
        Names of a function's parameters that are not known otherwise.
    fixtures
        Names of fixtures it asks for by a mark.
    fixture
        The name it is a pytest fixture under, ``name!`` if for all tests in reach; empty otherwise.
    """

    name: str
    kind: NodeKind
    parent: int
    bindings: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    attributes: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict, hash=False)
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    is_generator: bool = False
    parameters: tuple[str, ...] = ()
    fixtures: tuple[str, ...] = ()
    fixture: str = ""

    @property
    def last_name(self) -> str:
        """Its own name."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All that is known of one file.

    Parameters
    ----------
    scopes
        The module first, then its classes and functions in the order of the text.
    references
        What each scope refers to.
    lines
        First (decorators included) and last line of each scope, 1-based.
    stars
        Modules all of whose public names are imported.
    exports
        ``__all__`` if it is written out, else None.
    problem
        Why nothing could be read from the file; empty if it could.
    """

    scopes: tuple[Scope, ...]
    references: tuple[References, ...]
    lines: tuple[tuple[int, int], ...]
    stars: tuple[Import, ...] = ()
    exports: tuple[str, ...] | None = None
    problem: str = ""

    def interface(self) -> str:
        """What other files can see of this one, as JSON: equal texts mean that none of them needs another look."""
        scopes = [
            [
                scope.name,
                scope.kind.value,
                scope.parent,
                scope.bindings,
                scope.attributes,
                scope.bases,
                scope.decorators,
                scope.returns,
                scope.is_generator,
                scope.parameters,
                scope.fixtures,
                scope.fixture,
            ]
            for scope in self.scopes
        ]
        stars = [[star.level, star.module] for star in self.stars]
        return json.dumps([scopes, stars, self.exports, self.problem], ensure_ascii=True, separators=(",", ":"))

    def body(self) -> str:
        """What only this file's own links come from, as JSON."""
        references = [
            [one.calls, one.uses, one.implied, [[found.level, found.module, found.name] for found in one.imports]]
            for one in self.references
        ]
        return json.dumps([references, self.lines], ensure_ascii=True, separators=(",", ":"))

    @staticmethod
    def from_interface(interface: str) -> FileFacts:
        """Facts from what `interface` gave, without references and lines.

        Examples
        --------
        >>> facts = FileFacts((Scope("", NodeKind.MODULE, -1, {"f": ("def|1",)}),), (References(("f",)),), ((1, 9),))
        >>> FileFacts.from_interface(facts.interface()).with_body(facts.body()) == facts
        True
        """
        scopes, stars, exports, problem = json.loads(interface)
        return FileFacts(
            scopes=tuple(
                Scope(
                    name,
                    NodeKind(kind),
                    parent,
                    {key: tuple(value) for key, value in bindings.items()},
                    {key: tuple((number, chain) for number, chain in value) for key, value in attributes.items()},
                    tuple(bases),
                    tuple(decorators),
                    tuple(returns),
                    is_generator,
                    tuple(parameters),
                    tuple(fixtures),
                    fixture,
                )
                for (
                    name,
                    kind,
                    parent,
                    bindings,
                    attributes,
                    bases,
                    decorators,
                    returns,
                    is_generator,
                    parameters,
                    fixtures,
                    fixture,
                ) in scopes
            ),
            references=(),
            lines=(),
            stars=tuple(Import(level, module) for level, module in stars),
            exports=None if exports is None else tuple(exports),
            problem=problem,
        )

    def with_body(self, body: str) -> FileFacts:
        """The same facts with what `body` gave."""
        references, lines = json.loads(body)
        return replace(
            self,
            references=tuple(
                References(tuple(calls), tuple(uses), tuple(implied), tuple(Import(*found) for found in imports))
                for calls, uses, implied, imports in references
            ),
            lines=tuple((first, last) for first, last in lines),
        )
