"""How a policy is tried on recorded changes: fitted on the past, certified on what followed, tried on the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.analysis.risk_coverage import covering
from autodev_lab.decisions.calibrators import fit_calibrator
from autodev_lab.decisions.guarantee import FixedSequences, Promise
from autodev_lab.decisions.recorded.features import features_of
from autodev_lab.decisions.recorded.models import ChangeRisk
from autodev_lab.experiments.studies.recorded_certificates import FORMS, Certified, certificates_of, project_weeks
from autodev_lab.experiments.studies.recorded_labels import STARTS, Labels

__all__ = ["Judged", "Splits", "matched_control", "split_by_time", "try_everything", "try_frozen", "try_rolling"]

Floats = npt.NDArray[np.float64]
Make = Callable[[], ChangeRisk]

_OF_CERTIFICATES = ("threshold", "certified_on", "certified_successes", *(f"by_{form}" for form in FORMS))


@dataclass(frozen=True, slots=True)
class Splits:
    """Places of changes in three parts that follow one another in time."""

    train: slice
    calibrate: slice
    test: slice


@dataclass(frozen=True, slots=True)
class Judged:
    """The test changes with what a policy says of them.

    Parameters
    ----------
    rows
        ``package``, ``item``, ``time``, ``lines``, ``failed``, ``confidence`` (calibrated), ``deployed``, and the
        certificate that each was deployed under: ``threshold`` (of the confidence before calibration; NaN when nothing
        was certified), ``certified_on`` (changes above it) and ``certified_successes``; and what each form of
        certificate would deploy, ``by_changes`` and so on (`Certified.columns`).
    certificates
        In the order they were issued.
    """

    rows: pd.DataFrame
    certificates: tuple[Certified, ...]


def split_by_time(changes: pd.DataFrame, *, train: float, calibrate: float) -> Splits:
    """Three parts by shares of the changes; changes of one second stay in one part."""
    times = changes["time"].to_numpy(dtype=np.float64)
    first = int(np.searchsorted(times, times[int(train * len(times))], side="left"))
    second = int(np.searchsorted(times, times[int((train + calibrate) * len(times))], side="left"))
    return Splits(slice(0, first), slice(first, second), slice(second, len(times)))


def try_frozen(
    changes: pd.DataFrame,
    splits: Splits,
    make: Make,
    promise: Promise,
    calibrator: str,
    *,
    others: pd.DataFrame | None = None,
    decides: str = "changes",
) -> Judged:
    """One model from the training part, one certificate from the calibration part, neither changed after that.

    The certificate is of the model's confidence as it is, so calibrating it on the same part breaks nothing: the curve
    decides on no change. Thresholds to test are quantiles of the training part's confidences, in one sequence that
    starts where a fifth of them is deployed.

    Parameters
    ----------
    others
        Changes of other projects; those from before the end of the training part train as well.
    decides
        Which of `EXCHANGEABLE` the certificate that decides rests on.
    """
    features = features_of(changes)
    failed = changes["failed"].to_numpy(dtype=np.bool_)
    model = make()
    known = features.iloc[splits.train]
    if others is None:
        model.fit(known, failed[splits.train])
    else:
        earlier = others[others["time"] < changes["time"].iloc[splits.calibrate.start]]
        both = pd.concat([known, features_of(earlier)], ignore_index=True)
        model.fit(both, np.concatenate([failed[splits.train], earlier["failed"].to_numpy(dtype=np.bool_)]))
    return _under(changes, splits, features, model, promise=promise, calibrator=calibrator, decides=decides)


def try_rolling(
    changes: pd.DataFrame,
    splits: Splits,
    make: Make,
    promise: Promise,
    calibrator: str,
    *,
    labels: Labels,
    origins: int,
    others: pd.DataFrame | None = None,
    decides: str = "changes",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Judged:
    """Make model and certificate anew as labels arrive, `origins` times in the test part.

    Time from the last quarter of the training part on is cut in pieces. A piece is scored by a model fitted on what was
    known when it began, so no change is scored by a model that knew its label. When a piece of the test part begins,
    the scores of earlier pieces whose labels are known by then certify a threshold for it: what is promised is promised
    of this procedure, if its scores mean the same in the next piece as they did in those before.

    Parameters
    ----------
    others
        Changes of other projects, learned from as far as their labels are known.
    decides
        Which of `FORMS` the certificate that decides rests on; without dates none is of ``observed``, and changes do.
    """
    features = features_of(changes)
    lessons = None if others is None else (others, features_of(others))
    times = changes["time"].to_numpy(dtype=np.float64)
    begin = splits.train.stop - splits.train.stop // 4
    before = round(origins * (splits.test.start - begin) / (splits.test.stop - splits.test.start))
    pieces = [
        *np.array_split(np.arange(begin, splits.test.start), max(1, before)),
        *np.array_split(np.arange(splits.test.start, splits.test.stop), origins),
    ]
    confidence = np.full(len(changes), np.nan)
    found: list[Judged] = []
    for number, piece in enumerate(pieces):
        now = float(times[piece[0]])
        known, failed = labels.to_learn_from(changes, now)
        if failed.any() and not failed.all():
            model = make()
            model.fit(*_with_others(features.iloc[known], failed, lessons, labels, now))
            confidence[piece] = 1.0 - model.risk(features.iloc[piece])
        else:  # nothing to tell apart yet: all are as good
            confidence[piece] = 1.0 - (failed.sum() + 1.0) / (len(failed) + 2.0)
        if piece[0] >= splits.test.start:
            scored = np.arange(begin, piece[0])
            past, seen = changes.iloc[scored], confidence[scored]
            by = labels.certificates(past, seen, now, promise, labels.thresholds(past, seen, now))
            certified = Certified(by, decides if decides in by else "changes")
            kept, bad = labels.to_learn_from(changes.iloc[scored], now)
            curve = fit_calibrator(calibrator, confidence[scored][kept], ~bad) if len(kept) else None
            asked = confidence[piece]
            rows = _decided(changes.iloc[piece], asked if curve is None else curve.predict(asked), asked, certified)
            found.append(Judged(rows, (certified,)))
        progress(number + 1, len(pieces))
    rows = pd.concat([one.rows for one in found], ignore_index=True)
    return Judged(rows, tuple(certificate for one in found for certificate in one.certificates))


def _with_others(
    known: pd.DataFrame,
    failed: npt.NDArray[np.bool_],
    lessons: tuple[pd.DataFrame, pd.DataFrame] | None,
    labels: Labels,
    now: float,
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Features and labels of a project's changes, and of other projects' as far as they are known by now."""
    if lessons is None:
        return known, failed
    changes, features = lessons
    places, theirs = labels.to_learn_from(changes, now)
    return pd.concat([known, features.iloc[places]], ignore_index=True), np.concatenate([failed, theirs])


