"""What a rule consists of: its syntax tree, which prints as text that means the same, and holds for facts or not."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "COMPARISONS",
    "And",
    "Comparison",
    "Expression",
    "Flag",
    "Not",
    "Number",
    "Operand",
    "Or",
    "Quantity",
    "holds",
    "names_in",
]

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        ">": operator.gt,
        ">=": operator.ge,
        "<": operator.lt,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
    }
)
"""How two numbers may be compared."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written, `20` for 20 as for 20 %."""

    written: float
    percent: bool = False

    @property
    def value(self) -> float:
        """What it stands for: .2 for 20 %."""
        return self.written / 100 if self.percent else self.written

    def __str__(self) -> str:
        short = f"{self.written:g}"
        return (short if float(short) == self.written else repr(self.written)) + ("%" if self.percent else "")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A fact that is a number."""

    name: str

    def __str__(self) -> str:
        return self.name


Operand = Number | Quantity


@dataclass(frozen=True, slots=True)
class Flag:
    """A fact that is yes or no."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two numbers compared."""

    left: Operand
    comparison: str
    right: Operand

    def __str__(self) -> str:
        return f"{self.left} {self.comparison} {self.right}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a part."""

    part: Expression

    def __str__(self) -> str:
        return f"not {_within(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """Both parts."""

    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{_within(self.left, Or)} and {_within(self.right, And, Or)}"


@dataclass(frozen=True, slots=True)
class Or:
    """Either part or both."""

    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{self.left} or {_within(self.right, Or)}"


Expression = Flag | Comparison | Not | And | Or


def _within(part: Expression, *weaker: type) -> str:
    """A part as text, in parentheses where it binds less tightly than what it stands in."""
    return f"({part})" if isinstance(part, weaker) else str(part)


def holds(expression: Expression, facts: Mapping[str, float | bool]) -> bool:
    """Whether an expression is true of some facts."""
    match expression:
        case Flag(name):
            return bool(facts[name])
        case Comparison(left, comparison, right):
            return COMPARISONS[comparison](_value(left, facts), _value(right, facts))
        case Not(part):
            return not holds(part, facts)
        case And(left, right):
            return holds(left, facts) and holds(right, facts)
        case Or(left, right):
            return holds(left, facts) or holds(right, facts)


def names_in(expression: Expression) -> Iterator[str]:
    """Facts that an expression speaks of, from left to right."""
    match expression:
        case Flag(name):
            yield name
        case Comparison(left, _, right):
            yield from (side.name for side in (left, right) if isinstance(side, Quantity))
        case Not(part):
            yield from names_in(part)
        case And(left, right) | Or(left, right):
            yield from names_in(left)
            yield from names_in(right)


def _value(operand: Operand, facts: Mapping[str, float | bool]) -> float:
    return operand.value if isinstance(operand, Number) else float(facts[operand.name])
