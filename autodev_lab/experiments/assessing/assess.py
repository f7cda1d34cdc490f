"""Assess one commit: its risk, how sure the lab is, what it would do, and why, from the repository's own past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from autodev_lab.decisions import Promise, PublishedPolicy
from autodev_lab.errors import LabError
from autodev_lab.experiments.assessing.change_model import ChangeModel, Contribution, LogisticModel, PublishedFormula
from autodev_lab.experiments.assessing.trained import (
    LEAST_CHANGES,
    LEAST_FAILURES,
    TrainedGate,
    Worth,
    mature_part,
    train,
)
from autodev_lab.mining import FIX_PATTERN, MEASURES, ChangeMeasures
from autodev_lab.mining.headers import Header, check_repository, fix_pattern, read_headers, resolve
from autodev_lab.mining.history import Watch, measure, mine
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["Assessment", "assess_change", "assess_commit", "past_of"]

_NO_OUTCOMES = 0.5


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is said of a commit.

    Parameters
    ----------
    commit
        Its id.
    measures
        Its change measures.
    decision
        What the gate does and why; it holds the risk and the confidence.
    contributions
        What moved the risk, the largest first, counted in ``scale``.
    scale
        What they are counted in.
    days
        Time within which a failure counts.
    worth
        What the gate learned from; None for the published formula.
    fallback
        Why the published formula was used; empty if it was not.
    """

    commit: str
    measures: ChangeMeasures
    decision: Decision
    contributions: tuple[Contribution, ...]
    scale: str
    days: float
    worth: Worth | None
    fallback: str = ""

    def as_json(self) -> dict[str, object]:
        """All of it as plain values."""
        worth = None if self.worth is None else asdict(self.worth)
        if self.worth is not None and not np.isfinite(self.worth.tested.auc):
            worth = {**asdict(self.worth), "tested": {**asdict(self.worth.tested), "auc": None}}
        return {
            "commit": self.commit,
            "risk": self.decision.assessment.risk,
            "confidence": self.decision.assessment.confidence,
            "action": self.decision.action.value,
            "policy": self.decision.policy,
            "reasons": list(self.decision.reasons),
            "contributions": [asdict(one) for one in self.contributions],
            "scale": self.scale,
            "days": self.days,
            "measures": asdict(self.measures),
            "worth": worth,
            "fallback": self.fallback,
        }


def past_of(
    repository: Path,
    revision: str,
    *,
    kept: Path,
    watch: Watch,
    history: pd.DataFrame | None = None,
    workers: int = 1,
    pattern: str = FIX_PATTERN,
) -> tuple[Header, ChangeMeasures, pd.DataFrame]:
    """A commit, its measures, and the changes before it with what is known of them.

    Parameters
    ----------
    repository
        A local clone with its whole history.
    revision
        A branch, tag or commit.
    kept
        Folder for what is known already.
    watch
        Hears how far it is.
    history
        A mined table; else the history is mined.
    workers
        Git processes at a time.
    pattern
        What a fix's message matches.

    Raises
    ------
    LabError
        If the repository cannot be mined, the commit is unknown or a merge, it changes no line of text, or the table
        knows none of the commits before it.
    """
    check_repository(repository)
    commit = resolve(repository, revision)
    headers = read_headers(repository, commit, fix_pattern(pattern))
    header = next(one for one in headers if one.commit == commit)
    if len(header.parents) > 1:
        raise LabError(
            f"{revision} is a merge, which brings changes and is none; assess one that it brings, such as {revision}^2"
        )
    single = [one for one in headers if len(one.parents) < 2]
    given = history is not None
    if history is None:
        mined = mine(repository, project="", kept=kept, watch=watch, branch=commit, pattern=pattern, workers=workers)
        history = mined.table
        rows = history.loc[history["commit"] == commit, list(MEASURES)].to_dict("records")
        measures = ChangeMeasures(**{str(name): value for name, value in rows[0].items()}) if rows else None
    else:
        measures = measure(repository, single, kept=kept, watch=watch, workers=workers).get(commit)
    if measures is None:
        raise LabError(
            f"{revision} changes no line of text (binary files, modes or renames alone); nothing is measured"
        )
    earlier = {one.commit for one in single if one.commit != commit}
    past = history[history["commit"].isin(earlier) & (history["date"] <= header.date)]
    if given and past.empty and not history["commit"].isin({one.commit for one in single}).any():
        raise LabError(f"the history given knows no commit up to {revision}; give the table mined from {repository}")
    return header, measures, past.reset_index(drop=True)


