"""Tasks from the fixes in a local git repository: the parent's code put back into the commit, with the commit's tests.

A commit is taken for a fix when its message says so and it changes code and tests together. Keywords for corrective
changes are those of A. Mockus and L. G. Votta, "Identifying reasons for software changes using historic databases",
ICSM 2000; keywords and issue numbers those of J. Sliwerski, T. Zimmermann and A. Zeller, "When do changes induce
fixes?", MSR 2005. Messages are wrong at times in both directions; a task still needs a test that fails on the parent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from autodev_lab.errors import LabError
from autodev_lab.execution.revisions import Commit, first_parents, head, is_shallow, revision_spec, texts_at, under
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.streams.history import HistoryBuild, Progress, Step, StepReport, build_history, sources_by_module

__all__ = ["build_from_git", "is_fix"]

_FIX = re.compile(r"\b(?:(?:bug)?fix(?:es|ed|ing|up)?|bugs?|defects?|regressions?|issues?)\b|#\d+", re.IGNORECASE)
_REASONS = ("commits", "commits_without_parent", "commits_no_fix", "commits_without_code_and_tests")


def is_fix(message: str) -> bool:
    """Whether a commit message speaks of a fix.

    Examples
    --------
    >>> [is_fix(text) for text in ("Fixed chunks() of nothing", "Closes #12", "Add a prefix option", "Release 1.2")]
    [True, True, False, False]
    """
    return _FIX.search(message) is not None


def build_from_git(
    repository: Path,
    *,
    commits: int,
    n: int,
    seed: int,
    cache: Path,
    report: SandboxReport,
    offline: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> HistoryBuild:
    """Make up to `n` tasks from a repository's fixes, newest first: the same arguments give the same tasks.

    The line of first parents is walked, so that a merge counts as the one change it brought. What the commit changed is
    taken back as a whole; function by function if that gives no task. The repository and its work tree stay untouched.

    Parameters
    ----------
    repository
        A local clone, bare or with a work tree.
    commits
        Commits to look at.
    n, seed
        Tasks wanted, and the seed of the split of tests into sides.
    cache
        Folder for what is exported and unpacked.
    report
        What the sandbox isolates.
    offline
        Fetch no dependencies.
    progress, say
        Called with (tasks kept, tasks wanted, what goes on), and with a sentence when something slow begins.

    Returns
    -------
    HistoryBuild
        Its attrition also counts ``commits`` looked at and those of them that are no fix by their message, change no
        code and tests together, or have no parent.

    Raises
    ------
    LabError
        If the folder is no git repository or has no commits, or `commits` is not positive.
    """
    if commits < 1:
        raise LabError(f"{commits} commits were asked for; ask for at least 1")
    head(repository)
    counts: Counter[str] = Counter()
    steps = _steps(repository.resolve(), commits, counts, cache, offline, say)
    built = build_history(steps, n=n, seed=seed, report=report, progress=progress)
    return replace(built, attrition={**{name: counts[name] for name in _REASONS}, **built.attrition})


def _steps(
    repository: Path,
    limit: int,
    counts: Counter[str],
    cache: Path,
    offline: bool,
    say: Callable[[str], None] | None,
) -> Iterator[Step | StepReport]:
    for commit in first_parents(repository, limit):
        counts["commits"] += 1
        if not commit.parent:
            counts["commits_without_parent"] += 1
        elif not is_fix(commit.message):
            counts["commits_no_fix"] += 1
        elif not (any(map(_is_test, commit.touched)) and any(map(_is_code, commit.touched))):
            counts["commits_without_code_and_tests"] += 1
        else:
            try:
                subject = obtain(revision_spec(repository, commit.commit), cache=cache, offline=offline, progress=say)
                older = _older_sources(repository, commit, subject)
            except LabError as error:
                shallow = "; the clone is shallow" if is_shallow(repository) else ""
                yield StepReport(commit.parent, commit.commit, 0, f"{error}{shallow}")
            else:
                yield Step(subject, older, commit.parent, commit.commit, whole_first=True)


def _older_sources(repository: Path, commit: Commit, subject: Subject) -> dict[str, str]:
    """The parent's files: the commit's, with those it touched as they were and those it added left out."""
    tree = subject.tree
    touched = tuple(
        path
        for path in commit.touched
        if path.endswith(".py")
        and under(path, tree.package_path)
        and not any(under(path, test) for test in tree.test_paths)
    )
    texts = texts_at(repository, commit.parent, touched)
    return sources_by_module(subject, without=touched, also=texts)


def _is_test(path: str) -> bool:
    parts = PurePosixPath(path)
    return parts.suffix == ".py" and (
        parts.name.startswith("test") or parts.stem.endswith("_test") or bool({"test", "tests"} & {*parts.parts[:-1]})
    )


def _is_code(path: str) -> bool:
    parts = PurePosixPath(path)
    return parts.suffix == ".py" and not _is_test(path) and parts.name not in ("setup.py", "conftest.py", "conf.py")
