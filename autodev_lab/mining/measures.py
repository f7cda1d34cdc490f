"""The fourteen change measures of Kamei et al. 2013, walked forward through a history in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np

from autodev_lab.mining.diffs import FileChange
from autodev_lab.mining.headers import Header

__all__ = ["MEASURES", "MEASURE_WORDS", "ChangeMeasures", "HistoryWalk"]

_DAY = 86400.0
_YEAR = 365.25 * _DAY


@dataclass(frozen=True, slots=True)
class ChangeMeasures:
    """Measures of one change, as known when it was made.

    The names are those of Kamei et al. 2013, "A large-scale empirical study of just-in-time quality assurance" (IEEE
    TSE 39(6), Table 1). The details are those seen in the public data of Zeng et al. 2021 (ISSTA, "Deep just-in-time
    defect prediction: how far are we?"), whose developer, change and experience counts include the change itself (the
    smallest ``exp``, ``sexp`` and ``ndev`` there are 1, ``nuc`` is never below twice ``nf``). "Files" are those with a
    line added or removed; binary files and submodules have no lines.

    Parameters
    ----------
    ns
        Subsystems touched: first folders of the files' paths, the top folder being one of its own.
    nd
        Folders touched.
    nf
        Files touched.
    entropy
        Spread of the changed lines over the files: ``-sum p log2 p``, p a file's share of the lines, in bits.
    la, ld
        Lines added, lines removed.
    lt
        Lines of the files before the change, summed.
    fix
        1 if the message speaks of a fix (`autodev_lab.mining.headers.FIX_PATTERN`), else 0.
    ndev
        Developers who have changed the files, this one included.
    age
        Days since each file's last change, the mean over files that had one; 0 if none had.
    nuc
        Changes of each file so far, this one included, summed over files.
    exp
        Changes by this developer so far, this one included.
    rexp
        The same, each divided by one more than its age in years.
    sexp
        Changes by this developer so far to any of these subsystems, this one included.
    """

    ns: int
    nd: int
    nf: int
    entropy: float
    la: int
    ld: int
    lt: int
    fix: int
    ndev: int
    age: float
    nuc: int
    exp: int
    rexp: float
    sexp: int


MEASURES: tuple[str, ...] = tuple(one.name for one in fields(ChangeMeasures))
"""Names of the measures, in the order of the public data."""

MEASURE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ns": "subsystems touched",
        "nd": "folders touched",
        "nf": "files touched",
        "entropy": "spread of the change over files",
        "la": "lines added",
        "ld": "lines removed",
        "lt": "size of the files before",
        "fix": "being a fix itself",
        "ndev": "developers who changed these files",
        "age": "days since these files last changed",
        "nuc": "earlier changes of these files",
        "exp": "changes by this developer",
        "rexp": "recent changes by this developer",
        "sexp": "changes by this developer to these subsystems",
    }
)
"""Every measure in words, for the reasons of a decision."""


@dataclass(slots=True)
class _File:
    """A file's past, under whatever names."""

    developers: set[int] = field(default_factory=set)
    changes: int = 0
    last: int | None = None


