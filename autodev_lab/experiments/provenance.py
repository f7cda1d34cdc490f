"""What a run ran on: version, commit, configuration, code and package hashes, Python, platform, sandbox."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autodev_lab.analysis.dictionary import VERSION

__all__ = ["code_hash", "provenance"]

_PACKAGE = Path(__file__).resolve().parent.parent
_NO_INFLUENCE = ("analysis", "cli", "testing")
"""Rooms that read outcomes and cannot change them."""

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy", "pytest", "mlflow", "pydantic")
_SECRET_WORDS = ("key", "token", "secret", "password", "credential", "auth")


@cache
def code_hash() -> str:
    """SHA-256 (16 hexadecimal digits) of the lab's code that can influence outcomes."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        relative = path.relative_to(_PACKAGE)
        if relative.parts[0] not in _NO_INFLUENCE and relative.parts[0] != "_resources":
            digest.update(relative.as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def provenance(
    configuration_hash: str,
    *,
    plugins: Mapping[str, str],
    sandbox: str,
    packages: Mapping[str, str],
    tasks_hash: str,
    workers: int,
) -> dict[str, object]:
    """Everything needed to say what a run was, and to run it again.

    Parameters
    ----------
    configuration_hash
        Of the plan.
    plugins
        Hashes of the user's own code, by its name in the plan.
    sandbox
        Level of isolation that candidate code ran under, in words.
    packages
        Content hash by package.
    tasks_hash
        SHA-256 of the tasks.
    """
    commit, dirty = _git()
    return {
        "version": _version("autodev-lab"),
        "git_commit": commit,
        "git_dirty": dirty,
        "code_hash": code_hash(),
        "plugins": dict(sorted(plugins.items())),
        "configuration_hash": configuration_hash,
        "dictionary_version": VERSION,
        "tasks_hash": tasks_hash,
        "packages": dict(sorted(packages.items())),
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "sandbox": sandbox,
        "workers": workers,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "argv": redacted(sys.argv),
    }


def redacted(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments without what may be a secret, and with the program's name alone.

    Examples
    --------
    >>> redacted(["/somewhere/autodev-lab", "run", "--api-key", "abc", "--token=def", "-p", "budget=3"])
    ['autodev-lab', 'run', '--api-key', '***', '--token=***', '-p', 'budget=3']
    """
    shown: list[str] = []
    hide = False
    for number, argument in enumerate(arguments):
        name, separator, _ = argument.partition("=")
        suspect = any(word in name.lower() for word in _SECRET_WORDS)
        if hide:
            shown.append("***")
        elif suspect and separator:
            shown.append(f"{name}=***")
        else:
            shown.append(Path(argument).name if number == 0 else argument)
        hide = suspect and not separator and not hide and argument.startswith("-")
    return shown


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _git() -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout the package lies in; (None, None) for an installed one."""
    if not (_PACKAGE.parent / "pyproject.toml").is_file():
        return None, None
    try:
        commit = _ask_git("rev-parse", "HEAD")
        return commit, bool(_ask_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _ask_git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(_PACKAGE.parent), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return answer.stdout.strip()
