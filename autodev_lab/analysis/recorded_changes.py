"""What a policy comes to on recorded changes: how well it tells them apart, how true it is, what it deploys."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from autodev_lab.analysis.calibration_measures import calibration_error, calibration_line
from autodev_lab.analysis.risk_coverage import wrong_share
from autodev_lab.analysis.shares import cluster_share

__all__ = [
    "LEAST_IN_WINDOW",
    "PolicyFigures",
    "auc",
    "auc_within",
    "oracle_coverage",
    "policy_figures",
    "week_of",
    "worst_window",
]

Floats = npt.NDArray[np.float64]

LEAST_IN_WINDOW = 20
"""Windows in which fewer changes were deployed say too little of their share of successes, and do not count."""

_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """A policy on the changes of a test period. Shares that cannot be had are NaN.

    Parameters
    ----------
    auc, auc_within
        Area under the ROC curve of its confidence, for success: over all changes, and the mean over projects.
    brier, ece, ece_null, ece_null_high
        Of the calibrated confidence: mean squared error; calibration error in 15 bins; the same of a perfect calibrator
        at this n, by simulation: mean and 97.5th percentile.
    slope, slope_low, slope_high, intercept, intercept_low, intercept_high
        Of the calibration line (1 and 0 for true confidences), with intervals of 95 %.
    coverage
        Share of changes deployed without a person.
    success, success_low, success_high
        Share of those that succeeded; interval of 95 % at the effective sample size of project-weeks.
    coverage_oracle
        Largest coverage at which the same scores, cut with knowledge of the outcomes, keep the promise.
    worst_window, worst_window_start, worst_window_n
        Lowest success over time windows, the window's start (seconds since 1970), and changes deployed in it.
    random, smallest_first
        Share of failures among as many changes deployed at random, and the smallest first; ``failures`` is its own.
    n, deployed, failed
        Changes, of them deployed, of them failed.
    """

    auc: float
    auc_within: float
    brier: float
    ece: float
    ece_null: float
    ece_null_high: float
    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    intercept_low: float
    intercept_high: float
    coverage: float
    success: float
    success_low: float
    success_high: float
    coverage_oracle: float
    worst_window: float
    worst_window_start: float
    worst_window_n: int
    failures: float
    random: float
    smallest_first: float
    n: int
    deployed: int
    failed: int

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined is null, and intervals are pairs."""
        plain: dict[str, object] = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }
        for name in ("success", "slope", "intercept"):
            plain[f"{name}_ci"] = [plain.pop(f"{name}_low"), plain.pop(f"{name}_high")]
        return plain


def policy_figures(rows: pd.DataFrame, *, promised: float, window_seconds: float) -> PolicyFigures:
    """Sum up one policy.

    Parameters
    ----------
    rows
        One a change: ``package``, ``time``, ``lines``, ``failed``, ``confidence`` (NaN for a control, which has none)
        and ``deployed`` (a share of a change where ties are drawn).
    promised
        Share of what is deployed that is to succeed.
    window_seconds
        Length of a time window.
    """
    failed = rows["failed"].to_numpy(dtype=np.float64)
    confidence = rows["confidence"].to_numpy(dtype=np.float64)
    deployed = rows["deployed"].to_numpy(dtype=np.float64)
    n, out = len(rows), float(deployed.sum())
    scored = bool(np.all(np.isfinite(confidence)))
    nan = math.nan
    true = calibration_error(confidence, 1.0 - failed) if scored else None
    line = calibration_line(confidence, 1.0 - failed) if scored and 0 < failed.sum() < n else None
    share = _share(rows, deployed)
    low_n = worst_window(rows, window_seconds)
    coverage = out / n
    controls = (nan, nan)
    if out > 0:
        controls = (float(failed.mean()), wrong_share(rows["lines"].to_numpy(dtype=np.float64), failed, coverage))
    return PolicyFigures(
        auc=auc(confidence, failed) if scored else nan,
        auc_within=auc_within(rows) if scored else nan,
        brier=float(((confidence - (1.0 - failed)) ** 2).mean()) if scored else nan,
        ece=true.ece if true else nan,
        ece_null=true.perfect if true else nan,
        ece_null_high=true.perfect_high if true else nan,
        slope=line.slope if line else nan,
        slope_low=line.slope_low if line else nan,
        slope_high=line.slope_high if line else nan,
        intercept=line.intercept if line else nan,
        intercept_low=line.intercept_low if line else nan,
        intercept_high=line.intercept_high if line else nan,
        coverage=coverage,
        success=share[0],
        success_low=share[1],
        success_high=share[2],
        coverage_oracle=oracle_coverage(confidence, failed, promised) if scored else nan,
        worst_window=low_n[0],
        worst_window_start=low_n[1],
        worst_window_n=low_n[2],
        failures=1.0 - share[0],
        random=controls[0],
        smallest_first=controls[1],
        n=n,
        deployed=round(out),
        failed=int(failed.sum()),
    )


