"""Confidences in bins: which bin each is in, and the calibration error, also of outcomes as true confidences give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from autodev_lab.errors import LabError

__all__ = ["bin_places", "calibration_errors", "checked_forecasts", "errors_if_true"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_AT_ONCE = 1_000_000
"""Simulated outcomes that are held in memory at a time."""


def checked_forecasts(confidence: npt.ArrayLike, success: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Probabilities and outcomes, each as numbers of shape (n,).

    Raises
    ------
    LabError
        If there are none, they are not of one length, or a value is no probability or no outcome.
    """
    p, y = np.asarray(confidence, dtype=np.float64), np.asarray(success, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1 or not len(p):
        raise LabError(f"confidences and outcomes must be two vectors of one length, not {p.shape} and {y.shape}")
    if not (np.all((p >= 0.0) & (p <= 1.0)) and np.all((y == 0.0) | (y == 1.0))):
        raise LabError("a confidence must lie between 0 and 1 and an outcome be yes or no; leave out rows without them")
    return p, y


def bin_places(p: Floats, bins: int, binning: str = "equal_width") -> Places:
    """The bin of each confidence, counted from 0.

    Parameters
    ----------
    p
        Probabilities, of shape (n,).
    bins, binning
        ``equal_width`` bins over [0, 1], or ``equal_count`` bins between quantiles of the confidence.

    Raises
    ------
    LabError
        If there is no such binning.

    Examples
    --------
    >>> bin_places(np.array([0.0, 0.49, 0.5, 1.0]), 2).tolist()
    [0, 0, 1, 1]
    """
    if bins < 1:
        raise LabError(f"bins is {bins}; there must be at least one")
    if binning == "equal_width":
        return np.minimum((p * bins).astype(np.int64), bins - 1)
    if binning == "equal_count":
        edges = np.unique(np.quantile(p, np.arange(1, bins) / bins))
        return np.asarray(np.searchsorted(edges, p, side="right"), dtype=np.int64)
    raise LabError(f"binning is {binning!r}; choose equal_width or equal_count")


def calibration_errors(places: Places, p: Floats, outcomes: Floats) -> Floats:
    """Expected calibration error of every row of outcomes (Naeini et al. 2015, AAAI).

    It is the mean over changes of \\|mean confidence - share of successes\\| of their bin.

    Parameters
    ----------
    places, p
        Bins and probabilities, of shape (n,).
    outcomes
        Of shape (rows, n).

    Examples
    --------
    >>> calibration_errors(np.array([0, 0, 1, 1]), np.array([0.25, 0.25, 0.75, 0.75]), np.array([[0.0, 1, 1, 1]]))
    array([0.25])
    """
    rows, count = len(outcomes), int(places.max()) + 1
    cells = (places + count * np.arange(rows)[:, np.newaxis]).ravel()
    sums = np.bincount(cells, weights=(outcomes - p).ravel(), minlength=rows * count)
    errors: Floats = np.abs(sums.reshape(rows, count)).sum(axis=1) / len(p)
    return errors


def errors_if_true(places: Places, p: Floats, *, simulations: int, seed: int) -> Floats:
    """Calibration errors that these confidences would show if each were true.

    A perfectly calibrated forecast shows an error above zero whenever the sample is finite; this is its distribution
    (consistency resampling, Broecker and Smith 2007, "Increasing the reliability of reliability diagrams", Weather and
    Forecasting 22).

    Parameters
    ----------
    places, p
        Bins and probabilities, of shape (n,).
    simulations, seed
        Rows of outcomes to draw.
    """
    rng = np.random.default_rng(seed)
    found, step = [], max(1, _AT_ONCE // len(p))
    for start in range(0, simulations, step):
        drawn = rng.random((min(step, simulations - start), len(p))) < p
        found.append(calibration_errors(places, p, drawn.astype(np.float64)))
    return np.concatenate(found)
