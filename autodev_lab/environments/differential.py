"""Whether a changed function answers as the pristine one does, on inputs recorded from tests and mutated.

Tests that were held out see a change on the inputs somebody thought of; calls with those inputs slightly changed see
more. The pristine package says what the answers should be, in another process than the changed one.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np

from autodev_lab.environments.cache import key_of
from autodev_lab.environments.faulty import Faulty
from autodev_lab.execution.calling import call_functions, record_calls
from autodev_lab.execution.sides import Side
from autodev_lab.files import stable_seed
from autodev_lab.records import Edit, Truth

__all__ = ["LocatedTruth", "ScatteredTruth", "differential_agrees", "module_of", "mutated_inputs", "reference_calls"]

_RECORDED = 60
_MUTANTS_EACH = 2
_UNSTABLE = ("timeout", "crashed", "no such function")


@runtime_checkable
class LocatedTruth(Protocol):
    """A truth that says which function is faulty."""

    @property
    def path(self) -> str: ...
    @property
    def qualname(self) -> str: ...


@runtime_checkable
class ScatteredTruth(Protocol):
    """A truth that says which functions are faulty, as (path, qualified name), where they are several."""

    @property
    def places(self) -> tuple[tuple[str, str], ...]: ...


def differential_agrees(faulty: Faulty, truth: Truth, edits: Sequence[Edit]) -> bool | None:
    """Compare the changed functions with the pristine ones.

    Inputs are those with which all the package's own tests call them where they are plain literals, and mutations of
    them; calls that the pristine function does not answer the same twice are left out.

    Returns
    -------
    bool or None
        None where there was nothing to compare: a truth that names no function, or no call with plain inputs.
    """
    verdict: bool | None = None
    for path, name in _places(truth):
        agreed = _agrees(faulty, path, name, edits)
        if agreed is not None:
            verdict = agreed
        if agreed is False:
            break
    return verdict


def _places(truth: Truth) -> tuple[tuple[str, str], ...]:
    if isinstance(truth, ScatteredTruth):
        return truth.places
    return ((truth.path, truth.qualname),) if isinstance(truth, LocatedTruth) else ()


def _agrees(faulty: Faulty, path: str, name: str, edits: Sequence[Edit]) -> bool | None:
    """The same for one function."""
    if "<locals>" in name:
        return None
    key = key_of("reference", faulty.unfaulted, path, name)
    kept = faulty.cache.remember(key, lambda: reference_calls(faulty, path, name))
    calls = cast("Sequence[tuple[str, str]]", kept)
    if not calls:
        return None
    sides = (Side.VISIBLE,)
    tree = faulty.bench.tree(faulty.subject, sides, faulty.truth.split_seed, faulty.truth.edits)
    answers = call_functions(
        tree,
        edits=edits,
        module=module_of(path, faulty.subject.tree.import_root),
        qualname=name,
        inputs=[given for given, _ in calls],
        report=faulty.bench.report,
        limits=faulty.bench.limits,
        pool=faulty.bench.nursery,
    )
    return all(answer == wanted for answer, (_, wanted) in zip(answers, calls, strict=True))


def reference_calls(faulty: Faulty, path: str, qualname: str) -> list[tuple[str, str]]:
    """Inputs of a function and what the pristine package answers, where it answers the same twice."""
    bench = faulty.bench
    tree = bench.tree(faulty.subject, tuple(Side), faulty.truth.split_seed, ())
    module = module_of(path, faulty.subject.tree.import_root)
    recorded = record_calls(
        tree,
        tests=bench.collect(tree),
        module=module,
        qualname=qualname,
        report=bench.report,
        limits=bench.limits,
        pool=bench.nursery,
        cap=_RECORDED,
    )
    inputs = mutated_inputs(recorded, stable_seed("differential", path, qualname))
    if not inputs:
        return []
    first, second = (
        call_functions(
            tree,
            module=module,
            qualname=qualname,
            inputs=inputs,
            report=bench.report,
            limits=bench.limits,
            pool=bench.nursery,
        )
        for _ in range(2)
    )
    return [
        (given, one)
        for given, one, other in zip(inputs, first, second, strict=True)
        if one == other and not one.startswith(_UNSTABLE)
    ]


def mutated_inputs(recorded: Sequence[str], seed: int) -> list[str]:
    """The recorded inputs, and copies of them with one literal changed.

    Parameters
    ----------
    recorded
        Literals of an (args, kwargs) pair each.
    seed
        Of the choice of literal and change.

    Examples
    --------
    >>> mutated_inputs(["((3,), {})"], 1)[0]
    '((3,), {})'
    """
    rng = np.random.default_rng(seed)
    inputs = dict.fromkeys(recorded)
    for text in recorded:
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, RecursionError):
            continue
        for _ in range(_MUTANTS_EACH):
            mutant = _mutant(tree, rng)
            if mutant is not None:
                inputs[mutant] = None
    return list(inputs)


def _mutant(tree: ast.Expression, rng: np.random.Generator) -> str | None:
    """The expression with one of its constants, or one of its lists, changed; names of keywords stay."""
    changed = copy.deepcopy(tree)
    pair = changed.body
    names: set[int] = set()
    if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and isinstance(pair.elts[1], ast.Dict):
        names = {id(key) for key in pair.elts[1].keys}
    places = [
        node
        for node in ast.walk(changed)
        if (isinstance(node, ast.Constant) and id(node) not in names) or (isinstance(node, ast.List) and node.elts)
    ]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    if isinstance(place, ast.List):
        place.elts = place.elts[1:] if rng.integers(2) else [*place.elts, copy.deepcopy(place.elts[0])]
    elif isinstance(place, ast.Constant):
        choices = _others(place.value)
        place.value = choices[int(rng.integers(len(choices)))]
    return ast.unparse(changed)


def _others(value: object) -> list[str | bytes | bool | int | float | complex | None]:
    """Neighbours of a constant; values of other kinds become None."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, -value, 0, 2 * value]
    if isinstance(value, float):
        return [value + 1.0, value - 0.5, -value, 0.0]
    if isinstance(value, str):
        return ["", value[:-1], value + value[:1], value.upper(), value + " ", value[::-1]]
    if isinstance(value, bytes):
        return [b"", value[:-1], value + b"x"]
    return [0, ""]


def module_of(path: str, import_root: str) -> str:
    """Dotted name of a file's module.

    Examples
    --------
    >>> module_of("src/pkg/__init__.py", "src"), module_of("pkg/a.py", "")
    ('pkg', 'pkg.a')
    """
    relative = path.removeprefix(f"{import_root}/") if import_root else path
    return relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
