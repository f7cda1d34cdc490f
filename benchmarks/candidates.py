"""Candidates evaluated per second: the zygote in chunks, one fork a candidate, one pytest process a candidate.

``python benchmarks/candidates.py [--json] [--candidates N] [--processes N]`` downloads three pure packages with pip
(sdist or wheel, tests inside), injects one bug into each that its tests detect, and evaluates operator mutations of the
faulty package, and its fix, three ways with the same tests, failing ones first. ``ratio`` is the smallest over the
packages of candidates per second in chunks to candidates per second with a pytest process each;
``ratio_without_plugins`` the same against a pytest that loads no installed plugin; ``ratio_fork_each`` against a fork
for each candidate.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from autodev_lab import __version__
from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.probing import require
from autodev_lab.execution.runs import CandidateRun
from autodev_lab.execution.sandbox import Limits, SandboxReport
from autodev_lab.execution.trees import SourceTree, apply_to_tree, read_source, split_lines
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit

PACKAGES = {
    "toolz": ("toolz==1.0.0", "wheel", "toolz", ("toolz/tests",)),
    "schema": ("schema==0.7.7", "sdist", "schema.py", ("test_schema.py",)),
    "semver": ("semver==3.0.4", "sdist", "src/semver", ("tests",)),
}
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(path: str, text: str) -> list[Candidate]:
    """One-line operator mutations inside functions: operators, constants, negated conditions, returned None."""
    lines = split_lines(text)
    found: dict[str, Candidate] = {}
    for top in ast.parse(text).body:
        if not isinstance(top, ast.FunctionDef | ast.ClassDef):
            continue
        for function in ast.walk(top):
            if not isinstance(function, ast.FunctionDef):
                continue
            for statement in function.body:
                for node in ast.walk(statement):
                    for new in _variants(node):
                        _add(found, path, lines, node, new)
    return list(found.values())


def _variants(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        return [ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return [ast.Compare(node.left, [SWAPS[type(node.ops[0])](), *node.ops[1:]], node.comparators)]
    if isinstance(node, ast.BoolOp):
        return [ast.BoolOp(SWAPS[type(node.op)](), node.values), node.values[0]]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return [ast.Constant(node.value + 1), ast.Constant(node.value - 1)]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.Call):
        return [ast.Constant(None), *node.args[:1]]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return [ast.Constant(None)]
    return []


def _add(found: dict[str, Candidate], path: str, lines: list[str], node: ast.AST, new: ast.expr) -> None:
    if not isinstance(node, ast.expr) or node.lineno != node.end_lineno:
        return
    line = lines[node.lineno - 1].encode()
    text = ast.unparse(ast.fix_missing_locations(new)).encode()
    changed = (line[: node.col_offset] + b"(" + text + b")" + line[node.end_col_offset :]).decode()
    candidate = Candidate((Edit(path, node.lineno, node.lineno, changed),), "operator")
    found.setdefault(candidate.id, candidate)


def fetch(name: str, folder: Path) -> SourceTree:
    """Download a package with pip and unpack it."""
    requirement, kind, package_path, tests = PACKAGES[name]
    choice = "--no-binary" if kind == "sdist" else "--only-binary"
    target = folder / name
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        choice,
        ":all:",
        "--dest",
        str(target),
        requirement,
    ]
    subprocess.run(command, check=True, stdout=sys.stderr)
    (archive,) = target.iterdir()
    root = target / "tree"
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(root)
    else:
        with tarfile.open(archive) as sdist:
            sdist.extractall(root, filter="data")
        (root,) = root.iterdir()
    return SourceTree(root, name, "src" if package_path.startswith("src/") else "", package_path, tests)


def sources(tree: SourceTree) -> dict[str, str]:
    """Text of the package's files, without its tests."""
    place = tree.root / tree.package_path
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    names = [path.relative_to(tree.root).as_posix() for path in files]
    return {name: read_source(tree.root / name) for name in names if "tests/" not in name and "test_" not in name}


