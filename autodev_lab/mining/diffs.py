"""What commits did to files: paths, renames, lines added and removed, all from one stream of git's plumbing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.git_process import git_output

__all__ = [
    "DIFF",
    "GITLINK",
    "FileChange",
    "RawEntry",
    "parse_file_changes",
    "parse_raw",
    "read_file_changes",
    "split_commits",
]

DIFF = "diff-tree", "--stdin", "-r", "-M", "--root", "--no-ext-diff", "--no-textconv", "--no-abbrev", "--raw", "-z"
"""Reads ids of commits; renames as git finds them by default, merges without an answer."""

GITLINK = "160000"
"""Mode of a submodule: it has a commit and no lines."""

_SECONDS = 3600.0
_BINARY = b"-"
_ID = re.compile(rb"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class FileChange:
    """What one commit did to one file.

    Parameters
    ----------
    status
        A added, M modified, D deleted, R renamed, T another type.
    old, new
        Its path before and after, the same unless it was renamed; bytes that are no UTF-8 as escapes.
    old_blob, new_blob
        Ids of its content, all zeros where there is none.
    added, removed
        Lines; None for binary content and submodules, which have none.
    """

    status: str
    old: str
    new: str
    old_blob: str
    new_blob: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One record of ``--raw``; paths as git has them."""

    status: str
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    old: bytes
    new: bytes


def read_file_changes(repository: Path, commits: Sequence[str]) -> dict[str, tuple[FileChange, ...]]:
    """File changes of some commits that are no merges, by commit; each against its parent.

    Raises
    ------
    LabError
        If git cannot read them.
    """
    stdin = "".join(f"{commit}\n" for commit in commits).encode()
    found = parse_file_changes(git_output(repository, *DIFF, "--numstat", stdin=stdin, timeout=_SECONDS))
    return {commit: found.get(commit, ()) for commit in commits}


def parse_file_changes(stream: bytes) -> dict[str, tuple[FileChange, ...]]:
    """Read what ``git diff-tree --stdin --raw --numstat -z`` prints.

    Raises
    ------
    LabError
        If it is something else.

    Examples
    --------
    >>> one, two = b"1" * 40, b"2" * 40
    >>> stream = one + b"\\0:100644 100644 " + one + b" " + two + b" M\\0a.py\\0" + b"3\\t1\\ta.py\\0"
    >>> change, = parse_file_changes(stream)["1" * 40]
    >>> change.new, change.added, change.removed
    ('a.py', 3, 1)
    """
    found = {}
    for commit, tokens in split_commits(stream):
        entries, position = parse_raw(tokens)
        changes = []
        for entry in entries:
            if position >= len(tokens):
                raise _unreadable(commit)
            added, removed, name = _numstat(tokens[position], commit)
            position += 1 if name else 3  # a renamed file's two names follow
            lines = entry.old_mode != GITLINK and entry.new_mode != GITLINK
            changes.append(
                FileChange(
                    entry.status, _shown(entry.old), _shown(entry.new), entry.old_blob, entry.new_blob,
                    added if lines else None, removed if lines else None,
                )
            )  # fmt: skip
        found[commit] = tuple(changes)
    return found


def split_commits(stream: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Commits of a ``-z`` stream without patches, each with the fields that follow its id."""
    commit, tokens = "", list[bytes]()
    paths = 0
    for token in stream.split(b"\0"):
        if paths:  # a path may look like anything
            paths -= 1
        elif token.startswith(b":"):
            paths = 2 if token.rsplit(b" ", 1)[-1][:1] in b"RC" else 1
        elif token.endswith(b"\t") and token.count(b"\t") == 2:
            paths = 2
        elif _ID.fullmatch(token):
            if commit:
                yield commit, tokens
            commit, tokens = token.decode(), []
            continue
        if token or paths:
            tokens.append(token)
    if commit:
        yield commit, tokens


def parse_raw(tokens: Sequence[bytes]) -> tuple[tuple[RawEntry, ...], int]:
    """Records of ``--raw`` at the beginning of some fields, and the position after them."""
    entries = []
    position = 0
    while position < len(tokens) and tokens[position].startswith(b":"):
        old_mode, new_mode, old_blob, new_blob, status = tokens[position][1:].decode().split()
        old = tokens[position + 1]
        renamed = status[0] in "RC"
        new = tokens[position + 2] if renamed else old
        position += 3 if renamed else 2
        entries.append(RawEntry(status[0], old_mode, new_mode, old_blob, new_blob, old, new))
    return tuple(entries), position


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _numstat(token: bytes, commit: str) -> tuple[int | None, int | None, bytes]:
    fields = token.split(b"\t", 2)
    if len(fields) != 3:
        raise _unreadable(commit)
    added, removed = (None if field == _BINARY else int(field) for field in fields[:2])
    return added, removed, fields[2]


def _unreadable(commit: str) -> LabError:
    return LabError(f"git's account of commit {commit[:12]} cannot be read; update git and try again")
