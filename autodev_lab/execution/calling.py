"""Call a function of a tree with given inputs, and collect the inputs tests give it: differential testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autodev_lab.errors import LabError
from autodev_lab.execution.inside.wire import Closed
from autodev_lab.execution.nursery import Nursery, Room
from autodev_lab.execution.sandbox import Limits, SandboxReport
from autodev_lab.execution.trees import SourceTree
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Edit

__all__ = ["call_functions", "record_calls"]


def call_functions(
    tree: SourceTree,
    *,
    edits: Sequence[Edit] = (),
    module: str,
    qualname: str,
    inputs: Sequence[str],
    report: SandboxReport,
    limits: Limits | None = None,
    pool: Nursery | None = None,
) -> tuple[str, ...]:
    """Call one function of the (edited) package once per input, in the sandbox.

    What to expect stays on this side, so a hostile function cannot know what to answer.

    Parameters
    ----------
    tree
        The tree without the edits.
    edits
        The change under test.
    module, qualname
        The function: ``"toolz.itertoolz"``, ``"interleave"`` or ``"Class.method"``.
    inputs
        Literals of an (args tuple, kwargs dict) pair each: ``"((1, 2), {'key': 3})"``.
    report, limits, pool
        Isolation, limits, and a nursery to share.

    Returns
    -------
    tuple of str
        A canonical text per input: equal for equal results. Otherwise ``raises TypeError``, ``timeout``, ``crashed``,
        or ``no such function: ...``. Arguments changed in place are part of the text.

    Raises
    ------
    LabError
        If the sandbox cannot be built or the edits do not fit.
    """
    limits = limits or Limits()
    nursery = pool or Nursery()
    results: list[str] = []
    room: Room | None = None
    try:
        while len(results) < len(inputs):
            if room is None:
                room = nursery.room(tree, report, limits, edits)
            rest = list(inputs[len(results) :])
            request = _request(tree, limits) | {"op": "call", "module": module, "qualname": qualname, "inputs": rest}
            try:
                reply = room.ask(request)
            except Closed:
                room.close()
                room = None
                results.append("crashed")
                continue
            results += _values(reply, len(rest))
    finally:
        if room is not None:
            room.close()
        if pool is None:
            nursery.close()
    return tuple(results)


def _values(reply: Mapping[str, object], expected: int) -> list[str]:
    """Values of one process, and what became of the input during which it ended."""
    records = reply["records"]
    assert isinstance(records, list)
    failed = [str(body) for kind, body in records if kind == "failed"]
    if failed:
        return [f"no such function: {failed[0]}"] * expected
    values = [str(body)[:20000] for kind, body in records if kind == "value"][:expected]
    if len(values) < expected:
        values.append("timeout" if reply["how"] == "timeout" else "crashed")
    return values


def record_calls(
    tree: SourceTree,
    *,
    tests: Sequence[str],
    module: str,
    qualname: str,
    report: SandboxReport,
    limits: Limits | None = None,
    pool: Nursery | None = None,
    cap: int = 200,
) -> tuple[str, ...]:
    """Inputs with which tests call a function, where they are plain literals.

    Parameters
    ----------
    tests
        Node ids to run.
    cap
        Most inputs kept; duplicates count once.

    Returns
    -------
    tuple of str
        Literals as `call_functions` takes them, in order of first appearance.
    """
    limits = limits or Limits()
    with Zygote(tree, tests=tests, report=report, limits=limits, pool=pool) as zygote:
        request = _request(tree, limits) | {
            "op": "record",
            "tests": list(zygote.tests),
            "module": module,
            "qualname": qualname,
            "cap": cap,
        }
        reply = zygote.ask(request)
    if reply is None:
        raise LabError(f"the tests of {tree.package} ended their process while calls were recorded")
    records = reply["records"]
    assert isinstance(records, list)
    found = [body for kind, body in records if kind == "inputs"]
    return tuple(str(text) for text in found[0]) if found else ()


def _request(tree: SourceTree, limits: Limits) -> dict[str, object]:
    return {
        "import_root": tree.import_root,
        "package_path": tree.package_path,
        "paths": [],
        "test_paths": list(tree.test_paths),
        "only": None,
        "seconds": 4 * limits.cpu_seconds_per_test,
        "cpu_total": limits.cpu_seconds_total,
    }
