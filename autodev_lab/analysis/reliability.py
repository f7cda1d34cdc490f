"""Reliability: whether confidence is true, beside what chance alone would show at this number of changes.

A perfectly calibrated forecast shows an expected calibration error above zero whenever the sample is finite, so the
error is reported beside the one that the same forecasts would show if each were true (`forecast_bins.errors_if_true`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.analysis.forecast_bins import bin_places, calibration_errors, checked_forecasts, errors_if_true

__all__ = ["Bin", "Reliability", "as_frame", "reliability", "reliability_bins"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Changes whose confidence lies in [low, high): how sure the gate was, and how often it was right.

    ``share_low`` and ``share_high`` are the Wilson interval of the share of right changes (Wilson 1927, JASA 22). It
    takes changes as independent, which those of one package are not quite.
    """

    low: float
    high: float
    confidence: float
    share: float
    share_low: float
    share_high: float
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Calibration of n confidences.

    Parameters
    ----------
    bins
        Bins that hold a change.
    ece
        Expected calibration error: the mean of \\|confidence - share\\| over changes, by bins.
    ece_perfect, ece_perfect_high
        The same if every confidence were true: mean, and 95th percentile, over simulated outcomes.
    brier
        Mean squared difference between confidence and outcome (Brier 1950, Monthly Weather Review 78).
    share
        Share of right changes.
    n
        Changes.
    """

    bins: tuple[Bin, ...]
    ece: float
    ece_perfect: float
    ece_perfect_high: float
    brier: float
    share: float
    n: int


def reliability_bins(
    confidence: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10, level: float = 0.95
) -> tuple[Bin, ...]:
    """Equal-width bins of confidence that hold at least one change.

    Parameters
    ----------
    confidence
        Probabilities, of shape (n,).
    right
        Outcomes, of shape (n,).
    bins
        Number of bins over [0, 1].
    level
        Coverage of the intervals.

    Raises
    ------
    LabError
        If there is nothing to bin, or a confidence is not a probability.

    Examples
    --------
    >>> first, second = reliability_bins([0.21, 0.25, 0.9], [0, 1, 1])
    >>> first.n, first.share, round(first.confidence, 2), second.low
    (2, 0.5, 0.23, 0.9)
    """
    from scipy.stats import binomtest  # most of a second that only these intervals need

    p, y = checked_forecasts(confidence, right)
    places = bin_places(p, bins)
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        n, successes = int(inside.sum()), int(y[inside].sum())
        interval = binomtest(successes, n).proportion_ci(level, method="wilson")
        found.append(
            Bin(
                place / bins,
                (place + 1) / bins,
                float(p[inside].mean()),
                successes / n,
                float(interval.low),
                float(interval.high),
                n,
            )
        )
    return tuple(found)


def reliability(
    confidence: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10, simulations: int = 1000, seed: int = 0
) -> Reliability:
    """All of it for one set of confidences.

    Parameters
    ----------
    confidence, right, bins
        As for `reliability_bins`.
    simulations
        Simulated outcomes for the error of a perfect forecast.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(500)
    >>> honest = reliability(p, rng.random(500) < p)
    >>> sure = reliability(np.full(500, 0.99), rng.random(500) < 0.5)
    >>> honest.ece < honest.ece_perfect_high, sure.ece > sure.ece_perfect_high
    (True, True)
    """
    p, y = checked_forecasts(confidence, right)
    places = bin_places(p, bins)
    perfect = errors_if_true(places, p, simulations=simulations, seed=seed)
    return Reliability(
        reliability_bins(p, y, bins=bins),
        float(calibration_errors(places, p, y[np.newaxis])[0]),
        float(perfect.mean()),
        float(np.quantile(perfect, 0.95)),
        float(((p - y) ** 2).mean()),
        float(y.mean()),
        len(p),
    )


def as_frame(bins: Sequence[Bin]) -> pd.DataFrame:
    """Bins as a frame, one row each, for a figure or a table."""
    return pd.DataFrame([asdict(one) for one in bins], columns=list(Bin.__dataclass_fields__))
