"""What a threshold on recorded changes is certified on, and what each of it would deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.analysis.recorded_changes import week_of
from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise, certify
from autodev_lab.decisions.maturity import DatedOutcomes
from autodev_lab.errors import LabError

__all__ = ["EXCHANGEABLE", "FORMS", "Certified", "certificates_of", "project_weeks"]

EXCHANGEABLE = ("changes", "weeks", "mean_of_weeks")
"""What is taken to be exchangeable: changes; whole project-weeks, within which anything goes; or these, each counted
once, so that the promise is on the mean over project-weeks."""

FORMS = (*EXCHANGEABLE, "observed")
"""The same, and changes of which some are too young, corrected for bugs still to be found
(`autodev_lab.decisions.maturity.certify_observed`)."""


@dataclass(frozen=True, slots=True)
class Certified:
    """Certificates for the same changes in several forms, of which one decides.

    Parameters
    ----------
    by
        Certificate by form.
    decides
        The form that decides what is deployed.

    Raises
    ------
    LabError
        If that form is not among them.
    """

    by: Mapping[str, Certificate] = field(hash=False)
    decides: str

    def __post_init__(self) -> None:
        if self.decides not in self.by:
            raise LabError(f"nothing is certified on {self.decides!r} here; choose one of {', '.join(self.by)}")

    @property
    def certificate(self) -> Certificate:
        """The one that decides."""
        return self.by[self.decides]

    def columns(self, confidence: npt.ArrayLike) -> dict[str, npt.NDArray[np.float64] | float]:
        """Columns of the rows of changes that are decided on: what is deployed, and what each form would deploy."""
        one = self.certificate
        would = {
            f"by_{form}": self.by[form].deploys(confidence).astype(np.float64) if form in self.by else np.nan
            for form in FORMS
        }
        return {
            **would,
            "deployed": one.deploys(confidence).astype(np.float64),
            "threshold": np.nan if one.threshold is None else one.threshold,
            "certified_on": float(one.n),
            "certified_successes": float(one.successes),
        }


def project_weeks(changes: pd.DataFrame) -> npt.NDArray[np.int64]:
    """One label for all changes of a project in a week, shape (n,)."""
    codes, _ = pd.factorize(changes["project"])
    weeks = week_of(changes["time"])
    return np.asarray(codes, dtype=np.int64) * (int(weeks.max(initial=0)) + 1) + weeks


def certificates_of(
    confidence: npt.ArrayLike,
    success: npt.ArrayLike | DatedOutcomes,
    weeks: npt.NDArray[np.int64],
    promise: Promise,
    sequences: FixedSequences | None,
    *,
    issue: Callable[..., Certificate] = certify,
) -> dict[str, Certificate]:
    """A certificate for each of `EXCHANGEABLE`, on the same changes.

    Parameters
    ----------
    success
        Second argument of `issue`: outcomes for `certify`, dated ones for `certify_mature`.
    weeks
        `project_weeks` of the changes, in order of time.
    """
    blocks = {"changes": None, "weeks": weeks, "mean_of_weeks": weeks}
    return {
        form: issue(
            confidence,
            success,
            promise,
            blocks=blocks[form],
            sequences=sequences,
            each_block_counts_once=form == "mean_of_weeks",
        )
        for form in EXCHANGEABLE
    }
