"""Plain pytest on files on disk, in a fresh sandboxed process, with sentinels among the tests: the judge of claims."""

from __future__ import annotations

import json
import os
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autodev_lab.errors import LabError
from autodev_lab.execution.runs import TestRun
from autodev_lab.execution.sandbox import (
    RUNNER_PACKAGES,
    Limits,
    SandboxReport,
    boot_command,
    run_sandboxed,
    runner_roots,
)
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Edit

__all__ = ["PlainRun", "dependencies_path", "run_plain"]

_SLOWER = 4.0  # plain runs get this many times the CPU time, so that they never contradict the fast path by a hair
_FAILING = (
    "    assert {a} == {b}\n",
    "    raise ValueError({a})\n",
    "    with pytest.raises(KeyError):\n        int('{a}')\n",
    "    value = {{{a}: {b}}}\n    assert value.get({b}) == {a} + 1\n",
    "    pytest.fail('{a}')\n",
)
_PASSING = "    assert {a} + {b} == {c}\n"


@dataclass(frozen=True, slots=True)
class PlainRun:
    """Tests run by plain pytest on files on disk.

    Parameters
    ----------
    runs
        One a test asked for, in that order; a test that was not reported is ``crashed``.
    forged
        A sentinel did not come out as it must, a test was reported twice, or something unasked was reported.
    crashed
        The process ended before pytest did.
    """

    runs: tuple[TestRun, ...]
    forged: bool
    crashed: bool

    @property
    def passed(self) -> bool:
        """Whether every test passed and nothing was forged."""
        return bool(self.runs) and not self.forged and not self.crashed and all(run.passed for run in self.runs)


def run_plain(
    tree: SourceTree,
    *,
    tests: Sequence[str],
    edits: Sequence[Edit] = (),
    report: SandboxReport,
    limits: Limits | None = None,
    coverage: bool = False,
) -> PlainRun:
    """Run tests with plain pytest on a private copy of the tree with the edits applied.

    Parameters
    ----------
    tree
        The tree without the edits.
    tests
        Node ids, in the order to run them.
    edits
        The change under test.
    report, limits
        Isolation and limits.
    coverage
        Also note the package's lines each test executes.

    Returns
    -------
    PlainRun
        With edits, a test that is skipped counts as failed unless it is skipped without them too.

    Raises
    ------
    LabError
        If the sandbox cannot be built or the edits do not fit the tree.
    """
    limits = limits or Limits()
    run = _run(tree, list(tests), edits, report, limits, coverage)
    skipped = [one.test_id for one in run.runs if one.outcome in ("skipped", "xfailed")]
    if not edits or not skipped:
        return run
    before = {
        one.test_id
        for one in _run(tree, skipped, (), report, limits, False).runs
        if one.outcome in ("skipped", "xfailed")
    }
    runs = tuple(
        replace(one, passed=False, message=one.message or "skipped, but not without the change")
        if one.test_id in skipped and one.test_id not in before
        else one
        for one in run.runs
    )
    return replace(run, runs=runs)


@dataclass(frozen=True, slots=True)
class _Sentinels:
    """Tests with a known outcome, in a file of their own with a name nobody knows beforehand."""

    path: str
    text: str
    failing: frozenset[str]
    passing: frozenset[str]

    @staticmethod
    def make() -> _Sentinels:
        draw = random.SystemRandom()
        path = f"test_{secrets.token_hex(6)}.py"
        failing: set[str] = set()
        passing: set[str] = set()
        parts = ["import pytest\n"]
        bodies = [*_FAILING, _PASSING, _PASSING, draw.choice(_FAILING)]
        draw.shuffle(bodies)
        for body in bodies:
            name = f"test_{secrets.token_hex(5)}"
            a = draw.randrange(1000, 9000)
            b = a + draw.randrange(1, 900)
            parts.append(f"\n\ndef {name}():\n{body.format(a=a, b=b, c=a + b)}")
            (passing if body is _PASSING else failing).add(f"{path}::{name}")
        return _Sentinels(path, "".join(parts), frozenset(failing), frozenset(passing))

    def mix(self, tests: Sequence[str]) -> list[str]:
        """Put sentinels before, after and between files, so that module fixtures keep their scope."""
        draw = random.SystemRandom()
        names = [*self.failing, *self.passing]
        draw.shuffle(names)
        mixed: list[str] = [names.pop()]
        for index, test in enumerate(tests):
            previous = tests[index - 1].partition("::")[0] if index else ""
            if index and previous != test.partition("::")[0] and len(names) > 2:
                mixed.append(names.pop())
            mixed.append(test)
        return mixed + names


