"""The standing judge of a repository: a gate learned once from a table of changes, and what it may judge.

Every commit that is assessed is held against the same certificate until the table grows. A certificate that was sought
anew for each commit would be another promise each time, and each has its own chance to be broken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from autodev_lab.decisions import Promise
from autodev_lab.decisions.recorded.features import features_of
from autodev_lab.decisions.recorded.models import MODELS
from autodev_lab.experiments.assessing.trained import (
    LEAST_CHANGES,
    LEAST_FAILURES,
    Bools,
    TrainedGate,
    labels_at,
    train,
    two_kinds,
)
from autodev_lab.mining import MEASURES

__all__ = ["Judge", "Question", "features_with", "fit_judge", "table_digest", "too_short"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked: one of another question is another judge.

    Parameters
    ----------
    days
        Time within which a failure counts.
    model
        Name of the risk model.
    promise
        What a certificate is to promise.
    pattern
        What the message of a fix matches, where the history is mined; empty with a table.
    """

    days: float
    model: str
    promise: Promise
    pattern: str = ""

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that name it."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:8]

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        promise = {"success": self.promise.success, "assurance": self.promise.assurance}
        return {"days": self.days, "model": self.model, "promise": promise, "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Judge:
    """A gate that stands.

    Parameters
    ----------
    gate
        The model, its calibrator and the certificate.
    known_at
        When the table ends, in seconds since 1970: nothing later taught it.
    learned_until
        Date of the youngest change it learned from; older commits are not its to judge.
    youngest
        Id of that change.
    usual
        Median of each measure over the changes it learned from.
    """

    gate: TrainedGate
    known_at: float
    learned_until: float
    youngest: str
    usual: Mapping[str, float] = field(hash=False)

    def may_judge(self, date: float) -> bool:
        """Whether a commit of a date is none of those that the judge learned from."""
        return date > self.learned_until


def fit_judge(table: pd.DataFrame, question: Question, *, now: float) -> Judge | None:
    """Learn from a table what was known of it at a moment; None if that is too little.

    Parameters
    ----------
    table
        Changes in any order, as `autodev_lab.mining.read_changes` gives them.
    now
        In seconds since 1970.
    """
    past = table.sort_values("date", kind="stable", ignore_index=True)
    mature, failed = labels_at(past, now, question.days)
    if too_short(len(past), failed[mature], question.days):
        return None
    known = features_with(past, None).loc[mature]
    gate = train(MODELS[question.model](), known, failed[mature], question.promise, before=len(past))
    learned = past.loc[mature]
    usual = {name: float(learned[name].median()) for name in MEASURES}
    youngest = learned.iloc[-1]
    return Judge(gate, now, float(youngest["date"]), str(youngest["commit"]), usual)


def features_with(past: pd.DataFrame, change: Mapping[str, object] | None) -> pd.DataFrame:
    """Features of changes in the order of time, and of one more behind them.

    Parameters
    ----------
    past
        With commit, date and measures.
    change
        The same of one more change, if any.
    """
    columns = ["commit", "date", *MEASURES]
    frames = [past[columns]] + ([pd.DataFrame([change])[columns]] if change is not None else [])
    together = pd.concat(frames, ignore_index=True).assign(project="here")
    return features_of(together.assign(time=together["date"].astype(np.float64)))


def too_short(before: int, failed: Bools, days: float) -> str:
    """Why a past cannot be learned from, in words; empty if it can.

    Parameters
    ----------
    before
        Changes in all.
    failed
        Which of the mature ones failed.
    days
        Time within which a failure counts.
    """
    mature, failures = len(failed), int(failed.sum())
    if mature >= LEAST_CHANGES and min(failures, mature - failures) >= LEAST_FAILURES and two_kinds(failed):
        return ""
    return (
        f"too little history to learn from: of {before} changes before, {mature} are at least {days:g} days old and "
        f"{failures} of them failed, and {LEAST_CHANGES} with {LEAST_FAILURES} failures and successes are needed, some "
        "of both early; the published formula is used, which is a score and no probability"
    )


def table_digest(table: pd.DataFrame) -> str:
    """SHA-256 (16 hexadecimal digits) of what a table says: commits, dates, labels and measures, in any order.

    Examples
    --------
    >>> rows = {"commit": ["a", "b"], "date": [1, 2], "fix_date": [None, 3], **{name: [1.0, 2.0] for name in MEASURES}}
    >>> table = pd.DataFrame(rows)
    >>> table_digest(table) == table_digest(table.iloc[::-1])
    True
    """
    columns = ["commit", "date", "fix_date", *MEASURES]
    plain = table[columns].sort_values(["date", "commit"], ignore_index=True)
    numbers = plain[columns[1:]].astype(np.float64).to_numpy()
    digest = hashlib.sha256("\n".join(plain["commit"].astype(str)).encode())
    digest.update(np.nan_to_num(numbers, nan=-1.0).tobytes())
    return digest.hexdigest()[:16]
