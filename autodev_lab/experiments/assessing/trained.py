"""Learning a gate from one repository's past: a model, its calibration and a certificate, each on a part of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from autodev_lab.analysis.discrimination import Discrimination, discrimination
from autodev_lab.decisions import (
    Certificate,
    DatedOutcomes,
    FittedCalibrator,
    FixedSequences,
    Promise,
    certify,
    fit_calibrator,
)
from autodev_lab.experiments.assessing.change_model import ChangeModel
from autodev_lab.mining import MEASURES

__all__ = ["DAY", "LEAST_CHANGES", "LEAST_FAILURES", "TrainedGate", "Worth", "mature_part", "train"]

DAY = 86400.0

LEAST_CHANGES = 200
"""Fewer mature changes cannot be split in three and say anything. An assumption."""

LEAST_FAILURES = 20
"""Failures, and successes, that are needed to learn from: about one a measure. An assumption."""

_TRAIN, _CALIBRATE = 0.6, 0.8
_CALIBRATOR = "platt"


@dataclass(frozen=True, slots=True)
class Worth:
    """What a gate learned from, and what it is worth on changes it had not seen.

    Parameters
    ----------
    before
        Changes before the one that is assessed.
    mature
        Those of them that are old enough for their label to be final.
    failures
        Mature changes that failed.
    trained, calibrated
        Changes the model and its calibrator learned from, the oldest first.
    tested
        How well the model orders the changes after them, on which the certificate was sought too.
    """

    before: int
    mature: int
    failures: int
    trained: int
    calibrated: int
    tested: Discrimination


@dataclass(frozen=True, slots=True)
class TrainedGate:
    """A model, its calibrator and the certificate, frozen."""

    model: ChangeModel
    calibrator: FittedCalibrator
    certificate: Certificate
    worth: Worth

    def confidence(self, changes: pd.DataFrame) -> np.ndarray:
        """Probability that each change does not fail within the horizon, shape (n,)."""
        return self.calibrator.predict(1.0 - self.model.risk(changes))


def mature_part(history: pd.DataFrame, now: float, days: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Changes old enough for their label to be final, in order of time, and which of them failed.

    A change failed if a fix is known by `now` and came within `days` of it: the same time to fail for all, so that an
    old change has no more failures than a younger one for its age alone.

    Parameters
    ----------
    history
        Changes before `now`, as `autodev_lab.mining.read_changes` gives them.
    now
        Moment of looking, in seconds since 1970.
    days
        Time within which a failure counts.
    """
    dates = history["date"].to_numpy(dtype=np.float64)
    fixed = history["fix_date"].to_numpy(dtype=np.float64, na_value=np.nan)
    fixed = np.where(fixed < now, np.maximum(fixed, dates), np.nan)
    outcomes = DatedOutcomes(dates / DAY, fixed / DAY, now=now / DAY, horizon=days)
    order = np.argsort(dates[outcomes.mature], kind="stable")
    return history[outcomes.mature].iloc[order].reset_index(drop=True), ~outcomes.success[outcomes.mature][order]


def train(
    model: ChangeModel, mature: pd.DataFrame, failed: np.ndarray, promise: Promise, *, before: int
) -> TrainedGate:
    """Fit the model on the oldest 60 % of the mature changes, calibrate on the next 20 %, certify and test on the last.

    Parameters
    ----------
    model
        To be fitted.
    mature, failed
        As `mature_part` gives them.
    promise
        What a certificate is to promise.
    before
        Changes in all.

    Raises
    ------
    LabError
        If the oldest part has failures alone, or none.
    """
    first, second = int(_TRAIN * len(mature)), int(_CALIBRATE * len(mature))
    measures = mature[list(MEASURES)].astype(np.float64)
    model.fit(measures.iloc[:first], failed[:first])
    middle, last = measures.iloc[first:second], measures.iloc[second:]
    calibrator = fit_calibrator(_CALIBRATOR, 1.0 - model.risk(middle), ~failed[first:second])
    confidence = calibrator.predict(1.0 - model.risk(last))
    sequences = FixedSequences.of(
        calibrator.predict(1.0 - model.risk(middle))
    )  # of other changes than those that certify
    certificate = certify(confidence, ~failed[second:], promise, sequences=sequences)
    tested = discrimination(1.0 - confidence, failed[second:])
    worth = Worth(before, len(mature), int(failed.sum()), first, second - first, tested)
    return TrainedGate(model, calibrator, certificate, worth)