def _under(
    changes: pd.DataFrame,
    splits: Splits,
    features: pd.DataFrame,
    model: ChangeRisk,
    *,
    promise: Promise,
    calibrator: str,
    decides: str,
) -> Judged:
    grid = FixedSequences.of(1.0 - model.risk(features.iloc[splits.train]), coverages=STARTS)
    confidence = 1.0 - model.risk(features.iloc[splits.calibrate])
    success = ~changes["failed"].to_numpy(dtype=np.bool_)[splits.calibrate]
    by = certificates_of(confidence, success, project_weeks(changes.iloc[splits.calibrate]), promise, grid)
    certified = Certified(by, decides)
    curve = fit_calibrator(calibrator, confidence, success)
    asked = 1.0 - model.risk(features.iloc[splits.test])
    return Judged(_decided(changes.iloc[splits.test], curve.predict(asked), asked, certified), (certified,))


def _decided(test: pd.DataFrame, confidence: Floats, asked: Floats, certified: Certified) -> pd.DataFrame:
    return _described(test).assign(confidence=confidence, **certified.columns(asked))


def try_everything(changes: pd.DataFrame, splits: Splits) -> Judged:
    """Deploy every change; the confidence of all is the share of successes in the calibration part."""
    test = changes.iloc[splits.test]
    share = 1.0 - float(changes["failed"].iloc[splits.calibrate].mean())
    rows = _described(test).assign(confidence=share, deployed=1.0, **dict.fromkeys(_OF_CERTIFICATES, np.nan))
    return Judged(rows, ())


def matched_control(rows: pd.DataFrame, order: str) -> pd.DataFrame:
    """The rows of another policy with as many changes deployed in each split, at random or the smallest first.

    Nothing is drawn: a change counts by its chance of being deployed.
    """
    parts = []
    for _, one in rows.groupby(["split", rows["package"].where(rows["split"] != "pooled", "")], sort=False):
        score = np.zeros(len(one)) if order == "random" else one["lines"].to_numpy(dtype=np.float64)
        share = float(one["deployed"].mean())
        parts.append(one.assign(deployed=covering(score, share) * share * len(one) if share else 0.0))
    unknown = dict.fromkeys(("confidence", *_OF_CERTIFICATES), np.nan)
    return pd.concat(parts).sort_index().assign(**unknown)


def _described(test: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "package": test["project"].to_numpy(),
            "item": test["commit"].to_numpy(),
            "time": test["time"].to_numpy(dtype=np.float64),
            "lines": (test["la"] + test["ld"]).to_numpy(dtype=np.float64),
            "failed": test["failed"].to_numpy(dtype=np.float64),
        }
    )
