"""Frozen records that are made often: an `__init__` that sets slots directly instead of by name."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TypeVar

__all__ = ["quick_init"]

T = TypeVar("T")


def quick_init(cls: type[T]) -> type[T]:
    """Give a frozen, slotted dataclass an `__init__` that does the same in less than half the time.

    The one that `dataclasses` writes goes through ``object.__setattr__`` for every field, which looks the name up. A
    ledger makes several records a command, and that was a fifth of the time of a schedule of `autodev-lab chaos`. This
    one calls the slots' own descriptors; signature, defaults, `__post_init__` and all else stay as they are.

    Parameters
    ----------
    cls
        A dataclass with ``frozen=True, slots=True``, all of whose fields are positional parameters.

    Raises
    ------
    TypeError
        If it is none.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @quick_init
    ... @dataclass(frozen=True, slots=True)
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0), Point(1.0, y=2.0)
    (Point(x=1.0, y=0.0), Point(x=1.0, y=2.0))
    """
    scope: dict[str, object] = {"_missing": MISSING}
    parameters, lines = [], []
    for one in fields(cls):  # type: ignore[arg-type]  # any class may come; what is no dataclass is refused here
        name, slot = one.name, getattr(cls, one.name, None)
        if not one.init or one.kw_only or not hasattr(slot, "__set__"):
            raise TypeError(f"{cls.__name__}.{name} is no positional parameter with a slot")
        scope[f"_set_{name}"] = slot.__set__  # type: ignore[union-attr]  # it has one
        value = name
        if one.default is not MISSING:
            scope[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        elif one.default_factory is not MISSING:
            scope[f"_make_{name}"] = one.default_factory
            parameters.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name)
        lines.append(f" _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join([f"def __init__(self, {', '.join(parameters)}):", *(lines or [" pass"])]), scope)
    made, before = scope["__init__"], cls.__init__
    for name in ("__module__", "__qualname__", "__doc__", "__annotations__"):
        setattr(made, name, getattr(before, name))
    cls.__init__ = made  # type: ignore[assignment]  # the same signature
    return cls
