"""The few Linux system calls the sandbox needs and Python does not wrap: namespaces, mounts, landlock, seccomp."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "bind",
    "bring_up_loopback",
    "die_with_parent",
    "drop_capabilities",
    "fix_addresses",
    "landlock_abi",
    "landlock_restrict",
    "mount",
    "no_new_privileges",
    "pivot",
    "remount_read_only",
    "seccomp_restrict",
    "set_undumpable",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
# statvfs flags that a user namespace may not clear on a remount, with the mount flags they stand for
_LOCKED = (
    (os.ST_RDONLY, MS_RDONLY),
    (os.ST_NOSUID, MS_NOSUID),
    (4, MS_NODEV),
    (8, MS_NOEXEC),
    (1024, 1024),
    (2048, 2048),
)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_ADDR_NO_RANDOMIZE = 0x0040000
_MACHINE = platform.machine()
_NUMBERS = {  # syscall numbers per machine; landlock's are the same everywhere
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _c() -> ctypes.CDLL:
    if _libc is None:
        raise OSError(errno.ENOSYS, "not Linux")
    return _libc


def _syscall(number: int, *arguments: object) -> int:
    result: int = _c().syscall(ctypes.c_long(number), *arguments)
    return result


def unshare(flags: int) -> None:
    """Leave the given namespaces (unshare(2))."""
    _check(_c().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    result = _c().mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(result, f"mount {target}")


def bind(source: str, target: str, *, read_only: bool = True) -> None:
    """Show `source` at `target`, without what is mounted below it where the kernel allows."""
    flags = MS_BIND
    raw_source, raw_target = os.fsencode(source), os.fsencode(target)
    if _c().mount(raw_source, raw_target, None, ctypes.c_ulong(flags), None) < 0:
        _check(_c().mount(raw_source, raw_target, None, ctypes.c_ulong(flags | MS_REC), None), f"bind {source}")
    if read_only:
        remount_read_only(target)


def remount_read_only(target: str) -> None:
    """Forbid writing through this mount, and set-uid programs and devices where the mount does not need them."""
    present = os.statvfs(target).f_flag
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID
    for seen, flag in _LOCKED:
        if present & seen:
            flags |= flag
    mount("none", target, None, flags)


def pivot(new_root: str) -> None:
    """Make `new_root` (a mount) the root and let go of the old one."""
    numbers = _NUMBERS.get(_MACHINE)
    os.chdir(new_root)
    if numbers is None:
        raise OSError(errno.ENOSYS, f"pivot_root: no number known for {_MACHINE}")
    _check(_syscall(numbers["pivot_root"], b".", b"."), "pivot_root")
    _check(_c().umount2(b".", ctypes.c_int(_MNT_DETACH)), "umount2")
    os.chdir("/")


def die_with_parent(signal_number: int = 9) -> None:
    """Have the kernel send a signal when the parent thread ends; a change of uid clears this, so call it after."""
    _check(_c().prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0), "prctl PDEATHSIG")


def fix_addresses() -> bool:
    """Have every program this process becomes or starts from now on laid out at the same addresses (personality(2)).

    Before Python 3.12 the hash of None is its address, and the order of a set that holds it follows: tests that are
    parametrised over a set would be called something else in every process.

    Returns
    -------
    bool
        Whether that is new: False where it is so already and where the kernel or the container forbids it.
    """
    query = ctypes.c_ulong(0xFFFFFFFF)
    present = _c().personality(query)
    if present < 0 or present & _ADDR_NO_RANDOMIZE:
        return False
    _c().personality(ctypes.c_ulong(present | _ADDR_NO_RANDOMIZE))
    return bool(_c().personality(query) & _ADDR_NO_RANDOMIZE)


def set_undumpable() -> None:
    """Close /proc/<pid>/mem and ptrace to processes of the same uid."""
    _check(_c().prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0), "prctl DUMPABLE")


def no_new_privileges() -> None:
    """No set-uid program gives this process anything from now on."""
    _check(_c().prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), 0), "no_new_privs")


def drop_capabilities() -> None:
    """Give up every capability for good."""
    for capability in range(64):
        if _c().prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    numbers = _NUMBERS.get(_MACHINE)
    if numbers is None:
        raise OSError(errno.ENOSYS, f"capset: no number known for {_MACHINE}")
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    _check(_syscall(numbers["capset"], header, ctypes.create_string_buffer(24)), "capset")


def bring_up_loopback() -> None:
    """Start the private network namespace's own loopback device, so that subjects may talk to themselves."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(probe, 0x8914, request)


