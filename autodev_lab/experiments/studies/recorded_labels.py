"""What is known of recorded changes at a time: with dates of fixes by these, without by an age that is stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise
from autodev_lab.decisions.maturity import DatedOutcomes, certify_mature, certify_observed
from autodev_lab.decisions.recorded.reading import DAY
from autodev_lab.experiments.studies.recorded_certificates import certificates_of, project_weeks

__all__ = ["STARTS", "Labels"]

STARTS = (0.2,)
"""Share of changes that is deployed where the one sequence of thresholds starts; chosen on validation."""

_FEWEST_YOUNG = 100

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

    def thresholds(self, changes: pd.DataFrame, confidence: npt.ArrayLike, now: float) -> FixedSequences | None:
        """Thresholds to be tested, from changes too young to certify: even steps of their coverage from a fifth on.

        Nothing of what certifies plays a part in them. None where there are too few.
        """
        wait = self.horizon if self.dated and not self.young else self.settle
        young = changes["time"].to_numpy(dtype=np.float64) > now - wait
        seen = np.asarray(confidence, dtype=np.float64)[young]
        return FixedSequences.of(seen, coverages=STARTS) if len(seen) >= _FEWEST_YOUNG else None

    def certificates(
        self,
        changes: pd.DataFrame,
        confidence: npt.ArrayLike,
        now: float,
        promise: Promise,
        sequences: FixedSequences | None = None,
    ) -> dict[str, Certificate]:
        """Certificates by form, from changes of the past and the confidence each was given before its label was known.

        ``observed`` is among them with dates alone. Where nothing is known of delays yet it is the mature one.

        Parameters
        ----------
        changes
            Up to now, in order of time, with their project.
        sequences
            Thresholds to be tested; those of `autodev_lab.decisions.certify` unless given.
        """
        seen, weeks = np.asarray(confidence, dtype=np.float64), project_weeks(changes)
        if self.young or not self.dated:
            places, failed = self.to_learn_from(changes, now)
            return certificates_of(seen[places], ~failed, weeks[places], promise, sequences)
        outcomes = DatedOutcomes(
            changes["time"].to_numpy(dtype=np.float64) / DAY,
            changes["known"].where(changes["failed"]).to_numpy(dtype=np.float64) / DAY,
            now / DAY,
            self.horizon / DAY,
        )
        found = certificates_of(seen, outcomes, weeks, promise, sequences, issue=certify_mature)
        delays_known = bool(outcomes.mature.any() and not outcomes.success.all())
        if delays_known:
            return {**found, "observed": certify_observed(seen, outcomes, promise, sequences=sequences)}
        return {**found, "observed": found["changes"]}
