"""The study of evidence: what moved the risk and the confidence of a finished run's decisions, and was it worth it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field
from scipy import stats
from sklearn.metrics import roc_auc_score

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory, find_run
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.replay import GROUPS, PastDecision, past_decisions, replay, shapley
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, table_of, write_attrition
from autodev_lab.files import write_atomic
from autodev_lab.records import Label, LabelSource
from autodev_lab.resources import runs_directory

__all__ = ["EvidenceParameters", "EvidenceStudy"]

_DECISION_SECONDS = 0.05
_ROW_BYTES = 150
_LEAST_CLUSTERS = 3

_SCHEMA = rows_schema(
    [
        ("correct", pa.bool_()),
        *((name, pa.float64()) for name in ("risk", "risk_without", "confidence", "confidence_without")),
        *((name, pa.float64()) for name in ("moved_risk", "moved_confidence", "shapley_risk", "shapley_confidence")),
        *((name, pa.float64()) for name in ("brier", "brier_without")),
    ]
)


class EvidenceParameters(StudyParameters):
    """What `-p key=value` may change."""

    run: str = Field("last", description="a finished run with a gate that learns: a path, an id, or last")
    arm: str = Field("", description="the run's arm to take decisions from; empty takes all that have learned risk")


class EvidenceStudy:
    """Decisions of a finished run are made again, in their order, with one group of evidence left out. See `Study`."""

    parameters = EvidenceParameters
    unit = "decisions"
    side_by_side = True
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["evidence"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        if options.get("group") not in GROUPS:
            raise LabError(f"arm {name} has group {options.get('group')!r}; choose one of {', '.join(GROUPS)}")
        for key in options:
            if key != "group":
                raise LabError(f"arm {name} has an option {key!r}; it takes group alone")

    def lacks(self, options: Options) -> str:
        """See `Study`."""
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Nothing is built a package."""
        if plan.parameters.packages:
            raise LabError("this study takes decisions of a run, -p run=..., and no packages")
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Copy the decisions, with what became of them, so that the run may go."""
        parameters = plan.parameters
        assert isinstance(parameters, EvidenceParameters)
        if not directory.tasks.exists():
            source = _source(parameters.run, directory)
            streams = past_decisions(pd.read_parquet(source.outcomes), f"run {source.id}")
            chosen = {name: one for name, one in streams.items() if parameters.arm in ("", name.rpartition("-r")[0])}
            if not chosen:
                arms = ", ".join(dict.fromkeys(name.rpartition("-r")[0] for name in streams))
                raise LabError(f"run {source.id} has no arm {parameters.arm!r} with learned risk; it has {arms}")
            lines = [_as_line(name, one) for name, decisions in chosen.items() for one in decisions]
            write_atomic(directory.tasks, "".join(lines))
        kept = _read(directory)
        write_attrition(directory, ((name, "decisions", len(decisions)) for name, decisions in kept.items()))
        packages = sorted({one.package for decisions in kept.values() for one in decisions})
        digest = hashlib.sha256(directory.tasks.read_bytes()).hexdigest()[:16]
        return dict.fromkeys(packages, digest)

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of decisions of the run."""
        parameters = plan.parameters
        assert isinstance(parameters, EvidenceParameters)
        rows = len(pd.read_parquet(find_run(parameters.run, runs_directory()).outcomes)) * len(plan.arms)
        return Foreseen(rows, rows * _DECISION_SECONDS, rows * _ROW_BYTES)

    def size(self, plan: StudyPlan) -> int:
        """One pass over every set of groups."""
        return 1 << len(GROUPS)

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Replay the decisions with every set of groups, and say what this arm's group does."""
        group = str(plan.experiment.arms[arm].options["group"])
        sets = [frozenset(one) for size in range(len(GROUPS) + 1) for one in itertools.combinations(GROUPS, size)]
        rows: list[dict[str, object]] = []
        for name, decisions in _read(directory).items():
            told = {}
            for number, groups in enumerate(sets, start=1):
                told[groups] = replay(decisions, groups)
                progress(number, len(sets))
            every = frozenset(GROUPS)
            for place, one in enumerate(decisions):
                full, without = told[every][place], told[every - {group}][place]
                risks = {groups: values[place].risk for groups, values in told.items()}
                confidences = {groups: values[place].confidence for groups, values in told.items()}
                rows.append(
                    {
                        "arm": arm,
                        "twin": False,
                        "package": one.package,
                        "item": f"{name}:{one.task_id}",
                        "correct": one.correct,
                        "risk": full.risk,
                        "risk_without": without.risk,
                        "confidence": full.confidence,
                        "confidence_without": without.confidence,
                        "moved_risk": abs(full.risk - without.risk),
                        "moved_confidence": abs(full.confidence - without.confidence),
                        "shapley_risk": abs(shapley(group, risks)),
                        "shapley_confidence": abs(shapley(group, confidences)),
                        "brier": (full.confidence - one.correct) ** 2,
                        "brier_without": (without.confidence - one.correct) ** 2,
                    }
                )
        return Measured(table_of(rows, _SCHEMA), {})

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Nothing is timed."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """How far each group moves risk and confidence."""
        from autodev_lab.analysis.study_figures import endpoints_figure

        return {"moved": endpoints_figure(metrics, [self.endpoints[n] for n in ("shapley_risk", "shapley_confidence")])}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Discrimination with all evidence and without each group, the difference paired by decision."""
        arms: dict[str, dict[str, float]] = {}
        words = ["Loss of AUC (risk against wrong changes) without a group, 95 % over packages (jackknife):"]
        for arm in clocks:
            rows = outcomes[outcomes["arm"] == arm]
            value, low, high = auc_loss(rows)
            arms[arm] = {"auc": _auc(rows, "risk"), "auc_loss": value, "auc_loss_low": low, "auc_loss_high": high}
            words.append(f"  {arm:<16}{value:+.3f} [{low:+.3f}, {high:+.3f}] of {arms[arm]['auc']:.3f}")
        return Details(arms, {}, words)

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """Nothing more than `draw`."""
        return {}


