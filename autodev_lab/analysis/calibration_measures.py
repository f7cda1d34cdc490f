"""How true confidences are: calibration error beside a perfect calibrator's, slope and intercept, Brier's parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtri

from autodev_lab.analysis.forecast_bins import bin_places, calibration_errors, checked_forecasts, errors_if_true

__all__ = ["Brier", "CalibrationError", "CalibrationLine", "brier_parts", "calibration_error", "calibration_line"]

Floats = npt.NDArray[np.float64]

_NEAREST = 1e-6
_STEPS = 100
_CLOSE = 1e-10
_LARGEST = 50.0


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error, beside the one that the same confidences would show if each were true.

    Parameters
    ----------
    ece
        Mean over changes of \\|mean confidence - share of successes\\| of their bin.
    perfect, perfect_low, perfect_high
        Of a perfect calibrator at this n: mean, and 2.5th and 97.5th percentile, over simulated outcomes.
    bins, binning
        Number of bins, and ``equal_width`` or ``equal_count``.
    n
        Changes.
    """

    ece: float
    perfect: float
    perfect_low: float
    perfect_high: float
    bins: int
    binning: str
    n: int

    @property
    def excess(self) -> float:
        """How much larger the error is than a perfect calibrator's, on average; about zero for true confidences."""
        return self.ece - self.perfect


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Logistic regression of the outcome on the log-odds of the confidence, with Wald intervals.

    ``slope`` is 1 for true confidences; below 1 they are too extreme. ``intercept`` is 0 for true confidences and is
    fitted with the slope held at 1 ("calibration in the large"): below 0 they are too high (Cox 1958, Biometrika 45;
    Van Calster et al. 2019, "Calibration: the Achilles heel of predictive analytics", BMC Medicine 17). What cannot be
    fitted, because outcomes or confidences are of one kind or the ones separate the others, is NaN; `n` counts changes.
    """

    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    intercept_low: float
    intercept_high: float
    n: int


@dataclass(frozen=True, slots=True)
class Brier:
    """Brier score and its parts over bins: ``score = reliability - resolution + uncertainty + within``.

    Murphy 1973, "A new vector partition of the probability score", Journal of Applied Meteorology 12. ``within`` is
    what the bins hide: variation of confidences inside one, less twice its covariance with outcomes (Stephenson,
    Coelho and Jolliffe 2008, "Two extra components in the Brier score decomposition", Weather and Forecasting 23); it
    is zero when all confidences of a bin are equal.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    n: int


def calibration_error(
    confidence: npt.ArrayLike,
    success: npt.ArrayLike,
    *,
    bins: int = 15,
    binning: str = "equal_width",
    simulations: int = 200,
    seed: int = 0,
) -> CalibrationError:
    """Expected calibration error with its reference (consistency resampling, Broecker and Smith 2007).

    Parameters
    ----------
    confidence, success
        Probabilities and outcomes, each of shape (n,).
    bins, binning
        ``equal_width`` bins over [0, 1], or ``equal_count`` bins between quantiles of the confidence.
    simulations, seed
        Simulated outcomes under true confidences.

    Raises
    ------
    LabError
        If there is nothing to judge, or a value is not allowed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(500)
    >>> true = calibration_error(p, rng.random(500) < p)
    >>> too_sure = calibration_error(np.full(500, 0.9), rng.random(500) < 0.5)
    >>> true.ece < true.perfect_high, too_sure.ece > too_sure.perfect_high
    (True, True)
    """
    p, y = checked_forecasts(confidence, success)
    places = bin_places(p, bins, binning)
    perfect = errors_if_true(places, p, simulations=simulations, seed=seed)
    low, high = np.quantile(perfect, [0.025, 0.975])
    ece = float(calibration_errors(places, p, y[np.newaxis])[0])
    return CalibrationError(ece, float(perfect.mean()), float(low), float(high), bins, binning, len(p))


def calibration_line(confidence: npt.ArrayLike, success: npt.ArrayLike, *, level: float = 0.95) -> CalibrationLine:
    """Calibration slope and intercept with intervals.

    Confidences are held ``1e-6`` away from 0 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> odds = rng.normal(size=4000)
    >>> line = calibration_line(1 / (1 + np.exp(-2 * odds)), rng.random(4000) < 1 / (1 + np.exp(-odds)))
    >>> round(line.slope, 1), line.slope_high < 1.0
    (0.5, True)
    """
    p, y = checked_forecasts(confidence, success)
    odds = np.asarray(logit(np.clip(p, _NEAREST, 1.0 - _NEAREST)), dtype=np.float64)
    z = float(ndtri(0.5 + level / 2.0))
    whole = _newton(np.column_stack([np.ones(len(p)), odds]), y, np.zeros(len(p)))
    alone = _newton(np.ones((len(p), 1)), y, odds)
    slope, slope_error = (whole[0][1], whole[1][1]) if whole is not None else (math.nan, math.nan)
    start, start_error = (alone[0][0], alone[1][0]) if alone is not None else (math.nan, math.nan)
    return CalibrationLine(
        slope,
        slope - z * slope_error,
        slope + z * slope_error,
        start,
        start - z * start_error,
        start + z * start_error,
        len(p),
    )


def brier_parts(
    confidence: npt.ArrayLike, success: npt.ArrayLike, *, bins: int = 15, binning: str = "equal_width"
) -> Brier:
    """Brier score and its decomposition over bins.

    Examples
    --------
    >>> parts = brier_parts([0.2, 0.2, 0.8, 0.8], [0, 1, 1, 1])
    >>> parts.score, parts.uncertainty, round(parts.reliability - parts.resolution + parts.uncertainty, 12)
    (0.19, 0.1875, 0.19)
    """
    p, y = checked_forecasts(confidence, success)
    places = bin_places(p, bins, binning)
    sizes = np.bincount(places)
    held = sizes > 0
    n = sizes[held].astype(np.float64)
    mean_p = np.bincount(places, weights=p)[held] / n
    mean_y = np.bincount(places, weights=y)[held] / n
    share = float(y.mean())
    score = float(((p - y) ** 2).mean())
    reliability = float(n @ (mean_p - mean_y) ** 2) / len(p)
    resolution = float(n @ (mean_y - share) ** 2) / len(p)
    uncertainty = share * (1.0 - share)
    return Brier(
        round(score, 15), reliability, resolution, uncertainty, score - reliability + resolution - uncertainty, len(p)
    )


def _newton(rows: Floats, y: Floats, offset: Floats) -> tuple[list[float], list[float]] | None:
    """Maximum-likelihood logistic weights and their standard errors, or None where there is no maximum."""
    if y.min() == y.max() or np.linalg.matrix_rank(rows) < rows.shape[1]:
        return None
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        p = expit(rows @ weights + offset)
        information = (rows * (p * (1.0 - p))[:, np.newaxis]).T @ rows
        try:
            step = np.linalg.solve(information, rows.T @ (y - p))
        except np.linalg.LinAlgError:
            return None
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), _CLOSE))
        weights = weights + step
        if float(np.abs(step).max()) < _CLOSE:
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            return weights.tolist(), errors.tolist()
        if float(np.abs(weights).max()) > _LARGEST:
            return None  # the confidence separates the outcomes, so the slope has no end
    return None