def _run(
    tree: SourceTree, tests: list[str], edits: Sequence[Edit], report: SandboxReport, limits: Limits, coverage: bool
) -> PlainRun:
    if tree.package.partition(".")[0] in RUNNER_PACKAGES:
        raise LabError(f"{tree.package} is part of the test runner itself and cannot be tested by it; choose another")
    sentinels = _Sentinels.make()
    token = secrets.token_hex(12)
    home = "/lab" if report.namespaces else "{home}"
    first = f"{home}/tree/{tree.import_root}".rstrip("/")
    dependencies = dependencies_path(tree, report)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    request = {
        "root": f"{home}/tree",
        "import_path": [first, dependencies] if dependencies else [first],
        "package_path": tree.package_path,
        "paths": [*files, sentinels.path],
        "test_paths": list(tree.test_paths),
        "tests": sentinels.mix(tests),
        "seconds": limits.cpu_seconds_per_test * _SLOWER * (5 if coverage else 1) + 2.0,
        "coverage": coverage,
        "token": token,
    }
    plain_edits = [(edit.path, edit.start_line, edit.end_line, edit.replacement) for edit in edits]
    done = run_sandboxed(
        boot_command("plainrun"),
        readable=(),
        writable=None,
        cwd=None,
        limits=replace(limits, output_bytes=64 << 20),
        report=report,
        env={
            "AUTODEV_LAB_RUNNER": os.pathsep.join(runner_roots()) if report.namespaces else "{home}/runner",
            "PYTHONPATH": os.pathsep.join(part for part in (first, dependencies) if part),
        },
        tree=tree.root,
        edits=[*plain_edits, (sentinels.path, 1, 0, sentinels.text)],
        dependencies=tree.dependencies,
        stdin=json.dumps(request).encode("ascii"),
    )
    return _judge(done.stdout, token, tests, sentinels)


def dependencies_path(tree: SourceTree, report: SandboxReport) -> str:
    """Where a room shows what the tree's tests need beside it; "" if they need nothing."""
    if tree.dependencies is None:
        return ""
    return "/lab/deps" if report.namespaces else os.path.realpath(tree.dependencies)


def _judge(output: bytes, token: str, tests: Sequence[str], sentinels: _Sentinels) -> PlainRun:
    """Check the report: every test once, every sentinel as it must be, nothing else."""
    seen: dict[str, TestRun] = {}
    expected = {*tests, *sentinels.failing, *sentinels.passing}
    forged = finished = False
    for line in output.decode("ascii", "replace").splitlines():
        parts = line.split(" ", 2)
        if len(parts) != 3 or parts[0] != token or finished:
            forged = True
            continue
        if parts[1] == "finished":
            finished = True
            continue
        try:
            name, outcome, seconds, message, lines = json.loads(parts[2])
            covered = frozenset((str(path), int(number)) for path, numbers in lines.items() for number in numbers)
            run = TestRun(
                str(name),
                outcome in ("passed", "skipped", "xfailed"),
                float(seconds),
                str(message),
                covered,
                str(outcome),
            )
        except (ValueError, TypeError, AttributeError):
            forged = True
            continue
        forged = forged or run.test_id in seen or run.test_id not in expected
        seen[run.test_id] = run
    for name in sentinels.failing | sentinels.passing:
        if name in seen:
            forged = forged or seen[name].outcome != ("failed" if name in sentinels.failing else "passed")
        elif finished:
            forged = True
    runs = tuple(seen.get(name) or TestRun(name, False, 0.0, "not reported", frozenset(), "crashed") for name in tests)
    return PlainRun(runs, forged, not finished)
