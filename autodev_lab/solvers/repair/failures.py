"""How a task fails, in words that mean the same in every package: the class of the first failing test's exception."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

__all__ = ["failure_of"]

OWN = "own"
"""Stands for an exception of the package or of a library: its name says nothing in another package."""

_PYTEST = frozenset({"Failed"})


def failure_of(messages: Sequence[str]) -> str:
    """The class that the first message names, ``"own"`` if Python has none of the name, empty without a message.

    Parameters
    ----------
    messages
        One text a failing test, each beginning with the class of the exception and a colon.

    Examples
    --------
    >>> failure_of(["TypeError: 'bool' object is not subscriptable at m.py:3"]), failure_of(["SchemaError: no"])
    ('TypeError', 'own')
    """
    if not messages:
        return ""
    name = messages[0].partition(":")[0].strip().rpartition(".")[2]
    known = getattr(builtins, name, None)
    standard = isinstance(known, type) and issubclass(known, BaseException)
    return name if standard or name in _PYTEST else OWN
