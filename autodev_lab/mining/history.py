"""Mine a repository: every change measured and labelled, resumable and with several git processes at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd
from pydantic import TypeAdapter

from autodev_lab.errors import LabError
from autodev_lab.execution.git_process import git_output
from autodev_lab.mining.checkpoint import Checkpoint, in_pieces
from autodev_lab.mining.diffs import FileChange, read_file_changes
from autodev_lab.mining.headers import FIX_PATTERN, Header, check_repository, fix_pattern, read_headers, resolve
from autodev_lab.mining.measures import ChangeMeasures, HistoryWalk
from autodev_lab.mining.szz import introducers
from autodev_lab.mining.table import COLUMNS

__all__ = ["MinedHistory", "Watch", "label", "measure", "mine"]

_DIFFS_A_PIECE = 200
_FIXES_A_PIECE = 20
_Diffs = dict[str, tuple[FileChange, ...]]
_Blames = dict[str, tuple[str, ...]]


class Watch(Protocol):
    """Hears how far the work is."""

    def stage(self, what: str, total: int) -> None:
        """A stage of `total` commits begins."""
        ...

    def update(self, done: int) -> None:
        """So many commits are done."""
        ...


@dataclass(frozen=True, slots=True)
class MinedHistory:
    """What was found.

    Parameters
    ----------
    table
        One row a change, `autodev_lab.mining.table.COLUMNS`, in order of the history.
    counts
        Commits by what became of them: ``commits`` in the history, ``merges`` and ``without_text`` (binary files,
        submodules, modes and renames alone) that are no rows, changes ``outside`` the window, ``changes`` that are
        rows, ``fixes`` by their message among all but merges, ``bugs``, and ``blamed_elsewhere``: commits that a fix
        leads to and that are merges.
    head
        Id of the newest commit.
    """

    table: pd.DataFrame
    counts: Mapping[str, int]
    head: str


def mine(
    repository: Path,
    *,
    project: str,
    kept: Path,
    watch: Watch,
    branch: str | None = None,
    since: int | None = None,
    until: int | None = None,
    pattern: str = FIX_PATTERN,
    workers: int = 1,
) -> MinedHistory:
    """Measure and label the changes of a branch; the repository stays untouched.

    Measures look back over the whole history, and labels forward over all of it, whatever the window of rows is.
    Merges are no rows, as in the public data sets: what they bring has its own commits.

    Parameters
    ----------
    repository
        A local clone with its whole history, bare or with a work tree.
    project
        Name for the column of that name.
    kept
        Folder for what is known already, so that a killed run goes on; a caller removes it when the table is written.
    watch
        Hears how far it is.
    branch
        A branch, tag or commit; where the repository stands if None.
    since, until
        First moment of the window and the first after it, in seconds since 1970.
    pattern
        What a fix's message matches.
    workers
        Git processes at a time.

    Raises
    ------
    LabError
        If the repository cannot be mined, the branch is unknown, or the window has no change.
    """
    if workers < 1:
        raise LabError(f"{workers} workers were asked for; ask for at least 1")
    chosen = fix_pattern(pattern)
    check_repository(repository)
    head = resolve(repository, branch or "HEAD")
    headers = read_headers(repository, head, chosen)
    single = [header for header in headers if len(header.parents) < 2]
    measured = measure(repository, single, kept=kept, watch=watch, workers=workers)
    window = {
        header.commit
        for header in single
        if (since is None or header.date >= since) and (until is None or header.date < until)
    }
    rows = [header for header in single if header.commit in window and header.commit in measured]
    counts = Counter(
        commits=len(headers),
        merges=len(headers) - len(single),
        without_text=len(single) - len(measured),
        outside=sum(header.commit in measured for header in single) - len(rows),
        changes=len(rows),
        fixes=sum(header.fix for header in single),
    )
    if not rows:
        raise LabError(
            f"{repository} has no change of text in this window, of {len(headers)} commits; widen the window"
        )
    fixes = [header for header in single if header.fix and (since is None or header.date >= since)]
    dates = {header.commit: header.date for header in single if header.commit in measured}
    found, elsewhere = label(repository, fixes, dates=dates, kept=kept, watch=watch, workers=workers)
    fixed = {header.commit: found[header.commit] for header in rows if header.commit in found}
    counts["bugs"] = len(fixed)
    counts["blamed_elsewhere"] = elsewhere
    records = [
        {
            "commit": header.commit,
            "project": project,
            "date": header.date,
            "bug": int(header.commit in fixed),
            "fix_date": fixed.get(header.commit),
            **asdict(measured[header.commit]),
        }
        for header in rows
    ]
    table = pd.DataFrame(records, columns=list(COLUMNS)).astype({"fix_date": "Int64"})
    return MinedHistory(table, dict(counts), head)


def measure(
    repository: Path, headers: Sequence[Header], *, kept: Path, watch: Watch, workers: int = 1
) -> dict[str, ChangeMeasures]:
    """Measures of the commits that change a line of text, by commit; `headers` without merges, parents first."""
    pieces = _cut([header.commit for header in headers], _DIFFS_A_PIECE)
    watch.stage("reading changes", len(headers))
    results = in_pieces(
        pieces,
        lambda piece: read_file_changes(repository, piece),
        checkpoint=Checkpoint(kept, "changes", TypeAdapter(_Diffs)),
        workers=workers,
        progress=watch.update,
    )
    diffs: _Diffs = {}
    for result in results:
        diffs |= result
    walk = HistoryWalk(_lines_from_merges(repository, diffs))
    found = ((header.commit, walk.see(header, diffs[header.commit])) for header in headers)
    return {commit: measures for commit, measures in found if measures is not None}


def label(
    repository: Path,
    fixes: Sequence[Header],
    *,
    dates: Mapping[str, int],
    kept: Path,
    watch: Watch,
    workers: int = 1,
) -> tuple[dict[str, int], int]:
    """Dates of the first fix of each change that has one, and how many other commits were blamed.

    Parameters
    ----------
    repository
        A local repository with its whole history.
    fixes
        Commits whose messages speak of a fix, no merges.
    dates
        Dates of the changes that can have a label.
    kept, watch, workers
        As for `mine`.
    """
    parents = {header.commit: header.parents[0] for header in fixes if header.parents}
    pieces = _cut(list(parents), _FIXES_A_PIECE)
    watch.stage("blaming the lines that fixes took away", len(parents))

    def work(piece: Sequence[str]) -> _Blames:
        return {commit: introducers(repository, commit, parents[commit]) for commit in piece}

    results = in_pieces(
        pieces,
        work,
        checkpoint=Checkpoint(kept, "blames", TypeAdapter(_Blames)),
        workers=workers,
        progress=watch.update,
    )
    when = {header.commit: header.date for header in fixes}
    fixed: dict[str, int] = {}
    elsewhere = set()
    for result in results:
        for fix, blamed in result.items():
            for commit in blamed:
                if commit not in dates:
                    elsewhere.add(commit)
                    continue
                known = max(when[fix], dates[commit])  # a wrong clock must not fix a change before it was made
                fixed[commit] = min(known, fixed.get(commit, known))
    return fixed, len(elsewhere)


def _lines_from_merges(repository: Path, diffs: Mapping[str, Sequence[FileChange]]) -> dict[str, int]:
    """Lines of contents that a change starts from before any change has made them: a merge did.

    A later change may make the same content again, by a revert say; so the order of the history counts.
    """
    made: set[str] = set()
    needed: set[str] = set()
    for files in diffs.values():
        for change in files:
            if change.added is not None:
                if change.old_blob not in made and change.old_blob.strip("0"):
                    needed.add(change.old_blob)
                made.add(change.new_blob)
    lines: dict[str, int] = {}
    for piece in _cut(sorted(needed), _DIFFS_A_PIECE):
        stream = git_output(repository, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in piece).encode())
        lines |= _count_lines(stream)
    return lines


def _count_lines(stream: bytes) -> dict[str, int]:
    lines = {}
    position = 0
    while position < len(stream):
        end = stream.index(b"\n", position)
        fields = stream[position:end].split()
        position = end + 1
        if len(fields) == 3 and fields[1] == b"blob":
            size = int(fields[2])
            content = stream[position : position + size]
            lines[fields[0].decode()] = content.count(b"\n") + (size > 0 and not content.endswith(b"\n"))
            position += size + 1
    return lines


def _cut(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
