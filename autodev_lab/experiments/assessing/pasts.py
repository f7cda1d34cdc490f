"""A commit of a repository, its measures, and the changes before it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from autodev_lab.errors import LabError
from autodev_lab.mining import FIX_PATTERN, MEASURES, ChangeMeasures
from autodev_lab.mining.headers import Header, check_repository, fix_pattern, read_headers, resolve
from autodev_lab.mining.history import Watch, measure, mine

__all__ = ["found_commit", "measured_past", "past_of"]


def found_commit(repository: Path, revision: str, pattern: str = FIX_PATTERN) -> tuple[Header, list[Header]]:
    """A commit, and the commits that it stands on and that are no merges, itself included.

    Parameters
    ----------
    repository
        A local clone with its whole history.
    revision
        A branch, tag or commit.
    pattern
        What a fix's message matches.

    Raises
    ------
    LabError
        If the repository cannot be mined, or the commit is unknown or a merge.
    """
    check_repository(repository)
    commit = resolve(repository, revision)
    headers = read_headers(repository, commit, fix_pattern(pattern))
    header = next(one for one in headers if one.commit == commit)
    if len(header.parents) > 1:
        raise LabError(
            f"{revision} is a merge, which brings changes and is none; assess one that it brings, such as {revision}^2"
        )
    return header, [one for one in headers if len(one.parents) < 2]


def past_of(
    repository: Path,
    revision: str,
    header: Header,
    single: list[Header],
    *,
    kept: Path,
    watch: Watch,
    history: pd.DataFrame | None = None,
    workers: int = 1,
    pattern: str = FIX_PATTERN,
) -> tuple[ChangeMeasures, pd.DataFrame]:
    """The measures of a commit, and the changes before it with what is known of them.

    Parameters
    ----------
    repository, revision, pattern
        As for `found_commit`, which gives `header` and `single`.
    kept
        Folder for what is known already.
    watch
        Hears how far it is.
    history
        A mined table, which may know the commit itself; else the history is mined.
    workers
        Git processes at a time.

    Raises
    ------
    LabError
        If the commit changes no line of text, or the table knows none of the commits before it.
    """
    given = history is not None
    commit = header.commit
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
        raise _without_text(revision)
    earlier = {one.commit for one in single if one.commit != commit}
    past = history[history["commit"].isin(earlier) & (history["date"] <= header.date)]
    if given and past.empty and not history["commit"].isin({one.commit for one in single}).any():
        raise LabError(f"the history given knows no commit up to {revision}; give the table mined from {repository}")
    return measures, past.reset_index(drop=True)


def measured_past(
    repository: Path, revision: str, header: Header, single: list[Header], *, kept: Path, watch: Watch, workers: int = 1
) -> tuple[ChangeMeasures, pd.DataFrame]:
    """The same without labels, which a judge that has learned does not ask for.

    Raises
    ------
    LabError
        If the commit changes no line of text.
    """
    found = measure(repository, single, kept=kept, watch=watch, workers=workers)
    if header.commit not in found:
        raise _without_text(revision)
    rows = [
        {"commit": one.commit, "date": one.date, **asdict(found[one.commit])}
        for one in single
        if one.commit in found and one.commit != header.commit and one.date <= header.date
    ]
    return found[header.commit], pd.DataFrame(rows, columns=["commit", "date", *MEASURES])


def _without_text(revision: str) -> LabError:
    return LabError(f"{revision} changes no line of text (binary files, modes or renames alone); nothing is measured")
