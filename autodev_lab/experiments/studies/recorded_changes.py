"""The study of recorded changes: policies decide on real changes of the past whose recorded outcome is known."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from autodev_lab.analysis.estimates import Estimate
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.recorded_changes import week_of
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.decisions.calibrators import CALIBRATOR_NAMES
from autodev_lab.decisions.guarantee import Promise
from autodev_lab.decisions.recorded.models import MODELS
from autodev_lab.decisions.recorded.reading import DAY, LEAST_CHANGES, RecordedChanges, read_changes
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.rows import parquet_bytes
from autodev_lab.experiments.settings import Settings
from autodev_lab.experiments.studies.design import StudyParameters, StudyPlan
from autodev_lab.experiments.studies.recorded_certificates import FORMS
from autodev_lab.experiments.studies.recorded_details import details_of
from autodev_lab.experiments.studies.recorded_labels import Labels
from autodev_lab.experiments.studies.recorded_policies import (
    Judged,
    Splits,
    matched_control,
    split_by_time,
    try_everything,
    try_frozen,
    try_rolling,
)
from autodev_lab.experiments.studies.study import Clocks, Details, Foreseen, Measured, Options, Progress
from autodev_lab.experiments.studies.tables import rows_schema, write_attrition
from autodev_lab.files import write_atomic

__all__ = ["OWN", "POOLED", "RecordedChangesStudy", "RecordedParameters"]

POOLED, OWN = "pooled", "own"
"""How changes were split: all projects by one time, or each project by its own."""

_POLICIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "deploy_all": frozenset(),
        "frozen": frozenset({"model"}),
        "rolling": frozenset({"model", "certify"}),
        "control": frozenset({"order", "of"}),
    }
)
_MAY_HAVE: Mapping[str, frozenset[str]] = MappingProxyType(
    {"frozen": frozenset({"others"}), "rolling": frozenset({"others"})}
)
"""Options beyond those a policy needs: ``others``, to train on other projects' changes too when each is split alone."""

_ORDERS = ("random", "smallest_first")
_CERTIFIES = ("mature", "observed", "young")
_CHANGES = "changes.parquet"
_RECORDED = (
    "The data have no fix dates, so how long each change was followed is not known: success is recorded success, and a "
    "bug that was never recorded counts as none."
)
_FOLLOWED = "Success is that no bug was recorded within {days} days; changes that were followed for less are left out."
_SECONDS_A_CHANGE = 3e-4
_ROW_BYTES = 60

_SCHEMA = rows_schema(
    [
        ("split", pa.string()),
        ("time", pa.float64()),
        ("lines", pa.float64()),
        ("failed", pa.float64()),
        ("dated", pa.bool_()),
        ("confidence", pa.float64()),
        ("deployed", pa.float64()),
        ("threshold", pa.float64()),
        ("certified_on", pa.float64()),
        ("certified_successes", pa.float64()),
        *((f"by_{form}", pa.float64()) for form in FORMS),
        ("deployed_alone", pa.float64()),
        ("bug_escaped", pa.float64()),
        ("deployed_success", pa.float64()),
        ("block", pa.float64()),
    ]
)


class RecordedParameters(StudyParameters):
    """What `-p key=value` may change."""

    data: str = Field("", description="folder of CSV files, one a project, or the file that `mine` wrote")
    promise: float = Field(0.95, gt=0, lt=1, description="share of what is deployed alone that is to succeed")
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence of the promise")
    blocks: Literal["changes", "weeks", "mean_of_weeks"] = Field(
        "changes", description="what the certificate that decides takes to be exchangeable"
    )
    train: float = Field(0.6, gt=0, lt=1, description="share of the changes, the earliest, that trains")
    calibrate: float = Field(0.2, gt=0, lt=1, description="share of the changes, the next, that certifies")
    follow_up_days: float = Field(
        730, gt=0, description="with fix dates: time in which a bug counts, and is waited for"
    )
    settle_days: float = Field(90, ge=0, description="age from which a rolling policy learns from a change")
    origins: int = Field(4, ge=1, le=100, description="times that a rolling policy is made anew in the test period")
    window_days: float = Field(30, gt=0, description="length of the windows of the worst one")
    calibrator: str = Field("beta", description=f"one of {', '.join(CALIBRATOR_NAMES)}")

    @model_validator(mode="after")
    def _parts_leave_a_test(self) -> RecordedParameters:
        if self.train + self.calibrate > 0.95:
            raise ValueError(
                f"train + calibrate is {self.train + self.calibrate:g}; at most 0.95 leaves enough to test"
            )
        if self.calibrator not in CALIBRATOR_NAMES:
            raise ValueError(f"calibrator {self.calibrator!r} is not one of {', '.join(CALIBRATOR_NAMES)}")
        return self


