"""The remote memory on an R2R server of yours: items stored a second, and how long a search takes in each mode.

Items are synthetic functions whose words follow Zipf's law; queries are words of theirs, never the same twice. It makes
collections under a prefix of its own, and leaves none of it behind. ``r2r_hybrid`` is R2R's own fusion by the
same client; the modes are the memory's.

    python benchmarks/r2r.py --url http://localhost:7272 [--items 2000] [--queries 100] [--json]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from uuid import UUID

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import R2RClient
from autodev_lab.memory.collections import COLLECTIONS
from autodev_lab.memory.r2r import R2RMemory, prepare_collections, remove_collections
from autodev_lab.memory.r2r_items import filters_for
from autodev_lab.records import Link, MemoryItem, SearchMode

VOCABULARY = 3000
WORDS = 60


class World:
    """Synthetic functions and queries for them, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        letters = "bcdfghklmnprstvz"
        self._words = [
            "".join(self._rng.choice(letters) + self._rng.choice("aeiou") for _ in range(3)) for _ in range(VOCABULARY)
        ]
        self._weights = [1.0 / rank for rank in range(1, VOCABULARY + 1)]

    def words(self, count: int) -> list[str]:
        return self._rng.choices(self._words, self._weights, k=count)

    def item(self, number: int) -> MemoryItem:
        name = f"package.{'_'.join(self.words(2))}_{number}"
        text = f"def {name.split('.')[1]}({', '.join(self.words(2))}):\n    return {' '.join(self.words(WORDS))}"
        return MemoryItem("codebase", text, {"name": name}, id=f"{number}")

    def query(self) -> str:
        return " ".join(self.words(6))


def timed(search: Callable[[str], object], queries: list[str]) -> dict[str, float]:
    """Median and 95th percentile of what a search takes, in milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        search(query)
        times.append(1000.0 * (time.perf_counter() - start))
    return {"p50_ms": statistics.median(times), "p95_ms": statistics.quantiles(times, n=20)[18]}


def measure(client: R2RClient, prefix: str, items: int, queries: int, links: int) -> dict[str, object]:
    """Fill a memory and search it."""
    prepare_collections(client, prefix)
    memory, world, rng = R2RMemory(client, prefix=prefix), World(1), random.Random(2)
    content = [world.item(number) for number in range(items)]
    singly = content[: max(1, items // 10)]
    start = time.perf_counter()
    for item in singly:
        memory.add(item)
    one_by_one = len(singly) / (time.perf_counter() - start)
    start = time.perf_counter()
    memory.add_all(content[len(singly) :])
    together = (items - len(singly)) / (time.perf_counter() - start)
    edges = {Link(str(rng.randrange(items)), "CALLS", str(rng.randrange(items))) for _ in range(links)}
    start = time.perf_counter()
    memory.link(edges)
    linked = len(edges) / (time.perf_counter() - start)
    filters = filters_for(mine(client, prefix)["codebase"], {}, None)

    def in_mode(mode: SearchMode) -> Callable[[str], object]:
        return lambda query: memory.search(query, collection="codebase", mode=mode)

    def asked() -> list[str]:
        return [world.query() for _ in range(queries)]

    return {
        "items_per_second": together,
        "items_per_second_one_by_one": one_by_one,
        "links_per_second": linked,
        "search": {mode.value: timed(in_mode(mode), asked()) for mode in SearchMode},
        "r2r_hybrid": timed(lambda query: client.search_hybrid(query, filters, 10), asked()),
        "impact_3_hops": timed(lambda end: memory.impact(end, 3), [str(rng.randrange(items)) for _ in range(queries)]),
    }


def mine(client: R2RClient, prefix: str) -> dict[str, UUID]:
    """Ids of the benchmark's collections."""
    found = {collection.name: collection.id for collection in client.collections()}
    return {name: found[prefix + name] for name in COLLECTIONS if prefix + name in found}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="where R2R listens")
    parser.add_argument("--items", type=int, default=2000, help="items to store")
    parser.add_argument("--links", type=int, default=2000, help="links between them")
    parser.add_argument("--queries", type=int, default=100, help="searches in each mode")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    prefix = f"benchmark-{uuid.uuid4().hex[:8]}-"
    try:
        client = R2RClient(options.url)
        client.check()
        try:
            measured = measure(client, prefix, options.items, options.queries, options.links)
        finally:
            remove_collections(client, prefix)
            client.close()
    except LabError as error:
        print(f"r2r: {error}", file=sys.stderr)
        return error.exit_code
    result = {
        "benchmark": "r2r",
        "items": options.items,
        "links": options.links,
        "queries": options.queries,
        **measured,
        "versions": {"autodev_lab": importlib.metadata.version("autodev-lab"), "python": platform.python_version()},
    }
    if options.json:
        print(json.dumps(result))
        return 0
    print(
        f"{measured['items_per_second']:.1f} items/s, one by one {measured['items_per_second_one_by_one']:.1f}, "
        f"{measured['links_per_second']:.0f} links/s"
    )
    for name, times in {
        **measured["search"],
        "r2r_hybrid": measured["r2r_hybrid"],
        "impact": measured["impact_3_hops"],
    }.items():
        print(f"{name:>13}: p50 {times['p50_ms']:.1f} ms, p95 {times['p95_ms']:.1f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
