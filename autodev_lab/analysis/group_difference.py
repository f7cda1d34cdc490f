"""How means of two groups of packages differ, when no package is in both."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from autodev_lab.analysis.estimates import Effect

__all__ = ["group_difference"]


def group_difference(
    first: tuple[npt.ArrayLike, npt.ArrayLike], second: tuple[npt.ArrayLike, npt.ArrayLike], *, level: float = 0.95
) -> Effect:
    """Mean of the first group less that of the second, with an interval that knows of clusters.

    Each mean is a ratio of sums over clusters with the linearised variance of `shares.cluster_rate` (Cochran 1977,
    *Sampling Techniques*, section 6.3); the groups are independent, with the degrees of freedom of Welch (1947,
    Biometrika 34). Suitable for means of any values, for example of differences between two arms on the same items.

    Parameters
    ----------
    first, second
        Sum of the values and number of items per cluster, each of shape (G,).
    level
        Coverage of the interval.

    Examples
    --------
    >>> found = group_difference(([4, 5, 6], [10, 10, 10]), ([1, 2, 3], [10, 10, 10]))
    >>> round(found.estimate, 2), round(found.low, 2), round(found.high, 2), found.clusters
    (0.3, 0.07, 0.53, 6)
    """
    means: list[float] = []
    variances: list[float] = []
    sizes: list[int] = []
    n = 0
    for totals, counts in (first, second):
        y, c = np.asarray(totals, dtype=np.float64), np.asarray(counts, dtype=np.float64)
        sizes.append(len(y))
        n += int(c.sum())
        means.append(float(y.sum() / c.sum()) if c.sum() else math.nan)
        residuals = y - means[-1] * c
        spread = float(residuals @ residuals) / float(c.sum()) ** 2 if c.sum() else math.nan
        variances.append(len(y) / (len(y) - 1) * spread if len(y) > 1 else math.nan)
    estimate, clusters = means[0] - means[1], sum(sizes)
    variance = sum(variances)
    if not variance > 0:
        why = "each group needs two packages that differ to say how packages differ"
        return Effect(estimate, -math.inf, math.inf, n, clusters, why)
    freedom = variance**2 / sum(one**2 / (size - 1) for one, size in zip(variances, sizes, strict=True))
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance)
    return Effect(estimate, estimate - reach, estimate + reach, n, clusters)
