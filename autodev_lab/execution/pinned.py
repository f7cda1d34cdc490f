"""The packages the lab knows by the digest of their source archive (data/subjects.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from autodev_lab.errors import LabError
from autodev_lab.resources import resource

__all__ = ["PinnedSubject", "pinned_subjects"]


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
