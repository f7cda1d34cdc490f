"""Build a room and lock the door: a private root with only what is needed, no network, no privileges, limits.

A room is entered by a process that was forked for it. With namespaces the room has its own mounts, processes,
network and host name, and a root directory in memory that holds nothing but the binds of its specification; the
tree is a copy below ``/lab``. Without namespaces landlock and seccomp fence the process in, and the tree lies in a
temporary directory. Everything here runs before any candidate code.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import stat
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from . import linux
from .lines import LineEdit, encoding_of, splice, split_lines

__all__ = ["RoomSpec", "copy_tree", "enter", "leave_namespaces", "place_tree"]

_DEVICES = ("null", "zero", "full", "random", "urandom")
_STAGING = ("/mnt", "/media", "/srv", "/opt", "/sys", "/boot")


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """All that is needed to build one room; it crosses the wall as JSON.

    Parameters
    ----------
    namespaces, user_namespace, landlock, seccomp
        Mechanisms to use; each one asked for must work.
    uid
        User id to become, or None to stay (always without capabilities).
    binds
        Host paths shown at the same path, read-only; missing ones are skipped.
    masks
        Directories hidden behind an empty one, before `runner` is shown.
    runner
        Paths of pytest's own distributions, shown read-only.
    home
        Directory of the room's own files: ``tree`` (read-only) and ``tmp`` (scratch).
    tree
        Host directory copied to ``home/tree``, or "".
    edits
        Line edits applied to that copy.
    dependencies
        Host directory with third-party packages of the subject, shown at ``home/deps``, or "".
    writable
        Host directory shown read-write at its own path, or "".
    network
        Whether the host's network stays reachable.
    memory_bytes, file_bytes, processes, scratch_bytes
        Limits: address space of one process, one file, processes and threads, all of scratch.
    environment
        Environment variables.
    """

    namespaces: bool
    user_namespace: bool
    landlock: bool
    seccomp: bool
    uid: int | None
    binds: tuple[str, ...]
    masks: tuple[str, ...]
    runner: tuple[str, ...]
    home: str
    tree: str = ""
    edits: tuple[LineEdit, ...] = ()
    dependencies: str = ""
    writable: str = ""
    network: bool = False
    memory_bytes: int = 1 << 30
    file_bytes: int = 32 << 20
    processes: int = 48
    scratch_bytes: int = 128 << 20
    environment: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain data for the wire."""
        return asdict(self)

    @staticmethod
    def from_json(data: object) -> RoomSpec:
        """The specification sent by `to_json`."""
        if not isinstance(data, dict):
            raise ValueError("not a room specification")
        known = {field.name for field in fields(RoomSpec)}
        plain = {key: value for key, value in data.items() if key in known}
        for key in ("binds", "masks", "runner"):
            plain[key] = tuple(plain[key])
        for key in ("edits", "environment"):
            plain[key] = tuple(tuple(one) for one in plain.get(key, ()))
        return RoomSpec(**plain)

    @property
    def dependencies_inside(self) -> str:
        """Where the dependencies lie for code in the room, or ""."""
        if not self.dependencies:
            return ""
        return f"{self.home}/deps" if self.namespaces else self.dependencies


def leave_namespaces(spec: RoomSpec) -> None:
    """Step out of the host's namespaces; the next fork is the room's first process."""
    flags = linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
    if not spec.network:
        flags |= linux.CLONE_NEWNET
    if not spec.user_namespace:
        linux.unshare(flags)
        return
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(flags | linux.CLONE_NEWUSER)
    inner = 1000 if spec.uid is None else spec.uid
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inner} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inner} {gid} 1")


def enter(spec: RoomSpec) -> None:
    """Build the room around this process, which never gets out again.

    Raises
    ------
    OSError
        If a mechanism the specification asks for does not work.
    ValueError
        If the edits do not fit the tree.
    """
    os.umask(0o022)
    with contextlib.suppress(OSError):  # a host that forbids it only loses the hint whom to kill first
        Path("/proc/self/oom_score_adj").write_text("1000")
    scratch = f"{spec.home}/tmp"
    if spec.namespaces:
        _build_root(spec)
        if not spec.network:
            with contextlib.suppress(OSError):  # no loopback device in this kernel: less, not more, network
                linux.bring_up_loopback()
    else:
        Path(scratch).mkdir(parents=True, exist_ok=True)
        place_tree(spec, f"{spec.home}/tree")
    os.environ.clear()
    os.environ.update(dict(spec.environment))
    _drop(spec)
    limit(spec)
    if spec.landlock:
        writable = [scratch, "/dev/shm", "/dev/null", "/dev/zero", "/dev/full"]
        if spec.writable:
            writable.append(spec.writable)
        readable = ["/"]
        if not spec.namespaces:
            devices = [f"/dev/{name}" for name in _DEVICES]
            readable = [
                *spec.binds,
                *spec.runner,
                spec.dependencies,
                f"{spec.home}/tree",
                f"{spec.home}/runner",
                *devices,
            ]
            writable.remove("/dev/shm")
        linux.landlock_restrict([path for path in readable if path], writable, network=spec.network)
    if spec.seccomp:
        linux.seccomp_restrict(network=spec.network)
    if sys.platform.startswith("linux"):
        linux.no_new_privileges()
        linux.set_undumpable()
    os.chdir(f"{spec.home}/tree" if spec.tree else scratch)


def _drop(spec: RoomSpec) -> None:
    if spec.uid is not None and not spec.user_namespace and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(spec.uid, spec.uid, spec.uid)
        os.setresuid(spec.uid, spec.uid, spec.uid)
    if spec.namespaces:
        linux.drop_capabilities()


