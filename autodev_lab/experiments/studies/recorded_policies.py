"""How a policy is tried on recorded changes: fitted on the past, certified on what followed, tried on the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.analysis.risk_coverage import covering
from autodev_lab.decisions.calibrators import fit_calibrator
from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise, certify
from autodev_lab.decisions.recorded.features import features_of
from autodev_lab.decisions.recorded.models import ChangeRisk

__all__ = ["Judged", "Splits", "matched_control", "split_by_time", "try_everything", "try_frozen", "try_rolling"]

Floats = npt.NDArray[np.float64]
Make = Callable[[], ChangeRisk]


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
        was certified), ``certified_on`` (changes above it) and ``certified_successes``.
    certificates
        In the order they were issued.
    """

    rows: pd.DataFrame
    certificates: tuple[Certificate, ...]


def split_by_time(changes: pd.DataFrame, *, train: float, calibrate: float) -> Splits:
    """Three parts by shares of the changes; changes of one second stay in one part."""
    times = changes["time"].to_numpy(dtype=np.float64)
    first = int(np.searchsorted(times, times[int(train * len(times))], side="left"))
    second = int(np.searchsorted(times, times[int((train + calibrate) * len(times))], side="left"))
    return Splits(slice(0, first), slice(first, second), slice(second, len(times)))


def try_frozen(changes: pd.DataFrame, splits: Splits, make: Make, promise: Promise, calibrator: str) -> Judged:
    """One model from the training part, one certificate from the calibration part, neither changed after that.

    The certificate is of the model's confidence as it is, so calibrating it on the same part breaks nothing: the curve
    decides on no change. Thresholds to test are quantiles of the training part's confidences.
    """
    features = features_of(changes)
    failed = changes["failed"].to_numpy(dtype=np.bool_)
    model = make()
    model.fit(features.iloc[splits.train], failed[splits.train])
    return _under(
        changes.iloc[splits.test],
        features.iloc[splits.test],
        model,
        grid_from=features.iloc[splits.train],
        certify_on=features.iloc[splits.calibrate],
        failed=failed[splits.calibrate],
        promise=promise,
        calibrator=calibrator,
    )


def try_rolling(
    changes: pd.DataFrame,
    splits: Splits,
    make: Make,
    promise: Promise,
    calibrator: str,
    *,
    origins: int,
    maturity: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Judged:
    """The test part in equal pieces; at the start of each everything is made anew from labels that are mature by then.

    A change is mature when ``maturity`` seconds have passed since it was made; its label is what was recorded within
    them (where fixes have no date: the recorded label, which is then *taken* to be known). The last mature changes, as
    many as the calibration part has, certify; those before them train. Each certificate is of one frozen rule.
    """
    features = features_of(changes)
    times = changes["time"].to_numpy(dtype=np.float64)
    pieces = np.array_split(np.arange(splits.test.start, splits.test.stop), origins)
    held = splits.calibrate.stop - splits.calibrate.start
    found: list[Judged] = []
    for number, piece in enumerate(pieces):
        mature = int(np.searchsorted(times, times[piece[0]] - maturity, side="right"))
        first = max(mature - held, int(mature * 0.5))
        failed = _known_within(changes.iloc[:mature], maturity)
        model = make()
        model.fit(features.iloc[:first], failed[:first])
        found.append(
            _under(
                changes.iloc[piece],
                features.iloc[piece],
                model,
                grid_from=features.iloc[:first],
                certify_on=features.iloc[first:mature],
                failed=failed[first:mature],
                promise=promise,
                calibrator=calibrator,
            )
        )
        progress(number + 1, origins)
    return joined(found)


def joined(parts: Iterable[Judged]) -> Judged:
    """Several as one."""
    kept = tuple(parts)
    return Judged(
        pd.concat([one.rows for one in kept], ignore_index=True),
        tuple(one for part in kept for one in part.certificates),
    )


def _under(
    test: pd.DataFrame,
    features: pd.DataFrame,
    model: ChangeRisk,
    *,
    grid_from: pd.DataFrame,
    certify_on: pd.DataFrame,
    failed: npt.NDArray[np.bool_],
    promise: Promise,
    calibrator: str,
) -> Judged:
    grid = FixedSequences.of(1.0 - model.risk(grid_from))
    confidence = 1.0 - model.risk(certify_on)
    certificate = certify(confidence, ~failed, promise, sequences=grid)
    curve = fit_calibrator(calibrator, confidence, ~failed)
    asked = 1.0 - model.risk(features)
    rows = _described(test).assign(
        confidence=curve.predict(asked),
        deployed=certificate.deploys(asked).astype(np.float64),
        threshold=np.nan if certificate.threshold is None else certificate.threshold,
        certified_on=float(certificate.n),
        certified_successes=float(certificate.successes),
    )
    return Judged(rows, (certificate,))


def _known_within(changes: pd.DataFrame, maturity: float) -> npt.NDArray[np.bool_]:
    failed = changes["failed"].to_numpy(dtype=np.bool_)
    delay = (changes["known"] - changes["time"]).to_numpy(dtype=np.float64)
    return failed & ~(delay > maturity)


def try_everything(changes: pd.DataFrame, splits: Splits) -> Judged:
    """Deploy every change; the confidence of all is the share of successes in the calibration part."""
    test = changes.iloc[splits.test]
    share = 1.0 - float(changes["failed"].iloc[splits.calibrate].mean())
    rows = _described(test).assign(
        confidence=share, deployed=1.0, threshold=np.nan, certified_on=np.nan, certified_successes=np.nan
    )
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
    unknown = dict.fromkeys(("confidence", "threshold", "certified_on", "certified_successes"), np.nan)
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
