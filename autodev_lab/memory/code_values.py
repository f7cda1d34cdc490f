"""What a chain of names may stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

__all__ = ["Found", "Value", "ValueKind"]


class ValueKind(IntEnum):
    """What kind of thing a chain stands for."""

    UNKNOWN = 0
    MISSING = 1
    EXTERNAL = 2
    MODULE = 3
    NAMESPACE = 4
    CLASS = 5
    FUNCTION = 6
    INSTANCE = 7
    PARENT = 8
    VARIABLE = 9


class Value(NamedTuple):
    """One thing a chain may stand for: its kind, and the module and scope that define it (where that applies).

    ``UNKNOWN`` is something only a run could tell, ``MISSING`` a name that is not where it should be, ``EXTERNAL``
    something outside the graph, ``INSTANCE`` an instance of the class named, ``PARENT`` what ``super()`` gives in it,
    ``VARIABLE`` a module's global variable.
    """

    kind: ValueKind
    module: str = ""
    scope: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a chain stands for, and what is run or read on the way there: properties, context managers, variables."""

    values: tuple[Value, ...]
    touched: tuple[Value, ...] = ()
