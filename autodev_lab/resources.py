"""Where things lie: experiments/, notebooks/, data/ and config/ that ship with the lab, the cache, and the runs.

Files that hatch force-includes are absent from editable installs, so each shipped folder is looked for by explicit
path, then beside the package in a checkout, then inside the installed package.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["FOLDERS", "cache_directory", "resource", "runs_directory"]

FOLDERS = ("experiments", "notebooks", "data", "config")
"""The folders that ship with the lab."""

_PACKAGE = Path(__file__).resolve().parent


def resource(relative: str, explicit: Path | str | None = None) -> Path:
    """Find a shipped file or folder.

    Parameters
    ----------
    relative
        Path with forward slashes below one of `FOLDERS`, for example ``data/subjects.yaml``.
    explicit
        A path the user named; it wins, and nothing else is tried when it does not exist.

    Returns
    -------
    Path
        An existing, absolute path.

    Raises
    ------
    LabError
        If it is nowhere to be found.

    Examples
    --------
    >>> resource("data/subjects.yaml").name
    'subjects.yaml'
    >>> resource("recipes/soup.yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    autodev_lab.errors.LabError: recipes/soup.yaml does not ship with the lab; ...
    """
    if explicit is not None:
        chosen = Path(explicit).expanduser()
        if not chosen.exists():
            raise LabError(f"{chosen} does not exist; name an existing file or leave the path out")
        return chosen.resolve()
    parts = Path(relative).parts
    if not parts or parts[0] not in FOLDERS or ".." in parts:
        raise LabError(
            f"{relative} does not ship with the lab; name a file in experiments/, notebooks/, data/ or config/"
        )
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / relative).exists():
        return checkout / relative
    installed = _PACKAGE / "_resources" / relative
    if installed.exists():
        return installed
    raise LabError(f"{relative} is missing from this installation; reinstall autodev-lab or give the path yourself")


def cache_directory() -> Path:
    """Where fetched packages and evaluation results are kept: ``AUTODEV_CACHE``, else the user's cache folder.

    The folder is not made here; whoever writes into it makes it.
    """
    chosen = os.environ.get("AUTODEV_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base).expanduser().resolve() / "autodev_lab"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "autodev_lab"
    return Path.home() / ".cache" / "autodev_lab"


def runs_directory() -> Path:
    """Where run directories are written: ``AUTODEV_RUNS``, else ``runs`` below the working directory."""
    chosen = os.environ.get("AUTODEV_RUNS")
    return Path(chosen).expanduser().resolve() if chosen else Path.cwd() / "runs"
