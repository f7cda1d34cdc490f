"""Assess one commit: its risk, how sure the lab is, what it would do, and why, from the repository's own past."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from autodev_lab.decisions import Promise, PublishedPolicy
from autodev_lab.decisions.recorded.features import features_of
from autodev_lab.decisions.recorded.models import MODELS, ChangeRisk, Published
from autodev_lab.errors import LabError
from autodev_lab.experiments.assessing.trained import (
    LEAST_CHANGES,
    LEAST_FAILURES,
    OLDEST,
    TrainedGate,
    Worth,
    labels_at,
    train,
)
from autodev_lab.experiments.assessing.words import Moved, moved_by
from autodev_lab.mining import FIX_PATTERN, MEASURES, ChangeMeasures
from autodev_lab.mining.headers import Header, check_repository, fix_pattern, read_headers, resolve
from autodev_lab.mining.history import Watch, measure, mine
from autodev_lab.records import Action, Decision, RiskAssessment

__all__ = ["Assessment", "assess_change", "assess_commit", "past_of"]

Bools = npt.NDArray[np.bool_]

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
    moved
        What moved the risk, the largest first.
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
    moved: tuple[Moved, ...]
    days: float
    worth: Worth | None
    fallback: str = ""

    def as_json(self) -> dict[str, object]:
        """All of it as plain values."""
        worth = None
        if self.worth is not None:
            worth = asdict(self.worth)
            for name in ("tested", "by_lines"):
                auc = worth[name]["auc"]
                worth[name]["auc"] = auc if np.isfinite(auc) else None
        return {
            "commit": self.commit,
            "risk": self.decision.assessment.risk,
            "confidence": self.decision.assessment.confidence,
            "action": self.decision.action.value,
            "policy": self.decision.policy,
            "reasons": list(self.decision.reasons),
            "moved": [asdict(one) for one in self.moved],
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
        A mined table, which may know the commit itself; else the history is mined.
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
    if rows:
        measures: ChangeMeasures | None = ChangeMeasures(**{str(name): value for name, value in rows[0].items()})
    elif given:
        measures = measure(repository, single, kept=kept, watch=watch, workers=workers).get(commit)
    else:
        measures = None
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
    pattern: str = FIX_PATTERN,
    model: str = "boosting",
) -> Assessment:
    """Assess a commit by what was known when it was made.

    Parameters
    ----------
    repository, revision, kept, watch, history, workers, pattern
        As for `past_of`.
    days
        Time within which a failure counts: a fix that takes away a line of the change. Only changes this old teach.
    promise
        What a certificate is to promise.
    model
        Name of a risk model (`autodev_lab.decisions.recorded.models.MODELS`), to be trained.

    Raises
    ------
    LabError
        If `days` is not positive, the model is not known, or as for `past_of`.
    """
    if not days > 0.0:
        raise LabError(f"a follow-up of {days:g} days was asked for; it must be positive")
    if model not in MODELS:
        raise LabError(f"there is no risk model {model!r}; choose one of {', '.join(MODELS)}")
    header, measures, past = past_of(
        repository, revision, kept=kept, watch=watch, history=history, workers=workers, pattern=pattern
    )
    return assess_change(header, measures, past, days=days, promise=promise or Promise(), model=MODELS[model]())


def assess_change(
    header: Header, measures: ChangeMeasures, past: pd.DataFrame, *, days: float, promise: Promise, model: ChangeRisk
) -> Assessment:
    """Assess a change by its past; by the published formula if that is too short, which is said.

    Parameters
    ----------
    header, measures, past
        As `past_of` gives them.
    days, promise
        As for `assess_commit`.
    model
        To be trained.
    """
    past = past.sort_values("date", kind="stable", ignore_index=True)
    mature, failed = labels_at(past, float(header.date), days)
    here = pd.DataFrame([{"commit": header.commit, "date": header.date, **asdict(measures)}])
    together = pd.concat([past[["commit", "date", *MEASURES]], here], ignore_index=True).assign(project="here")
    features = features_of(together.assign(time=together["date"].astype(np.float64)))
    known, change = features.iloc[:-1][mature], features.iloc[-1:]
    learned = past.loc[mature, list(MEASURES)]
    short = _too_short(len(past), failed[mature], days)
    if short:
        return _by_formula(header, measures, change, learned, failed[mature], days, short)
    gate = train(model, known, failed[mature], promise, before=len(past))
    return _by_gate(header, measures, change, learned, gate, days)


def _too_short(before: int, failed: Bools, days: float) -> str:
    mature, failures = len(failed), int(failed.sum())
    if mature >= LEAST_CHANGES and min(failures, mature - failures) >= LEAST_FAILURES and _two_kinds(failed):
        return ""
    return (
        f"too little history to learn from: of {before} changes before, {mature} are at least {days:g} days old and "
        f"{failures} of them failed, and {LEAST_CHANGES} with {LEAST_FAILURES} failures and successes are needed, some "
        "of both early; the published formula is used, which is a score and no probability"
    )


def _two_kinds(failed: Bools) -> bool:
    early = failed[: int(OLDEST * len(failed))]
    return bool(early.any() and not early.all())


def _by_gate(
    header: Header,
    measures: ChangeMeasures,
    change: pd.DataFrame,
    learned: pd.DataFrame,
    gate: TrainedGate,
    days: float,
) -> Assessment:
    confidence = float(gate.confidence(change)[0])
    moved = tuple(moved_by(one, asdict(measures), learned) for one in gate.model.explain(change))
    assessment = _assessment(header, measures, float(gate.model.risk(change)[0]), confidence, moved)
    threshold = gate.certificate.threshold
    if threshold is None:
        action, reason = Action.REQUEST_REVIEW, f"confidence {confidence:.3f}, and no threshold is certified"
    elif confidence >= threshold:
        action, reason = Action.AUTO_DEPLOY, f"confidence {confidence:.3f} reaches the certified {threshold:.3f}"
    else:
        action, reason = Action.REQUEST_REVIEW, f"confidence {confidence:.3f} is below the certified {threshold:.3f}"
    decision = Decision(header.commit, action, assessment, "certified", (reason, gate.certificate.words))
    return Assessment(header.commit, measures, decision, moved, days, gate.worth)


def _by_formula(
    header: Header,
    measures: ChangeMeasures,
    change: pd.DataFrame,
    learned: pd.DataFrame,
    failed: Bools,
    days: float,
    short: str,
) -> Assessment:
    formula = Published()
    if _two_kinds(failed):
        formula.fit(learned.assign(project="here"), failed)
    moved = tuple(moved_by(one, asdict(measures), learned) for one in formula.explain(change))
    assessment = _assessment(header, measures, float(formula.risk(change)[0]), _NO_OUTCOMES, moved)
    decision = PublishedPolicy(explore=0.0).decide(assessment, np.random.default_rng(0))
    return Assessment(header.commit, measures, decision, moved, days, None, short)


def _assessment(
    header: Header, measures: ChangeMeasures, risk: float, confidence: float, moved: tuple[Moved, ...]
) -> RiskAssessment:
    reason = moved[0].words if moved else "nothing moved the risk"
    return RiskAssessment(header.commit, asdict(measures), risk, confidence, measures.la + measures.ld, reason)
