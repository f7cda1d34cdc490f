"""Mining against PyDriller on one repository: how many times faster, and whether labels and sizes are the same.

    python benchmarks/mine.py REPO [--revision REV] [--workers 2] --json

The lab measures and labels the history of a revision, before PyDriller and after it, so that a machine which is busy
for a while does not favour either. PyDriller reads what the measures need of every change that is no merge (paths,
lines added and removed, lines before) and runs its SZZ, `Git.get_commits_last_modified_lines`, on the same fixes. It is
no dependency of the lab: `pip install pydriller`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autodev_lab.mining import MinedHistory, mine
from autodev_lab.mining.headers import FIX_PATTERN, Header, fix_pattern, read_headers, resolve

T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of processors, those of git included."""

    wall: float
    cpu: float


def timed(work: Callable[[], T]) -> tuple[T, Spent]:
    """Run something and count what it used."""
    begun, used = time.perf_counter(), _cpu()
    result = work()
    return result, Spent(time.perf_counter() - begun, _cpu() - used)


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


class Silent:
    """Hears progress and says nothing."""

    def stage(self, what: str, total: int) -> None:
        """Ignore."""

    def update(self, done: int) -> None:
        """Ignore."""


def of_the_lab(repository: Path, revision: str, workers: int) -> MinedHistory:
    """Mine with the lab, from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        return mine(
            repository, project="benchmark", kept=Path(folder), watch=Silent(), branch=revision, workers=workers
        )


def sizes_of_pydriller(git, commits: list[Header]) -> dict[str, tuple[int, int, int, int]]:
    """Files, lines added, lines removed and lines before of every change, by PyDriller."""
    sizes = {}
    for header in commits:
        files = git.get_commit(header.commit).modified_files
        text = [file for file in files if file.added_lines + file.deleted_lines]
        sizes[header.commit] = (
            len(text),
            sum(file.added_lines for file in text),
            sum(file.deleted_lines for file in text),
            sum(_lines(file.content_before) for file in text),
        )
    return sizes


def _lines(content: bytes | None) -> int:
    return content.count(b"\n") + (len(content) > 0 and not content.endswith(b"\n")) if content else 0


def labels_of_pydriller(git, fixes: list[Header]) -> dict[str, int]:
    """Date of the first fix of every change that has one, by PyDriller."""
    first: dict[str, int] = {}
    for header in fixes:
        blamed = git.get_commits_last_modified_lines(git.get_commit(header.commit))
        for commit in {commit for commits in blamed.values() for commit in commits}:
            first[commit] = min(header.date, first.get(commit, header.date))
    return first


def main() -> int:
    """Run both and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        import pydriller
    except ImportError:
        print(
            "mine.py: PyDriller is not installed, and the comparison is with it: pip install pydriller", file=sys.stderr
        )
        return 1
    headers = read_headers(options.repository, resolve(options.repository, options.revision), fix_pattern(FIX_PATTERN))
    single = [header for header in headers if len(header.parents) < 2]
    mined, before = timed(lambda: of_the_lab(options.repository, options.revision, options.workers))
    git = pydriller.Git(str(options.repository))
    sizes, measures = timed(lambda: sizes_of_pydriller(git, single))
    labels, szz = timed(lambda: labels_of_pydriller(git, [header for header in single if header.fix]))
    again, after = timed(lambda: of_the_lab(options.repository, options.revision, options.workers))
    table = mined.table
    theirs = table["commit"].map(labels)
    same_size = [sizes[row.commit] == (row.nf, row.la, row.ld, row.lt) for row in table.itertuples(index=False)]
    lab = Spent((before.wall + after.wall) / 2, (before.cpu + after.cpu) / 2)
    result = {
        "commits": mined.counts["commits"],
        "changes": len(table),
        "fixes": mined.counts["fixes"],
        "workers": options.workers,
        "lab_seconds": [round(before.wall, 2), round(after.wall, 2)],
        "pydriller_measures_seconds": round(measures.wall, 2),
        "pydriller_szz_seconds": round(szz.wall, 2),
        "times_faster": round((measures.wall + szz.wall) / lab.wall, 2),
        "times_less_cpu": round((measures.cpu + szz.cpu) / lab.cpu, 2),
        "bugs": int(table["bug"].sum()),
        "equal_labels": float((theirs.notna() == (table["bug"] == 1)).mean()),
        "equal_fix_dates": float((theirs.fillna(0) == table["fix_date"].fillna(0).astype(float)).mean()),
        "equal_sizes": sum(same_size) / len(same_size),
        "repeats": bool(again.table.equals(table)),
        "pydriller": pydriller.__version__ if hasattr(pydriller, "__version__") else "",
    }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:<28}{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
