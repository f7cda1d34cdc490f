"""Atomic writes and stable hashes: the few file helpers every room needs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["stable_seed", "write_atomic"]


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


_MODE = _default_mode()


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a killed run, sees the old content or the new one and nothing between.

    Parameters
    ----------
    path
        The file; its directory is made if needed.
    content
        Text (written as UTF-8) or bytes.

    Raises
    ------
    LabError
        If the directory is read-only or the disk is full.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(_MODE)  # a temporary file is private; results are for whoever may read the folder
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise LabError(f"cannot write {path}: {error.strerror or error}; choose a writable place with room") from error


def stable_seed(*parts: str | int | float) -> int:
    """A 63-bit seed that depends on the parts alone: the same on every machine and in every process.

    Examples
    --------
    >>> stable_seed("team_shared", 3) == stable_seed("team_shared", 3)
    True
    >>> stable_seed("a", "bc") == stable_seed("ab", "c")
    False
    """
    digest = hashlib.sha256("\x1f".join(f"{type(part).__name__}:{part}" for part in parts).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") >> 1