def limit(spec: RoomSpec) -> None:
    """Set the limits every process of the room inherits; soft and hard are the same, so none can be raised."""
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, spec.file_bytes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_AS, spec.memory_bytes),
        (resource.RLIMIT_NPROC, spec.processes if spec.namespaces else -1),
    ):
        if value < 0:
            continue
        _, hard = resource.getrlimit(what)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows no address space limit
            resource.setrlimit(what, (ceiling, ceiling))


# ------------------------------------------------------------------------------------------ the private root


def _staging(spec: RoomSpec) -> str:
    """A directory that exists on every Linux and is no ancestor of anything the room needs."""
    needed = [*spec.binds, *spec.runner, spec.tree, spec.dependencies, spec.writable]
    for place in _STAGING:
        if os.path.isdir(place) and not any(path.startswith(place) for path in needed):  # noqa: PTH112
            return place
    raise OSError(2, "no directory to build the room in")


def _build_root(spec: RoomSpec) -> None:
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    root = _staging(spec)
    linux.mount("lab", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=256m,mode=755")
    sealed: list[str] = []
    for path in spec.binds:
        _show(path, root)
    for path in spec.masks:
        target = root + path
        if os.path.isdir(target):  # noqa: PTH112
            linux.mount("lab", target, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=1m,mode=755")
            sealed.append(target)
    for path in spec.runner:
        _show(path, root)
    home = root + spec.home
    Path(home).mkdir(parents=True, exist_ok=True)
    if spec.dependencies:
        _show_dependencies(spec.dependencies, f"{home}/deps")
    place_tree(spec, f"{home}/tree")
    for path in ("dev", "dev/shm", "proc", "etc", "tmp"):
        Path(root, path).mkdir(parents=True, exist_ok=True)
    for name in _DEVICES:
        Path(root, "dev", name).touch()
        linux.bind(f"/dev/{name}", f"{root}/dev/{name}", read_only=False)
    Path(root, "etc/passwd").write_text(f"lab:x:{spec.uid or 1000}:{spec.uid or 1000}:lab:{spec.home}/tmp:/bin/false\n")
    Path(root, "etc/hosts").write_text("127.0.0.1 localhost\n")
    with contextlib.suppress(OSError):  # containers that mask /proc forbid a second one; the room does without
        linux.mount("proc", f"{root}/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    if spec.writable:
        Path(root + spec.writable).mkdir(parents=True, exist_ok=True)
        linux.bind(spec.writable, root + spec.writable, read_only=False)
    flags = linux.MS_NOSUID | linux.MS_NODEV
    scratch = f"{home}/tmp"
    Path(scratch).mkdir()
    linux.mount("lab", scratch, "tmpfs", flags, f"size={spec.scratch_bytes},nr_inodes=20000,mode=1777")
    linux.mount("lab", f"{root}/dev/shm", "tmpfs", flags, "size=16m,nr_inodes=100,mode=1777")
    for target in (*sealed, root):
        linux.remount_read_only(target)
    linux.pivot(root)


def _show(path: str, root: str) -> None:
    """Make one host path visible under the new root: links as links, files and directories as read-only binds."""
    target = root + path
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target) and not stat.S_ISDIR(mode):
        return
    if stat.S_ISLNK(mode):
        Path(target).symlink_to(os.readlink(path))  # noqa: PTH115
        return
    if stat.S_ISDIR(mode):
        Path(target).mkdir(exist_ok=True)
    else:
        Path(target).touch()
    linux.bind(path, target)


def _show_dependencies(source: str, target: str) -> None:
    """Bind each entry (the directory itself may be private to its owner); copy what others could not read."""
    Path(target).mkdir()
    for entry in sorted(os.scandir(source), key=lambda one: one.name):
        if entry.name == "__pycache__":
            continue
        place = f"{target}/{entry.name}"
        mode = entry.stat(follow_symlinks=True).st_mode
        wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & wanted != wanted:
            _copy(Path(entry.path), Path(place))
        elif stat.S_ISDIR(mode):
            Path(place).mkdir()
            linux.bind(os.path.realpath(entry.path), place)
        else:
            Path(place).touch()
            linux.bind(os.path.realpath(entry.path), place)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        copy_tree(source, target)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o644)


_SKIPPED = {
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    "node_modules",
}


def copy_tree(source: Path, target: Path) -> None:
    """Copy a source tree for a room: world-readable, without byte code and version control, links kept as links."""
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o755)
    for entry in os.scandir(source):
        if entry.name in _SKIPPED or entry.name.endswith((".pyc", ".pyo")):
            continue
        place = target / entry.name
        if entry.is_symlink():
            place.symlink_to(os.readlink(entry.path))  # noqa: PTH115
        elif entry.is_dir():
            copy_tree(Path(entry.path), place)
        elif entry.is_file():
            shutil.copyfile(entry.path, place)
            place.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)


def place_tree(spec: RoomSpec, target: str) -> None:
    """Copy the tree to `target` and apply the edits to the copy.

    Raises
    ------
    ValueError
        If an edit does not fit its file or leaves the tree.
    """
    if not spec.tree:
        return
    root = Path(target)
    copy_tree(Path(spec.tree), root)
    by_path: dict[str, list[LineEdit]] = {}
    for edit in spec.edits:
        by_path.setdefault(edit[0], []).append(edit)
    for name, edits in by_path.items():
        path = root / name
        if ".." in Path(name).parts or not path.resolve().is_relative_to(root.resolve()):
            raise ValueError(f"{name} leaves the tree")
        data = path.read_bytes() if path.exists() else b""
        encoding = encoding_of(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(splice(split_lines(data.decode(encoding)), edits).encode(encoding))
        path.chmod(0o644)
