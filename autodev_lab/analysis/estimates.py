"""Values with intervals: what every method of the analysis gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Effect", "Estimate", "Floats"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; `n` observations in `clusters` clusters. An unknown end is infinite."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a claim is about, estimated: a relative effect (0.3 means 30 % more), a difference, or a share.

    ``why`` says in words why an interval is unbounded, and is empty when it is bounded.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    why: str = ""
