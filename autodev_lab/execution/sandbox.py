"""What this machine can isolate, what a run requires, and running one program in a room of its own."""

from __future__ import annotations

import functools
import json
import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.inside.room import RoomSpec

__all__ = [
    "RUNNER_PACKAGES",
    "Completed",
    "Isolation",
    "Limits",
    "SandboxReport",
    "base_python",
    "boot_command",
    "room_spec",
    "run_sandboxed",
]

RUNNER_PACKAGES = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")
INSIDE = Path(__file__).parent / "inside"
_NO_ROOM = 125


class Isolation(StrEnum):
    """How well candidate code is locked in."""

    STRONG = "strong"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandboxed process may use.

    Parameters
    ----------
    cpu_seconds_per_test
        CPU seconds a test may use *beyond ten times* what it used on the unchanged tree (when that is known).
    cpu_seconds_total
        CPU seconds of one process.
    memory_bytes
        Address space of one process.
    output_bytes
        What is kept of each of standard output and error.
    processes
        Processes and threads alive at once.
    file_bytes
        Size of one file written.
    """

    cpu_seconds_per_test: float = 0.5
    cpu_seconds_total: float = 120.0
    memory_bytes: int = 1 << 30
    output_bytes: int = 1 << 20
    processes: int = 48
    file_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What `probe` found to work, each mechanism tried in a child process.

    ``uid`` is the user id candidate code gets, or None when it stays the lab's own. ``fixed_addresses`` says whether
    programs are laid out at the same addresses every time; without that, before Python 3.12, a package whose tests are
    parametrised over a set may call its tests differently in every process.
    """

    namespaces: bool
    user_namespace: bool
    landlock: int
    seccomp: bool
    uid: int | None
    network_blocked: bool
    writes_blocked: bool
    reads_blocked: bool
    fixed_addresses: bool = False

    @property
    def level(self) -> Isolation:
        """Strong when neither the network nor a write outside scratch gets through."""
        return Isolation.STRONG if self.network_blocked and self.writes_blocked else Isolation.WEAK

    def summary(self) -> str:
        """One line for the provenance of a run; the same on every run of one machine."""
        parts = []
        if self.namespaces:
            parts.append("user+pid+mount+net namespaces" if self.user_namespace else "pid+mount+net namespaces")
        if self.landlock:
            parts.append(f"landlock {self.landlock}")
        if self.seccomp:
            parts.append("seccomp")
        if self.uid is not None and not self.user_namespace:
            parts.append("dropped uid")
        if self.fixed_addresses:
            parts.append("fixed addresses")
        return f"{self.level.value} ({', '.join(parts) or 'limits only'})"


@dataclass(frozen=True, slots=True)
class Completed:
    """How a sandboxed program ended; negative return codes do not occur (128 + signal)."""

    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool


def base_python() -> str:
    """The interpreter below any virtual environment: the one that runs in rooms."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def boot_command(module: str, *arguments: int) -> list[str]:
    """Command line that starts a module of `inside` in a clean interpreter (no site, no user paths)."""
    return [base_python(), "-P", "-s", "-S", str(INSIDE / "boot.py"), module, *map(str, arguments)]


def clean_environment(home: str) -> dict[str, str]:
    """Environment of everything that runs in a room: nothing of the lab's own, fixed hash seed, locale and zone."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": f"{home}/tmp",
        "TMPDIR": f"{home}/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


# ---------------------------------------------------------------------------------------------------- rooms


@functools.cache
def _system_binds() -> tuple[str, ...]:
    """Interpreter, standard library and system libraries; never a directory of installed packages as such."""
    paths = ["/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32", "/usr/bin", "/bin"]
    paths += ["/etc/ld.so.cache", "/etc/alternatives", "/usr/share/zoneinfo", "/nix/store"]
    prefix = os.path.realpath(sys.base_prefix)
    for path in (f"{prefix}/lib", f"{prefix}/lib64", base_python(), sysconfig.get_path("stdlib"), str(INSIDE)):
        path = os.path.realpath(path)
        if not any(path == one or path.startswith(f"{one}/") for one in paths):
            paths.append(path)
    return tuple(path for path in paths if os.path.lexists(path))


