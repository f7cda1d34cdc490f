"""The fast path against openCypher on a graph of real packages, and how fast the graph is built.

Each side answers the same questions, what leads to a thing in at most three steps, and must give the same ids: modules
by DEPENDS_ON, and functions by CALLS. The things asked about are drawn at random from those that something leads to.
With rustworkx installed, the same search over its graph is timed too. `ratio` is the time openCypher takes to the time
the fast path takes, at the median question about modules. Building is counted in processor seconds of one core, from
folders to a file on disk.

    python benchmarks/graph.py [--json] [--questions N] [--keep FILE] [FOLDER ...]

Without folders the interpreter's own site-packages and standard library are read.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import random
import resource
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.memory.graph_store import GraphStore

HOPS = 3
QUERIES = {
    "DEPENDS_ON": "MATCH (a:Module)-[:DEPENDS_ON*1..3]->(:Module {id: $id}) RETURN DISTINCT a.id AS id",
    "CALLS": "MATCH (a)-[:CALLS*1..3]->(:Function {id: $id}) RETURN DISTINCT a.id AS id",
}


def build(path: Path, folders: list[Path]) -> tuple[CodeGraph, dict]:
    """Build the graph; returns it and what that took."""
    graph = CodeGraph(GraphStore(path))
    start = time.process_time()
    graph.update(folders)
    spent = time.process_time() - start
    start = time.process_time()
    again = graph.update(folders)
    summary = graph.summary()
    references = summary.references
    return graph, {
        "files": summary.files,
        "build_cpu_s": spent,
        "files_per_minute": 60.0 * summary.files / spent,
        "unchanged_update_cpu_s": time.process_time() - start,
        "unchanged_files_linked": len(again.linked),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "nodes": sum(summary.nodes.values()),
        "edges": sum(summary.links.values()),
        "nodes_by_kind": dict(summary.nodes),
        "edges_by_relation": dict(summary.links),
        "not_parsed": len(summary.problems),
        "references": {
            "resolved": references.resolved,
            "external": references.external,
            "missing": references.missing,
            "unknown": references.unknown,
        },
    }


def draw(graph: CodeGraph, relation: str, kind: str, count: int) -> list[str]:
    """Things of a kind that something leads to, by the relation, always the same."""
    kinds = {node.id for node in graph.nodes() if node.kind == kind}
    found = sorted({link.target for link in graph.links() if link.relation == relation and link.target in kinds})
    return random.Random(0).sample(found, min(count, len(found)))


def timed(ask: Callable[[str], set[str]], questions: list[str]) -> tuple[list[set[str]], list[float]]:
    """Answers, and sorted milliseconds: of each question the best of three, because noise only slows down."""
    answers, times = [], []
    for question in questions:
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            answer = ask(question)
            best = min(best, 1000.0 * (time.perf_counter() - start))
        answers.append(answer - {question})
        times.append(best)
    return answers, sorted(times)


def compare(graph: CodeGraph, relation: str, kind: str, count: int) -> dict:
    """Both sides' times on the same questions."""
    questions = draw(graph, relation, kind, count)
    fast = lambda name: set(graph.impact(name, HOPS, relations=(relation,)))  # noqa: E731
    cypher = lambda name: {row["id"] for row in graph.query(QUERIES[relation], {"id": name})}  # noqa: E731
    fast(questions[0]), cypher(questions[0])  # what is made once is not part of a question
    fast_answers, fast_times = timed(fast, questions)
    cypher_answers, cypher_times = timed(cypher, questions)
    if any(one != other for one, other in zip(fast_answers, cypher_answers, strict=True)):
        raise SystemExit(f"the two sides disagree about {relation}")

    def at(times: list[float], share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))]

    peer = rustworkx_times(graph, relation, questions, fast_answers)
    return {
        "questions": len(questions),
        "answers_mean": sum(map(len, fast_answers)) / len(questions),
        "fast_p50_ms": at(fast_times, 0.5),
        "fast_p95_ms": at(fast_times, 0.95),
        "cypher_p50_ms": at(cypher_times, 0.5),
        "cypher_p95_ms": at(cypher_times, 0.95),
        "ratio": at(cypher_times, 0.5) / at(fast_times, 0.5),
        "rustworkx_p50_ms": at(peer, 0.5) if peer else None,
        "rustworkx_p95_ms": at(peer, 0.95) if peer else None,
    }


def rustworkx_times(graph: CodeGraph, relation: str, questions: list[str], answers: list[set[str]]) -> list[float]:
    """The same search on a graph held by rustworkx, if it is installed: whether the lists should be replaced by it."""
    if importlib.util.find_spec("rustworkx") is None:
        return []
    import rustworkx

    ids, links = graph.store.numbered()
    positions = {name: position for position, name in enumerate(ids)}
    held = rustworkx.PyDiGraph(multigraph=False)
    held.add_nodes_from(ids)
    held.extend_from_edge_list([(source, target) for source, kind, target in links if kind == relation])

    def ask(name: str) -> set[str]:
        found = {positions[name]: 0}
        front = list(found)
        for step in range(1, HOPS + 1):
            reached = []
            for position in front:
                for source in held.predecessor_indices(position):
                    if source not in found:
                        found[source] = step
                        reached.append(source)
            front = reached
        return {ids[position] for position in found}

    found, times = timed(ask, questions)
    if found != answers:
        raise SystemExit(f"rustworkx disagrees about {relation}")
    return times


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--questions", type=int, default=500, help="questions a relation")
    parser.add_argument("--keep", type=Path, help="where to keep the graph; a temporary file by default")
    options = parser.parse_args(arguments)
    folders = options.folders or [Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib")]
    with tempfile.TemporaryDirectory() as temporary:
        try:
            graph, built = build(options.keep or Path(temporary) / "graph.db", folders)
            start = time.process_time()
            graph.impact(next(graph.nodes()).id, 1)
            index = time.process_time() - start
            start = time.process_time()
            graph.query("MATCH (m:Module) RETURN count(*) AS n")
            cypher = time.process_time() - start
            modules = compare(graph, "DEPENDS_ON", "Module", options.questions)
            functions = compare(graph, "CALLS", "Function", options.questions)
        except LabError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        result = {
            "benchmark": "graph",
            **modules,
            "calls": functions,
            **built,
            "fast_path_load_cpu_s": index,
            "cypher_index_cpu_s": cypher,
            "versions": {
                "autodev_lab": importlib.metadata.version("autodev-lab"),
                "ladybug": importlib.metadata.version("ladybug"),
                "python": platform.python_version(),
            },
        }
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['files']:,} files a graph of {result['nodes']:,} nodes and {result['edges']:,} edges,"
            f" {result['files_per_minute']:,.0f} files a minute; three steps back: fast path"
            f" {result['fast_p50_ms']:.3f} ms, openCypher {result['cypher_p50_ms']:.2f} ms, ratio {result['ratio']:.0f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
