"""What a finished run says of how outcomes vary: the design that the power planner starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy import optimize, special

from autodev_lab.analysis.estimates import Floats
from autodev_lab.analysis.frames import originals
from autodev_lab.analysis.power import Design
from autodev_lab.errors import LabError

__all__ = ["LIMITS", "estimate_design"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
LIMITS: Mapping[str, float] = MappingProxyType({"between": 0.9, "pairing": 0.99, "spread": 0.5})
"""Most that the model can hold of each component."""


def estimate_design(treatment: pd.DataFrame, baseline: pd.DataFrame, column: str) -> Design:
    """Size and variance components of two paired arms, by moments.

    Parameters
    ----------
    treatment, baseline
        Rows of the two arms.
    column
        Outcome of a task, yes or no.

    Returns
    -------
    Design
        ``between`` from the variance of packages' baseline rates less what tasks account for; ``pairing`` from how
        often both arms are right on one task; ``spread`` from how much more packages differ in
        ``treatment - ratio * baseline`` than their tasks account for. Each is noisy with few packages, and cut to what
        the model can hold.

    Raises
    ------
    LabError
        If the arms share fewer than two packages, or the baseline is right always or never.
    """
    keys = ["replicate", "package", "task_id"]
    paired = originals(treatment)[[*keys, column]].merge(
        originals(baseline)[[*keys, column]], on=keys, suffixes=("_t", "_b"), how="inner", sort=False
    )
    t, b = (paired[f"{column}_{side}"].to_numpy(dtype=np.float64) for side in ("t", "b"))
    packages = int(paired["package"].nunique())
    if packages < 2:
        raise LabError(
            f"the two arms share {packages} packages; variance between packages needs a run with two or more"
        )
    mean = float(b.mean())
    if not 0 < mean < 1:
        raise LabError(
            f"the baseline is right on {100 * mean:.0f} % of the tasks; name a run where it is sometimes right"
        )
    ratio = float(t.mean()) / mean
    paired = paired.assign(t=t, b=b, d=t - ratio * b)
    by_task = paired.groupby(["package", "task_id"], sort=True)[["t", "b", "d"]].mean()
    by_package = by_task.groupby("package", sort=True)
    rates, sizes = by_package.mean(), by_package.size().to_numpy(dtype=np.float64)
    within = by_package.var(ddof=1).fillna(0.0).div(sizes, axis=0)
    between = float(rates["b"].var(ddof=1) - within["b"].mean()) / (mean * (1 - mean))
    excess = float((rates["d"] ** 2).mean() - within["d"].mean())
    scale = float(((ratio * rates["b"]) ** 2).mean())
    spread = math.sqrt(max(0.0, excess) / scale) if scale > 0 else 0.0
    pairs = paired.groupby("package", sort=True)
    joint = float((paired["t"] * paired["b"]).mean())
    share = pairs.size().to_numpy(dtype=np.float64) / len(paired)
    means = pairs[["t", "b"]].mean()
    pairing = _pairing(means["t"].to_numpy(dtype=np.float64), means["b"].to_numpy(dtype=np.float64), share, joint)
    replicates = int(paired["replicate"].nunique())
    return Design(
        packages=packages,
        tasks=max(1, round(len(paired) / packages / replicates)),
        replicates=replicates,
        baseline=mean,
        between=min(LIMITS["between"], max(0.0, between)),
        pairing=pairing,
        spread=min(LIMITS["spread"], spread),
    )


def _pairing(first: Floats, second: Floats, share: Floats, joint: float) -> float:
    """Latent correlation under which both are right as often as was seen (Gauss-Hermite, one factor)."""
    a, b = (special.ndtri(np.clip(rates, 1e-4, 1 - 1e-4))[:, None] for rates in (first, second))

    def surplus(correlation: float) -> float:
        shift, scale = math.sqrt(correlation) * _NODES, math.sqrt(1 - correlation)
        both = (special.ndtr((a + shift) / scale) * special.ndtr((b + shift) / scale)) @ _WEIGHTS
        return float(share @ both) - joint

    if surplus(0.0) >= 0:
        return 0.0
    if surplus(LIMITS["pairing"]) <= 0:
        return LIMITS["pairing"]
    return float(optimize.brentq(surplus, 0.0, LIMITS["pairing"]))
