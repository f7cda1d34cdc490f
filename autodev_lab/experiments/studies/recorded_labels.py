"""What is known of recorded changes at a time: with dates of fixes by these, without by an age that is stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.decisions.guarantee import Certificate, Promise, certify
from autodev_lab.decisions.maturity import DatedOutcomes, certify_mature
from autodev_lab.decisions.recorded.reading import DAY

__all__ = ["Labels"]

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """How labels become known.

    Parameters
    ----------
    dated
        Whether recorded bugs have the time of their fix. If not, a label is *taken* to be known at the age `settle`.
    settle
        Age in seconds from which a change is learned from, by what is known of it then; a younger one says too little.
    horizon
        Time in seconds within which a bug counts as a failure of the change: with dates, only changes as old certify.
    young
        Certify on all changes of the age `settle` by what is known of them, as if it were final: breaks the promise
        where bugs are found late, and is there to show by how much.
    """

    dated: bool
    settle: float
    horizon: float
    young: bool = False

    def to_learn_from(self, changes: pd.DataFrame, now: float) -> tuple[Places, Bools]:
        """Places of the changes old enough by now, and whether each is known to have failed."""
        times = changes["time"].to_numpy(dtype=np.float64)
        places = np.flatnonzero(times <= now - self.settle)
        failed = changes["failed"].to_numpy(dtype=np.bool_)[places]
        if self.dated:
            failed = failed & (changes["known"].to_numpy(dtype=np.float64)[places] <= now)
        return places, failed

    def certify(self, changes: pd.DataFrame, confidence: npt.ArrayLike, now: float, promise: Promise) -> Certificate:
        """A certificate from changes of the past and the confidence that each was given before its label was known."""
        seen = np.asarray(confidence, dtype=np.float64)
        if self.young or not self.dated:
            places, failed = self.to_learn_from(changes, now)
            return certify(seen[places], ~failed, promise)
        outcomes = DatedOutcomes(
            changes["time"].to_numpy(dtype=np.float64) / DAY,
            changes["known"].where(changes["failed"]).to_numpy(dtype=np.float64) / DAY,
            now / DAY,
            self.horizon / DAY,
        )
        return certify_mature(seen, outcomes, promise)
