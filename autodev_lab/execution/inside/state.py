"""Remember the package's module-level state, and put it back after a candidate."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterable, Mapping
from operator import is_
from types import FunctionType, ModuleType

__all__ = ["State"]

_LARGEST = 5000  # elements of one container; larger ones are tables, and comparing them would cost more than a fork
_Cache = type(functools.lru_cache(maxsize=1)(lambda: None))


class State:
    """Names, containers and caches of some modules and their classes, by identity.

    Values are compared by identity only, so no code of a candidate runs while its traces are removed. What lies
    deeper (an attribute of an object in a list) is not seen: the negative control and the plain run are there for it.
    """

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._names: list[tuple[dict[str, object], dict[str, object]]] = []
        self._classes: list[tuple[type, dict[str, object]]] = []
        self._dicts: list[tuple[dict[object, object], dict[object, object]]] = []
        self._lists: list[tuple[list[object], list[object]]] = []
        self._sets: list[tuple[set[object], set[object]]] = []
        known = list(modules)
        files = {getattr(module, "__file__", None) for module in known}
        seen: set[int] = set()
        for module in known:
            scope = vars(module)
            self._names.append((scope, dict(scope)))
            self._remember(scope.values(), seen)
            for value in list(scope.values()):
                if isinstance(value, type) and value.__module__ == module.__name__ and id(value) not in seen:
                    seen.add(id(value))
                    self._classes.append((value, dict(vars(value))))
                    self._remember(vars(value).values(), seen)
                elif type(value) is FunctionType:
                    self._remember(vars(value).values(), seen)
                    self._remember(value.__defaults__ or (), seen)
        self._caches = [
            thing
            for thing in gc.get_objects()
            if type(thing) is _Cache
            and getattr(getattr(thing.__wrapped__, "__code__", None), "co_filename", 0) in files
        ]

    def _remember(self, values: Iterable[object], seen: set[int]) -> None:
        for value in list(values):
            if id(value) in seen:
                continue
            if type(value) is dict and len(value) <= _LARGEST:
                self._dicts.append((value, dict(value)))
            elif type(value) is list and len(value) <= _LARGEST:
                self._lists.append((value, list(value)))
            elif type(value) is set and len(value) <= _LARGEST:
                self._sets.append((value, set(value)))
            else:
                continue
            seen.add(id(value))

    def restore(self) -> None:
        """Put back what differs."""
        for scope, kept in self._names:
            _restore_dict(scope, kept)
        for owner, kept in self._classes:
            now = vars(owner)
            if _same(now, kept):
                continue
            for name, value in kept.items():
                if name not in ("__dict__", "__weakref__") and now.get(name) is not value:
                    type.__setattr__(owner, name, value)
            for name in [name for name in now if name not in kept]:
                type.__delattr__(owner, name)
        for mapping, entries in self._dicts:
            _restore_dict(mapping, entries)
        for sequence, elements in self._lists:
            if len(sequence) != len(elements) or not all(map(is_, sequence, elements)):
                sequence[:] = elements
        for group, members in self._sets:
            if len(group) != len(members) or set(map(id, group)) != set(map(id, members)):
                group.clear()
                group |= members
        for cache in self._caches:
            cache.cache_clear()


def _restore_dict(
    scope: dict[str, object] | dict[object, object], kept: dict[str, object] | dict[object, object]
) -> None:
    if _same(scope, kept):
        return
    scope.clear()
    scope.update(kept)  # type: ignore[arg-type]


def _same(scope: Mapping[str, object] | dict[object, object], kept: dict[str, object] | dict[object, object]) -> bool:
    return len(scope) == len(kept) and all(map(is_, scope.values(), kept.values()))
