"""Commits of a branch, parents first: ids, dates, authors as numbers, and whether a message speaks of a fix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.git_process import git_output, run_git
from autodev_lab.execution.revisions import head, is_shallow

__all__ = ["FIX_PATTERN", "Header", "check_repository", "fix_pattern", "read_headers", "resolve"]

FIX_PATTERN = (
    r"\b(?:(?:bug|hot)?fix(?:es|ed|ing)?|bugs?|defects?|regressions?|faults?)\b"
    r"|\b(?:close[sd]?|resolve[sd]?):?\s+(?:[\w.-]+/[\w.-]+)?#\d+"
)
"""What a message that speaks of a fix matches, whatever its case: the corrective keywords of Mockus and Votta 2000,
"Identifying reasons for software changes using historic databases" (ICSM), as SZZ has them (Sliwerski et al. 2005), and
the words with which trackers close an issue. A bare ``#12`` is none: squashed pull requests all carry one."""

_LOG_SECONDS = 3600.0
_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Header:
    """A commit without its content.

    Parameters
    ----------
    commit
        Full hexadecimal id.
    parents
        Ids of its parents: none where the history begins, two or more for a merge.
    date
        When it was committed, in seconds since 1970. The committer's date is when a change got its place in the
        history; the author's may be years older.
    author
        A number for the author's address, in order of appearance. Addresses are never kept.
    fix
        Whether its message speaks of a fix.
    """

    commit: str
    parents: tuple[str, ...]
    date: int
    author: int
    fix: bool


def fix_pattern(text: str) -> re.Pattern[str]:
    """Compile what a fix's message matches.

    Raises
    ------
    LabError
        If it is no regular expression.

    Examples
    --------
    >>> pattern = fix_pattern(FIX_PATTERN)
    >>> [bool(pattern.search(text)) for text in ("Fixed it", "closes #12", "Add a prefix (#12)", "Release 1.2")]
    [True, True, False, False]
    """
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise LabError(f"the pattern of fixes {text!r} is no regular expression: {error}; correct it") from error


def check_repository(repository: Path) -> None:
    """Refuse what cannot be mined.

    Raises
    ------
    LabError
        If it is no git repository, has no commits, or is a shallow or a partial clone.
    """
    head(repository)
    if run_git(repository, "config", "--get-regexp", r"^remote\..*\.promisor$").returncode == 0:
        raise LabError(
            f"{repository} is a partial clone, which git would fill up over the network, file by file; "
            "clone it anew without --filter"
        )
    if is_shallow(repository):
        raise LabError(
            f"{repository} is a shallow clone, and its measures and labels would be wrong; "
            f"first run: git -C {repository} fetch --unshallow"
        )


def resolve(repository: Path, revision: str) -> str:
    """Full id of the commit that a branch, tag or other revision names.

    Raises
    ------
    LabError
        If the repository has no such commit.
    """
    for name in (revision, f"refs/remotes/origin/{revision}"):
        if name.startswith("-"):
            break
        done = run_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if done.returncode == 0:
            return done.stdout.decode().split()[-1]
    raise LabError(f"{repository} has no commit {revision!r}; give a branch, a tag or a commit id that it has")


def read_headers(repository: Path, start: str, pattern: re.Pattern[str]) -> tuple[Header, ...]:
    """Every commit that a commit stands on, itself included: parents before children, else by date.

    Parameters
    ----------
    repository
        A local repository with its whole history.
    start
        Id of the newest commit.
    pattern
        What a fix's message matches.
    """
    log = git_output(
        repository, "log", "--reverse", "--date-order", "--no-show-signature", "--encoding=UTF-8",
        "-z", "--format=tformat:%H%x1f%P%x1f%ct%x1f%aE%x1f%B", start, "--",
        timeout=_LOG_SECONDS,
    )  # fmt: skip
    authors: dict[str, int] = {}
    headers = []
    for record in log.decode("utf-8", "replace").split("\0"):
        fields = record.split("\x1f", _FIELDS - 1)
        if len(fields) != _FIELDS:
            continue
        commit, parents, date, address, message = fields
        author = authors.setdefault(address.strip().lower(), len(authors))
        fix = pattern.search(message) is not None
        headers.append(Header(commit.strip(), tuple(parents.split()), int(date), author, fix))
    return tuple(headers)
