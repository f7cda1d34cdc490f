"""Reliability: whether confidence is true, beside what chance alone would show at this number of changes.

A perfectly calibrated forecast shows an expected calibration error above zero whenever the sample is finite, so the
error is reported beside the one that the same forecasts would show if each were true (consistency resampling, Broecker
and Smith 2007, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from autodev_lab.errors import LabError

__all__ = ["Bin", "Reliability", "as_frame", "brier", "expected_calibration_error", "reliability", "reliability_bins"]

Floats = npt.NDArray[np.float64]


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
        Mean squared difference between confidence and outcome.
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
    p, y = _checked(confidence, right)
    places = _places(p, bins)
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


def expected_calibration_error(confidence: npt.ArrayLike, right: npt.ArrayLike, *, bins: int = 10) -> float:
    """Mean over changes of \\|mean confidence - share of right ones\\| of their bin (Naeini et al. 2015, AAAI).

    Examples
    --------
    >>> round(expected_calibration_error([0.25, 0.25, 0.75, 0.75], [0, 1, 1, 1]), 2)
    0.25
    """
    p, y = _checked(confidence, right)
    return float(_errors(_places(p, bins), p, y[np.newaxis, :], bins)[0])


def brier(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Mean squared difference between confidence and outcome (Brier 1950, Monthly Weather Review 78).

    Examples
    --------
    >>> brier([0.5, 1.0], [0, 1])
    0.125
    """
    p, y = _checked(confidence, right)
    return float(((p - y) ** 2).mean())


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
    p, y = _checked(confidence, right)
    places = _places(p, bins)
    rng = np.random.default_rng(seed)
    drawn = (rng.random((simulations, len(p))) < p).astype(np.float64)
    perfect = _errors(places, p, drawn, bins)
    return Reliability(
        reliability_bins(p, y, bins=bins),
        float(_errors(places, p, y[np.newaxis, :], bins)[0]),
        float(perfect.mean()),
        float(np.quantile(perfect, 0.95)),
        float(((p - y) ** 2).mean()),
        float(y.mean()),
        len(p),
    )


def as_frame(bins: Sequence[Bin]) -> pd.DataFrame:
    """Bins as a frame, one row each, for a figure or a table."""
    return pd.DataFrame([asdict(one) for one in bins], columns=list(Bin.__dataclass_fields__))


def _checked(confidence: npt.ArrayLike, right: npt.ArrayLike) -> tuple[Floats, Floats]:
    p = np.asarray(confidence, dtype=np.float64)
    y = np.asarray(right, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1 or not len(p):
        raise LabError(f"confidences and outcomes must be two vectors of one length, not {p.shape} and {y.shape}")
    if not (np.all((p >= 0.0) & (p <= 1.0)) and np.all((y == 0.0) | (y == 1.0))):
        raise LabError("a confidence must lie between 0 and 1 and an outcome be yes or no; leave out rows without them")
    return p, y


def _places(p: Floats, bins: int) -> npt.NDArray[np.int64]:
    return np.minimum((p * bins).astype(np.int64), bins - 1)


def _errors(places: npt.NDArray[np.int64], p: Floats, outcomes: Floats, bins: int) -> Floats:
    """Expected calibration error of every row of outcomes, of shape (simulations, n)."""
    members = np.zeros((len(p), bins))
    members[np.arange(len(p)), places] = 1.0
    errors: Floats = np.abs((outcomes - p) @ members).sum(axis=1) / len(p)
    return errors
