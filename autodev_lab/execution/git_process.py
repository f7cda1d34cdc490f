"""One way to run git, without the configuration of user and system: a repository runs nothing of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["git_output", "run_git", "said_by"]

_TIMEOUT_SECONDS = 120


def run_git(
    repository: Path, *arguments: str | bytes, stdin: bytes = b"", timeout: float = _TIMEOUT_SECONDS
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a repository and keep what it prints; hooks, filters, aliases and lazy fetches stay off.

    Parameters
    ----------
    repository
        The folder of a local repository.
    arguments
        The command and its arguments; bytes where a path is no UTF-8.
    stdin
        What it reads.
    timeout
        Seconds it may take.

    Raises
    ------
    LabError
        If git is not installed or does not answer in time.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", "-c", "core.quotePath=false"]
    try:
        return subprocess.run(
            [*command, "-C", str(repository), *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise LabError("git is not installed here; install it and try again") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"git did not answer within {timeout:.0f} s for {repository}; try again") from error


def git_output(
    repository: Path, *arguments: str | bytes, stdin: bytes = b"", timeout: float = _TIMEOUT_SECONDS
) -> bytes:
    """What git prints.

    Raises
    ------
    LabError
        If git fails, with the last thing it said.
    """
    done = run_git(repository, *arguments, stdin=stdin, timeout=timeout)
    if done.returncode != 0:
        raise LabError(
            f"git cannot read {repository}: {said_by(done)}; give a complete local clone and a commit it has"
        )
    return done.stdout


def said_by(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of complaint."""
    return (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git said nothing"])[-1][:200]
