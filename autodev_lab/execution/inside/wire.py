"""Messages between the lab and a room: length-prefixed JSON on a Unix socket, file descriptors beside it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence

__all__ = ["MAXIMUM", "Closed", "receive", "receive_with_descriptors", "send"]

MAXIMUM = 256 << 20  # a message beyond this is an attack or a bug, never a result
_HEADER = struct.Struct("!BI")

Message = dict[str, object]


class Closed(Exception):
    """The other side is gone."""


def send(channel: socket.socket, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
    """Send one message, and descriptors with its header.

    Raises
    ------
    Closed
        If the other side is gone.
    """
    data = json.dumps(message).encode("ascii")
    header = _HEADER.pack(len(descriptors), len(data))
    try:
        if descriptors:
            socket.send_fds(channel, [header], list(descriptors))
        else:
            channel.sendall(header)
        channel.sendall(data)
    except OSError as error:
        raise Closed(str(error)) from error


def _exactly(channel: socket.socket, count: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < count:
        try:
            piece = channel.recv(min(count - len(pieces), 1 << 20))
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if not piece:
            raise Closed("end of stream")
        pieces += piece
    return bytes(pieces)


def _body(channel: socket.socket, size: int) -> Message:
    if size > MAXIMUM:
        raise Closed("oversized message")
    try:
        message = json.loads(_exactly(channel, size))
    except ValueError as error:
        raise Closed("not a message") from error
    if not isinstance(message, dict):
        raise Closed("not a message")
    return message


def receive(channel: socket.socket) -> Message:
    """Receive one message.

    Raises
    ------
    Closed
        If the other side is gone or sends no message of ours. The socket's own timeout raises TimeoutError.
    """
    _, size = _HEADER.unpack(_exactly(channel, _HEADER.size))
    return _body(channel, size)


def receive_with_descriptors(channel: socket.socket) -> tuple[Message, list[int]]:
    """Receive one message and the descriptors that came with it."""
    first, descriptors, _, _ = socket.recv_fds(channel, _HEADER.size, 8)
    if not first:
        raise Closed("end of stream")
    first += _exactly(channel, _HEADER.size - len(first))
    _, size = _HEADER.unpack(first)
    return _body(channel, size), list(descriptors)