@functools.cache
def _masks() -> tuple[str, ...]:
    """Folders of installed packages below the system binds."""
    found = []
    for bound in _system_binds():
        for pattern in ("python*/site-packages", "python*/dist-packages", "python*/test", "python*/ensurepip/_bundled"):
            if Path(bound).is_dir() and not Path(bound).is_symlink():
                found += [str(path) for path in sorted(Path(bound).glob(pattern)) if path.is_dir()]
        found += [
            str(path)
            for name in ("site-packages", "dist-packages")
            if (path := Path(bound) / name).is_dir() and not Path(bound).is_symlink()
        ]
    return tuple(path for path in found if not path.endswith(("/test", "/_bundled")))


@functools.cache
def runner_paths() -> tuple[str, ...]:
    """Where pytest and what it needs lie, one path a distribution's package or module."""
    import importlib.util

    found = []
    for name in RUNNER_PACKAGES:
        spec = importlib.util.find_spec(name)
        if name == "py" and (spec is None or spec.origin is None):
            continue  # a shim that not every version of pytest ships
        if spec is None or spec.origin is None:
            raise LabError(f"{name} is not installed; install the lab again with: python -m pip install autodev-lab")
        origin = Path(spec.origin)
        package = os.path.realpath(origin.parent if origin.name == "__init__.py" else origin)
        found.append(package)
        folder = Path(package).parent  # pytest asks for its own metadata while it starts
        found += [
            str(path)
            for path in sorted(folder.glob(f"{name}-*.dist-info")) + sorted(folder.glob(f"{name.title()}-*.dist-info"))
        ]
    return tuple(dict.fromkeys(found))


def runner_roots() -> list[str]:
    """Directories that make pytest importable (they hold more; a room shows only `runner_paths` of them)."""
    return list(dict.fromkeys(str(Path(path).parent) for path in runner_paths()))