class RecordedChangesStudy:
    """Each arm is a policy: it learns from the earliest changes, is certified on the next, and decides on the last.

    See `Study`. The rows of a cell are of two kinds (`split`): all projects divided by one global time, which the
    endpoints are of, and each project divided by its own.
    """

    parameters = RecordedParameters
    unit = "changes"
    side_by_side = False
    endpoints: Mapping[str, Endpoint] = STUDY_ENDPOINTS["recorded_changes"]

    def check_arm(self, name: str, options: Options) -> None:
        """See `Study`."""
        policy = str(options.get("policy"))
        if policy not in _POLICIES:
            raise LabError(f"arm {name} has policy {policy!r}; choose one of {', '.join(_POLICIES)}")
        takes = _POLICIES[policy]
        if set(options) - _MAY_HAVE.get(policy, frozenset()) != {"policy", *takes}:
            raise LabError(f"arm {name} of policy {policy} takes {', '.join(sorted(takes)) or 'nothing else'}")
        if "model" in takes and options["model"] not in MODELS:
            raise LabError(f"arm {name} has model {options['model']!r}; choose one of {', '.join(MODELS)}")
        if "certify" in takes and options["certify"] not in _CERTIFIES:
            raise LabError(f"arm {name} has certify {options['certify']!r}; choose one of {', '.join(_CERTIFIES)}")
        if "order" in takes and options["order"] not in _ORDERS:
            raise LabError(f"arm {name} has order {options['order']!r}; choose one of {', '.join(_ORDERS)}")

    def lacks(self, options: Options) -> str:
        """Nothing."""
        return ""

    def to_build(self, plan: StudyPlan, directory: RunDirectory) -> tuple[tuple[str, ...], int]:
        """Reading the changes takes a second: it is done by `assemble`."""
        for arm in plan.arms:
            options = plan.experiment.arms[arm].options
            if options["policy"] == "control" and options["of"] not in plan.arms:
                raise LabError(f"arm {arm} deploys as many changes as {options['of']}, which does not run; run both")
        return (), 0

    def build(
        self, plan: StudyPlan, package: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> None:
        """Nothing is built a package."""

    def assemble(self, plan: StudyPlan, directory: RunDirectory, settings: Settings) -> Mapping[str, str]:
        """Keep a copy of the changes that are counted, and write down how many there are."""
        if not directory.tasks.exists():
            read, counted = _counted_changes(_of(plan))
            frame = read.frame
            write_atomic(directory.path / _CHANGES, parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False)))
            write_attrition(directory, counted)
            lines = []
            for name, rows in frame.groupby("project", sort=True):
                digest = hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()[:16]
                about = {"package": str(name), "changes": len(rows), "failed": int(rows["failed"].sum())}
                lines.append(json.dumps({**about, "sha256": digest}, sort_keys=True))
            write_atomic(directory.tasks, "".join(f"{line}\n" for line in lines))
        told = [json.loads(line) for line in directory.tasks.read_text(encoding="utf-8").splitlines()]
        return {str(one["package"]): str(one["sha256"]) for one in told}

    def foresee(self, plan: StudyPlan) -> Foreseen:
        """From the number of changes."""
        parameters = _of(plan)
        changes = len(_counted_changes(parameters)[0].frame)
        rows = round(2 * changes * (1 - parameters.train - parameters.calibrate)) * len(plan.arms)
        fits = sum(
            {"frozen": 1, "rolling": parameters.origins}.get(str(plan.experiment.arms[arm].options["policy"]), 0)
            for arm in plan.arms
        )
        return Foreseen(rows, 10 + fits * changes * _SECONDS_A_CHANGE, rows * _ROW_BYTES + changes * 200)

    def size(self, plan: StudyPlan) -> int:
        """Parts of an arm's work, as a hundred."""
        return 100

    def measure(
        self, plan: StudyPlan, arm: str, directory: RunDirectory, settings: Settings, progress: Progress
    ) -> Measured:
        """Try one policy on all projects together and on each by itself."""
        started = time.perf_counter()
        parameters, options = _of(plan), plan.experiment.arms[arm].options
        if options["policy"] == "control":
            (of,) = (cell for cell in plan.cells() if cell.arm == options["of"])
            rows = matched_control(directory.read_cell(of).to_pandas(), str(options["order"]))
        else:
            changes = pd.read_parquet(directory.path / _CHANGES)
            parts = [(POOLED, changes), *((OWN, one) for one in _large_enough(changes))]
            found = []
            for number, (split, one) in enumerate(parts):
                some = one.reset_index(drop=True)
                splits = split_by_time(some, train=parameters.train, calibrate=parameters.calibrate)
                others = None
                if split == OWN and options.get("others"):
                    others = changes[changes["project"] != some["project"].iloc[0]]
                judged = _tried(some, splits, options, parameters, others)
                found.append(judged.rows.assign(split=split, dated=bool(some["known"].notna().any())))
                progress(number + 1, len(parts))
            rows = pd.concat(found, ignore_index=True)
        pooled = rows["split"] == POOLED
        rows["item"] = (
            rows["item"].where(pooled, rows["item"] + "@own") if options["policy"] != "control" else rows["item"]
        )
        rows = rows.assign(
            arm=arm,
            twin=False,
            deployed_alone=rows["deployed"].where(pooled),
            bug_escaped=(rows["deployed"] * rows["failed"]).where(pooled),
            # a control deploys shares of changes
            deployed_success=(1.0 - rows["failed"]).where(
                pooled & (rows["deployed"] == 1.0) & (options["policy"] != "control")
            ),
            block=pd.Series(week_of(rows["time"]), index=rows.index, dtype=np.float64).where(pooled),
        )
        table = pa.Table.from_pandas(rows[_SCHEMA.names], schema=_SCHEMA, preserve_index=False)
        return Measured(table.replace_schema_metadata(None), {"fit_and_decide": [time.perf_counter() - started]})

    def clocked(self, clock: Mapping[str, Sequence[float]]) -> Mapping[str, float]:
        """Seconds of the arm."""
        return {"seconds": float(sum(clock["fit_and_decide"]))}

    def details(self, plan: StudyPlan, outcomes: pd.DataFrame, clocks: Clocks) -> Details:
        """Figures of every policy, pooled and by project; see `TellsMore`."""
        success = _RECORDED
        if bool(outcomes["dated"].any()):
            success = _FOLLOWED.format(days=f"{_of(plan).follow_up_days:g}")
        promised, window = _of(plan).promise, _of(plan).window_days * DAY
        return details_of(plan, outcomes, promised=promised, window_seconds=window, success=success)

    def draw_details(self, plan: StudyPlan, details: Details) -> Mapping[str, Figure]:
        """None: what is drawn is drawn from the rows."""
        return {}

    def draw(
        self,
        plan: StudyPlan,
        outcomes: pd.DataFrame,
        metrics: Mapping[str, Mapping[str, Estimate]],
        clock: Mapping[str, Mapping[str, float]],
    ) -> Mapping[str, Figure]:
        """Success by coverage for all policies, and how true each confidence is."""
        from autodev_lab.analysis.recorded_figures import recorded_figures

        return recorded_figures(outcomes, promised=_of(plan).promise)


