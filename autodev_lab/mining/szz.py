"""SZZ: the commits that introduced the lines a fix took away, by git's own blame.

J. Sliwerski, T. Zimmermann and A. Zeller, "When do changes induce fixes?", MSR 2005, without lines that are blank or
comments, as in Kim et al. 2006, "Automatic identification of bug-introducing changes" (ASE). A label says no more than
this: a line the change wrote was later removed or rewritten by a commit whose message speaks of a fix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.git_process import git_output, run_git, said_by
from autodev_lab.mining.diffs import DIFF, GITLINK, RawEntry, parse_raw

__all__ = [
    "RemovedLines",
    "blamed_commits",
    "introducers",
    "is_telling",
    "parse_removed_lines",
    "ranges",
    "removed_lines",
]

_SECONDS = 3600.0
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_BLAMED = re.compile(r"([0-9a-f]{40,64}) \d+ (\d+) (\d+)")
_COMMENTS = "//", "#", "/*", "'''", '"""', "*"
_MOST_RANGES = 200
"""More than this on one command line cost more than blaming the whole file."""


@dataclass(frozen=True, slots=True)
class RemovedLines:
    """What a fix took away from one file.

    Parameters
    ----------
    path
        The file before the fix, as git has it.
    lines
        Numbers of the lines that tell something, from 1, ascending.
    """

    path: bytes
    lines: tuple[int, ...]


def is_telling(line: str) -> bool:
    """Whether a removed line may hold a defect: it is not blank and does not begin as a comment.

    Examples
    --------
    >>> [is_telling(line) for line in ("    return x", "  # why", "", " * @param x", '\"\"\"Docs.')]
    [True, False, False, False, False]
    """
    text = line.strip()
    return bool(text) and not text.startswith(_COMMENTS)


def introducers(repository: Path, commit: str, parent: str) -> tuple[str, ...]:
    """Commits that wrote the telling lines which a fix took away, sorted; the fix must be no merge.

    Whitespace is ignored (``git blame -w``), renames of a whole file are followed, copies are not.

    Parameters
    ----------
    repository
        A local repository with its whole history.
    commit, parent
        The fix and its only parent.
    """
    blamed: set[str] = set()
    for removed in removed_lines(repository, commit):
        blamed |= blamed_commits(repository, parent, removed)
    return tuple(sorted(blamed))


def removed_lines(repository: Path, commit: str) -> tuple[RemovedLines, ...]:
    """The telling lines a commit took away, by file; submodules have none."""
    stream = git_output(
        repository, *DIFF, "-p", "--no-color", "--src-prefix=a/", "--dst-prefix=b/",
        stdin=f"{commit}\n".encode(), timeout=_SECONDS,
    )  # fmt: skip
    return parse_removed_lines(stream)


def parse_removed_lines(stream: bytes) -> tuple[RemovedLines, ...]:
    """Read what ``git diff-tree --stdin --raw -p -z`` prints of one commit.

    Patches come in the order of the records before them, so that no file name has to be read from a patch; a file that
    changed its type has two, its end and its beginning.
    """
    records, _, patch = stream.partition(b"\0\0")
    entries, _ = parse_raw(records.split(b"\0")[1:])
    expected = [entry for entry in entries for _ in range(2 if entry.status == "T" else 1)]
    patches = _patches(patch)
    if len(patches) != len(expected):
        raise LabError("git's patch of a commit does not match its list of files; update git and try again")
    found = []
    for index, (entry, lines) in enumerate(zip(expected, patches, strict=True)):
        if lines and not _unblamable(entry) and not (entry.status == "T" and index and expected[index - 1] is entry):
            found.append(RemovedLines(entry.old, tuple(lines)))
    return tuple(found)


def _unblamable(entry: RawEntry) -> bool:
    return GITLINK in (entry.old_mode, entry.new_mode) or entry.status == "A"


def _patches(patch: bytes) -> list[list[int]]:
    """Numbers of the telling removed lines of each file's patch."""
    patches: list[list[int]] = []
    old_left = new_left = number = 0
    for line in patch.split(b"\n"):
        if old_left > 0 or new_left > 0:
            kind = line[:1]
            if kind == b"-":
                if is_telling(line[1:].decode("utf-8", "ignore")):
                    patches[-1].append(number)
                number, old_left = number + 1, old_left - 1
            elif kind == b"+":
                new_left -= 1
            elif kind != b"\\":
                number, old_left, new_left = number + 1, old_left - 1, new_left - 1
        elif line.startswith(b"diff --git "):
            patches.append([])
        elif patches and (hunk := _HUNK.match(line)):
            number = int(hunk[1])
            old_left, new_left = (int(count) if count is not None else 1 for count in (hunk[2], hunk[4]))
    return patches


def blamed_commits(repository: Path, parent: str, removed: RemovedLines) -> set[str]:
    """Commits that wrote some lines of a file.

    Raises
    ------
    LabError
        If git cannot blame it, or is stopped meanwhile: a label must not depend on that.
    """
    spans = ranges(removed.lines)
    chosen = [f"-L{first},{last}" for first, last in spans] if len(spans) <= _MOST_RANGES else []
    done = run_git(
        repository, "blame", "-w", "--incremental", "--no-textconv", "--no-ignore-revs-file", *chosen,
        parent, "--", removed.path, timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"git cannot blame a file at {parent[:12]}: {said_by(done)}; give a complete local clone")
    wanted = set(removed.lines)
    blamed = set()
    for line in done.stdout.decode("utf-8", "replace").split("\n"):
        if match := _BLAMED.fullmatch(line):
            first, count = int(match[2]), int(match[3])
            if not wanted.isdisjoint(range(first, first + count)):
                blamed.add(match[1])
    return blamed


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as spans without gaps.

    Examples
    --------
    >>> ranges([1, 2, 3, 7, 9, 10])
    [(1, 3), (7, 7), (9, 10)]
    """
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
