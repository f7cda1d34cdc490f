"""Prepare the environment of an R2R server once, and print where it is.

    export AUTODEV_R2R_ENV=$(python tests/integration/r2r/prepare.py)

It takes 700 MB in the lab's cache and, the first time, some minutes. It is made anew when the requirements change.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.resources import cache_directory

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
VERSIONS = ((3, 11), (3, 12))
"""Python versions that the requirements have wheels for."""


def interpreter() -> str:
    """A Python that R2R runs on: this one, or another that is found on the path."""
    if sys.version_info[:2] in VERSIONS:
        return sys.executable
    for major, minor in VERSIONS:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found
    raise LabError("R2R needs Python 3.11 or 3.12; put one on the path, or leave R2R's tests out")


def prepare(cache: Path) -> Path:
    """Make the environment unless it is complete already."""
    target = cache / f"r2r-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    complete = target / "complete"
    if complete.exists():
        return target
    shutil.rmtree(target, ignore_errors=True)  # one that was broken off
    print(f"preparing R2R in {target}", file=sys.stderr)
    install = [
        str(target / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    try:
        subprocess.run([interpreter(), "-m", "venv", str(target)], check=True, stdout=sys.stderr)
        subprocess.run([*install, "--no-deps", "-r", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
    except (subprocess.CalledProcessError, OSError) as error:
        raise LabError(f"R2R's environment cannot be prepared in {target}: {error}") from error
    complete.touch()
    return target


def main() -> int:
    """Prepare and print; returns the exit status."""
    try:
        print(prepare(cache_directory()))
    except LabError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
