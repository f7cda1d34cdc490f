"""The modules of a graph by name, and which of them an import in a certain file means."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from autodev_lab.memory.code_facts import Import
from autodev_lab.memory.code_files import SourceFile

__all__ = ["ModuleTable"]


class ModuleTable:
    """The modules of a graph by name, as an importing file sees them."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self.files: Mapping[str, SourceFile] = {file.module: file for file in files}
        self._packages: set[str] = set()
        for module in self.files:
            parts = module.partition("@")[0].split(".")
            self._packages.update(".".join(parts[:length]) for length in range(1, len(parts)))

    def find(self, name: str, importer: SourceFile) -> str | None:
        """The id of the module with a dotted name, or None."""
        for candidate in self.candidates(name, importer):
            if candidate in self.files:
                return candidate
        return None

    def candidates(self, name: str, importer: SourceFile) -> tuple[str, ...]:
        """Ids a dotted name may have for an importer, the first that exists is meant."""
        found = (f"{name}@{importer.import_root}", name)
        if importer.beside and name.partition(".")[0] not in sys.stdlib_module_names:
            return (*found, f"{importer.beside}.{name}")
        return found

    def is_namespace(self, name: str) -> bool:
        """Whether modules lie below a dotted name that is no module itself."""
        return name in self._packages and name not in self.files

    def absolute(self, found: Import, importer: SourceFile) -> str | None:
        """The dotted name that an import means, or None when its dots lead out of the top."""
        if found.level == 0:
            return found.module
        parts = importer.module.partition("@")[0].split(".")
        kept = len(parts) - found.level + (1 if importer.is_package else 0)
        if kept < 0 or (kept == 0 and not found.module):
            return None
        return ".".join([*parts[:kept], *([found.module] if found.module else [])])