# ------------------------------------------------------------------------------------------------- landlock

_READ = 0b1101  # execute, read file, read directory
_WRITE_1 = 0b1_1111_1111_0010  # write, remove and make everything, ABI 1
_FILE_ONLY = 1 | 2 | 4 | 1 << 14 | 1 << 15


def landlock_abi() -> int:
    """Landlock version of the running kernel; 0 when there is none."""
    if _libc is None:
        return 0
    return max(0, _syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def landlock_restrict(readable: list[str], writable: list[str], *, network: bool) -> int:
    """Allow reading below some paths and writing below others, nothing else, and no TCP and no signals outwards.

    Follows the kernel's documentation (userspace-api/landlock): what a kernel does not know is left out.

    Returns
    -------
    int
        The ABI used.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError(errno.ENOSYS, "landlock is not available")
    write = _WRITE_1 | (1 << 13 if abi >= 2 else 0) | (1 << 14 if abi >= 3 else 0)
    handled = _READ | write | (1 << 15 if abi >= 5 else 0)
    sockets = 0b11 if abi >= 4 and not network else 0
    scoped = 0b11 if abi >= 6 else 0
    attribute = struct.pack("=QQQ", handled, sockets, scoped)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(
        _syscall(444, ctypes.create_string_buffer(attribute, 24), ctypes.c_size_t(size), ctypes.c_uint32(0)), "landlock"
    )
    try:
        for paths, access in ((readable, _READ), (writable, _READ | write)):
            for path in paths:
                _landlock_allow(ruleset, path, access & handled)
        no_new_privileges()
        _check(_syscall(446, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "landlock_restrict_self")
    finally:
        os.close(ruleset)
    return abi


def _landlock_allow(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - no pathlib behind the wall's hot path
            access &= _FILE_ONLY
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, descriptor), 12)
        _check(_syscall(445, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0)), f"landlock {path}")
    finally:
        os.close(descriptor)


# -------------------------------------------------------------------------------------------------- seccomp

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET = {"x86_64": 41, "aarch64": 198}
# ptrace, process_vm_*, mounts, namespaces, chroot, bpf, perf, keys, userfaultfd, io_uring, handles,
# modules, kexec, pidfd_getfd
_DENIED = {
    "x86_64": (
        *(101, 310, 311, 165, 166, 272, 308, 155, 161, 321, 298, 248, 249, 250, 323, 425, 426, 427, 304),
        *(175, 313, 176, 246, 320, 438, 428, 429, 430, 431, 432, 433, 442, 167, 168, 169),
    ),
    "aarch64": (
        *(117, 270, 271, 40, 39, 97, 268, 41, 51, 280, 241, 217, 218, 219, 282, 425, 426, 427, 265),
        *(105, 273, 106, 104, 294, 438, 428, 429, 430, 431, 432, 433, 442, 224, 225, 142),
    ),
}


def seccomp_restrict(*, network: bool) -> None:
    """Refuse system calls no test suite needs; without `network` also every socket that is not a Unix socket.

    Raises
    ------
    OSError
        If the kernel or the machine has no seccomp filter we know.
    """
    if _MACHINE not in _AUDIT:
        raise OSError(errno.ENOSYS, f"seccomp: no table for {_MACHINE}")
    load, equal, at_least, refuse = 0x20, 0x15, 0x35, 0x06
    eperm, allow, kill = 0x00050000 | errno.EPERM, 0x7FFF0000, 0x80000000
    program = [(load, 0, 0, 4), (equal, 1, 0, _AUDIT[_MACHINE]), (refuse, 0, 0, kill), (load, 0, 0, 0)]
    if _MACHINE == "x86_64":
        program += [(at_least, 0, 1, 0x40000000), (refuse, 0, 0, eperm)]
    for number in _DENIED[_MACHINE]:
        program += [(equal, 0, 1, number), (refuse, 0, 0, eperm)]
    if not network:
        program += [(equal, 0, 4, _SOCKET[_MACHINE]), (load, 0, 0, 16), (equal, 1, 0, 1), (refuse, 0, 0, eperm)]
        program += [(refuse, 0, 0, allow)]
    program += [(refuse, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    holder = struct.pack("@HP", len(program), ctypes.addressof(code))
    no_new_privileges()
    _check(_c().prctl(_PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.create_string_buffer(holder), 0, 0), "seccomp")
