"""How well a score tells failures from successes: the area under the ROC curve with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from autodev_lab.errors import LabError

__all__ = ["Discrimination", "discrimination"]


@dataclass(frozen=True, slots=True)
class Discrimination:
    """Area under the ROC curve.

    Parameters
    ----------
    auc
        Probability that a failure has a higher score than a success, ties counted half; NaN with one kind alone.
    low, high
        Confidence interval; the whole of [0, 1] where it cannot be had.
    failures, successes
        How many there are.
    """

    auc: float
    low: float
    high: float
    failures: int
    successes: int


def discrimination(score: npt.ArrayLike, failed: npt.ArrayLike, *, level: float = 0.95) -> Discrimination:
    """Area under the ROC curve, with DeLong's interval on the log-odds scale.

    DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
    characteristic curves" (Biometrics 44), by ranks; the log-odds keep the interval inside [0, 1] (Pepe 2003, *The
    Statistical Evaluation of Medical Tests for Classification and Prediction*, section 5.2.4). Changes are taken as
    independent.

    Parameters
    ----------
    score
        Higher means more likely to fail, shape (n,).
    failed
        Whether each failed, shape (n,).
    level
        Confidence of the interval.

    Raises
    ------
    LabError
        If shapes differ or a score is not finite.

    Examples
    --------
    >>> found = discrimination([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> found.auc, round(found.low, 2), round(found.high, 2)
    (0.75, 0.07, 0.99)
    """
    scores, bad = np.asarray(score, dtype=np.float64), np.asarray(failed).astype(bool)
    if scores.ndim != 1 or scores.shape != bad.shape:
        raise LabError(f"scores and outcomes must be two vectors of one length: {scores.shape} and {bad.shape}")
    if not np.all(np.isfinite(scores)):
        raise LabError("a score is missing or not finite; leave out the changes that have none")
    m, n = int(bad.sum()), int((~bad).sum())
    if not m or not n:
        return Discrimination(math.nan, 0.0, 1.0, m, n)
    ranks = stats.rankdata(scores)
    above = (ranks[bad] - stats.rankdata(scores[bad])) / n  # share of successes below each failure
    below = 1.0 - (ranks[~bad] - stats.rankdata(scores[~bad])) / m
    auc = float(above.mean())
    if min(m, n) < 2 or not 0.0 < auc < 1.0:
        return Discrimination(auc, 0.0, 1.0, m, n)
    spread = math.sqrt(float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n)
    odds = math.log(auc / (1.0 - auc))
    reach = float(stats.norm.ppf(0.5 + level / 2.0)) * spread / (auc * (1.0 - auc))
    low, high = (1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, edge)))) for edge in (odds - reach, odds + reach))
    return Discrimination(auc, low, high, m, n)
