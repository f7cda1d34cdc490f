"""The study of retrieval: functions looked for by what their docstrings say, in every mode of a memory."""

from __future__ import annotations

import hashlib
import json
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
from autodev_lab.experiments.studies.backends import check_backend, filled, lacks
from autodev_lab.experiments.studies.code_corpus import CodeFunction, functions_of
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.growing_corpus import chosen
from autodev_lab.experiments.studies.lookups import look_up
from autodev_lab.experiments.studies.study import Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import write_attrition
from autodev_lab.files import write_atomic
from autodev_lab.records import SearchMode

__all__ = ["EMBED_SECONDS", "SEARCH_SECONDS", "RetrievalParameters", "RetrievalStudy", "by_package"]

UNSEEN, OTHERS = "unseen", "others"
"""Groups of packages: first released after the embedder was trained, and all the rest."""

EMBED_SECONDS = 0.025
"""To make a vector of a function, which the lab keeps: 43 texts a CPU second were measured (docs/memory.md)."""

SEARCH_SECONDS = 0.02
"""Mean of a search over the modes, its query's vector made anew."""

_FIXED_SECONDS = 20.0
_ROW_BYTES = 200
_VECTOR_BYTES = 2_000

_SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("twin", pa.bool_()),
        ("package", pa.string()),
        ("group", pa.string()),
        ("item", pa.string()),
        *((f"{kind}{name}", pa.float64()) for kind in ("", "hard_") for name in ("reciprocal_rank", "found")),
    ]
)


class RetrievalParameters(StudyParameters):
    """What `-p key=value` may change."""

    queries_per_package: int = Field(0, ge=0, le=1_000_000, description="functions looked for; 0 takes all")
    hard: bool = Field(True, description="also look for functions whose own name was taken out")
    unseen: Names = Field((), description="packages first released after the embedder was trained, reported apart")


class RetrievalStudy:
    """Each documented function of the packages is looked for by the first sentence of its docstring.

    What is searched holds all functions of all packages, without their docstrings; under ``hard_`` also without their
    own names. See `Study`.
    """

    parameters = RetrievalParameters
    unit = "searches"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["retrieval"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        check_backend(name, options)
        for key in options:
            if key not in ("mode", "backend"):
                raise LabError(f"arm {name} has an option {key!r}; choose among mode, backend")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return lacks(options)

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Reading the packages takes seconds: it is done by `assemble`."""
        if not plan.parameters.packages:
            raise LabError("name packages to look for functions in, with -p packages=...")
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write the functions down, and how many each package has."""
        if not directory.tasks.exists():
            functions = functions_of(plan.parameters.packages)
            counts = Counter(function.package for function in functions)
            empty = [package for package in plan.parameters.packages if not counts[package]]
            if empty:
                raise LabError(
                    f"{', '.join(empty)} has no documented function of three lines or more; name another package"
                )
            packages = plan.parameters.packages
            write_attrition(directory, ((package, "functions", counts[package]) for package in packages))
            lines = (json.dumps(asdict(function), sort_keys=True) for function in functions)
            write_atomic(directory.tasks, "".join(f"{line}\n" for line in lines))
        return by_package(directory)

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of functions, the searches of one core, and the vectors that are made once."""
        parameters = plan.parameters
        assert isinstance(parameters, RetrievalParameters)
        functions = functions_of(parameters.packages)
        kinds = 1 + parameters.hard
        searches = len(chosen(functions, parameters.queries_per_package, plan.seed)) * len(plan.arms)
        seconds = kinds * (len(functions) * EMBED_SECONDS + searches * SEARCH_SECONDS)
        return Foreseen(
            searches, _FIXED_SECONDS + seconds, searches * _ROW_BYTES + kinds * len(functions) * _VECTOR_BYTES
        )

    def size(self, plan: StudyPlan) -> int:
        """Searches of one arm, at most; as many again when hard ones are asked for."""
        wanted = plan.parameters
        assert isinstance(wanted, RetrievalParameters)
        return (wanted.queries_per_package or 1) * len(wanted.packages) * (1 + wanted.hard)

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Fill a memory with all functions and look for each of the chosen ones, on one core."""
        parameters, options = plan.parameters, plan.experiment.arms[arm].options
        assert isinstance(parameters, RetrievalParameters)
        functions = _read(directory)
        wanted = chosen(functions, parameters.queries_per_package, plan.seed)
        apart = set(parameters.packages) & set(parameters.unseen)
        columns: dict[str, list[object]] = {
            "arm": [arm] * len(wanted),
            "twin": [False] * len(wanted),
            "package": [function.package for function in wanted],
            "group": [(UNSEEN if function.package in apart else OTHERS) if apart else "" for function in wanted],
            "item": [function.name for function in wanted],
        }
        clock: dict[str, list[float]] = {}
        kinds = (False, True) if parameters.hard else (False,)
        for number, hard in enumerate(kinds):
            kind = "hard_" if hard else ""
            with ExitStack() as stack, threadpool_limits(1):
                name = f"{directory.path.resolve()} {arm} {kind}"
                memory, seconds = filled(stack, options, functions, hard=hard, cache=Path(settings.cache), name=name)
                clock[f"{kind}build"] = [seconds]

                def told(done: int, number: int = number) -> None:
                    progress(number * len(wanted) + done, len(kinds) * len(wanted))

                found = look_up(memory, wanted, SearchMode(str(options["mode"])), told)
            clock[f"{kind}search"] = [one.seconds for one in found]
            columns[f"{kind}reciprocal_rank"] = [one.reciprocal for one in found]
            columns[f"{kind}found"] = [float(one.rank > 0) for one in found]
        for name in _SCHEMA.names:
            columns.setdefault(name, [None] * len(wanted))
        return Measured(pa.table({name: columns[name] for name in _SCHEMA.names}, schema=_SCHEMA), clock)

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Median and 95th percentile of a search in milliseconds, and seconds to fill the memory."""
        told: dict[str, float] = {}
        for kind in ("", "hard_"):
            if f"{kind}search" in clock:
                p50, p95 = np.quantile(np.asarray(clock[f"{kind}search"]), (0.5, 0.95))
                told[f"{kind}p50_ms"], told[f"{kind}p95_ms"] = 1e3 * float(p50), 1e3 * float(p95)
                told[f"{kind}build_s"] = float(sum(clock[f"{kind}build"]))
        return told

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """MRR by arm, plain and hard, with intervals over packages."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        both = [self.endpoints[name] for name in ("mrr10", "hard_mrr10")]
        shown = [one for one in both if any(estimates[one.name].n for estimates in metrics.values())]
        return {"arms": endpoints_figure(metrics, shown)}


def by_package(directory: RunDirectory) -> Mapping[str, str]:
    """Content hash of every package's lines in `tasks.jsonl`."""
    lines: dict[str, list[str]] = {}
    for line in directory.tasks.read_text(encoding="utf-8").splitlines():
        lines.setdefault(str(json.loads(line)["package"]), []).append(line)
    return {package: hashlib.sha256("\n".join(some).encode()).hexdigest()[:16] for package, some in lines.items()}


def _read(directory: RunDirectory) -> list[CodeFunction]:
    lines = directory.tasks.read_text(encoding="utf-8").splitlines()
    return [CodeFunction(**{**(data := json.loads(line)), "calls": tuple(data["calls"])}) for line in lines]