def room_spec(
    report: SandboxReport,
    limits: Limits,
    *,
    home: str = "/lab",
    readable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> RoomSpec:
    """Specification of a room on this machine, without a tree."""
    return RoomSpec(
        namespaces=report.namespaces,
        user_namespace=report.user_namespace,
        landlock=report.landlock > 0,
        seccomp=report.seccomp,
        uid=_room_uid(report),
        binds=(*_system_binds(), *(os.path.realpath(path) for path in readable)),
        masks=_masks(),
        runner=runner_paths(),
        home=home,
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.file_bytes,
        processes=limits.processes,
        environment=tuple((environment or clean_environment(home)).items()),
    )


def _room_uid(report: SandboxReport) -> int | None:
    """A user id nobody else has, so that process limits and signals of two rooms never meet."""
    if report.uid is None or report.user_namespace:
        return report.uid
    return report.uid if report.uid < 1 << 20 else report.uid + os.getpid() % (1 << 22)


# ------------------------------------------------------------------------------------------------------ run


def run_sandboxed(
    argv: Sequence[str],
    *,
    readable: Sequence[Path],
    writable: Path | None,
    cwd: Path | str | None,
    limits: Limits,
    report: SandboxReport,
    env: Mapping[str, str] | None = None,
    network: bool = False,
    wall_seconds: float | None = None,
    tree: Path | None = None,
    edits: Sequence[tuple[str, int, int, str]] = (),
    dependencies: Path | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run a program in a room of its own and collect what it prints.

    Parameters
    ----------
    argv
        Program (absolute path; see `base_python`) and arguments.
    readable
        Paths shown besides interpreter, standard library, system libraries and pytest.
    writable
        Host directory that may be written, at its own path; None leaves only the room's scratch.
    cwd
        Working directory as seen inside; None is the tree, or the scratch directory.
    limits
        Limits; the wall-clock guard is ``10 * cpu_seconds_total + 60`` seconds unless `wall_seconds` is given.
    report
        What the machine can do.
    env
        Environment variables set besides the clean ones.
    network
        Whether the host's network stays reachable.
    tree, edits, dependencies
        A source tree copied to ``/lab/tree``, edits applied to the copy, its third-party packages at ``/lab/deps``.
    stdin
        Bytes given on standard input; without namespaces ``{home}`` in them and in `env` becomes the room's directory.

    Returns
    -------
    Completed
        Output beyond ``limits.output_bytes`` is dropped, and the program is stopped when it exceeds that tenfold.

    Raises
    ------
    LabError
        If the room cannot be built.
    """
    home = "/lab" if report.namespaces else tempfile.mkdtemp(prefix="autodev-lab-")
    home = os.path.realpath(home) if not report.namespaces else home
    try:
        spec = room_spec(
            report, limits, home=home, readable=readable, environment=clean_environment(home) | dict(env or {})
        )
        spec = replace(
            spec,
            network=network,
            writable=os.path.realpath(writable) if writable else "",
            tree=os.path.realpath(tree) if tree else "",
            edits=tuple(edits),
            dependencies=os.path.realpath(dependencies) if dependencies else "",
        )
        if not report.namespaces:
            link_runner(home)
            spec = replace(
                spec, environment=tuple((name, value.replace("{home}", home)) for name, value in spec.environment)
            )
            stdin = stdin.replace(b"{home}", home.encode())
        request = {
            "spec": spec.to_json(),
            "argv": list(argv),
            "cwd": str(cwd or ""),
            "cpu_seconds": max(1, int(limits.cpu_seconds_total)),
        }
        wall = wall_seconds if wall_seconds is not None else 10 * limits.cpu_seconds_total + 60
        done = _communicate(request, stdin, wall, limits.output_bytes)
    finally:
        if not report.namespaces:
            shutil.rmtree(home, ignore_errors=True)
    if done.returncode == _NO_ROOM:
        reason = done.stderr.partition(b"\0room: ")[2].decode(errors="replace").strip().splitlines()
        raise LabError(f"the sandbox could not be built ({reason[0] if reason else 'no reason given'})")
    return done


def link_runner(home: str) -> None:
    """Without namespaces: a directory that holds links to pytest's distributions and nothing else."""
    folder = Path(home, "runner")
    folder.mkdir()
    for path in runner_paths():
        (folder / Path(path).name).symlink_to(path)


def _communicate(request: Mapping[str, object], stdin: bytes, wall: float, keep: int) -> Completed:
    """Start the launcher, which lives as long as its standard input is open, and read what comes."""
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        lifeline, alive = os.pipe()
        with subprocess.Popen(
            [*boot_command("launch"), str(given.fileno())],
            stdin=lifeline,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[given.fileno()],
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,
        ) as process:
            os.close(lifeline)
            timed_out = False
            try:
                _write_all(alive, json.dumps(request).encode("ascii") + b"\n")
                output, timed_out = _collect(process, wall, keep)
            finally:
                os.close(alive)
                process.wait()
    return Completed(process.returncode, output[0], output[1], timed_out)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _collect(process: subprocess.Popen[bytes], wall: float, keep: int) -> tuple[list[bytes], bool]:
    assert process.stdout is not None and process.stderr is not None
    streams = {process.stdout.fileno(): 0, process.stderr.fileno(): 1}
    kept = [bytearray(), bytearray()]
    seen = 0
    deadline = time.monotonic() + wall
    while streams:
        ready, _, _ = select.select(list(streams), [], [], max(0.0, deadline - time.monotonic()))
        if not ready or seen > 10 * keep + (1 << 20):
            return [bytes(kept[0]), bytes(kept[1])], not ready
        for descriptor in ready:
            piece = os.read(descriptor, 1 << 16)
            seen += len(piece)
            if not piece:
                del streams[descriptor]
                continue
            into = kept[streams[descriptor]]
            into += piece[: max(0, keep - len(into))]
    return [bytes(kept[0]), bytes(kept[1])], False
