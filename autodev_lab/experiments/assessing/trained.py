"""Learning a gate from one repository's past: a model, its calibration and a certificate, each on a part of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
from autodev_lab.decisions.recorded.models import ChangeRisk

__all__ = [
    "CALIBRATOR",
    "DAY",
    "LEAST_CHANGES",
    "LEAST_FAILURES",
    "TrainedGate",
    "Worth",
    "labels_at",
    "train",
    "two_kinds",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAY = 86400.0

LEAST_CHANGES = 200
"""Fewer mature changes cannot be split in three and say anything. An assumption."""

LEAST_FAILURES = 20
"""Failures, and successes, that are needed to learn from: about one a measure. An assumption."""

OLDEST = 0.6
"""Share of the mature changes, the oldest, that the model learns from."""

CALIBRATOR = "platt"
"""Two weights, for there is little to calibrate on."""

_CALIBRATE = 0.8


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
    by_lines
        How well their number of added lines alone does: a model is worth what it adds to that.
    """

    before: int
    mature: int
    failures: int
    trained: int
    calibrated: int
    tested: Discrimination
    by_lines: Discrimination


@dataclass(frozen=True, slots=True)
class TrainedGate:
    """A model, its calibrator and the certificate, frozen."""

    model: ChangeRisk
    calibrator: FittedCalibrator
    certificate: Certificate
    worth: Worth

    def confidence(self, changes: pd.DataFrame) -> Floats:
        """Probability that each change does not fail within the horizon, shape (n,), from features."""
        return self.calibrator.predict(1.0 - self.model.risk(changes))


def labels_at(history: pd.DataFrame, now: float, days: float) -> tuple[Bools, Bools]:
    """Which changes are old enough for their label to be final, and which failed.

    A change failed if a fix is known before `now` and came within `days` of it: the same time to fail for all, so that
    an old change has no more failures than a younger one for its age alone.

    Parameters
    ----------
    history
        Changes up to `now`, as `autodev_lab.mining.read_changes` gives them.
    now
        Moment of looking, in seconds since 1970.
    days
        Time within which a failure counts.

    Examples
    --------
    >>> history = pd.DataFrame({"date": [0, 0, 86400 * 8], "fix_date": [86400 * 2, 86400 * 6, None]})
    >>> mature, failed = labels_at(history, now=86400 * 10.0, days=5.0)
    >>> mature.tolist(), failed.tolist()
    ([True, True, False], [True, False, False])
    """
    dates = history["date"].to_numpy(dtype=np.float64)
    fixed = history["fix_date"].to_numpy(dtype=np.float64, na_value=np.nan)
    fixed = np.where(fixed < now, np.maximum(fixed, dates), np.nan)
    outcomes = DatedOutcomes(dates / DAY, fixed / DAY, now=now / DAY, horizon=days)
    return outcomes.mature, ~outcomes.success


def two_kinds(failed: Bools) -> bool:
    """Whether the oldest part, which a model learns from, has failures and successes."""
    early = failed[: int(OLDEST * len(failed))]
    return bool(early.any() and not early.all())


def train(model: ChangeRisk, mature: pd.DataFrame, failed: Bools, promise: Promise, *, before: int) -> TrainedGate:
    """Fit the model on the oldest 60 % of the mature changes, calibrate on the next 20 %, certify and test on the last.

    Parameters
    ----------
    model
        To be fitted.
    mature
        Features of the mature changes in order of time (`autodev_lab.decisions.recorded.features.features_of`).
    failed
        Which of them failed, shape (n,).
    promise
        What a certificate is to promise.
    before
        Changes in all.

    Raises
    ------
    LabError
        If the oldest part has failures alone, or none.
    """
    first, second = int(OLDEST * len(mature)), int(_CALIBRATE * len(mature))
    model.fit(mature.iloc[:first], failed[:first])
    middle, last = mature.iloc[first:second], mature.iloc[second:]
    calibrator = fit_calibrator(CALIBRATOR, 1.0 - model.risk(middle), ~failed[first:second])
    # thresholds come from other changes than those that certify
    sequences = FixedSequences.of(calibrator.predict(1.0 - model.risk(middle)))
    confidence = calibrator.predict(1.0 - model.risk(last))
    certificate = certify(confidence, ~failed[second:], promise, sequences=sequences)
    tested = discrimination(1.0 - confidence, failed[second:])
    by_lines = discrimination(last["la"].to_numpy(dtype=np.float64), failed[second:])
    worth = Worth(before, len(mature), int(failed.sum()), first, second - first, tested, by_lines)
    return TrainedGate(model, calibrator, certificate, worth)
