"""Tasks from consecutive releases of a package: code of the older release put back into the newer one.

The newer release brings the tests. Releases come from the index (the newest ones), or from a description that pins each
source archive by its digest, so that a study can be built again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from autodev_lab.errors import LabError
from autodev_lab.execution.fetching import list_releases, normalise
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.streams.history import HistoryBuild, Progress, Step, StepReport, build_history, sources_by_module

__all__ = ["PackageReleases", "Release", "build_from_releases", "newest_releases", "read_releases"]


@dataclass(frozen=True, slots=True)
class Release:
    """One release; ``sha256`` is the digest of its source archive, "" where any will do."""

    version: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class PackageReleases:
    """Releases of a package, newest first; neighbours are taken as consecutive."""

    package: str
    releases: tuple[Release, ...]


def newest_releases(package: str, count: int) -> PackageReleases:
    """The newest releases that have a source archive, as pip sees them.

    Parameters
    ----------
    package
        The distribution.
    count
        Releases to take; each but the last is compared with the one before it.

    Raises
    ------
    LabError
        If fewer than two are asked for or there are, or pip cannot list them.
    """
    if count < 2:
        raise LabError(f"{count} releases were asked for; ask for at least 2, since neighbours are compared")
    versions = list_releases(package)[:count]
    if len(versions) < 2:
        raise LabError(f"{package} has one release with a source archive; build tasks by injection instead")
    return PackageReleases(normalise(package), tuple(Release(version) for version in versions))


def read_releases(path: Path) -> tuple[PackageReleases, ...]:
    """Read a description of a build: packages, and of each its releases with their digests.

    Parameters
    ----------
    path
        A YAML file of the form of ``data/history.yaml``.

    Raises
    ------
    LabError
        Naming the file and what is wrong with it.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        described = tuple(
            PackageReleases(
                normalise(str(entry["name"])),
                tuple(Release(str(version), str(digest)) for version, digest in dict(entry["releases"]).items()),
            )
            for entry in loaded["packages"]
        )
    except FileNotFoundError as error:
        raise LabError(f"{path} does not exist; give a description of releases such as data/history.yaml") from error
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror or error}; give a readable description") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise LabError(
            f"{path} is no description of releases ({reason}); it needs packages, each with name and releases"
        ) from error
    for one in described:
        if len(one.releases) < 2:
            raise LabError(f"{path} names fewer than two releases of {one.package}; neighbours are compared")
    if not described:
        raise LabError(f"{path} names no packages; list at least one")
    return described


def build_from_releases(
    history: PackageReleases,
    *,
    n: int,
    seed: int,
    cache: Path,
    report: SandboxReport,
    offline: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> HistoryBuild:
    """Make up to `n` tasks from a package's releases, newest first: the same arguments give the same tasks.

    A release that cannot be had, or whose tests do not run here, is counted, and the next ones are used.

    Parameters
    ----------
    history
        The releases.
    n, seed
        Tasks wanted, and the seed of the split of tests into sides.
    cache
        Folder for what is fetched and unpacked.
    report
        What the sandbox isolates.
    offline
        Use nothing but the cache.
    progress, say
        Called with (tasks kept, tasks wanted, what goes on), and with a sentence when something slow begins.
    """
    steps = _steps(history, cache, offline, say)
    return build_history(steps, n=n, seed=seed, report=report, progress=progress)


def _steps(
    history: PackageReleases, cache: Path, offline: bool, say: Callable[[str], None] | None
) -> Iterator[Step | StepReport]:
    had: dict[Release, Subject] = {}

    def get(release: Release) -> Subject:
        if release not in had:
            spec, digest = f"{history.package}=={release.version}", release.sha256 or None
            subject = obtain(spec, cache=cache, offline=offline, progress=say, sha256=digest)
            had[release] = replace(subject, spec=spec)  # it may have come into the cache under another one
        return had[release]

    for newer, older in itertools.pairwise(history.releases):
        try:
            step = Step(get(newer), sources_by_module(get(older)), older.version, newer.version)
        except LabError as error:
            yield StepReport(older.version, newer.version, 0, str(error))
        else:
            yield step