def _of(plan: StudyPlan) -> RecordedParameters:
    parameters = plan.parameters
    assert isinstance(parameters, RecordedParameters)
    return parameters


def _tried(
    changes: pd.DataFrame,
    splits: Splits,
    options: Options,
    parameters: RecordedParameters,
    others: pd.DataFrame | None,
) -> Judged:
    if options["policy"] == "deploy_all":
        return try_everything(changes, splits)
    promise = Promise(parameters.promise, parameters.confidence)
    make = MODELS[str(options["model"])]
    if options["policy"] == "frozen":
        return try_frozen(
            changes, splits, make, promise, parameters.calibrator, others=others, decides=parameters.blocks
        )
    return try_rolling(
        changes,
        splits,
        make,
        promise,
        parameters.calibrator,
        labels=Labels(
            dated=bool(changes["known"].notna().any()),
            settle=parameters.settle_days * DAY,
            horizon=parameters.follow_up_days * DAY,
            young=options["certify"] == "young",
        ),
        origins=parameters.origins,
        others=others,
        decides="observed" if options["certify"] == "observed" else parameters.blocks,
    )


def _counted_changes(parameters: RecordedParameters) -> tuple[RecordedChanges, list[tuple[str, str, int]]]:
    """The changes that count, and rows of the attrition sheet."""
    if not parameters.data:
        raise LabError("name recorded changes with -p data=DIR: a folder of CSV files, one a project")
    read = read_changes(parameters.data)
    frame = read.frame
    for name in parameters.packages:
        if name not in read.projects:
            raise LabError(f"{parameters.data} has no project {name!r}; choose among {', '.join(read.projects)}")
    if parameters.packages:
        frame = frame[frame["project"].isin(parameters.packages)]
    there = Counter(frame["project"])
    if read.dated:
        end = float(np.nanmax(frame[["time", "known"]].to_numpy(dtype=np.float64)))
        frame = frame[end - frame["time"] >= parameters.follow_up_days * DAY]
        in_time = frame["failed"] & (frame["known"] - frame["time"] <= parameters.follow_up_days * DAY)
        frame = frame.assign(failed=in_time, known=frame["known"].where(in_time))
    if len(frame) < LEAST_CHANGES or frame["failed"].nunique() < 2:
        raise LabError(
            f"{parameters.data} leaves {len(frame)} changes with {int(frame['failed'].sum())} failures to count; take "
            "more projects or a shorter follow_up_days"
        )
    promise, certifying = Promise(parameters.promise, parameters.confidence), int(parameters.calibrate * len(frame))
    if certifying < promise.fewest:
        raise LabError(
            f"promise {promise.success:g} with confidence {promise.assurance:g} takes {promise.fewest} changes or more "
            f"that all succeed, and {certifying} certify here; promise less, or give more changes"
        )
    counted = Counter(frame["project"])
    sheet = [
        row
        for name in sorted(there)
        for row in ((name, "changes", counted[name]), (name, "followed_too_short", there[name] - counted[name]))
    ]
    return RecordedChanges(frame.reset_index(drop=True), read.dated), [*sheet, *read.notes]


def _large_enough(changes: pd.DataFrame) -> list[pd.DataFrame]:
    """Projects with enough changes of both kinds to be split by themselves."""
    return [
        rows
        for _, rows in changes.groupby("project", sort=True)
        if len(rows) >= 2 * LEAST_CHANGES and rows["failed"].nunique() == 2
    ]
