"""Assess one commit: its risk, how sure the lab is, what it would do, and why, from the repository's own past."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd

from autodev_lab.decisions import Promise
from autodev_lab.decisions.recorded.models import MODELS, ChangeRisk
from autodev_lab.errors import LabError
from autodev_lab.experiments.assessing.deciding import Assessment, Standards, Standing, by_formula, by_gate, usual_of
from autodev_lab.experiments.assessing.judge import Judge, Question, features_with, fit_judge, table_digest, too_short
from autodev_lab.experiments.assessing.pasts import (
    found_commit,
    measured_past,
    past_of,
)
from autodev_lab.experiments.assessing.sealed import Sealed, Unread, read_judge, write_judge
from autodev_lab.experiments.assessing.trained import labels_at, train
from autodev_lab.experiments.provenance import code_hash
from autodev_lab.mining import FIX_PATTERN, MEASURES, ChangeMeasures
from autodev_lab.mining.headers import Header
from autodev_lab.mining.history import Watch

__all__ = ["assess_change", "assess_commit", "judge_file"]

_OWN_DAY = (
    "the standing judge learned from this commit, from younger ones, or from another line of history; another was "
    "fitted on what was known on the commit's own day, for it alone, and its certificate is not the standing one"
)


def judge_file(question: Question, *, table: Path | None, kept: Path) -> Path:
    """Where the standing judge for a question lies: beside the table, or in the folder of what is known already.

    Examples
    --------
    >>> judge_file(Question(365.0, "boosting", Promise()), table=Path("changes.parquet"), kept=Path("kept")).name
    'changes.parquet.judge-f0ed14c3.json'
    """
    name = f"judge-{question.digest}.json"
    return kept / name if table is None else table.with_name(f"{table.name}.{name}")


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
    standards: Standards | None = None,
    table: Path | None = None,
    refit: bool = False,
) -> Assessment:
    """Assess a commit by the standing judge of its repository, which is fitted if there is none.

    With a table the judge stands until the table changes; without, until `refit`. A commit that it learned from, or
    that is older, is assessed by what was known when it was made, and nothing is kept of that.

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
    standards
        Thresholds and rules; the lab's thresholds and no rule unless given.
    table
        The file that `history` is from, beside which the judge is kept; in `kept` unless given.
    refit
        Fit the judge anew.

    Raises
    ------
    LabError
        If `days` is not positive, the model is not known, or as for `past_of`.
    """
    if not days > 0.0:
        raise LabError(f"a follow-up of {days:g} days was asked for; it must be positive")
    if model not in MODELS:
        raise LabError(f"there is no risk model {model!r}; choose one of {', '.join(MODELS)}")
    question = Question(days, model, promise or Promise(), "" if history is not None else pattern)
    path, code = judge_file(question, table=table, kept=kept), code_hash()
    digest = table_digest(history) if history is not None else None
    found = Unread("that was asked for") if refit else read_judge(path, question, table=digest, code=code)
    header, single = found_commit(repository, revision, pattern)
    used = standards or Standards()
    if history is None and isinstance(found, Sealed) and _may(found.judge, header, single):
        measures, past = measured_past(repository, revision, header, single, kept=kept, watch=watch, workers=workers)
        return _by_judge(header, measures, past, found.judge, days, used, _read(found, path, mined=True))
    measures, past = past_of(
        repository,
        revision,
        header,
        single,
        kept=kept,
        watch=watch,
        history=history,
        workers=workers,
        pattern=pattern,
    )
    by_its_past = partial(
        assess_change,
        header,
        measures,
        past,
        days=days,
        promise=question.promise,
        model=MODELS[model](),
        standards=used,
    )
    if isinstance(found, Sealed):
        judge, standing = found.judge, _read(found, path, mined=history is None)
    else:
        learned = past if history is None else history
        now = float(header.date) if history is None else float(history["date"].max())
        fitted = fit_judge(learned, question, now=now)
        if fitted is None:
            return by_its_past(judge=None)
        kept_not = write_judge(path, fitted, question, table=table_digest(learned), code=code)
        judge, standing = fitted, _fitted(fitted, path, found.why, kept_not, mined=history is None)
    if _may(judge, header, single if history is None else None):
        return _by_judge(header, measures, past, judge, days, used, standing)
    return by_its_past(judge=Standing(_OWN_DAY, _day(datetime.now(UTC).timestamp()), True, "", False))


def assess_change(
    header: Header,
    measures: ChangeMeasures,
    past: pd.DataFrame,
    *,
    days: float,
    promise: Promise,
    model: ChangeRisk,
    standards: Standards | None = None,
    judge: Standing | None = None,
) -> Assessment:
    """Assess a change by its own past; by the published formula if that is too short, which is said.

    Parameters
    ----------
    header, measures, past
        As `found_commit` and `past_of` give them.
    days, promise, standards
        As for `assess_commit`.
    model
        To be trained.
    judge
        What is said of it.
    """
    used = standards or Standards()
    past = past.sort_values("date", kind="stable", ignore_index=True)
    mature, failed = labels_at(past, float(header.date), days)
    features = features_with(past, _row(header, measures))
    known, change = features.iloc[:-1][mature], features.iloc[-1:]
    learned = past.loc[mature, list(MEASURES)]
    short = too_short(len(past), failed[mature], days)
    if short:
        return by_formula(header, measures, change, learned, failed[mature], days, short, used)
    gate = train(model, known, failed[mature], promise, before=len(past))
    return by_gate(header, measures, change, gate, usual_of(learned), days, used, judge)


def _by_judge(
    header: Header,
    measures: ChangeMeasures,
    past: pd.DataFrame,
    judge: Judge,
    days: float,
    standards: Standards,
    standing: Standing,
) -> Assessment:
    past = past.sort_values("date", kind="stable", ignore_index=True)
    change = features_with(past, _row(header, measures)).iloc[-1:]
    return by_gate(header, measures, change, judge.gate, judge.usual, days, standards, standing)


def _may(judge: Judge, header: Header, single: list[Header] | None) -> bool:
    """Whether a judge may judge a commit: it did not learn from it, and, where it was mined, from its own history."""
    ours = single is None or any(one.commit == judge.youngest for one in single)
    return ours and judge.may_judge(header.date)


def _row(header: Header, measures: ChangeMeasures) -> dict[str, object]:
    return {"commit": header.commit, "date": header.date, **asdict(measures)}


def _read(found: Sealed, path: Path, *, mined: bool) -> Standing:
    words = f"the judge is that of {found.fitted}, which knows the history up to {_day(found.judge.known_at)} ({path})"
    return Standing(f"{words}; {_until(mined)}", found.fitted, False, "", True)


def _fitted(judge: Judge, path: Path, why: str, kept_not: str, *, mined: bool) -> Standing:
    anew = f"was fitted anew, because {why}" if why else "was fitted now"
    where = f"it could not be kept ({kept_not})" if kept_not else f"it is kept in {path}; {_until(mined)}"
    words = f"the judge {anew}, and knows the history up to {_day(judge.known_at)}; {where}"
    return Standing(words, _day(datetime.now(UTC).timestamp()), True, why, not kept_not)


def _until(mined: bool) -> str:
    return "it stands until --refit" if mined else "it stands until the table grows"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
