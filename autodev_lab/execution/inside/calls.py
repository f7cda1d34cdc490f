"""Call one function with given inputs and describe what it returns; note the inputs tests give it."""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import signal
import sys
import types
from collections.abc import Callable, Mapping
from types import CodeType, FrameType

from .running import Collected, Plan, TimeUp, execute, teardown
from .supervise import Reporter

__all__ = ["call", "canonical", "literal", "record"]

_MOST_ITEMS = 2000  # elements of an iterator that are looked at
_DEEPEST = 12
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range, slice)


def canonical(value: object, depth: int = 0) -> str:
    """A text equal for equal results, whatever their addresses, the order of sets and dicts, or laziness.

    Examples
    --------
    >>> canonical({"b": {2, 1}, "a": (n for n in range(3))})
    "{'a': iterator[0, 1, 2], 'b': {1, 2}}"
    """
    if depth > _DEEPEST:
        return "..."
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    deeper = depth + 1
    if isinstance(value, dict):
        body = sorted(
            f"{canonical(key, deeper)}: {canonical(dict.__getitem__(value, key), deeper)}" for key in dict.keys(value)
        )
        return _named(kind, dict, "{" + ", ".join(body) + "}")
    if isinstance(value, set | frozenset):
        return _named(kind, set, "{" + ", ".join(sorted(canonical(one, deeper) for one in value)) + "}")
    if isinstance(value, list):
        return _named(kind, list, "[" + ", ".join(canonical(one, deeper) for one in list.__iter__(value)) + "]")
    if isinstance(value, tuple):
        return _named(kind, tuple, "(" + "".join(canonical(one, deeper) + ", " for one in tuple.__iter__(value)) + ")")
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.ModuleType):
        return f"<{getattr(value, '__qualname__', getattr(value, '__name__', '?'))}>"
    if isinstance(value, BaseException):
        return f"{kind.__name__}{canonical(value.args, deeper)}"
    if hasattr(kind, "__next__"):
        return _iterator(value, deeper)
    if kind.__repr__ is object.__repr__:
        return f"{kind.__qualname__}({canonical(dict(getattr(value, '__dict__', {})), deeper)})"
    return _ADDRESS.sub("0x", repr(value))


def _named(kind: type, plain: type, text: str) -> str:
    return text if kind is plain else f"{kind.__qualname__}({text})"


def _iterator(value: object, depth: int) -> str:
    parts: list[str] = []
    end = "]"
    try:
        for _ in range(_MOST_ITEMS):
            one = canonical(next(value), depth)  # type: ignore[call-overload]
            parts += [one]
        end = ", ...]"
    except StopIteration:
        pass
    except Exception as error:
        end = f", raises {type(error).__name__}]"
    return "iterator[" + ", ".join(parts) + end


def call(plan: Plan, request: Mapping[str, object], report: Reporter) -> None:
    """Import the module and call the function once per input; a ``value`` record each."""
    sys.path[:] = [*plan.import_path, *[path for path in sys.path if path not in plan.runner_path]]
    inputs = request["inputs"]
    seconds = request["seconds"]
    assert isinstance(inputs, list) and isinstance(seconds, int | float)

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp

    signal.signal(signal.SIGPROF, ring)
    try:
        target: object = importlib.import_module(str(request["module"]))
        for part in str(request["qualname"]).split("."):
            target = getattr(target, part)
    except BaseException as error:
        report("failed", type(error).__name__)
        return
    assert callable(target)
    for text in inputs:
        report("test", [0, float(seconds)])
        report("value", _call(target, str(text), float(seconds)))


def _call(target: Callable[..., object], text: str, seconds: float) -> str:
    args, kwargs = ast.literal_eval(text)
    before = canonical((args, kwargs))
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)
    try:
        try:
            outcome = canonical(target(*args, **kwargs))
        except TimeUp:
            return "timeout"
        except BaseException as error:
            outcome = f"raises {type(error).__name__}"
        after = canonical((args, kwargs))
    except TimeUp:
        return "timeout"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return outcome if after == before else f"{outcome} leaving {after}"


def literal(value: object, depth: int = 0) -> bool:
    """Whether a value is built of plain literals alone, so that its repr gives it back."""
    if depth > _DEEPEST:
        return False
    kind = type(value)
    if kind in (bool, int, str, bytes, complex, type(None)):
        return True
    if kind is float:
        return value == value and value not in (float("inf"), float("-inf"))
    if isinstance(value, list | tuple) and kind in (list, tuple):
        return all(literal(one, depth + 1) for one in value)
    if isinstance(value, set) and kind is set:
        return bool(value) and all(literal(one, depth + 1) for one in value)
    if isinstance(value, dict) and kind is dict:
        return all(literal(key, depth + 1) and literal(one, depth + 1) for key, one in value.items())
    return False


def record(collected: Collected, request: Mapping[str, object], report: Reporter) -> None:
    """Run tests and note the literal inputs a function is called with; one ``inputs`` record at the end."""
    tests, cap = request["tests"], request["cap"]
    assert isinstance(tests, list) and isinstance(cap, int)
    module = sys.modules.get(str(request["module"]))
    file = getattr(module, "__file__", "")
    qualname = str(request["qualname"])
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if code.co_qualname == qualname and code.co_filename == file and len(found) < cap:
            text = _inputs(frame, code)
            if text is not None:
                found.setdefault(text)

    items = [collected.items[str(name)] for name in tests if str(name) in collected.items]
    for index, item in enumerate(items):
        report("test", [index, 60.0])
        sys.settrace(note)
        try:
            execute(collected, item, items[index + 1] if index + 1 < len(items) else None)
        finally:
            sys.settrace(None)
        if len(found) >= cap:
            break
    teardown(collected)
    report("inputs", list(found))


def _inputs(frame: FrameType, code: CodeType) -> str | None:
    """The call's arguments as text of ``(args, kwargs)``, or None when they are no literals (or no fresh call)."""
    if code.co_flags & 0x20 and frame.f_lineno != code.co_firstlineno:
        return None  # a generator that goes on
    names = code.co_varnames
    count, only = code.co_argcount, code.co_kwonlyargcount
    values = frame.f_locals
    try:
        args = [values[name] for name in names[:count]]
        kwargs = {name: values[name] for name in names[count : count + only]}
        rest = count + only
        if code.co_flags & 0x04:
            args += values[names[rest]]
            rest += 1
        if code.co_flags & 0x08:
            kwargs |= values[names[rest]]
    except KeyError:
        return None
    with contextlib.suppress(Exception):
        if literal((tuple(args), kwargs)):
            text = repr((tuple(args), kwargs))
            return text if len(text) < 2000 else None
    return None
