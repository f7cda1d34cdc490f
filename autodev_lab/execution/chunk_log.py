"""The records that a chunk of candidates wrote, read with suspicion: what cannot be is no log at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["ChunkLog", "End"]

End = tuple[str, int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ChunkLog:
    """A chunk's records, checked: nothing missing, nothing twice, nothing that cannot be."""

    how: str
    ended: list[End]
    running: bool
    started: int
    control: list[str] | None

    @staticmethod
    def read(reply: Mapping[str, object], names: Sequence[str]) -> ChunkLog | None:
        """The log of a reply, or None when it is not what an honest chunk writes."""
        records = reply.get("records")
        how = str(reply.get("how"))
        if not isinstance(records, list) or how not in ("complete", "timeout", "crashed"):
            return None
        ended: list[End] = []
        running, started, expected = False, 0, 0
        control: list[str] | None = None
        for kind, body in records:
            if kind == "begin" and not running and control is None:
                running, started, expected = True, 0, 0
            elif kind == "test" and running and body[0] == expected:
                started, expected = started + 1, expected + 1
            elif (kind == "test" and not running and body[0] == -1) or (kind == "load" and running and not started):
                continue
            elif kind == "end" and running:
                end = _end(body, names, started)
                if end is None:
                    return None
                ended.append(end)
                running = False
            elif kind == "control" and not running and isinstance(body, list):
                control = [str(one) for one in body]
            elif kind != "done":
                return None
        return ChunkLog(how, ended, running, started, control)


def _end(body: object, names: Sequence[str], started: int) -> End | None:
    """A candidate's end record if it fits what was seen to start."""
    if not isinstance(body, list) or len(body) != 3 or not isinstance(body[2], list):
        return None
    status, count, failing = str(body[0]), body[1], tuple(str(one) for one in body[2])
    if status in ("import", "invalid"):
        return (status, 0, ()) if started == 0 else None
    if status == "passed" and (count != len(names) or started != len(names) or failing):
        return None
    if status in ("failed", "timeout") and (count != started or not failing or not set(failing) <= set(names)):
        return None
    return (status, started, failing) if status in ("passed", "failed", "timeout") else None
