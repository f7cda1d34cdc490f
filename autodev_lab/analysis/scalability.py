"""The Universal Scalability Law: how throughput grows with the number of agents, and where it stops to grow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import nnls

from autodev_lab.analysis.estimates import Estimate

__all__ = ["Scalability", "fit_scalability", "scalability_over_clusters", "usl"]

Floats = npt.NDArray[np.float64]

_NONE = 1e-9
"""A kappa below this is rounding: its peak would lie beyond 30,000 agents."""


@dataclass(frozen=True, slots=True)
class Scalability:
    """A fit of the law over packages, with intervals.

    Parameters
    ----------
    rate
        Throughput of one agent.
    contention
        sigma: the share of work that agents do one after another.
    coherency
        kappa: what each pair of agents costs.
    peak
        Number of agents at which throughput is highest, ``sqrt((1 - sigma) / kappa)``; infinite where kappa is 0. Its
        interval is made of the ends of the other two.
    error
        Root mean square of the relative errors of the mean curve: what the law does not explain.
    """

    rate: Estimate
    contention: Estimate
    coherency: Estimate
    peak: Estimate
    error: float

    def as_json(self) -> dict[str, object]:
        """Plain data; what is infinite is null."""
        told: dict[str, object] = {"relative_error": self.error}
        for name, one in (
            ("rate", self.rate),
            ("sigma", self.contention),
            ("kappa", self.coherency),
            ("peak_agents", self.peak),
        ):
            told[name] = _finite(one.value)
            told[f"{name}_ci"] = [_finite(one.low), _finite(one.high)]
        return told


def usl(agents: npt.ArrayLike, rate: float, contention: float, coherency: float) -> Floats:
    """Throughput by the law: ``rate * N / (1 + sigma (N - 1) + kappa N (N - 1))``.

    Gunther 1993, "A simple capacity model of massively parallel transaction systems", CMG; Gunther 2007, *Guerrilla
    Capacity Planning*, chapter 4.

    Examples
    --------
    >>> [round(float(one), 2) for one in usl([1, 10, 100], 1.0, 0.01, 0.0001)]
    [1.0, 9.1, 33.56]
    """
    n = np.asarray(agents, dtype=np.float64)
    return rate * n / (1.0 + contention * (n - 1.0) + coherency * n * (n - 1.0))


def fit_scalability(agents: npt.ArrayLike, rates: npt.ArrayLike) -> tuple[float, float, float]:
    """Rate, sigma and kappa, none of them negative, by least squares of relative errors.

    ``N / X(N)`` is linear in ``1 / rate``, ``sigma / rate`` and ``kappa / rate``; weighted with ``X / N`` its residuals
    are relative ones, so that no start value is needed (Lawson and Hanson's non-negative least squares).

    Parameters
    ----------
    agents
        Numbers of agents, shape (K,), at least three of them different.
    rates
        Throughput at each, shape (K,), positive.

    Raises
    ------
    ValueError
        If there are fewer than three different numbers of agents, or a rate is not positive.

    Examples
    --------
    >>> n = [1, 2, 4, 8, 16, 32]
    >>> [round(one, 6) for one in fit_scalability(n, usl(n, 70.0, 0.02, 0.0005))]
    [70.0, 0.02, 0.0005]
    """
    n, x = np.asarray(agents, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if len(np.unique(n)) < 3:
        raise ValueError("the law has three parameters: give rates at three numbers of agents at least")
    if not np.all(x > 0):
        raise ValueError("a rate must be more than 0")
    design = np.column_stack([np.ones_like(n), n - 1.0, n * (n - 1.0)]) * (x / n)[:, None]
    scale = np.linalg.norm(design, axis=0)
    (one, two, three), _ = nnls(design / scale, np.ones_like(n))
    unit = one / scale[0]
    contention, coherency = float(two / scale[1] / unit), float(three / scale[2] / unit)
    return float(1.0 / unit), contention, coherency if coherency > _NONE else 0.0


def scalability_over_clusters(agents: npt.ArrayLike, rates: npt.ArrayLike, *, level: float = 0.95) -> Scalability:
    """The law fitted in each package, and the mean of its parameters with t intervals over packages.

    Parameters
    ----------
    agents
        Numbers of agents, shape (K,).
    rates
        Throughput by package, shape (G, K).
    level
        Coverage of each interval; how near it comes is simulated in ``tests/unit/analysis/test_scalability.py``.

    Examples
    --------
    >>> n = [1, 2, 4, 8, 16]
    >>> found = scalability_over_clusters(n, [usl(n, 10.0, 0.01 * g, 1e-4) for g in (1, 2, 3)])
    >>> round(found.contention.value, 4), round(found.contention.low, 4), round(found.contention.high, 4)
    (0.02, 0.0, 0.0448)
    """
    n, x = np.asarray(agents, dtype=np.float64), np.atleast_2d(np.asarray(rates, dtype=np.float64))
    fits = np.array([fit_scalability(n, row) for row in x])
    rate, contention, coherency = (_mean(fits[:, column], level) for column in range(3))
    peak = Estimate(
        _peak(contention.value, coherency.value),
        _peak(contention.high, coherency.high),
        _peak(contention.low, coherency.low),
        len(x),
        len(x),
    )
    mean = x.mean(axis=0)
    error = usl(n, rate.value, contention.value, coherency.value) / mean - 1.0
    return Scalability(rate, contention, coherency, peak, float(np.sqrt(np.mean(error**2))))


def _mean(values: Floats, level: float) -> Estimate:
    """Mean of what is never negative, with a t interval; unbounded above with one value."""
    count, mean = len(values), float(values.mean())
    if count < 2:
        return Estimate(mean, 0.0, math.inf, count, count)
    reach = float(stats.t.ppf((1.0 + level) / 2.0, count - 1)) * float(values.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, max(0.0, mean - reach), mean + reach, count, count)


def _peak(contention: float, coherency: float) -> float:
    if coherency <= 0.0:
        return math.inf
    return math.sqrt(max(0.0, 1.0 - contention) / coherency) if math.isfinite(coherency) else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
