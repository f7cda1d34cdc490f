"""A scope while its body is read, before it becomes facts."""

from __future__ import annotations

from collections.abc import Iterable

from autodev_lab.memory.code_chains import UNKNOWN
from autodev_lab.memory.code_facts import Import, NodeKind, References, Scope

__all__ = ["ScopeDraft"]

_MAX_RETURNS = 8
_OPAQUE = frozenset((UNKNOWN, 'is|"'))


class ScopeDraft:
    """Collects what is bound and referred to in one scope; the fields mean what they mean in `Scope`."""

    __slots__ = (
        "attributes", "bases", "bindings", "calls", "decorators", "fixture", "fixtures", "globals", "holder", "implied",
        "imports",
        "is_generator", "kind", "lines", "name", "parameters", "parent", "receiver", "returns", "uses", "yields",
    )  # fmt: skip

    def __init__(self, name: str, kind: NodeKind, parent: int, lines: tuple[int, int]) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.lines = lines
        self.bindings: dict[str, list[str]] = {}
        self.attributes: dict[str, list[tuple[int, str]]] = {}
        self.bases: list[str] = []
        self.decorators: list[str] = []
        self.returns: list[str] = []
        self.yields: list[str] = []
        self.is_generator = False
        self.parameters: list[str] = []
        self.fixtures: tuple[str, ...] = ()
        self.fixture = ""
        self.calls: dict[str, None] = {}
        self.uses: dict[str, None] = {}
        self.implied: dict[str, None] = {}
        self.imports: dict[Import, None] = {}
        self.globals: set[str] = set()
        self.receiver = ""  # name of the parameter that holds the instance, in a method and in what is nested in it
        self.holder = -1  # the class this receiver is an instance of

    def bind(self, name: str, binding: str) -> None:
        known = self.bindings.setdefault(name, [])
        if binding not in known:
            known.append(binding)

    def scope(self) -> Scope:
        """What other code can see of it."""
        return Scope(
            self.name,
            self.kind,
            self.parent,
            {name: tuple(found) for name, found in self.bindings.items()},
            {name: tuple(found) for name, found in self.attributes.items()},
            tuple(self.bases),
            tuple(self.decorators),
            tuple((self.yields if self.is_generator else self.returns)[:_MAX_RETURNS]),
            self.is_generator,
            tuple(self.parameters),
            self.fixtures,
            self.fixture,
        )

    def references(self) -> References:
        """What it refers to, without what cannot lead out of it."""
        return References(
            tuple(self.calls), self._worth_asking(self.uses), self._worth_asking(self.implied), tuple(self.imports)
        )

    def _worth_asking(self, chains: Iterable[str]) -> tuple[str, ...]:
        # A plain local variable leads nowhere, nor does anything about a value that only a run could tell.
        opaque = {name for name, found in self.bindings.items() if all(one in _OPAQUE for one in found)}
        plain = {
            name for name, found in self.bindings.items() if not any(one.startswith(("from", "def")) for one in found)
        }
        return tuple(
            chain
            for chain in chains
            if chain not in plain and chain[0] != '"' and chain.partition(".")[0] not in opaque
        )