class HistoryWalk:
    """Sees every change of a history, parents first, and measures it against what came before.

    A renamed file keeps its past. Where two lines of history rename one file differently, both names lead to it. Lines
    of a file are followed from blob to blob (lines before + added - removed), so that no content is read; contents
    that first appear in a merge are asked for from outside.

    Parameters
    ----------
    lines
        Lines of blobs whose origin is a merge, by id.

    Examples
    --------
    >>> walk = HistoryWalk()
    >>> first = Header("1" * 40, (), 0, author=0, fix=False)
    >>> made = FileChange("A", "src/a.py", "src/a.py", "0" * 40, "a" * 40, 10, 0)
    >>> second = Header("2" * 40, ("1" * 40,), 86400, author=1, fix=True)
    >>> changed = FileChange("M", "src/a.py", "src/a.py", "a" * 40, "b" * 40, 3, 1)
    >>> _ = walk.see(first, [made])
    >>> seen = walk.see(second, [changed])
    >>> seen.lt, seen.ndev, seen.age, seen.nuc, seen.exp
    (10, 2, 1.0, 2, 1)
    """

    def __init__(self, lines: Mapping[str, int] | None = None) -> None:
        self._lines: dict[str, int] = dict(lines or {})
        self._files: dict[str, _File] = {}
        self._moved: set[str] = set()
        self._dates: dict[int, list[int]] = {}
        self._subsystems: dict[tuple[int, str], set[int]] = {}
        self._seen = 0

    def see(self, header: Header, changes: Sequence[FileChange]) -> ChangeMeasures | None:
        """Measure a change and remember it; None if it changes no line of text, which is remembered as well."""
        past = [self._past(change) for change in changes]
        text = [
            (change, file)
            for change, file in zip(changes, past, strict=True)
            if (change.added or 0) + (change.removed or 0)
        ]
        subsystems = {_subsystem(change.new) for change, _ in text or zip(changes, past, strict=True)}
        self._remember_author(header, subsystems)
        measured = self._measure(header, text, subsystems) if text else None
        for change, file in zip(changes, past, strict=True):
            self._remember_file(header, change, file)
        self._seen += 1
        return measured

    def _measure(
        self, header: Header, text: Sequence[tuple[FileChange, _File]], subsystems: set[str]
    ) -> ChangeMeasures:
        changes = [change for change, _ in text]
        sizes = np.array([(change.added or 0) + (change.removed or 0) for change in changes], dtype=np.float64)
        shares = sizes / sizes.sum()
        ages = [max(0, header.date - file.last) / _DAY for _, file in text if file.last is not None]
        dates = np.array(self._dates[header.author], dtype=np.float64)
        own = (self._subsystems[header.author, name] for name in subsystems)
        return ChangeMeasures(
            ns=len(subsystems),
            nd=len({PurePosixPath(change.new).parent for change in changes}),
            nf=len(changes),
            entropy=abs(float(-(shares * np.log2(shares)).sum())),
            la=sum(change.added or 0 for change in changes),
            ld=sum(change.removed or 0 for change in changes),
            lt=sum(self._lines.get(change.old_blob, 0) for change in changes if change.status != "A"),
            fix=int(header.fix),
            ndev=len({header.author}.union(*(file.developers for _, file in text))),
            age=sum(ages) / len(ages) if ages else 0.0,
            nuc=sum(file.changes + 1 for _, file in text),
            exp=len(dates),
            rexp=float((1.0 / (np.maximum(0.0, header.date - dates) / _YEAR + 1.0)).sum()),
            sexp=len(set[int]().union(*own)),
        )

    def _past(self, change: FileChange) -> _File:
        if change.status == "A" and change.new in self._moved:  # its namesake has moved away: this file is another
            self._moved.discard(change.new)
            return _File()
        return self._files.get(change.old) or _File()

    def _remember_author(self, header: Header, subsystems: Iterable[str]) -> None:
        self._dates.setdefault(header.author, []).append(header.date)
        for name in subsystems:
            self._subsystems.setdefault((header.author, name), set()).add(self._seen)

    def _remember_file(self, header: Header, change: FileChange, file: _File) -> None:
        file.developers.add(header.author)
        file.changes += 1
        file.last = header.date if file.last is None else max(file.last, header.date)
        self._files[change.new] = file
        if change.status == "R":
            self._files.setdefault(change.old, file)
            self._moved.add(change.old)
        self._moved.discard(change.new)
        if change.added is not None and change.removed is not None:
            before = self._lines.get(change.old_blob, 0)
            self._lines.setdefault(change.new_blob, max(0, before + change.added - change.removed))


def _subsystem(path: str) -> str:
    first, slash, _ = path.partition("/")
    return first if slash else ""
