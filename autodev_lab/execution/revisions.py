"""Read a local git repository: its commits, what they touch, and what it held at one; nothing in it is ever changed.

Only git's plumbing is used, with the user's and the system's configuration left out, so that no hook, filter or alias
of a repository runs and a work tree that is being edited makes no difference.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autodev_lab.errors import LabError
from autodev_lab.execution.git_process import git_output, run_git

__all__ = [
    "REVISION",
    "Commit",
    "export",
    "first_parents",
    "head",
    "is_shallow",
    "parse_revision",
    "revision_spec",
    "texts_at",
    "under",
]

REVISION = "git:"
"""What the spec of a revision begins with."""

_MISSING = "missing blob", "could not fetch", "promisor", "bad object", "unable to read"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and its first parent.

    Parameters
    ----------
    commit, parent
        Full hexadecimal ids; the parent is ``""`` where the repository's history begins.
    parents
        How many parents it has: two or more make it a merge.
    message
        Its message.
    touched
        Paths that differ from the first parent; a renamed file counts under both names.
    """

    commit: str
    parent: str
    parents: int
    message: str
    touched: tuple[str, ...]


def revision_spec(repository: Path, commit: str) -> str:
    """The spec under which `autodev_lab.execution.subjects.obtain` gives a revision.

    Examples
    --------
    >>> revision_spec(Path("clones/funcy"), "0" * 40)[:26]
    'git:clones/funcy@000000000'
    """
    return f"{REVISION}{repository}@{commit}"


def parse_revision(spec: str) -> tuple[Path, str]:
    """Repository and commit of a spec.

    Raises
    ------
    LabError
        If it is not of the form ``git:PATH@COMMIT``.
    """
    match = re.fullmatch(r"git:(.+)@([0-9a-f]{7,64})", spec)
    if match is None:
        raise LabError(f"{spec!r} names no revision; write git:PATH@COMMIT with the commit's hexadecimal id")
    return Path(match[1]).expanduser(), match[2]


def head(repository: Path) -> str:
    """Full id of the commit a repository stands at.

    Raises
    ------
    LabError
        If it is no git repository or has no commit.
    """
    if not repository.is_dir():
        raise LabError(f"{repository} does not exist; give the folder of a local git repository")
    done = run_git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if done.returncode == 0:
        return done.stdout.decode().strip()
    if run_git(repository, "rev-parse", "--git-dir").returncode != 0:
        raise LabError(f"{repository} is no git repository; give the folder of a local clone")
    raise LabError(f"the git repository {repository} has no commits yet; commit something first")


def first_parents(repository: Path, limit: int) -> tuple[Commit, ...]:
    """The newest commits on the line of first parents, newest first.

    Parameters
    ----------
    repository
        A local repository, bare or with a work tree.
    limit
        Commits to look at.

    Raises
    ------
    LabError
        If it is no git repository, has no commits, or lacks objects.
    """
    start = head(repository)
    form = "%x1e%H%x1f%P%x1f%B%x1f"
    log = git_output(
        repository, "log", "--first-parent", "-m", "--no-renames", "--no-ext-diff", "--name-only", "-z",
        f"--max-count={limit}", f"--format=tformat:{form}", start,
    )  # fmt: skip
    commits = []
    for record in log.decode("utf-8", "replace").split("\x1e")[1:]:
        commit, parents, message, names = record.split("\x1f", 3)
        known = parents.split()
        touched = tuple(name for name in (part.strip("\n") for part in names.split("\0")) if name)
        commits.append(Commit(commit, known[0] if known else "", len(known), message.strip(), touched))
    return tuple(commits)


def export(repository: Path, commit: str, folder: Path) -> Path:
    """Write what a repository held at a commit into a folder, and return the top directory.

    Raises
    ------
    LabError
        If the commit is not there, or its content would be written elsewhere.
    """
    if not repository.is_dir():
        raise LabError(f"{repository} does not exist; give the local git repository the tasks were built from")
    archive = folder / "revision.tar"
    archive.write_bytes(git_output(repository, "archive", "--format=tar", "--prefix=source/", commit))
    (folder / "source").mkdir()
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise LabError(
            f"cannot unpack {commit[:12]} of {repository}: {error}; the lab cannot use this commit"
        ) from error
    archive.unlink()
    return folder / "source"


def texts_at(repository: Path, commit: str, paths: tuple[str, ...]) -> dict[str, str]:
    """Texts of some files at a commit; files that are not there, or are no UTF-8 text, are left out."""
    texts = {}
    for path in paths:
        done = run_git(repository, "cat-file", "blob", f"{commit}:{path}")
        if done.returncode != 0:
            if any(word in done.stderr.decode("utf-8", "replace") for word in _MISSING):
                raise _lacking(repository, commit)
            continue
        try:
            texts[path] = done.stdout.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return texts


def is_shallow(repository: Path) -> bool:
    """Whether the repository was cloned without its whole history."""
    return git_output(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _lacking(repository: Path, commit: str) -> LabError:
    return LabError(f"{repository} lacks content of {commit[:12]}; give a complete clone, not a partial one")


def under(path: str, folder: str) -> bool:
    """Whether a path is a folder or file, or lies below it."""
    return path == folder or PurePosixPath(folder) in PurePosixPath(path).parents
