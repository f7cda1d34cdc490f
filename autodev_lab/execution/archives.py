"""Unpack source archives so that nothing in them can be written elsewhere, and no more than a limit."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["unpacked"]

_MAXIMUM_UNPACKED_BYTES = 512 * 1024 * 1024


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack an archive into a temporary folder and yield its top directory.

    Raises
    ------
    LabError
        If it cannot be read, wants to write outside its folder, or is too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        destination = Path(folder) / "unpacked"
        destination.mkdir()
        try:
            if archive.name.endswith(".zip"):
                _unzip(archive, destination)
            else:
                with tarfile.open(archive) as tar:
                    _check_size(sum(member.size for member in tar.getmembers()), archive)
                    tar.extractall(destination, filter="data")
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise LabError(f"cannot unpack {archive}: {error}; fetch it again") from error
        inside = [path for path in sorted(destination.iterdir()) if path.name != "pax_global_header"]
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else destination


def _unzip(archive: Path, destination: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        _check_size(sum(entry.file_size for entry in bundle.infolist()), archive)
        for entry in bundle.infolist():
            target = (destination / entry.filename).resolve()
            if not target.is_relative_to(destination.resolve()):
                raise LabError(f"{archive} wants to write outside its folder ({entry.filename}); it was not unpacked")
        bundle.extractall(destination)


def _check_size(size: int, archive: Path) -> None:
    if size > _MAXIMUM_UNPACKED_BYTES:
        raise LabError(f"{archive} would unpack to {size // 2**20} MiB; the lab takes up to 512 MiB")
