"""Fetch a package's source archive or its dependencies with pip, without ever running the package's own code.

``pip download`` of a source archive prepares metadata, which runs the package's build code. Here pip itself runs
under an audit hook that refuses every new process, so pip finds and downloads the archive with whatever index,
certificates and proxies the user has configured, and ends at the moment it would start a build. Dependencies are
installed from wheels only, which run nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autodev_lab.errors import LabError

__all__ = ["fetch_archive", "install_dependencies", "list_releases", "normalise"]

_TIMEOUT_SECONDS = 300

_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".zip")

# Runs inside pip's interpreter. Starting a process is refused (pip only loses its user-agent details by that), and
# once an archive has arrived the refusal ends pip: the next thing would be the package's build code. An archive in a
# local folder is used by pip where it lies, so what pip opens is noted as well.
_PIP_WITHOUT_BUILDS = """
import glob, os, re, runpy, sys, tempfile
FOLDER, WANTED = tempfile.gettempdir(), sys.argv.pop(1)
opened = []
def is_wanted(path):
    name = os.path.basename(str(path))
    folded = re.sub("[^a-z0-9]+", "-", name.lower())
    return name.endswith((".tar.gz", ".tgz", ".tar.bz2", ".zip")) and folded.startswith(WANTED)
def refuse(event, arguments):
    if event == "open" and is_wanted(arguments[0]) and not str(arguments[0]).startswith(FOLDER):
        opened.append(str(arguments[0]))
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
        arrived = [path for path in glob.glob(os.path.join(FOLDER, "pip-unpack-*", "*")) if is_wanted(path)]
        if arrived or opened:
            with open(os.path.join(FOLDER, "arrived.txt"), "w", encoding="utf-8") as stream:
                stream.write("\\n".join([*arrived, *opened]))
            os._exit(77)
        raise PermissionError("no processes here")
sys.addaudithook(refuse)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def normalise(name: str) -> str:
    """The canonical form of a distribution name (PEP 503).

    Examples
    --------
    >>> normalise("Jaraco.Text_tools")
    'jaraco-text-tools'
    """
    folded = "".join(character if character.isalnum() else "-" for character in name.lower())
    return "-".join(part for part in folded.split("-") if part)


def fetch_archive(requirement: str, destination: Path, *, sha256: str | None = None) -> Path:
    """Download one source archive with pip.

    Parameters
    ----------
    requirement
        ``name`` or ``name==version``.
    destination
        Directory the archive is moved to.
    sha256
        Expected digest; pip refuses another file, and it is checked again here.

    Returns
    -------
    Path
        The archive.

    Raises
    ------
    LabError
        If pip is missing, finds no source archive, cannot reach its index, or the digest differs.
    """
    _require_pip()
    destination.mkdir(parents=True, exist_ok=True)
    name = requirement.partition("==")[0]
    with tempfile.TemporaryDirectory(dir=destination, prefix=".fetch-") as folder:
        scratch = Path(folder)
        wanted = scratch / "wanted.txt"
        wanted.write_text(requirement + (f" --hash=sha256:{sha256}" if sha256 else "") + "\n", encoding="utf-8")
        arguments = ["download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--quiet"]
        arguments += ["--progress-bar", "off", "--dest", str(scratch / "out"), "-r", str(wanted)]
        command = [sys.executable, "-c", _PIP_WITHOUT_BUILDS, f"{normalise(name)}-"]
        temporary = scratch / "tmp"
        temporary.mkdir()
        done = _pip([*command, *arguments], temporary, requirement)
        archives = [path for path in _arrived(temporary, scratch / "out") if _is_archive_of(path, name)]
        if not archives:
            raise LabError(
                f"cannot fetch the source archive of {requirement}: {_reason(done.stderr, 'source archive')}"
            )
        digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if sha256 is not None and digest != sha256:
            raise LabError(f"the source archive of {requirement} has sha256 {digest}, not {sha256}; it was not used")
        target = destination / archives[0].name
        copy = scratch / "copy"
        shutil.copyfile(archives[0], copy)  # it may lie in a folder of the user's
        copy.replace(target)
    return target


def list_releases(name: str) -> tuple[str, ...]:
    """Versions of a package with a source archive that pip would take here, newest first.

    Parameters
    ----------
    name
        The distribution.

    Raises
    ------
    LabError
        If pip is missing, knows no such package or cannot reach its index.
    """
    _require_pip()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "index", "versions", name, "--no-binary", ":all:"]
        done = _pip(command, Path(folder), name)
    found = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    if found is None:
        raise LabError(f"cannot list the releases of {name}: {_reason(done.stderr, 'source archive')}")
    return tuple(version.strip() for version in found[1].split(","))


def install_dependencies(requirements: Sequence[str], destination: Path, *, resolve: bool = True) -> None:
    """Install wheels into a folder of their own; the user's environment stays as it is.

    Parameters
    ----------
    requirements
        Requirement specifiers.
    destination
        A directory that does not exist yet; it appears complete or not at all.
    resolve
        Whether dependencies of dependencies are installed too; False when the list is complete.

    Raises
    ------
    LabError
        If pip is missing or cannot install them from wheels.
    """
    _require_pip()
    destination.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=destination.parent, prefix=".dependencies-"))
    try:
        if requirements:
            temporary = scratch / "tmp"
            temporary.mkdir()
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-compile"]
            command += [*([] if resolve else ["--no-deps"]), "--target", str(scratch / "out"), *requirements]
            done = _pip(command, temporary, ", ".join(requirements))
            if done.returncode != 0:
                raise LabError(
                    f"cannot install the dependencies {', '.join(requirements)}: {_reason(done.stderr, 'wheel')}"
                )
        (scratch / "out").mkdir(exist_ok=True)
        (scratch / "out").replace(destination)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_pip() -> None:
    if importlib.util.find_spec("pip") is None:
        raise LabError("pip is missing from this Python; run `python -m ensurepip`, or give a source directory instead")


def _pip(command: list[str], temporary: Path, what: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    environment.pop("PIP_USER", None)
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"pip did not answer within {_TIMEOUT_SECONDS} s for {what}; check the network and try again"
        ) from error


def _arrived(temporary: Path, finished: Path) -> list[Path]:
    """Archives pip had in hand when it was ended, or put down when there was nothing to build."""
    note = temporary / "arrived.txt"
    named = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    return [*(Path(line) for line in named), *sorted(finished.glob("*"))]


def _is_archive_of(path: Path, name: str) -> bool:
    if not path.name.endswith(_SUFFIXES):
        return False
    return normalise(path.name).startswith(normalise(name) + "-")


def _reason(stderr: str, kind: str) -> str:
    lines = [line.removeprefix("ERROR:").strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    said = " ".join(lines) or (stderr.strip().splitlines() or ["pip said nothing"])[-1]
    if "No matching distribution" in said or "Could not find a version" in said:
        unreachable = any(word in stderr for word in ("NewConnectionError", "connection", "Temporary failure", "SSL"))
        if unreachable:
            return "pip could not reach its index; go online once, or give a source directory"
        return f"pip finds no such {kind}; check the name and version, or give a source directory"
    return said[:300]
