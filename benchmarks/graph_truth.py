"""The code graph of a package against what its own tests were seen to do.

The tests run once under `sys.setprofile`, an import hook and coverage. *Recall*: of calls and imports that were seen
within the folder, the share the graph has. *Precision*: of the links the graph has from what ran (calls: from
definitions every line of which ran), the share that was seen. A link not seen need not be wrong: the condition it is
under may never have held. Calls are judged by the function called, outside the tests; generators and coroutines are
left out, because a profiler sees who iterates them and not who called them.

*Tests reaching*: for each function that some test ran, which tests the graph names within some steps, by `impact` and
by `affected_tests`: the share of the tests that ran it, and the share of all tests that are named.

    python benchmarks/graph_truth.py FOLDER [--tests PATH ...] [--path FOLDER ...] [--json] [--show N]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from autodev_lab.memory.code_files import is_test_side
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.memory.graph_store import GraphNode

WAYS = ("impact", "affected_tests")
WATCHER = """
import atexit, builtins, importlib, json, os, sys, threading
import coverage
ROOT = os.environ["TRUTH_ROOT"] + os.sep
calls, imports, reached = set(), set(), set()
real = builtins.__import__
def place(code):
    return (code.co_filename, code.co_firstlineno, code.co_name)
def note(source, name):
    module = sys.modules.get(name)
    target = getattr(module, "__file__", None)
    if source and target and source.startswith(ROOT) and target.startswith(ROOT):
        imports.add((source, target))
def watched(name, globals=None, locals=None, fromlist=(), level=0):
    module = real(name, globals, locals, fromlist, level)
    source = (globals or {}).get("__file__")
    if source and source.startswith(ROOT):
        full = name
        if level:
            parts = (globals.get("__package__") or "").split(".")
            full = ".".join(parts[: len(parts) - level + 1] + ([name] if name else []))
        inner = [f"{full}.{one}" for one in fromlist or () if f"{full}.{one}" in sys.modules]
        for one in inner:
            note(source, one)
        if len(inner) < len(fromlist or ()) or not fromlist:
            note(source, full)
    return module
builtins.__import__ = watched
real_import_module = importlib.import_module
def import_module(name, package=None):
    module = real_import_module(name, package)
    note(sys._getframe(1).f_globals.get("__file__"), name)
    return module
importlib.import_module = import_module
def profile(frame, event, argument):
    if event == "call":
        code = frame.f_code
        back = frame.f_back
        if back is not None and code.co_filename.startswith(ROOT) and back.f_code.co_filename.startswith(ROOT):
            if code.co_flags & 1 and not code.co_name.startswith("<"):
                test = os.environ.get("PYTEST_CURRENT_TEST", "")
                if test:
                    reached.add((test.rpartition(" ")[0].partition("[")[0], *place(code)))
            if code.co_flags & 1 and not code.co_flags & 0x2A0 and not code.co_name.startswith("<"):
                while back is not None and back.f_code.co_name.startswith("<") and back.f_code.co_name != "<module>":
                    back = back.f_back
                if back is not None and back.f_code.co_filename.startswith(ROOT):
                    calls.add((place(back.f_code), place(code)))
watch = coverage.Coverage(data_file=None, include=[ROOT + "*"], config_file=False)
watch.start()
def finish():
    sys.setprofile(None)
    watch.stop()
    lines = {}
    for path in watch.get_data().measured_files():
        try:
            _, _, _, missing, _ = watch.analysis2(path)
        except Exception:
            continue
        lines[path] = missing
    with open(os.environ["TRUTH_OUT"], "w") as stream:
        json.dump({"calls": sorted(calls), "imports": sorted(imports), "reached": sorted(reached),
                   "missing": lines}, stream)