def assess_commit(
    repository: Path,
    revision: str,
    *,
    kept: Path,
    watch: Watch,
    history: pd.DataFrame | None = None,
    days: float = 365.0,
    promise: Promise | None = None,
    workers: int = 1,
    model: ChangeModel | None = None,
) -> Assessment:
    """Assess a commit by what was known when it was made.

    Parameters
    ----------
    repository, revision, kept, watch, history, workers
        As for `past_of`.
    days
        Time within which a failure counts: a fix that takes away a line of the change. Only changes this old teach.
    promise
        What a certificate is to promise.
    model
        To be trained; `LogisticModel` unless given.

    Raises
    ------
    LabError
        If `days` is not positive, or as for `past_of`.
    """
    if not days > 0.0:
        raise LabError(f"a follow-up of {days:g} days was asked for; it must be positive")
    header, measures, past = past_of(
        repository, revision, kept=kept, watch=watch, history=history, workers=workers
    )  # fmt: skip
    return assess_change(
        header, measures, past, days=days, promise=promise or Promise(), model=model or LogisticModel()
    )


def assess_change(
    header: Header, measures: ChangeMeasures, past: pd.DataFrame, *, days: float, promise: Promise, model: ChangeModel
) -> Assessment:
    """Assess a change by its past; by the published formula if that is too short, which is said.

    Parameters
    ----------
    header, measures, past
        As `past_of` gives them.
    days, promise, model
        As for `assess_commit`.
    """
    change = pd.DataFrame([asdict(measures)])[list(MEASURES)].astype(np.float64)
    mature, failed = mature_part(past, float(header.date), days)
    short = _too_short(len(past), len(mature), failed, days)
    if short:
        formula = PublishedFormula()
        formula.fit(mature, failed)
        return _by_formula(header, measures, change, formula, days, short)
    gate = train(model, mature, failed, promise, before=len(past))
    return _by_gate(header, measures, change, gate, days)


def _too_short(before: int, mature: int, failed: np.ndarray, days: float) -> str:
    failures = int(failed.sum())
    if mature >= LEAST_CHANGES and min(failures, mature - failures) >= LEAST_FAILURES:
        oldest = int(failed[: int(0.6 * mature)].sum())
        if oldest:
            return ""
    return (
        f"too little history to learn from: of {before} changes before, {mature} are {days:g} days old and {failures} "
        f"of them failed, and {LEAST_CHANGES} with {LEAST_FAILURES} failures and successes are needed; the published "
        "formula is used, which is a score and no probability"
    )


def _by_gate(
    header: Header, measures: ChangeMeasures, change: pd.DataFrame, gate: TrainedGate, days: float
) -> Assessment:
    confidence = float(gate.confidence(change)[0])
    contributions = gate.model.explain(change)
    assessment = _assessment(header, change, float(gate.model.risk(change)[0]), confidence, contributions)
    threshold = gate.certificate.threshold
    if threshold is not None and confidence >= threshold:
        action, reason = Action.AUTO_DEPLOY, f"confidence {confidence:.3f} reaches the certified {threshold:.3f}"
    elif threshold is not None:
        action, reason = Action.REQUEST_REVIEW, f"confidence {confidence:.3f} is below the certified {threshold:.3f}"
    else:
        action, reason = Action.REQUEST_REVIEW, f"confidence {confidence:.3f}, and no threshold is certified"
    decision = Decision(header.commit, action, assessment, "certified", (reason, gate.certificate.words))
    return Assessment(header.commit, measures, decision, contributions, gate.model.scale, days, gate.worth)


def _by_formula(
    header: Header,
    measures: ChangeMeasures,
    change: pd.DataFrame,
    formula: PublishedFormula,
    days: float,
    short: str,
) -> Assessment:
    contributions = formula.explain(change)
    assessment = _assessment(header, change, float(formula.risk(change)[0]), _NO_OUTCOMES, contributions)
    decision = PublishedPolicy(explore=0.0).decide(assessment, np.random.default_rng(0))
    return Assessment(header.commit, measures, decision, contributions, formula.scale, days, None, short)


def _assessment(
    header: Header, change: pd.DataFrame, risk: float, confidence: float, contributions: tuple[Contribution, ...]
) -> RiskAssessment:
    factors: Mapping[str, float] = {name: float(change[name].iloc[0]) for name in MEASURES}
    lines = int(factors["la"] + factors["ld"])
    return RiskAssessment(header.commit, factors, risk, confidence, lines, contributions[0].words)
