"""Obtain a package with its tests: bundled, pinned, installed, from an index, an archive or a folder."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from autodev_lab.errors import LabError
from autodev_lab.execution.archives import unpacked
from autodev_lab.execution.fetching import fetch_archive, install_dependencies, normalise
from autodev_lab.execution.layout import Layout, Metadata, find_layout, read_metadata, test_requirements
from autodev_lab.execution.sides import IGNORED
from autodev_lab.execution.trees import SourceTree, tree_hash
from autodev_lab.files import write_atomic
from autodev_lab.resources import resource

__all__ = ["PinnedSubject", "Subject", "bundled_subjects", "obtain", "pinned_subjects"]

Progress = Callable[[str], None]

_FORMAT = 1
_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".zip")


@dataclass(frozen=True, slots=True)
class Subject:
    """A package the lab can work on.

    Parameters
    ----------
    name, version
        As the package calls itself.
    tree
        Its source and tests; read-only for everybody.
    content_hash
        SHA-256 of the tree's files: the same package content everywhere.
    licence
        As the package names it.
    spec
        What to give `obtain` to get it again.
    """

    name: str
    version: str
    tree: SourceTree
    content_hash: str
    licence: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class PinnedSubject:
    """One entry of data/subjects.yaml; ``role`` is ``development`` or ``held_out``."""

    name: str
    version: str
    sha256: str
    licence: str
    package: str
    import_root: str
    package_path: str
    test_paths: tuple[str, ...]
    dependencies: tuple[str, ...]
    role: str


def pinned_subjects(path: Path | None = None) -> Mapping[str, PinnedSubject]:
    """The packages the lab knows by archive digest, by name.

    Parameters
    ----------
    path
        Another file of the same form, or None for the one that ships.

    Raises
    ------
    LabError
        If the file is not of that form.
    """
    source = resource("data/subjects.yaml", path)
    try:
        loaded = yaml.safe_load(source.read_text(encoding="utf-8"))
        entries = loaded["packages"]
        pinned = [
            PinnedSubject(
                name=str(entry["name"]),
                version=str(entry["version"]),
                sha256=str(entry["sha256"]),
                licence=str(entry["licence"]),
                package=str(entry["package"]),
                import_root=str(entry.get("import_root", "")),
                package_path=str(entry["package_path"]),
                test_paths=tuple(str(one) for one in entry["test_paths"]),
                dependencies=tuple(str(one) for one in entry.get("dependencies", ())),
                role=str(entry["role"]),
            )
            for entry in entries
        ]
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise LabError(
            f"{source} is not a list of pinned packages ({error}); see data/README.md for its form"
        ) from error
    return {entry.name: entry for entry in pinned}


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


def obtain(spec: str, *, cache: Path, offline: bool = False, progress: Progress | None = None) -> Subject:
    """Get a package with its tests, unpacked and with its dependencies beside it.

    Parameters
    ----------
    spec
        ``pocketkit``; a pinned name such as ``toolz``; ``name==version``; any other name (an installed package with
        tests inside, else its source archive; a version fetched before is used again); or a path to a source archive
        or a source directory.
    cache
        Folder for what is fetched and unpacked; processes may share it.
    offline
        Use nothing but the cache and what ships.
    progress
        Called with a sentence when something slow begins.

    Raises
    ------
    LabError
        If there is no such package, it has no tests, needs a compiled extension, or is out of reach offline.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     subject = obtain("pocketkit", cache=Path(folder))
    ...     subject.version, subject.tree.package_path, subject.tree.test_paths
    ('1.0.0', 'pocketkit', ('tests',))
    """
    say = progress or _silent
    spec = spec.strip()
    shelf = _Shelf(cache / "subjects")
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
    if known is not None and version in (None, known.version):
        return _from_pin(known, shelf, cache, offline, say)
    with shelf.locked(name):
        return _from_name(name, version, shelf, cache, offline, say)


class _Shelf:
    """The cache's folder of unpacked subjects; an entry appears complete or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Let one process at a time fetch or unpack a name."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = (self.root / f".{name[:80]}.lock").open("w")
        except OSError as error:
            raise LabError(
                f"cannot write the cache {self.root}: {error.strerror}; set AUTODEV_CACHE to a writable folder"
            ) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def load(self, key: str) -> Subject | None:
        """The subject kept under a key, if it is there and as it was."""
        folder = self.root / key
        try:
            record = json.loads((folder / "subject.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        root = folder / "tree"
        if record.get("format") != _FORMAT or not root.is_dir() or tree_hash(root) != record["content_hash"]:
            return None
        dependencies = folder / "dependencies"
        tree = SourceTree(
            root,
            record["package"],
            record["import_root"],
            record["package_path"],
            tuple(record["test_paths"]),
            dependencies if dependencies.is_dir() else None,
        )
        return Subject(
            record["name"], record["version"], tree, record["content_hash"], record["licence"], record["spec"]
        )

    def keys(self, name: str) -> list[str]:
        """Keys of the versions of a name that are kept, newest entry last."""
        found = [path for path in self.root.glob(f"{name}-*") if (path / "subject.json").is_file()]
        return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]

    def keep(self, key: str, source: Path, plan: _Plan) -> Subject:
        """Copy an unpacked package into the cache, install its dependencies beside it, and load it."""
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".building-") as folder:
            building = Path(folder) / "entry"
            root = building / "tree"
            shutil.copytree(
                source, root, symlinks=False, ignore_dangling_symlinks=True, ignore=shutil.ignore_patterns(*IGNORED)
            )
            layout, metadata = plan.layout, plan.metadata
            _write_dist_info(root / layout.import_root, metadata)
            if plan.requirements:
                plan.install(plan.requirements, building / "dependencies")
            record = {
                "format": _FORMAT,
                "name": normalise(metadata.name),
                "version": metadata.version,
                "licence": metadata.licence,
                "spec": plan.spec,
                "package": layout.package,
                "import_root": layout.import_root,
                "package_path": layout.package_path,
                "test_paths": list(layout.test_paths),
                "content_hash": tree_hash(root),
            }
            write_atomic(building / "subject.json", json.dumps(record, indent=1, sort_keys=True) + "\n")
            target = self.root / key
            if target.exists():
                shutil.rmtree(target)  # an entry that did not load: damaged, or of an older format
            building.rename(target)
        subject = self.load(key)
        if subject is None:
            raise LabError(f"the cache entry {self.root / key} changed while it was written; try again")
        return subject


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an entry is to hold."""

    spec: str
    metadata: Metadata
    layout: Layout
    requirements: tuple[str, ...]
    install: Callable[[tuple[str, ...], Path], None]


def _silent(_: str) -> None:
    return None


def _looks_like_path(spec: str) -> bool:
    return spec.endswith(_ARCHIVES) or os.sep in spec or spec in (".", "..") or spec.startswith("~")


def _resolve(requirements: tuple[str, ...], destination: Path) -> None:
    install_dependencies(requirements, destination)


def _complete(requirements: tuple[str, ...], destination: Path) -> None:
    install_dependencies(requirements, destination, resolve=False)


def _from_pin(known: PinnedSubject, shelf: _Shelf, cache: Path, offline: bool, say: Progress) -> Subject:
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
            return shelf.keep(key, root, _Plan(known.name, metadata, layout, known.dependencies, _complete))


def _from_name(name: str, version: str | None, shelf: _Shelf, cache: Path, offline: bool, say: Progress) -> Subject:
    if version is None:
        installed = _installed_with_tests(name)
        if installed is not None:
            return _from_installed(installed, shelf)
        if Path(name).is_dir():
            raise LabError(f"no package {name} is known here; for the folder of that name, write ./{name}")
    prefix = name if version is None else f"{name}-{version}"
    for key in reversed(shelf.keys(prefix)):
        kept = shelf.load(key)
        if kept is not None and kept.name == name and version in (None, kept.version):
            return kept
    if offline:
        raise LabError(f"{name} is not in the cache and the lab is offline; run once online, or use pocketkit")
    requirement = name if version is None else f"{name}=={version}"
    say(f"fetching {requirement}")
    archive = fetch_archive(requirement, cache / "archives")
    return _from_archive(archive, shelf, offline, say, spec=requirement)


def _from_path(path: Path, shelf: _Shelf, offline: bool, say: Progress) -> Subject:
    if path.is_dir():
        return _from_directory(path, shelf, offline, say, spec=str(path))
    if not path.name.endswith(_ARCHIVES):
        raise LabError(f"{path} is no source archive; give a .tar.gz or .zip, or a source directory")
    with shelf.locked(normalise(path.name)):
        return _from_archive(path, shelf, offline, say, spec=str(path))


def _from_archive(archive: Path, shelf: _Shelf, offline: bool, say: Progress, *, spec: str) -> Subject:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with unpacked(archive) as root:
        metadata = read_metadata(root, re.sub(r"-\d.*$", "", archive.name.partition(".")[0]))
        key = f"{normalise(metadata.name)}-{metadata.version}-{digest[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        return _keep_new(key, root, spec, metadata, shelf, offline, say)


def _from_directory(directory: Path, shelf: _Shelf, offline: bool, say: Progress, *, spec: str) -> Subject:
    metadata = read_metadata(directory, directory.name)
    with shelf.locked(normalise(metadata.name)), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source"
        try:
            shutil.copytree(
                directory, copy, ignore_dangling_symlinks=True, ignore=shutil.ignore_patterns(*_not_source(directory))
            )
        except (OSError, shutil.Error) as error:
            raise LabError(f"cannot read {directory}: {error}; give a readable source directory") from error
        key = f"{normalise(metadata.name)}-{metadata.version}-{tree_hash(copy)[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        return _keep_new(key, copy, spec, metadata, shelf, offline, say)


def _not_source(directory: Path) -> tuple[str, ...]:
    environments = [path.parent.name for path in directory.glob("*/pyvenv.cfg")]
    return (*IGNORED, *environments)


def _keep_new(
    key: str, root: Path, spec: str, metadata: Metadata, shelf: _Shelf, offline: bool, say: Progress
) -> Subject:
    layout = find_layout(root, metadata.name)
    requirements = test_requirements(root, layout, metadata)
    if requirements and offline:
        raise LabError(f"{metadata.name} needs {', '.join(requirements)} and the lab is offline; run once online")
    if requirements:
        say(f"installing what {metadata.name} needs: {', '.join(requirements)}")
    return shelf.keep(key, root, _Plan(spec, metadata, layout, requirements, _resolve))


def _installed_with_tests(name: str) -> importlib.metadata.Distribution | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in distribution.files or ():
        if file.suffix == ".py" and {"tests", "test"} & set(file.parts[:-1]) and file.name.startswith("test"):
            return distribution
    return None


def _from_installed(distribution: importlib.metadata.Distribution, shelf: _Shelf) -> Subject:
    """Copy an installed package, and the installed packages it needs, out of the environment."""
    name, version = normalise(distribution.metadata["Name"]), distribution.version
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        _copy_distribution(distribution, root)
        key = f"{name}-{version}-{tree_hash(root)[:12]}"
        kept = shelf.load(key)
        if kept is not None:
            return kept
        metadata = read_metadata(root, name)
        layout = find_layout(root, name)
        requirements = test_requirements(root, layout, metadata)
        return shelf.keep(key, root, _Plan(name, metadata, layout, requirements, _copy_installed))


def _copy_installed(requirements: tuple[str, ...], destination: Path) -> None:
    destination.mkdir(parents=True)
    waiting, done = list(requirements), set[str]()
    while waiting:
        requirement = Requirement(waiting.pop(0))
        name = normalise(requirement.name)
        if name in done or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        done.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an optional part that is not installed: the package's tests cope with that here too
        _copy_distribution(distribution, destination)
        waiting += distribution.requires or []


def _copy_distribution(distribution: importlib.metadata.Distribution, destination: Path) -> None:
    destination.mkdir(parents=True, exist_ok=True)
    for file in distribution.files or ():
        if ".." in file.parts or file.suffix == ".pyc" or file.is_absolute():
            continue
        source = Path(str(distribution.locate_file(file)))
        if source.is_file():
            target = destination / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _kept_archive(folder: Path, sha256: str) -> Path | None:
    for path in sorted(folder.glob("*")):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
    return None


def _write_dist_info(import_root: Path, metadata: Metadata) -> None:
    """Let ``importlib.metadata.version(...)`` find the package, as many packages do when imported."""
    for old in import_root.glob("*.dist-info"):
        shutil.rmtree(old)
    folder = import_root / f"{normalise(metadata.name).replace('-', '_')}-{metadata.version}.dist-info"
    folder.mkdir()
    text = f"Metadata-Version: 2.1\nName: {metadata.name}\nVersion: {metadata.version}\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
