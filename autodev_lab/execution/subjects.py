"""Obtain a package with its tests: bundled, pinned, installed, from an index, an archive or a folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.archives import unpacked
from autodev_lab.execution.fetching import fetch_archive, install_dependencies, normalise
from autodev_lab.execution.installed import copy_distribution, copy_installed, installed_with_tests
from autodev_lab.execution.layout import Layout, Metadata, find_layout, read_metadata, test_requirements
from autodev_lab.execution.pinned import PinnedSubject, pinned_subjects
from autodev_lab.execution.revisions import REVISION, export, parse_revision
from autodev_lab.execution.shelf import Plan, Shelf, Subject
from autodev_lab.execution.sides import IGNORED
from autodev_lab.execution.trees import tree_hash
from autodev_lab.execution.upkeep import use
from autodev_lab.resources import resource

__all__ = ["PinnedSubject", "Subject", "bundled_subjects", "obtain", "pinned_subjects"]

Progress = Callable[[str], None]

_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".zip")


def bundled_subjects() -> tuple[str, ...]:
    """Names of the subject packages that ship with the lab and need no network.

    Examples
    --------
    >>> bundled_subjects()
    ('pocketkit',)
    """
    return tuple(
        sorted(path.name for path in resource("data/subjects").iterdir() if (path / "pyproject.toml").is_file())
    )


def obtain(
    spec: str,
    *,
    cache: Path,
    offline: bool = False,
    progress: Progress | None = None,
    sha256: str | None = None,
) -> Subject:
    """Get a package with its tests, unpacked and with its dependencies beside it.

    Parameters
    ----------
    spec
        ``pocketkit``; a pinned name such as ``toolz``; ``name==version``; any other name (an installed package with
        tests inside, else its source archive; a version fetched before is used again); a path to a source archive or a
        source directory; or ``git:PATH@COMMIT`` for what a local git repository held at a commit.
    cache
        Folder for what is fetched and unpacked; processes may share it.
    offline
        Use nothing but the cache and what ships.
    progress
        Called with a sentence when something slow begins.
    sha256
        For ``name==version``: the digest its source archive must have.

    Raises
    ------
    LabError
        If there is no such package, it has no tests, needs a compiled extension, is out of reach offline, has another
        digest, or cannot be written into the cache.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     subject = obtain("pocketkit", cache=Path(folder))
    ...     subject.version, subject.tree.package_path, subject.tree.test_paths
    ('1.0.0', 'pocketkit', ('tests',))
    """
    use(cache)
    try:
        return _obtained(spec.strip(), cache, offline, progress or _silent, sha256)
    except OSError as error:
        raise LabError(
            f"cannot unpack {spec} into the cache {cache}: {_reason(error)}; make room, or set AUTODEV_CACHE to a "
            "writable folder"
        ) from error


def _obtained(spec: str, cache: Path, offline: bool, say: Progress, sha256: str | None) -> Subject:
    shelf = Shelf(cache / "subjects")
    if spec.startswith(REVISION):
        return _from_revision(spec, shelf, offline, say)
    path = Path(spec).expanduser()
    if _looks_like_path(spec):
        if not path.exists():
            raise LabError(f"{spec} does not exist; give an existing archive or folder, or the name of a package")
        return _from_path(path.resolve(), shelf, offline, say)
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\s*==\s*([A-Za-z0-9.!+_-]+))?", spec)
    if match is None:
        raise LabError(
            f"{spec!r} is neither a package, nor name==version, nor a path; see `autodev-lab tasks build --help`"
        )
    name, version = normalise(match[1]), match[2]
    if name in bundled_subjects() and version is None:
        return _from_directory(resource(f"data/subjects/{name}"), shelf, offline, say, spec=name)
    known = pinned_subjects().get(name)
    if known is not None and version in (None, known.version) and sha256 in (None, known.sha256):
        return _from_pin(known, shelf, cache, offline, say)
    with shelf.locked(name):
        return _from_name(name, version, shelf, cache, offline, say, sha256)


def _reason(error: OSError) -> str:
    """Why a file could not be copied; a copied tree has a list of reasons, of which the first will do.

    Examples
    --------
    >>> _reason(OSError(28, "No space left on device")), _reason(shutil.Error([("a", "b", "[Errno 5] Bad disk: 'a'")]))
    ('No space left on device', 'Bad disk')
    """
    if error.strerror:
        return error.strerror
    found = re.search(r"\[Errno \d+\] ([^:'\"]+)", str(error))
    return found[1] if found else str(error)


def _silent(_: str) -> None:
    return None


def _looks_like_path(spec: str) -> bool:
    return spec.endswith(_ARCHIVES) or os.sep in spec or spec in (".", "..") or spec.startswith("~")


def _resolve(requirements: tuple[str, ...], destination: Path) -> None:
    install_dependencies(requirements, destination)


def _complete(requirements: tuple[str, ...], destination: Path) -> None:
    install_dependencies(requirements, destination, resolve=False)


def _from_pin(known: PinnedSubject, shelf: Shelf, cache: Path, offline: bool, say: Progress) -> Subject:
    wanted = hashlib.sha256("\n".join([known.sha256, *known.dependencies]).encode()).hexdigest()
    key = f"{known.name}-{known.version}-{wanted[:12]}"
    with shelf.locked(known.name):
        kept = shelf.load(key)
        if kept is not None:
            return kept
        archive = _kept_archive(cache / "archives", known.sha256)
        if archive is None:
            if offline:
                raise LabError(
                    f"{known.name} is not in the cache and the lab is offline; run once online, or use pocketkit"
                )
            say(f"fetching {known.name} {known.version}")
            archive = fetch_archive(f"{known.name}=={known.version}", cache / "archives", sha256=known.sha256)
        layout = Layout(known.package, known.import_root, known.package_path, known.test_paths)
        if offline and known.dependencies:
            raise LabError(f"the test dependencies of {known.name} are not in the cache and the lab is offline")
        with unpacked(archive) as root:
            metadata = Metadata(known.name, known.version, known.licence)
            return shelf.keep(key, root, Plan(known.name, metadata, layout, known.dependencies, _complete))


def _from_name(
    name: str, version: str | None, shelf: Shelf, cache: Path, offline: bool, say: Progress, sha256: str | None
) -> Subject:
    if version is None:
        installed = installed_with_tests(name)
        if installed is not None:
            return _from_installed(installed, shelf)
        if Path(name).is_dir():
            raise LabError(f"no package {name} is known here; for the folder of that name, write ./{name}")
    prefix = name if version is None else f"{name}-{version}"
    for key in reversed(shelf.keys(prefix)):
        kept = shelf.load(key)
        digest_fits = sha256 is None or key.endswith(f"-{sha256[:12]}")
        if kept is not None and kept.name == name and version in (None, kept.version) and digest_fits:
            return kept
    if offline:
        raise LabError(f"{name} is not in the cache and the lab is offline; run once online, or use pocketkit")
    requirement = name if version is None else f"{name}=={version}"
    say(f"fetching {requirement}")
    archive = fetch_archive(requirement, cache / "archives", sha256=sha256)
    return _from_archive(archive, shelf, offline, say, spec=requirement)


def _from_path(path: Path, shelf: Shelf, offline: bool, say: Progress) -> Subject:
    if path.is_dir():
        return _from_directory(path, shelf, offline, say, spec=str(path))
    if not path.name.endswith(_ARCHIVES):
        raise LabError(f"{path} is no source archive; give a .tar.gz or .zip, or a source directory")
    with shelf.locked(normalise(path.name)):
        return _from_archive(path, shelf, offline, say, spec=str(path))


def _from_archive(archive: Path, shelf: Shelf, offline: bool, say: Progress, *, spec: str) -> Subject:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with unpacked(archive) as root:
        metadata = read_metadata(root, re.sub(r"-\d.*$", "", archive.name.partition(".")[0]))
        key = f"{normalise(metadata.name)}-{metadata.version}-{digest[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        return _keep_new(key, root, spec, metadata, shelf, offline, say)


def _from_directory(directory: Path, shelf: Shelf, offline: bool, say: Progress, *, spec: str) -> Subject:
    metadata = read_metadata(directory, directory.name)
    with shelf.locked(normalise(metadata.name)), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source"
        try:
            shutil.copytree(
                directory, copy, ignore_dangling_symlinks=True, ignore=shutil.ignore_patterns(*_not_source(directory))
            )
        except (OSError, shutil.Error) as error:
            raise LabError(
                f"cannot copy {directory}: {_reason(error)}; give a readable source directory, or make room in "
                f"{tempfile.gettempdir()}"
            ) from error
        key = f"{normalise(metadata.name)}-{metadata.version}-{tree_hash(copy)[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        return _keep_new(key, copy, spec, metadata, shelf, offline, say)


def _from_revision(spec: str, shelf: Shelf, offline: bool, say: Progress) -> Subject:
    """What a repository held at a commit; a name that the project does not state plainly is that of its package."""
    repository, commit = parse_revision(spec)
    with shelf.locked(f"revision-{commit}"), tempfile.TemporaryDirectory() as folder:
        root = export(repository, commit, Path(folder))
        metadata = read_metadata(root, "")
        if not metadata.name:
            metadata = replace(metadata, name=find_layout(root, repository.name.removesuffix(".git")).package)
        key = f"{normalise(metadata.name)}-{metadata.version}-{tree_hash(root)[:12]}-git"
        kept = shelf.load(key)
        if kept is not None:
            return replace(kept, spec=spec)
        return _keep_new(key, root, spec, metadata, shelf, offline, say)


def _not_source(directory: Path) -> tuple[str, ...]:
    environments = [path.parent.name for path in directory.glob("*/pyvenv.cfg")]
    return (*IGNORED, *environments)


def _keep_new(
    key: str, root: Path, spec: str, metadata: Metadata, shelf: Shelf, offline: bool, say: Progress
) -> Subject:
    layout = find_layout(root, metadata.name)
    requirements = test_requirements(root, layout, metadata)
    if requirements and offline:
        raise LabError(f"{metadata.name} needs {', '.join(requirements)} and the lab is offline; run once online")
    if requirements:
        say(f"installing what {metadata.name} needs: {', '.join(requirements)}")
    return shelf.keep(key, root, Plan(spec, metadata, layout, requirements, _resolve))


def _from_installed(distribution: importlib.metadata.Distribution, shelf: Shelf) -> Subject:
    """Copy an installed package, and the installed packages it needs, out of the environment."""
    name, version = normalise(distribution.metadata["Name"]), distribution.version
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        copy_distribution(distribution, root)
        key = f"{name}-{version}-{tree_hash(root)[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        metadata = read_metadata(root, name)
        layout = find_layout(root, name)
        requirements = test_requirements(root, layout, metadata)
        return shelf.keep(key, root, Plan(name, metadata, layout, requirements, copy_installed))


def _kept_archive(folder: Path, sha256: str) -> Path | None:
    for path in sorted(folder.glob("*")):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
    return None
