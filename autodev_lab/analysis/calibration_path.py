"""How true a gate's confidences were by step of the stream: measures of all decisions up to a task, at a few tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from autodev_lab.analysis.calibration_measures import brier_parts, calibration_error, calibration_line
from autodev_lab.analysis.frames import originals
from autodev_lab.errors import LabError
from autodev_lab.records import Action

__all__ = ["GateAt", "calibration_path"]

_FEWEST = 10
_SIMULATIONS = 100


@dataclass(frozen=True, slots=True)
class GateAt:
    """A gate after the decisions on the first tasks of a stream.

    Parameters
    ----------
    index
        Position in the stream of the last task that is counted, from 0.
    measures
        ``n`` decisions; ``ece`` with ``ece_perfect`` and ``ece_perfect_high``, the mean and the 97.5th percentile of
        a perfect calibrator's; ``brier``; ``slope`` and ``intercept`` of calibration, left out where they cannot be
        fitted; ``coverage``, the share deployed without a person; and ``right``, the share of right ones among these,
        left out where there is none.
    """

    index: int
    measures: Mapping[str, float] = field(hash=False)


def calibration_path(rows: pd.DataFrame, *, steps: int = 20) -> tuple[GateAt, ...]:
    """Measures of a gate at up to `steps` places, evenly over its decisions; the last place is the end.

    Confidences are compared with the truth (`correct`), which no gate sees. There is no place before ten decisions.

    Parameters
    ----------
    rows
        Outcomes of one cell.

    Raises
    ------
    LabError
        If `steps` is below 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"index": range(40), "depth": 0, "confidence": 0.75, "decision": "AUTO_DEPLOY"})
    >>> path = calibration_path(rows.assign(correct=[True, True, True, False] * 10), steps=4)
    >>> [one.index for one in path], path[-1].measures["ece"], path[-1].measures["coverage"]
    ([9, 19, 29, 39], 0.0, 1.0)
    """
    if steps < 1:
        raise LabError(f"steps is {steps}; there must be at least one")
    gated = originals(rows)
    gated = gated[gated["confidence"].notna()].sort_values("index", kind="stable")
    ends = np.unique(np.linspace(0, len(gated), steps + 1).round().astype(np.int64))
    return tuple(_at(gated.iloc[:end]) for end in ends.tolist() if end >= _FEWEST)


def _at(seen: pd.DataFrame) -> GateAt:
    confidence = seen["confidence"].to_numpy(dtype=np.float64)
    right = seen["correct"].to_numpy(dtype=np.float64)
    alone = (seen["decision"] != Action.REQUEST_REVIEW.value).to_numpy(dtype=bool)
    error = calibration_error(confidence, right, simulations=_SIMULATIONS)
    line = calibration_line(confidence, right)
    measures = {
        "n": float(len(seen)),
        "ece": error.ece,
        "ece_perfect": error.perfect,
        "ece_perfect_high": error.perfect_high,
        "brier": brier_parts(confidence, right).score,
        "slope": line.slope,
        "intercept": line.intercept,
        "coverage": float(alone.mean()),
        "right": float(right[alone].mean()) if alone.any() else math.nan,
    }
    known = {name: value for name, value in measures.items() if math.isfinite(value)}
    return GateAt(int(seen["index"].iloc[-1]), known)
