"""Static evidence about a change: what linter, security scanner and complexity counter find before and after it."""

from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import json
import logging
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import lizard

from autodev_lab.errors import LabError
from autodev_lab.execution.trees import split_lines
from autodev_lab.records import Inspection

__all__ = ["changed_lines", "executable_lines", "import_graph", "inspect_change", "reachable"]

_RUFF_RULES = "E7,E9,F,B,PLE"
"""Wrong or suspicious code (pyflakes, bugbear, pylint's errors, comparisons to singletons); no matters of style."""

_KEPT_TEXTS = 64
"""Files whose findings are kept in memory: changes of one task share the text before them."""


def inspect_change(task_id: str, before: Mapping[str, str], after: Mapping[str, str]) -> Inspection:
    """Inspect a change of a package.

    Parameters
    ----------
    task_id
        For the record.
    before, after
        Text of every source file of the package by path, without the change and with it.

    Returns
    -------
    Inspection
        Findings are those of the changed files that the change adds: more of one rule than there were.
    """
    paths = [path for path in after if before.get(path, "") != after[path]]
    old, new = ({path: side.get(path, "") for path in paths} for side in (before, after))
    security_before, security_after = _bandit(old), _bandit(new)
    added = security_after - security_before
    severe = sum(count for (_, _, severity), count in added.items() if severity == "HIGH")
    graph = import_graph(after)
    counts = [_diff_size(before.get(path, ""), after[path]) for path in paths]
    complexity = [_complexity(before.get(path, ""), after[path], path) for path in paths]
    return Inspection(
        task_id,
        lint=(_ruff(new) - _ruff(old)).total(),
        security=added.total(),
        security_severe=severe,
        complexity_before=max((one[0] for one in complexity), default=0),
        complexity_after=max((one[1] for one in complexity), default=0),
        lines_added=sum(one[0] for one in counts),
        lines_removed=sum(one[1] for one in counts),
        files=len(paths),
        dependents=len(reachable(_reversed(graph), paths) - set(paths)),
        dependencies=len(reachable(graph, paths) - set(paths)),
        modules=len(after),
    )


# ------------------------------------------------------------------------------------------------------- findings


