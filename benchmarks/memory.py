"""How well and how fast the embedded memory finds code: ``python benchmarks/memory.py [--json] [--packages A,B...]``.

A function is looked for by its docstring's first sentence among all functions of the packages, without their
docstrings; ``hard`` also without its own name. ``ratio`` is the hybrid's MRR@10 over that of the memory's own
identifier-aware BM25; ``ratio_to_peer`` over that of `bm25s` with identifiers split and stemmed and names counted three
times. Intervals are 95 %, paired, with packages as clusters. Vectors are kept in ``--cache``, so only a first run takes
long: some 20 to 40 functions a second. ``vectors_made`` says of how many vectors ``build_seconds`` is.

Weights were chosen on the packages named `TUNED`; a default run judges on others, `JUDGED`. ``--speed N`` measures
latency instead, on the first N functions of `LARGE`, wall and processor time. With ``--random-vectors`` the functions'
vectors are random, so that none has to be made: a search takes as long, and what it finds means nothing. The query's
vector is made by the model all the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from autodev_lab.analysis.statistics import Effect
from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.code_corpus import CodeFunction, as_item, functions_of
from autodev_lab.experiments.studies.lookups import DEPTH, Found, fill, gain, look_up, quality_of, ratio
from autodev_lab.experiments.studies.vector_sources import NamedEmbedder, RandomVectors
from autodev_lab.memory import EmbeddedMemory, MiniLmEmbedder
from autodev_lab.memory.keyword import TOKENIZER
from autodev_lab.memory.words import name_of, tokenize
from autodev_lab.records import SearchMode

TUNED = ("prompt_toolkit", "tornado", "jinja2", "werkzeug", "click")
JUDGED = (
    "aiohttp",
    "bs4",
    "coverage",
    "flask",
    "fontTools",
    "git",
    "graphql",
    "gunicorn",
    "hypothesis",
    "narwhals",
    "pydantic",
    "rich",
    "skops",
)
LARGE = (*JUDGED, "sklearn", "pandas", "scipy", "matplotlib", "mlflow", "sqlalchemy", "numpy", "mypy", "IPython", "pip")


class CountingEmbedder(MiniLmEmbedder):
    """Counts what it embeds, so that a report can say what a build time is of."""

    made = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """See `Embedder`."""
        self.made += len(texts)
        return super().embed(texts)


def with_bm25s(functions: Sequence[CodeFunction], *, hard: bool) -> list[Found]:
    """The same searches with the peer."""
    import bm25s
    import Stemmer

    stem = Stemmer.Stemmer("english").stemWords

    def words(text: str) -> list[str]:
        return stem(list(tokenize(text)))

    items = [as_item(function, hard=hard) for function in functions]
    peer = bm25s.BM25()
    peer.index([words(item.text) + 3 * words(name_of(item)) for item in items], show_progress=False)
    found = []
    for function in functions:
        started = time.perf_counter(), time.process_time()
        hits, _ = peer.retrieve([words(function.sentence)], k=DEPTH, show_progress=False)
        took = time.perf_counter() - started[0], time.process_time() - started[1]
        rank = next((place for place, hit in enumerate(hits[0], 1) if functions[hit].name == function.name), 0)
        found.append(Found(function.name, function.package, rank, *took))
    return found


def judged(functions: Sequence[CodeFunction], cache: Path | None) -> dict[str, object]:
    """Quality by mode, plain and hard, with what the comparisons say."""
    report: dict[str, object] = {"functions": len(functions), "packages": sorted({one.package for one in functions})}
    for hard in (False, True):
        prefix = "hard_" if hard else ""
        embedder = CountingEmbedder()
        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedMemory(folder, embedder=embedder, vectors=cache) as memory,
        ):
            seconds = fill(memory, functions, hard=hard)
            made = embedder.made
            found = {mode.value: look_up(memory, functions, mode) for mode in SearchMode}
        found["peer"] = with_bm25s(functions, hard=hard)
        for name, searches in found.items():
            report[prefix + name] = asdict(quality_of(searches))
        report[prefix + "build_seconds"], report[prefix + "vectors_made"] = seconds, made
        report[prefix + "ratio"] = told(ratio(found["hybrid"], found["keyword"]), plus=1.0)
        report[prefix + "ratio_to_peer"] = told(ratio(found["hybrid"], found["peer"]), plus=1.0)
        for name, reference in (
            ("hybrid", "vector"),
            ("keyword", "peer"),
            ("graph", "keyword"),
            ("hybrid_graph", "hybrid"),
        ):
            report[f"{prefix}{name}_minus_{reference}"] = told(gain(found[name], found[reference]))
    return report


def told(effect: Effect, plus: float = 0.0) -> dict[str, float]:
    """An effect with its interval."""
    return {"value": effect.estimate + plus, "low": effect.low + plus, "high": effect.high + plus}


def speed(size: int, cache: Path | None, queries: int, *, random: bool) -> dict[str, object]:
    """Latency of distinct queries among many functions."""
    functions = functions_of(LARGE)[:size]
    if len(functions) < size:
        raise LabError(f"the packages have {len(functions)} documented functions; ask for no more with --speed")
    counting = CountingEmbedder()
    embedder = RandomVectors() if random else counting
    vectors = None if random else cache
    chosen = functions[:: max(1, len(functions) // queries)]
    with tempfile.TemporaryDirectory() as folder:
        with EmbeddedMemory(folder, embedder=embedder, vectors=vectors) as memory:
            seconds = fill(memory, functions)
        report: dict[str, object] = {
            "functions": len(functions),
            "queries": len(chosen),
            "build_seconds": seconds,
            "vectors_made": counting.made,
            "vectors": "random" if random else "made by the model",
        }
        searcher = NamedEmbedder(MiniLmEmbedder(), embedder.name)
        with EmbeddedMemory(folder, embedder=searcher, vectors=vectors) as memory:
            for mode in SearchMode:
                memory.search("everything that waits for a first search", collection="codebase", mode=mode)
                report[mode.value] = asdict(quality_of(look_up(memory, chosen, mode)))
    return report


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", default=",".join(JUDGED))
    parser.add_argument("--speed", type=int, metavar="N")
    parser.add_argument("--random-vectors", action="store_true", help="with --speed: make no vectors of functions")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--cache", type=Path, help="SQLite file of vectors kept between runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        with threadpool_limits(1):
            if options.speed:
                report = speed(options.speed, options.cache, options.queries, random=options.random_vectors)
            else:
                report = judged(functions_of(options.packages.split(",")), options.cache)
    except LabError as error:
        print(f"memory: {error}", file=sys.stderr)
        return error.exit_code
    report["tuned_on"] = TUNED
    report["versions"] = {
        "embedder": MiniLmEmbedder().name,
        "tokenizer": TOKENIZER,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "onnxruntime", "tokenizers", "PyStemmer", "bm25s")},
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    for name, value in report.items():
        if isinstance(value, dict):
            value = "  ".join(f"{key} {round(one, 3) if isinstance(one, float) else one}" for key, one in value.items())
        print(f"{name:28s} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
