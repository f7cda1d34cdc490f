"""The study of growth: the same functions looked for in memories that hold more and more others."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field
from threadpoolctl import threadpool_limits  # comes with scikit-learn, which declares it

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.resolving import Names
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.code_corpus import CodeFunction
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.footprint import reader_bytes
from autodev_lab.experiments.studies.growing_corpus import hidden_among
from autodev_lab.experiments.studies.lookups import fill, look_up
from autodev_lab.experiments.studies.retrieval import EMBED_SECONDS, SEARCH_SECONDS, by_package
from autodev_lab.experiments.studies.study import Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, write_attrition
from autodev_lab.experiments.studies.vector_sources import KeptVectors, NamedEmbedder, RandomVectors
from autodev_lab.files import write_atomic
from autodev_lab.memory import EmbeddedMemory, MiniLmEmbedder
from autodev_lab.records import SearchMode

__all__ = ["GrowthParameters", "GrowthStudy"]

TRAINED, RANDOM = "trained", "random"
_WITHOUT_VECTORS = (SearchMode.KEYWORD, SearchMode.GRAPH)

_READ_SECONDS = 0.001
_FILL_SECONDS = 0.0005
_ITEM_BYTES = 2_500
_FIXED_SECONDS = 20.0

_SCHEMA = rows_schema(
    [
        ("reciprocal_rank", pa.float64()),
        ("found", pa.float64()),
    ]
)


class GrowthParameters(StudyParameters):
    """What `-p key=value` may change."""

    queries_per_package: int = Field(50, ge=1, le=1_000_000, description="functions of a package that are looked for")
    distractors: Names = Field((), description="more packages, whose functions are only hidden among")


class GrowthStudy:
    """Some functions of the packages are looked for in memories of different sizes, which an arm's ``items`` says.

    Every memory holds all that are looked for; the rest is filled with other functions in a seeded order, so that a
    larger memory holds all that a smaller one does. With ``vectors: random`` the vectors of items mean nothing: such
    an arm says what a search takes, and not how good it is. See `Study`.
    """

    parameters = GrowthParameters
    unit = "searches"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["growth"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        allowed = {"mode": tuple(SearchMode), "vectors": (TRAINED, RANDOM, None)}
        for key, values in allowed.items():
            if options.get(key) not in values:
                named = ", ".join(value for value in values if value)
                raise LabError(f"arm {name} has {key} {options.get(key)!r}; choose one of {named}")
        items = options.get("items")
        if isinstance(items, bool) or not isinstance(items, int) or items < 1:
            raise LabError(f"arm {name} has items {items!r}; say how many its memory holds")
        for key in options:
            if key not in ("mode", "vectors", "items"):
                raise LabError(f"arm {name} has an option {key!r}; choose among mode, vectors, items")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Packages are read by `assemble`, for what one has may be what another has."""
        if not plan.parameters.packages:
            raise LabError("name packages to look for functions in, with -p packages=...")
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write down what is looked for, then as many others as the largest memory holds."""
        parameters = plan.parameters
        assert isinstance(parameters, GrowthParameters)
        if not directory.tasks.exists():
            wanted, others = hidden_among(
                parameters.packages, parameters.distractors, most=parameters.queries_per_package, seed=plan.seed
            )
            sizes = [_items(plan, arm) for arm in plan.arms]
            there = len(wanted) + len(others)
            if min(sizes) < len(wanted):
                raise LabError(
                    f"a memory of {min(sizes)} items does not hold the {len(wanted)} functions that are looked for; "
                    "lower queries_per_package, or leave the arm out"
                )
            if max(sizes) > there:
                raise LabError(
                    f"the packages have {there} functions, and an arm wants {max(sizes)}; name more packages with "
                    "-p distractors=..., or leave the arm out"
                )
            kept = [*wanted, *others[: max(sizes) - len(wanted)]]
            counts = Counter((one.package, place < len(wanted)) for place, one in enumerate(kept))
            counted = (
                (package, "looked for" if is_wanted else "hidden among", count)
                for (package, is_wanted), count in sorted(counts.items())
            )
            write_attrition(directory, counted)
            lines = (
                json.dumps({**asdict(one), "wanted": place < len(wanted)}, sort_keys=True)
                for place, one in enumerate(kept)
            )
            write_atomic(directory.tasks, "".join(f"{line}\n" for line in lines))
        return by_package(directory)

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the sizes of the memories, the searches of one core, and the vectors that are made once."""
        parameters = plan.parameters
        assert isinstance(parameters, GrowthParameters)
        sizes = {arm: _items(plan, arm) for arm in plan.arms}
        made = max((sizes[arm] for arm in plan.arms if _vectors(plan, arm) == TRAINED), default=0)
        searches = parameters.queries_per_package * len(parameters.packages) * len(plan.arms)
        largest = max(sizes.values(), default=0)
        seconds = (
            _FIXED_SECONDS
            + largest * _READ_SECONDS
            + sum(sizes.values()) * _FILL_SECONDS
            + made * EMBED_SECONDS
            + searches * SEARCH_SECONDS
        )
        return Foreseen(searches, seconds, largest * _ITEM_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Searches of one arm, at most."""
        wanted = plan.parameters
        assert isinstance(wanted, GrowthParameters)
        return wanted.queries_per_package * len(wanted.packages)

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Fill a memory, open it anew, and look for every function in it, on one core."""
        functions, wanted = _read(directory, _items(plan, arm))
        mode, vectors = SearchMode(str(plan.experiment.arms[arm].options["mode"])), _vectors(plan, arm)
        cache = Path(settings.cache)
        cache.mkdir(parents=True, exist_ok=True)
        clock: dict[str, list[float]] = {}
        with ExitStack() as stack, threadpool_limits(1):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            name = _fill(folder, functions, mode, vectors, cache / "vectors.sqlite", clock)
            started = time.perf_counter()
            searcher = NamedEmbedder(MiniLmEmbedder(), name)
            memory = stack.enter_context(EmbeddedMemory(folder, embedder=searcher))
            memory.search("everything that waits for a first search", collection="codebase", mode=mode)
            clock["open"] = [time.perf_counter() - started]
            found = look_up(memory, wanted, mode, lambda done: progress(done, len(wanted)))
            clock["search"] = [one.seconds for one in found]
            clock["cpu"] = [one.cpu_seconds for one in found]
            memory.close()
            clock["disk_bytes"] = [float(sum(path.stat().st_size for path in folder.iterdir()))]
            clock["memory_bytes"] = [reader_bytes(folder, mode, name)]
        judged = vectors != RANDOM
        rows = {
            "arm": [arm] * len(wanted),
            "twin": [False] * len(wanted),
            "package": [function.package for function in wanted],
            "item": [function.name for function in wanted],
            "reciprocal_rank": [one.reciprocal if judged else None for one in found],
            "found": [float(one.rank > 0) if judged else None for one in found],
        }
        return Measured(pa.table(rows, schema=_SCHEMA), clock)

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Milliseconds a search (wall and processor), seconds to fill and to open, megabytes on disk and in memory."""
        p50, p95 = np.quantile(np.asarray(clock["search"]), (0.5, 0.95))
        cpu50, cpu95 = np.quantile(np.asarray(clock["cpu"]), (0.5, 0.95))
        return {
            "p50_ms": 1e3 * float(p50),
            "p95_ms": 1e3 * float(p95),
            "cpu_p50_ms": 1e3 * float(cpu50),
            "cpu_p95_ms": 1e3 * float(cpu95),
            "build_s": float(clock["build"][0]),
            "open_s": float(clock["open"][0]),
            "disk_mb": float(clock["disk_bytes"][0]) / 1e6,
            "memory_mb": float(clock["memory_bytes"][0]) / 1e6,
        }

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Quality and time of a search by size, a line a mode."""
        from autodev_lab.analysis.study_figures import growth_figure

        lines: dict[str, dict[int, str]] = {}
        for arm in metrics:
            random = ", random vectors" if _vectors(plan, arm) == RANDOM else ""
            mode = f"{plan.experiment.arms[arm].options['mode']}{random}"
            lines.setdefault(mode, {})[_items(plan, arm)] = arm
        return {"growth": growth_figure(lines, metrics, clock, self.endpoints["mrr10"])}


def _fill(
    folder: Path,
    functions: Sequence[CodeFunction],
    mode: SearchMode,
    vectors: str,
    kept: Path,
    clock: dict[str, list[float]],
) -> str:
    """Make a memory in a folder, time that, and close it; returns the name of what made its vectors."""
    with ExitStack() as stack:
        embedder: KeptVectors | RandomVectors = RandomVectors() if vectors == RANDOM else KeptVectors(kept)
        if isinstance(embedder, KeptVectors):
            stack.callback(embedder.close)
        memory = stack.enter_context(EmbeddedMemory(folder, embedder=embedder))
        clock["build"] = [fill(memory, functions, modes=[mode])]
        return embedder.name


def _items(plan: StudyPlan, arm: str) -> int:
    items = plan.experiment.arms[arm].options["items"]
    assert isinstance(items, int)
    return items


def _vectors(plan: StudyPlan, arm: str) -> str:
    """Where an arm's vectors come from; empty when its mode needs none."""
    options = plan.experiment.arms[arm].options
    if options["mode"] in _WITHOUT_VECTORS:
        return ""
    return str(options.get("vectors", TRAINED))


def _read(directory: RunDirectory, items: int) -> tuple[list[CodeFunction], list[CodeFunction]]:
    """The first functions of a run, and those of them that are looked for."""
    functions: list[CodeFunction] = []
    wanted: list[CodeFunction] = []
    with directory.tasks.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(items), strict=False):
            data = json.loads(line)
            is_wanted = data.pop("wanted")
            functions.append(CodeFunction(**{**data, "calls": tuple(data["calls"])}))
            if is_wanted:
                wanted.append(functions[-1])
    return functions, wanted