def auc(confidence: npt.ArrayLike, failed: npt.ArrayLike) -> float:
    """Chance that a change that succeeded has a higher confidence than one that failed; NaN with one kind alone.

    Examples
    --------
    >>> auc([0.9, 0.8, 0.3], [0, 1, 1])
    1.0
    """
    wrong = np.asarray(failed, dtype=np.float64)
    if wrong.min() == wrong.max():
        return math.nan
    return float(roc_auc_score(1.0 - wrong, np.asarray(confidence, dtype=np.float64)))


def auc_within(rows: pd.DataFrame) -> float:
    """Mean of `auc` over the projects whose changes are of both kinds; NaN if there is none.

    What differs between projects alone, such as how many bugs are recorded, adds nothing to it.
    """
    found = [auc(one["confidence"], one["failed"]) for _, one in rows.groupby("package", sort=True)]
    told = [value for value in found if math.isfinite(value)]
    return float(np.mean(told)) if told else math.nan


def oracle_coverage(confidence: npt.ArrayLike, failed: npt.ArrayLike, promised: float) -> float:
    """Largest share of changes that can be deployed, the most confident first, with the promised success.

    Equal confidences are deployed together. No policy knows this threshold beforehand.

    Examples
    --------
    >>> oracle_coverage([0.9, 0.8, 0.8, 0.1], [0, 0, 1, 1], 0.6)
    0.75
    """
    order = np.argsort(-np.asarray(confidence, dtype=np.float64), kind="stable")
    seen = np.asarray(confidence, dtype=np.float64)[order]
    right = np.cumsum(1.0 - np.asarray(failed, dtype=np.float64)[order]) / np.arange(1, len(seen) + 1)
    last = np.append(seen[1:] != seen[:-1], True)
    kept = np.flatnonzero(last & (right >= promised))
    return float(kept[-1] + 1) / len(seen) if len(kept) else 0.0


def week_of(times: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Number of the week, counted from 1970, that each time (seconds since then) lies in.

    Examples
    --------
    >>> week_of([0.0, 604_799.0, 604_800.0]).tolist()
    [0, 0, 1]
    """
    return np.floor(np.asarray(times, dtype=np.float64) / _WEEK).astype(np.int64)


def worst_window(rows: pd.DataFrame, seconds: float) -> tuple[float, float, int]:
    """Lowest share of successes among the deployed of a window of time, the window's start, and deployed in it.

    Windows follow one another from the first change on; those with fewer than `LEAST_IN_WINDOW` deployed do not count.
    NaN, NaN and 0 when none counts.
    """
    times = rows["time"].to_numpy(dtype=np.float64)
    place = np.floor((times - times.min()) / seconds).astype(np.int64)
    deployed = rows["deployed"].to_numpy(dtype=np.float64)
    out = np.bincount(place, weights=deployed)
    right = np.bincount(place, weights=deployed * (1.0 - rows["failed"].to_numpy(dtype=np.float64)))
    counted = out >= LEAST_IN_WINDOW
    if not counted.any():
        return math.nan, math.nan, 0
    share = np.where(counted, right / np.maximum(out, 1.0), math.inf)
    worst = int(np.argmin(share))
    return float(share[worst]), float(times.min() + worst * seconds), round(float(out[worst]))


def _share(rows: pd.DataFrame, deployed: Floats) -> tuple[float, float, float]:
    """Share of successes of what was deployed, with an interval over project-weeks."""
    weeks = week_of(rows["time"])
    frame = pd.DataFrame(
        {
            "project": rows["package"].to_numpy(),
            "week": weeks,
            "n": deployed,
            "good": deployed * (1.0 - rows["failed"].to_numpy(dtype=np.float64)),
        }
    )
    blocks = frame.groupby(["project", "week"], sort=True)[["good", "n"]].sum()
    good, n = (blocks[name].to_numpy(dtype=np.float64) for name in ("good", "n"))
    if float(n.sum()) < 1.0:
        return math.nan, math.nan, math.nan
    # fractions of a change (controls drawn at random) make no count; rounding them moves a share by less than 1/n
    share = cluster_share(good, n, correlation=0.0)
    return share.value, share.low, share.high
