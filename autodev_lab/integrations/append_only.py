"""Redis's append-only file after a kill: cut before a transaction that was not written to its end."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

__all__ = ["cut_unfinished"]

_NUMBER = 24
"""Bytes in which the length of anything is told."""


def cut_unfinished(path: Path) -> int:
    r"""Cut a file's tail that is no whole command, or no whole transaction; returns how many bytes were cut.

    A script's writes are one transaction in the file, and a kill may leave the beginning of it. Redis cuts such a file
    (``aof-load-truncated``) after the last whole command, *inside* the transaction. It goes on writing behind that, and
    when it starts once more takes what lies between for part of the next transaction: half a step is carried out that
    nobody was told of. That is so up to Redis 6.2 at least (valkey-io/valkey#4342 has it in a newer server). The tool
    redis-check-aof cuts before the transaction, and so does this.

    Parameters
    ----------
    path
        Of a server that is not running. A file that holds anything else than commands and remarks (for example a
        snapshot, after it was rewritten) is left alone.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "appendonly.aof"
    >>> whole = b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
    >>> path.write_bytes(whole + b"*1\r\n$5\r\nMULTI\r\n" + whole) and cut_unfinished(path)
    36
    >>> path.read_bytes() == whole
    True
    """
    size = path.stat().st_size
    if not size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            whole = _whole(data)
        except ValueError:
            return 0
    if whole < size:
        os.truncate(path, whole)
    return size - whole


def _whole(data: mmap.mmap) -> int:
    """Where the last command or remark ends that is in no transaction, or ends one.

    Raises
    ------
    ValueError
        If there is something that is neither, and that no end of the file explains.
    """
    whole = at = 0
    open_transaction = False
    while (found := _entry(data, at)) is not None:
        name, at = found
        if name == b"MULTI":
            open_transaction = True
        elif name == b"EXEC":
            open_transaction = False
        if not open_transaction:
            whole = at
    return whole


def _entry(data: mmap.mmap, at: int) -> tuple[bytes, int] | None:
    """The name of the command that begins here, empty for a remark, and where it ends; None if the file ends before."""
    if data[at : at + 1] == b"#":
        end = data.find(b"\r\n", at)
        return None if end < 0 else (b"", end + 2)
    head = _length(data, at, b"*")
    if head is None:
        return None
    parts, at = head
    name = b""
    for number in range(parts):
        head = _length(data, at, b"$")
        if head is None:
            return None
        length, start = head
        at = start + length + 2
        if at > len(data):
            return None
        if data[at - 2 : at] != b"\r\n":
            raise ValueError("a text is longer than it says")
        if number == 0:
            name = bytes(data[start : start + length]).upper()
    return name, at


def _length(data: mmap.mmap, at: int, sign: bytes) -> tuple[int, int] | None:
    """The number after a sign, and where what follows begins; None if the file ends before."""
    line = data[at : at + _NUMBER]
    number, ended, _ = line[1:].partition(b"\r\n")
    known = line[:1] in (b"", sign) and (number.rstrip(b"\r") or b"0").isdigit()
    if not known or (len(line) == _NUMBER and not ended):
        raise ValueError("no command begins here")
    return (int(number), at + len(number) + 3) if ended and number else None