def measure(
    tree: SourceTree, report: SandboxReport, nursery: Nursery, candidates: int, processes: int
) -> dict[str, object]:
    """Break one package and time the three ways on the same candidates."""
    limits = Limits()
    draw = random.Random(7)
    with Zygote(tree, report=report, pool=nursery, limits=limits) as pristine:
        passing = [run.test_id for run in pristine.run() if run.outcome == "passed"]
        possible = [one for path, text in sources(tree).items() for one in mutants(path, text)]
        draw.shuffle(possible)
        bug, killing = _bug(pristine, possible, passing)
    faulty = tree.root.parent / "faulty"
    shutil.copytree(tree.root, faulty)
    apply_to_tree(faulty, bug.edits)
    broken = SourceTree(faulty, tree.package, tree.import_root, tree.package_path, tree.test_paths)
    order = [*killing, *[name for name in passing if name not in killing]]
    pool = [one for path, text in sources(broken).items() for one in mutants(path, text)]
    draw.shuffle(pool)
    pool, spare = pool[: candidates - 1], pool[candidates : candidates + 40]
    pool.insert(draw.randrange(len(pool)), _fix(tree, bug))  # a search meets one candidate that passes every test
    with Zygote(broken, report=report, pool=nursery, limits=limits) as zygote:
        zygote.run(order)
        zygote.evaluate(spare, tests=order)  # both timed passes find every process started
        chunked, fast = _timed(zygote, pool, order, 40)
        few = pool[: max(40, candidates // 4)]
        forked, slow = _timed(zygote, few, order, 1)
    agree = sum(a.status is b.status for a, b in zip(fast, slow, strict=False))
    sample = draw.sample(range(len(pool)), processes)
    peers = [pool[index] for index in sample], order, [fast[index] for index in sample]
    single, same = _processes(broken, *peers, plugins=True)
    bare, _ = _processes(broken, *peers, plugins=False)
    return {
        "tests": len(order),
        "candidates": len(pool),
        "chunk_per_second": round(chunked, 1),
        "fork_each_per_second": round(forked, 1),
        "process_each_per_second": round(single, 3),
        "process_each_without_plugins_per_second": round(bare, 3),
        "ratio_process": round(chunked / single, 1),
        "ratio_process_without_plugins": round(chunked / bare, 1),
        "ratio_fork": round(chunked / forked, 2),
        "agree_fork": f"{agree}/{len(few)}",
        "agree_process": f"{same}/{processes}",
        "statuses": {status.value: sum(one.status is status for one in fast) for status in CandidateStatus},
    }


def _bug(pristine: Zygote, possible: list[Candidate], passing: list[str]) -> tuple[Candidate, tuple[str, ...]]:
    """The first mutant that few tests detect."""
    for candidate in possible:
        (run,) = pristine.evaluate([candidate], tests=passing, all_failures=True)
        if run.status is CandidateStatus.FAILED and len(run.failing) <= max(5, len(passing) // 10):
            return candidate, run.failing
    raise SystemExit("no mutant is detected by a few tests only")


def _timed(
    zygote: Zygote, pool: list[Candidate], order: list[str], chunk: int
) -> tuple[float, tuple[CandidateRun, ...]]:
    started = time.perf_counter()
    runs = zygote.evaluate(pool, tests=order, chunk=chunk)
    return len(pool) / (time.perf_counter() - started), runs


def _fix(tree: SourceTree, bug: Candidate) -> Candidate:
    """The candidate that puts the original lines back."""
    (edit,) = bug.edits
    lines = split_lines(read_source(tree.root / edit.path))
    original = "".join(lines[edit.start_line - 1 : edit.end_line])
    return Candidate((Edit(edit.path, edit.start_line, edit.end_line, original),), "fix")


def _processes(
    tree: SourceTree, pool: list[Candidate], order: list[str], claims: list[CandidateRun], *, plugins: bool
) -> tuple[float, int]:
    """What peers do: files on disk, one pytest process a candidate, stop at the first failure.

    A process loads every pytest plugin that is installed beside the lab, unless told not to: both are timed.
    """
    files = list(dict.fromkeys(name.partition("::")[0] for name in order))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", order[0], *files]
    environment = os.environ | {"PYTHONPATH": str(tree.root / tree.import_root)}
    if not plugins:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    same, spent = 0, 0.0
    for candidate, claim in zip(pool, claims, strict=False):
        path = tree.root / candidate.edits[0].path
        before = path.read_bytes()
        apply_to_tree(tree.root, candidate.edits)
        started = time.perf_counter()
        try:
            done = subprocess.run(
                command,
                cwd=tree.root,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=30,
            )
            passed = done.returncode == 0
        except subprocess.TimeoutExpired:
            passed = False
        spent += time.perf_counter() - started
        path.write_bytes(before)
        same += passed == (claim.status is CandidateStatus.PLAUSIBLE)
    return len(pool) / spent, same


def main() -> None:
    """Measure and print one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the object on one line")
    parser.add_argument("--candidates", type=int, default=400, help="candidates a package")
    parser.add_argument("--processes", type=int, default=8, help="candidates a package with a pytest process each")
    chosen = parser.parse_args()
    report = require()
    with tempfile.TemporaryDirectory() as folder, Nursery() as nursery:
        packages = {}
        for name in PACKAGES:
            print(f"{name} ...", file=sys.stderr)
            tree = fetch(name, Path(folder))
            packages[name] = measure(tree, report, nursery, chosen.candidates, chosen.processes)
    result = {
        "benchmark": "candidates",
        "ratio": min(float(str(one["ratio_process"])) for one in packages.values()),
        "ratio_without_plugins": min(float(str(one["ratio_process_without_plugins"])) for one in packages.values()),
        "ratio_fork_each": min(float(str(one["ratio_fork"])) for one in packages.values()),
        "ours": "candidates per second, chunks of 40 forked from a collected zygote, one core",
        "peer": "candidates per second, one pytest process a candidate",
        "packages": packages,
        "sandbox": report.summary(),
        "versions": {"autodev_lab": __version__, "python": platform.python_version(), "pytest": _pytest_version()},
    }
    print(json.dumps(result) if chosen.json else json.dumps(result, indent=2))


def _pytest_version() -> str:
    from importlib.metadata import version

    return version("pytest")


if __name__ == "__main__":
    main()
