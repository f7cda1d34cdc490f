"""Names of everything a shard of the Redis ledger keeps, and the script with the workflow's tables in front of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from autodev_lab.errors import LabError
from autodev_lab.records import Role, Stage
from autodev_lab.workflow import NEXT_STAGES, ROLE_OF_STAGE

__all__ = ["ShardKeys", "script_text"]

_DATA = (
    "tasks",
    "states",
    "history",
    "leases",
    "counts",
    "requests",
    "dependants",
    "closed",
    "moving",
    "log",
    "limits",
)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Key names of one shard. The braces are Redis Cluster's hash tag: a shard's keys live on one node.

    Parameters
    ----------
    prefix
        Begins every key, so that several labs can use one server.
    shard
        Name of the shard.

    Raises
    ------
    LabError
        If a name has other characters than letters, digits, ``_``, ``.`` and ``-``.

    Examples
    --------
    >>> ShardKeys("lab", "0").work(Role.TESTER)
    'lab:{0}:work:tester'
    """

    prefix: str
    shard: str

    def __post_init__(self) -> None:
        for what, name in (("prefix", self.prefix), ("shard", self.shard)):
            if not _NAME.fullmatch(name):
                raise LabError(f"the {what} {name!r} is no name for Redis keys; use letters, digits, _, . and -")

    def key(self, name: str) -> str:
        """A key of this shard."""
        return f"{self.prefix}:{{{self.shard}}}:{name}"

    def work(self, role: Role) -> str:
        """The stream of wake-ups for idle agents of a role."""
        return self.key(f"work:{role.value}")

    def waiting(self, role: Role) -> str:
        """The sorted set of tasks that wait to be claimed by a role."""
        return self.key(f"waiting:{role.value}")

    @property
    def news(self) -> str:
        """The channel that tells every subscriber of every stage a task reaches."""
        return self.key("news")

    @property
    def log(self) -> str:
        """The stream of commands that were carried out."""
        return self.key("log")

    @property
    def schema(self) -> str:
        """The key that says what the others are."""
        return self.key("schema")

    @property
    def base(self) -> str:
        """What all keys of this shard begin with."""
        return self.key("")

    def data(self) -> tuple[str, ...]:
        """Keys that only a ledger writes."""
        return (*(self.key(name) for name in _DATA), *(self.waiting(role) for role in Role))


@cache
def script_text(max_tries: int, max_open: int | None, work_length: int, log_length: int) -> str:
    """`transition.lua` behind the workflow's tables and a ledger's settings."""
    roles = ",".join(f"{stage.value}='{role.value}'" for stage, role in ROLE_OF_STAGE.items())
    # a text that is searched, because a table would be made anew for every command
    leads = "  ".join(
        f"{stage.value}>{after.value}" for stage, stages in NEXT_STAGES.items() for after in sorted(stages)
    )
    assert all(re.fullmatch("[a-z_]+", name) for name in (*Stage, *Role)), "names are Lua identifiers"
    body = (files("autodev_lab.ledger") / "transition.lua").read_text(encoding="utf-8")
    settings = (
        f"local MAX_TRIES, MAX_OPEN, WORK_LENGTH, LOG_LENGTH = "
        f"{max_tries}, {'nil' if max_open is None else max_open}, {work_length}, {log_length}"
    )
    return f"local ROLE = {{{roles}}}\nlocal LEADS = ' {leads} '\n{settings}\n{body}"