def auc_loss(rows: pd.DataFrame) -> tuple[float, float, float]:
    """AUC of risk minus AUC of risk without a group, with an interval of 95 % by the jackknife over packages.

    Tukey's pseudo-values with t and one degree of freedom less than packages (Efron and Tibshirani 1993, *An
    Introduction to the Bootstrap*, chapter 11); the ends are NaN with fewer than three packages, or where leaving one
    out leaves changes of one kind alone.
    """
    packages = sorted(rows["package"].unique())
    value = _auc(rows, "risk") - _auc(rows, "risk_without")
    if len(packages) < _LEAST_CLUSTERS:
        return value, float("nan"), float("nan")
    rest = [rows[rows["package"] != package] for package in packages]
    left = np.array([_auc(one, "risk") - _auc(one, "risk_without") for one in rest])
    pseudo = len(packages) * value - (len(packages) - 1) * left
    reach = float(stats.t.ppf(0.975, len(packages) - 1)) * float(pseudo.std(ddof=1)) / len(packages) ** 0.5
    return value, value - reach, value + reach


def _auc(rows: pd.DataFrame, column: str) -> float:
    wrong = ~rows["correct"].astype(bool)
    return float(roc_auc_score(wrong, rows[column])) if 0 < wrong.sum() < len(rows) else float("nan")


def _source(run: str, directory: RunDirectory) -> RunDirectory:
    """The run asked for; this very study, which is the newest, is never meant by ``last``."""
    root = runs_directory()
    if run != "last":
        return find_run(run, root)
    others = sorted(one.parent for one in root.glob("*/outcomes.parquet") if one.parent.name != directory.path.name)
    if not others:
        raise LabError(f"there is no finished run in {root}; make one with `autodev-lab run safety`")
    return RunDirectory(others[-1])


def _as_line(stream: str, one: PastDecision) -> str:
    label = one.label
    shown = None
    if label is not None:
        shown = {"success": label.success, "source": label.source, "propensity": label.propensity, "risk": label.risk}
    data = {"stream": stream, "task_id": one.task_id, "package": one.package, "correct": one.correct}
    return json.dumps({**data, "factors": dict(one.factors), "label": shown}, sort_keys=True) + "\n"


def _read(directory: RunDirectory) -> Mapping[str, tuple[PastDecision, ...]]:
    found: dict[str, list[PastDecision]] = {}
    for line in directory.tasks.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        task, package, factors, shown = data["task_id"], data["package"], data["factors"], data["label"]
        label = None
        if shown is not None:
            source = LabelSource(shown["source"])
            label = Label(task, package, factors, shown["risk"], shown["success"], source, shown["propensity"])
        found.setdefault(data["stream"], []).append(PastDecision(task, package, factors, data["correct"], label))
    return {name: tuple(decisions) for name, decisions in found.items()}
