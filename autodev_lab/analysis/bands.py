"""Simultaneous bands for learning curves: with the stated chance the whole curve lies inside."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import special

from autodev_lab.analysis.estimates import Floats

__all__ = ["FEWEST", "Band", "simultaneous_band"]

FEWEST = 6
"""Packages below which there is no band: resampling fewer gives too few samples that differ."""


@dataclass(frozen=True, slots=True)
class Band:
    """A curve with a band, each of shape (P,); an unknown end is infinite. `why` says why a band is unbounded."""

    centre: Floats = field(hash=False)
    low: Floats = field(hash=False)
    high: Floats = field(hash=False)
    clusters: int
    why: str = ""


def simultaneous_band(
    totals: npt.ArrayLike, counts: npt.ArrayLike, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Band:
    """Mean by position with a band that holds the whole curve, from a bootstrap of packages (sup-t).

    Montiel Olea and Plagborg-Møller 2019, "Simultaneous confidence bands: theory, implementation, and an application to
    SVARs", J. Applied Econometrics 34(1): every point gets the same multiple of its standard error, and the multiple is
    the quantile of the largest deviation over the curve. Three things are done for few packages: deviations are divided
    by the standard error of their own bootstrap sample, the multiple is never below Bonferroni's for a t with G - 1
    degrees of freedom, and standard errors come from the jackknife over packages. No standard error is below that
    of a binomial share with one success and one failure added, so that a point where all agree has a width.

    Parameters
    ----------
    totals, counts
        Successes and tasks per package and position, each of shape (G, P). A package may lack a position.
    level
        Chance that the whole curve lies inside.
    draws
        Bootstrap samples of packages.
    seed
        Seed of these.

    Returns
    -------
    Band
        Shares between 0 and 1. With fewer than six packages the ends are infinite, and `why` says so; a position
        without tasks is NaN.

    Raises
    ------
    ValueError
        If the two differ in shape or are not tables.

    Examples
    --------
    >>> band = simultaneous_band([[3, 5], [2, 6], [4, 4], [3, 6], [2, 5], [4, 7]], [[10, 10]] * 6)
    >>> band.centre.round(2).tolist(), bool((band.low < band.centre).all())
    ([0.3, 0.55], True)
    """
    y = np.asarray(totals, dtype=np.float64)
    n = np.asarray(counts, dtype=np.float64)
    if y.shape != n.shape or y.ndim != 2:
        raise ValueError(
            f"totals and counts must be tables of one shape (packages, positions), not {y.shape}, {n.shape}"
        )
    clusters = int((n.sum(axis=1) > 0).sum())
    seen = n.sum(axis=0) > 0
    centre = np.divide(y.sum(axis=0), n.sum(axis=0), out=np.full(y.shape[1], np.nan), where=seen)
    if clusters < FEWEST or not seen.any():
        open_end = np.where(seen, math.inf, math.nan)
        why = f"{clusters} packages are too few for a band, which needs {FEWEST}"
        return Band(centre, -open_end, open_end, clusters, why)
    held = n.sum(axis=1) > 0
    rng = np.random.default_rng(seed)
    reach = _reach(y[held][:, seen], n[held][:, seen], level, draws, rng)
    low, high = centre.copy(), centre.copy()
    low[seen] = np.maximum(0.0, centre[seen] - reach)
    high[seen] = np.minimum(1.0, centre[seen] + reach)
    return Band(centre, low, high, clusters)


def _reach(y: Floats, n: Floats, level: float, draws: int, rng: np.random.Generator) -> Floats:
    """Half width of the band at every position."""
    clusters, size = len(y), n.sum(axis=0)
    share = y.sum(axis=0) / size
    left = size - n
    # a package that alone holds a position cannot be left out there
    without = np.divide(y.sum(axis=0) - y, left, out=np.broadcast_to(share, y.shape).copy(), where=left > 0)
    jackknife = np.sqrt((clusters - 1) / clusters * ((without - share) ** 2).sum(axis=0))
    error: Floats = np.maximum(jackknife, _least_error(y.sum(axis=0), size))

    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.float64)
    counts, hits = weights @ n, weights @ y
    drawn = np.divide(hits, counts, out=np.broadcast_to(share, hits.shape).copy(), where=counts > 0)
    squares = weights @ y**2 - 2 * drawn * (weights @ (y * n)) + drawn**2 * (weights @ n**2)
    linear = np.sqrt(np.maximum(squares, 0) * clusters / (clusters - 1)) / np.maximum(counts, 1)
    studentised = np.abs(drawn - share) / np.maximum(linear, _least_error(hits, counts))
    bootstrap = float(np.quantile(studentised.max(axis=1), level))

    simultaneous_t = float(special.stdtrit(clusters - 1, 1 - (1 - level) / (2 * y.shape[1])))
    return max(bootstrap, simultaneous_t) * error


def _least_error(hits: Floats, counts: Floats) -> Floats:
    share = (hits + 1) / (counts + 2)
    error: Floats = np.sqrt(share * (1 - share) / (counts + 2))
    return error
