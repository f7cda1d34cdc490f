"""What pytest-testmon would run again after a change: a real one, its database collected once on the tree as it is."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.plain import dependencies_path
from autodev_lab.execution.sandbox import Limits, SandboxReport, boot_command, run_sandboxed, runner_roots
from autodev_lab.execution.trees import SourceTree

__all__ = ["TestmonAnswer", "ask_testmon", "testmon_is_installed"]

_PACKAGES = ("testmon", "coverage")
_SECONDS = 600.0
"""Processor seconds for all: testmon traces every test, and reads every file again for every change."""


@dataclass(frozen=True, slots=True)
class TestmonAnswer:
    """What testmon knows and selects.

    Parameters
    ----------
    known
        Tests in its database; it runs any other, for it knows nothing of it.
    selected
        For each change, the tests of its database it would run again.
    """

    __test__ = False  # no test of pytest's

    known: frozenset[str]
    selected: tuple[frozenset[str], ...]


def testmon_is_installed() -> bool:
    """Whether pytest-testmon can be had."""
    return importlib.util.find_spec("testmon") is not None


testmon_is_installed.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


def ask_testmon(
    tree: SourceTree, changes: Sequence[Mapping[str, str]], *, report: SandboxReport, limits: Limits | None = None
) -> TestmonAnswer:
    """Run all tests once under testmon, then put each change into the files and ask which tests it affects.

    Parameters
    ----------
    tree
        The tree as it is.
    changes
        Of each change, new texts by path.
    report, limits
        Isolation and limits; the database is made where the tests run, in a room of its own.

    Raises
    ------
    LabError
        If pytest-testmon is not installed, or ends before it has answered.
    """
    if not testmon_is_installed():
        raise LabError("pytest-testmon is not installed; install it with: python -m pip install pytest-testmon")
    shown = [path for name in _PACKAGES for path in _places(name)]
    home = "/lab" if report.namespaces else "{home}"
    roots = [*runner_roots(), *dict.fromkeys(str(path.parent) for path in shown)]
    dependencies = dependencies_path(tree, report)
    limits = limits or Limits()
    request = {
        "root": f"{home}/tree",
        "import_root": tree.import_root,
        "import_path": [dependencies] if dependencies else [],
        "paths": list(tree.test_paths),
        "changes": [dict(change) for change in changes],
    }
    done = run_sandboxed(
        boot_command("testmonrun"),
        readable=shown,
        writable=None,
        cwd=None,
        limits=replace(limits, output_bytes=256 << 20, cpu_seconds_total=max(_SECONDS, limits.cpu_seconds_total)),
        report=report,
        env={"AUTODEV_LAB_RUNNER": os.pathsep.join(dict.fromkeys(roots))},
        tree=tree.root,
        dependencies=tree.dependencies,
        stdin=json.dumps(request).encode("ascii"),
    )
    try:
        answer = json.loads(done.stdout)
        if not answer["known"]:
            raise ValueError("an empty database")
        return TestmonAnswer(frozenset(answer["known"]), tuple(map(frozenset, answer["selected"])))
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"pytest-testmon did not come to an end on {tree.package}; leave the arm testmon out with -p arms=..."
        ) from error


def _places(name: str) -> list[Path]:
    """A package's folder and its metadata, at their own places."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise LabError(f"{name} is not installed; install it with: python -m pip install {name}")
    package = Path(os.path.realpath(spec.origin)).parent
    return [package, *sorted(package.parent.glob(f"*{name}-*.dist-info"))]
