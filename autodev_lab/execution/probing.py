"""What this machine can isolate: each mechanism is tried in a child process before it is relied on."""

from __future__ import annotations

import functools
import json
import os
import platform
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.execution.inside import linux
from autodev_lab.execution.sandbox import Isolation, Limits, SandboxReport, base_python, run_sandboxed

__all__ = ["probe", "require"]

_TRY = """
import ctypes, json, os, socket, sys
port, outside = int(sys.argv[1]), sys.argv[2]
def blocked(act):
    try:
        act()
    except OSError:
        return True
    return False
def connect():
    socket.create_connection(("127.0.0.1", port), timeout=2).close()
def write():
    with open(os.path.join(outside, "written"), "w") as stream:
        stream.write("x")
def read():
    with open(os.path.join(outside, "secret")) as stream:
        stream.read()
try:
    fixed = bool(ctypes.CDLL(None).personality(ctypes.c_ulong(0xFFFFFFFF)) & 0x0040000)
except (AttributeError, OSError):
    fixed = False
print(json.dumps([blocked(connect), blocked(write), blocked(read), fixed]))
"""


@functools.cache
def probe() -> SandboxReport:
    """Try each mechanism in a child process and report the strongest combination that works.

    Returns
    -------
    SandboxReport
        The network, a write and a read were really attempted from inside; the result is kept for this process.
    """
    if not sys.platform.startswith("linux"):
        return _weak()
    root = os.getuid() == 0
    landlock = linux.landlock_abi()
    fences = [(landlock, True), (landlock, False), (0, True), (0, False)]
    shapes: list[tuple[bool, bool, int | None]] = []
    if root:
        shapes += [(True, False, 1 << 30), (True, False, 65534)]
    shapes += [(True, True, 1000)]
    for namespaces, user, uid in shapes:
        for abi, seccomp in dict.fromkeys(fences):
            found = _attempt(
                replace(_weak(), namespaces=namespaces, user_namespace=user, uid=uid, landlock=abi, seccomp=seccomp)
            )
            if found is not None:
                return found
    for abi, seccomp in dict.fromkeys(fences[:3]):
        found = _attempt(replace(_weak(), landlock=abi, seccomp=seccomp)) if abi or seccomp else None
        if found is not None:
            return found
    return _weak()


def _weak() -> SandboxReport:
    return SandboxReport(False, False, 0, False, None, False, False, False)


def _attempt(report: SandboxReport) -> SandboxReport | None:
    """Enter a room of this kind and try to get out; None when the room cannot be built."""
    with (
        tempfile.TemporaryDirectory(prefix="autodev-lab-") as outside,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        Path(outside).chmod(0o777)
        secret = Path(outside, "secret")
        secret.write_text("x")
        secret.chmod(0o644)
        argv = [base_python(), "-P", "-s", "-S", "-c", _TRY, str(server.getsockname()[1]), outside]
        try:
            done = run_sandboxed(
                argv, readable=(), writable=None, cwd=None, limits=Limits(cpu_seconds_total=20), report=report
            )
            network, writes, reads, fixed = json.loads(done.stdout)
        except (LabError, ValueError):
            return None
    return replace(
        report,
        network_blocked=bool(network),
        writes_blocked=bool(writes),
        reads_blocked=bool(reads),
        fixed_addresses=bool(fixed),
    )


def require(allow_weak: bool = False) -> SandboxReport:
    """The machine's report, or a refusal when candidate code could reach the network or write outside.

    Parameters
    ----------
    allow_weak
        Accept a machine without isolation.

    Raises
    ------
    LabError
        If isolation is missing and weak isolation is not allowed.
    """
    report = probe()
    if report.level is Isolation.WEAK and not allow_weak:
        raise LabError(
            f"this machine ({platform.system()}) cannot keep candidate code from the network and from your files; "
            "use Linux with namespaces or landlock, or accept the risk with --sandbox weak"
        )
    return report