atexit.register(finish)
threading.setprofile(profile)
sys.setprofile(profile)
"""


def run_tests(root: Path, tests: Iterable[str], more: Iterable[Path]) -> dict:
    """What the tests were seen to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "truth_watcher.py").write_text(WATCHER, encoding="utf-8")
        out = folder / "out.json"
        source = root / "src" if (root / "src").is_dir() else root
        environment = {
            **os.environ,
            "TRUTH_ROOT": str(root),
            "TRUTH_OUT": str(out),
            "PYTHONPATH": os.pathsep.join(map(str, (folder, source, *more))),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "truth_watcher",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore",
        ]
        done = subprocess.run(
            [*command, *tests], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        print(done.stdout.strip().splitlines()[-1:], file=sys.stderr)
        if not out.exists():
            raise SystemExit(f"the tests did not run: {done.stdout[-500:]} {done.stderr[-500:]}")
        return json.loads(out.read_text(encoding="utf-8"))


def compare(root: Path, seen: dict) -> dict:
    """Recall and precision of CALLS and DEPENDS_ON."""
    graph = CodeGraph()
    graph.update([root])
    nodes = {node.id: node for node in graph.nodes()}
    modules = {node.path: node.id for node in nodes.values() if node.kind == "Module"}

    lazy = set(generators(root, nodes.values()))

    def path_of(file: str) -> str:
        return Path(file).relative_to(root).as_posix()

    def node_id(place) -> str | None:
        file, line, name = place
        if name == "<module>":
            return modules.get(path_of(file))
        found = graph.node_at(path_of(file), line)
        return None if found is None else found.id

    def is_judged(source: str | None, target: str | None) -> bool:
        return (
            source in nodes
            and target not in lazy
            and target in nodes
            and nodes[target].kind == "Function"
            and not is_test_side(nodes[target].path)
        )

    links = list(graph.links())
    true_calls = {(node_id(source), node_id(target)) for source, target in seen["calls"]}
    true_calls = {pair for pair in true_calls if is_judged(*pair)}
    all_calls = {(one.source, one.target) for one in links if one.relation == "CALLS"}
    static_calls = {pair for pair in all_calls if is_judged(*pair)}
    handed_on = {(one.source, one.target) for one in links if one.relation == "USES"}
    overridden = {}
    for one in links:
        if one.relation == "OVERRIDDEN_BY":
            overridden.setdefault(one.source, set()).add(one.target)
    dispatched = {(source, other) for source, target in static_calls for other in overridden.get(target, ())}
    missing = {path_of(file): lines for file, lines in seen["missing"].items()}

    def ran_whole(node_id: str) -> bool:
        node = nodes[node_id]
        lines = missing.get(node.path)
        return lines is not None and not any(node.first <= line <= node.last for line in lines)

    whole = {pair for pair in static_calls if ran_whole(pair[0])}
    true_imports = {(modules.get(path_of(a)), modules.get(path_of(b))) for a, b in seen["imports"]}
    true_imports = {pair for pair in true_imports if None not in pair and pair[0] != pair[1]}
    static_imports = {(one.source, one.target) for one in links if one.relation == "DEPENDS_ON"}
    importers = {modules.get(path) for path in missing}
    ran_imports = {pair for pair in static_imports if pair[0] in importers}
    counts = graph.summary().references
    reached: dict[str, set[str]] = {}
    for test, *place in seen["reached"]:
        function = node_id(place)
        if function in nodes and test in nodes and not is_test_side(nodes[function].path):
            reached.setdefault(function, set()).add(test)
    return {
        "tests_reaching": [selected(graph, nodes, reached, way, hops) for way in WAYS for hops in (1, 2, 3, 5, 99)],
        "calls_seen": len(true_calls),
        "calls_recall": share(true_calls & static_calls, true_calls),
        "calls_or_uses_recall": share(true_calls & (static_calls | handed_on), true_calls),
        "calls_or_overrides_recall": share(true_calls & (static_calls | dispatched), true_calls),
        "calls_judged": len(whole),
        "calls_precision": share(whole & true_calls, whole),
        "imports_seen": len(true_imports),
        "imports_recall": share(true_imports & static_imports, true_imports),
        "imports_judged": len(ran_imports),
        "imports_precision": share(ran_imports & true_imports, ran_imports),
        "references": {
            "resolved": counts.resolved,
            "external": counts.external,
            "missing": counts.missing,
            "unknown": counts.unknown,
        },
        "calls_missed": sorted(true_calls - static_calls),
        "calls_not_seen": sorted(whole - true_calls),
        "imports_missed": sorted(true_imports - static_imports),
        "imports_not_seen": sorted(ran_imports - true_imports),
    }


def selected(graph: CodeGraph, nodes: dict, reached: dict, way: str, hops: int) -> dict:
    """Tests that the graph names for a change of each function that tests reach: recall, and the share named."""
    tests = {node.id for node in nodes.values() if node.kind == "Test"}
    found = whole = named = 0
    for function, truth in reached.items():
        predicted = graph.impact(function, hops) if way == "impact" else graph.affected_tests([function], hops)
        found += len(truth & predicted.keys())
        whole += len(truth)
        named += len(tests & predicted.keys())
    pairs = len(reached) * len(tests)
    return {
        "way": way,
        "hops": hops,
        "recall": found / whole if whole else None,
        "share_named": named / pairs if pairs else None,
        "share_true": whole / pairs if pairs else None,
    }


def generators(root: Path, nodes: Iterable[GraphNode]) -> Iterable[str]:
    """Functions whose frames run when somebody else iterates or awaits: a profiler sees the wrong caller."""
    by_place = {(node.path, node.first): node.id for node in nodes if node.kind == "Function"}
    for path in {node.path for node in nodes}:
        for function in ast.walk(ast.parse((root / path).read_bytes())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min((one.lineno for one in function.decorator_list), default=function.lineno)
                inner = ast.walk(ast.Module(function.body, []))
                if isinstance(function, ast.AsyncFunctionDef) or any(
                    isinstance(one, ast.Yield | ast.YieldFrom) for one in inner
                ):
                    yield by_place.get((path, first), "")


def share(part: set, whole: set) -> float | None:
    """How much of the whole the part is; None of nothing."""
    return len(part) / len(whole) if whole else None


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest is given; all it finds by default")
    parser.add_argument("--path", nargs="*", type=Path, default=[], help="folders with what the tests need")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--show", type=int, default=0, help="how many differences of each kind to show")
    options = parser.parse_args(arguments)
    root = options.folder.resolve()
    result = compare(root, run_tests(root, options.tests, [path.resolve() for path in options.path]))
    lists = {name: found for name, found in result.items() if name.endswith(("_missed", "_not_seen"))}
    figures = {"benchmark": "graph_truth", "folder": root.name} | {
        name: found for name, found in result.items() if name not in lists
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {found}" for name, found in figures.items()))
    for name, found in lists.items():
        for pair in found[: options.show]:
            print(name, *pair, sep="\t")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