def _ruff(texts: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """Findings by path and rule."""
    return Counter((path, rule) for path, text in texts.items() for rule in _ruff_rules(path, text))


@functools.lru_cache(_KEPT_TEXTS)
def _ruff_rules(path: str, text: str) -> tuple[str, ...]:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", _RUFF_RULES]
    command += ["--output-format", "json", "--exit-zero", "--stdin-filename", Path(path).name, "-"]
    done = subprocess.run(command, input=text.encode("utf-8"), capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ruff failed on {path}: {done.stderr.decode(errors='replace').strip()[:200]}; reinstall ruff")
    return tuple(str(finding["code"]) for finding in json.loads(done.stdout))


def _bandit(texts: Mapping[str, str]) -> Counter[tuple[str, str, str]]:
    """Findings by path, test and severity."""
    return Counter((path, *issue) for path, text in texts.items() for issue in _bandit_issues(path, text))


@functools.lru_cache(_KEPT_TEXTS)
def _bandit_issues(path: str, text: str) -> tuple[tuple[str, str], ...]:
    with warnings.catch_warnings(), _quiet("stevedore.extension"):  # it misses an extra of bandit's, and says so
        warnings.simplefilter("ignore", DeprecationWarning)  # stevedore's own use of what it deprecates
        from bandit.core import config as bandit_config  # here: it takes a quarter of a second
        from bandit.core import manager as bandit_manager
    with tempfile.TemporaryDirectory(prefix="autodev-inspect-") as folder:
        file = Path(folder) / Path(path).name
        file.write_bytes(text.encode("utf-8"))
        manager = bandit_manager.BanditManager(bandit_config.BanditConfig(), "file", quiet=True)
        manager.discover_files([str(file)])
        manager.run_tests()
        return tuple((str(issue.test_id), str(issue.severity)) for issue in manager.get_issue_list())


@contextlib.contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """A logger that reports what ends a program alone."""
    known = logging.getLogger(logger)
    before = known.level
    known.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        known.setLevel(before)


# --------------------------------------------------------------------------------------------- size and complexity


def changed_lines(before: str, after: str) -> frozenset[int]:
    r"""Lines of the new text, 1-based, that are not in the old one.

    Examples
    --------
    >>> sorted(changed_lines("a\nb\nc\n", "a\nB\nB2\nc\n"))
    [2, 3]
    """
    matcher = difflib.SequenceMatcher(None, split_lines(before), split_lines(after), autojunk=False)
    return frozenset(
        line for tag, _, _, start, end in matcher.get_opcodes() if tag != "equal" for line in range(start + 1, end + 1)
    )


def executable_lines(text: str) -> frozenset[int]:
    r"""Lines that a tracer could see run, as the compiler numbers them.

    Examples
    --------
    >>> sorted(executable_lines("# note\nx = 1\n\ndef f():\n    return x\n"))
    [2, 4, 5]
    """
    lines: set[int] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the text, which is not ours
        codes = [compile(text, "<text>", "exec", dont_inherit=True)]
    while codes:
        code = codes.pop()
        lines.update(line for _, _, line in code.co_lines() if line)
        codes.extend(one for one in code.co_consts if isinstance(one, type(code)))
    return frozenset(lines)


def _diff_size(before: str, after: str) -> tuple[int, int]:
    """Lines added and removed."""
    matcher = difflib.SequenceMatcher(None, split_lines(before), split_lines(after), autojunk=False)
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return sum(code[4] - code[3] for code in changes), sum(code[2] - code[1] for code in changes)


def _complexity(before: str, after: str, path: str) -> tuple[int, int]:
    """Greatest cyclomatic complexity of the functions touched, before and after."""
    touched_after = changed_lines(before, after)
    touched_before = changed_lines(after, before)
    return _greatest(before, touched_before, touched_after, path), _greatest(after, touched_after, touched_before, path)


def _greatest(text: str, touched: frozenset[int], elsewhere: frozenset[int], path: str) -> int:
    """Of one side; where nothing was touched (a pure insertion or deletion), the other side's places are looked at."""
    lines = touched or elsewhere
    functions = lizard.analyze_file.analyze_source_code(path, text).function_list
    return max(
        (
            int(one.cyclomatic_complexity)
            for one in functions
            if any(one.start_line <= line <= one.end_line for line in lines)
        ),
        default=0,
    )


# --------------------------------------------------------------------------------------------------------- imports


def import_graph(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Which files of a package each file imports, by path.

    Examples
    --------
    >>> import_graph({"p/__init__.py": "", "p/a.py": "from . import b", "p/b.py": "import os"})["p/a.py"]
    ('p/__init__.py', 'p/b.py')
    """
    modules = {_module(path): path for path in sorted(texts)}
    graph: dict[str, tuple[str, ...]] = {}
    for path in sorted(texts):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(texts[path])
        except SyntaxError:
            graph[path] = ()
            continue
        targets = {modules[name] for name in _imported(tree, path) if name in modules}
        graph[path] = tuple(sorted(targets - {path}))
    return graph


def _module(path: str) -> str:
    """Dotted name as seen from the directory that holds the package."""
    parts = list(Path(path).with_suffix("").parts)
    if parts and parts[0] == "src":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts and parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST, path: str) -> Iterable[str]:
    package = _module(path).split(".")
    if Path(path).name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield prefix
            for name in node.names:
                yield f"{prefix}.{name.name}" if prefix else name.name


def _reversed(graph: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {path: [] for path in graph}
    for path, targets in graph.items():
        for target in targets:
            found[target].append(path)
    return {path: tuple(sources) for path, sources in found.items()}


def reachable(graph: Mapping[str, Sequence[str]], starts: Sequence[str]) -> frozenset[str]:
    """Files that can be reached from some files, themselves included."""
    seen: dict[str, None] = {}
    stack = list(starts)
    while stack:
        path = stack.pop()
        if path not in seen:
            seen[path] = None
            stack.extend(graph.get(path, ()))
    return frozenset(seen)
