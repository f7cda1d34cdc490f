"""The study of hops: questions about a code graph that take several steps, asked of every backend."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.answering import R2R_URL, Backend, answering
from autodev_lab.experiments.studies.code_corpus import folder_of
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.questions import HOPS, Question, make_questions
from autodev_lab.experiments.studies.study import Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, write_attrition
from autodev_lab.files import stable_seed, write_atomic
from autodev_lab.memory.code_graph import CodeGraph

__all__ = ["HopsParameters", "HopsStudy"]

_QUESTION_SECONDS = 0.01
_PACKAGE_SECONDS = 5.0
_ROW_BYTES = 200
_MEASURES = ("exact", "ids_recall", "ids_precision")

_SCHEMA = rows_schema(
    [
        ("hops", pa.int64()),
        ("path", pa.bool_()),
        ("answer", pa.int64()),
        *((f"{measure}{tail}", pa.float64()) for measure in _MEASURES for tail in ("", *(f"_{hops}" for hops in HOPS))),
    ]
)


class HopsParameters(StudyParameters):
    """What `-p key=value` may change."""

    questions_per_hops: int = Field(
        100, ge=1, le=100_000, description="questions of a package for 2, 3 and 4 hops each"
    )


class HopsStudy:
    """Every backend holds the code graph of each package and is asked the same questions; see `Study`."""

    parameters = HopsParameters
    unit = "questions"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["hops"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        allowed = tuple(Backend)
        if options.get("backend") not in allowed:
            raise LabError(f"arm {name} has backend {options.get('backend')!r}; choose one of {', '.join(allowed)}")
        for key in options:
            if key != "backend":
                raise LabError(f"arm {name} has an option {key!r}; it takes backend alone")

    def lacks(self, options: Options) -> str:
        """R2R, or what answers openCypher, for the arm that needs it."""
        if options.get("backend") == Backend.CYPHER and importlib.util.find_spec("ladybug") is None:
            return "openCypher needs ladybug; pip install 'autodev-lab[memory]'"
        if options.get("backend") == Backend.R2R and not os.environ.get(R2R_URL):
            return f"set {R2R_URL} to an R2R server's address"
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Reading the packages takes seconds: it is done by `assemble`."""
        if not plan.parameters.packages:
            raise LabError("name packages to ask about, with -p packages=...")
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Write the questions down with their answers, and how many there are."""
        parameters = plan.parameters
        assert isinstance(parameters, HopsParameters)
        if not directory.tasks.exists():
            counted: list[tuple[str, str, int]] = []
            lines: list[str] = []
            for package in parameters.packages:
                links = tuple(_graph(package).links())
                seed = stable_seed("questions", plan.seed, package)
                questions = make_questions(links, parameters.questions_per_hops, seed)
                counted.append((package, "links", len(links)))
                counted += [(package, f"questions_{n}", sum(one.hops == n for one in questions)) for n in HOPS]
                lines += [_as_line(package, question) for question in questions]
            write_attrition(directory, counted)
            write_atomic(directory.tasks, "".join(lines))
        return {
            package: hashlib.sha256("".join(map(repr, _graph(package).links())).encode()).hexdigest()[:16]
            for package in parameters.packages
        }

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of questions."""
        parameters = plan.parameters
        assert isinstance(parameters, HopsParameters)
        asked = len(HOPS) * parameters.questions_per_hops * len(parameters.packages)
        rows = asked * len(plan.arms)
        seconds = _PACKAGE_SECONDS * len(parameters.packages) * (1 + len(plan.arms)) + rows * _QUESTION_SECONDS
        return Foreseen(rows, seconds, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """Questions asked of one arm, at most."""
        assert isinstance(plan.parameters, HopsParameters)
        return len(HOPS) * plan.parameters.questions_per_hops * len(plan.parameters.packages)

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Ask every question, package by package."""
        backend = Backend(str(plan.experiment.arms[arm].options["backend"]))
        questions = _read(directory)
        rows: list[dict[str, object]] = []
        clock: dict[str, list[float]] = {"fill": [], **{f"ask_{hops}": [] for hops in HOPS}}
        for package, asked in questions.items():
            graph = _graph(package)
            started = time.perf_counter()
            with answering(backend, graph) as answer:
                answer(asked[0])  # what is made once is no part of a question
                clock["fill"].append(time.perf_counter() - started)
                for question in asked:
                    started = time.perf_counter()
                    given = answer(question)
                    clock[f"ask_{question.hops}"].append(time.perf_counter() - started)
                    rows.append({"arm": arm, "twin": False, "package": package, **_row(question, given)})
                    progress(len(rows), sum(map(len, questions.values())))
        table = {name: [row.get(name) for row in rows] for name in _SCHEMA.names}
        return Measured(pa.table(table, schema=_SCHEMA), clock)

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Median and 95th percentile of a question in milliseconds by hops, and seconds to fill the backend."""
        told = {"fill_s": float(sum(clock["fill"]))}
        for hops in HOPS:
            p50, p95 = np.quantile(np.asarray(clock[f"ask_{hops}"]), (0.5, 0.95))
            told[f"p50_ms_{hops}"], told[f"p95_ms_{hops}"] = 1e3 * float(p50), 1e3 * float(p95)
        return told

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Exactness by arm and hops."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        return {"exact": endpoints_figure(metrics, [self.endpoints[f"exact_{hops}"] for hops in HOPS])}


def _graph(package: str) -> CodeGraph:
    graph = CodeGraph()
    graph.update([folder_of(package)])
    return graph


def _as_line(package: str, question: Question) -> str:
    data = {"package": package, "start": question.start, "relations": question.relations, "hops": question.hops}
    return json.dumps({**data, "answer": sorted(question.answer)}, sort_keys=True) + "\n"


def _read(directory: RunDirectory) -> Mapping[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    for line in directory.tasks.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        question = Question(data["start"], tuple(data["relations"]), data["hops"], frozenset(data["answer"]))
        found.setdefault(data["package"], []).append(question)
    return found


def _row(question: Question, given: frozenset[str]) -> dict[str, object]:
    right = len(question.answer & given)
    measures = {
        "exact": float(given == question.answer),
        "ids_recall": right / len(question.answer),
        "ids_precision": right / len(given) if given else 0.0,
    }
    by_hops = {f"{name}_{question.hops}": value for name, value in measures.items()}
    about = {"item": question.name, "hops": question.hops, "path": question.is_path, "answer": len(question.answer)}
    return {**about, **measures, **by_hops}
