"""Packages unpacked in the cache, each with its dependencies beside it: complete or not there at all."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.fetching import normalise
from autodev_lab.execution.layout import Layout, Metadata
from autodev_lab.execution.sides import IGNORED
from autodev_lab.execution.trees import SourceTree, tree_hash
from autodev_lab.files import write_atomic

__all__ = ["Plan", "Shelf", "Subject"]

_FORMAT = 1


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


class Shelf:
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
        with suppress(OSError):  # a cache that is only read has no need of it
            (folder / "subject.json").touch()  # when it was last used, for `upkeep`
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

    def keep(self, key: str, source: Path, plan: Plan) -> Subject:
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
class Plan:
    """What an entry is to hold."""

    spec: str
    metadata: Metadata
    layout: Layout
    requirements: tuple[str, ...]
    install: Callable[[tuple[str, ...], Path], None]


def _write_dist_info(import_root: Path, metadata: Metadata) -> None:
    """Let ``importlib.metadata.version(...)`` find the package, as many packages do when imported."""
    for old in import_root.glob("*.dist-info"):
        shutil.rmtree(old)
    folder = import_root / f"{normalise(metadata.name).replace('-', '_')}-{metadata.version}.dist-info"
    folder.mkdir()
    text = f"Metadata-Version: 2.1\nName: {metadata.name}\nVersion: {metadata.version}\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
