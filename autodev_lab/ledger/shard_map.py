"""Which shard a task belongs to: rendezvous hashing, so that a new shard takes its share and nothing else moves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from autodev_lab.errors import LabError

__all__ = ["ShardMap", "shard_url"]


@dataclass(frozen=True, slots=True)
class ShardMap:
    """Shards by name, and where each one is.

    A task goes to the shard with the highest hash of (shard, task). When a shard comes, only the tasks it wins move,
    from all others alike; when one goes, only its tasks do (Thaler and Ravishankar, IEEE/ACM Transactions on
    Networking 6, 1998). Follow-ups go where their root is, so that a task and its follow-up are written in one step.

    Parameters
    ----------
    version
        Grows with every change; a shard refuses new tasks from whoever goes by an older map.
    shards
        Addresses by name, without users and passwords; an empty one is the server that has the map.
    leaving
        Shards that take no tasks any more, and from which tasks are still moved away.
    moving
        Whether tasks may still be where an older map had them.

    Examples
    --------
    >>> two = ShardMap(1, {"0": "", "1": ""})
    >>> three = ShardMap(2, {"0": "", "1": "", "2": ""})
    >>> tasks = [f"t{number}" for number in range(300)]
    >>> moved = [task for task in tasks if two.owner(task) != three.owner(task)]
    >>> len(moved), {three.owner(task) for task in moved}
    (98, {'2'})
    """

    version: int
    shards: Mapping[str, str] = field(hash=False)
    leaving: Mapping[str, str] = field(default_factory=dict, hash=False)
    moving: bool = False

    def owner(self, task_id: str) -> str:
        """Name of the shard that a task belongs to."""
        root = task_id.split("~", 1)[0]
        return max(self.shards, key=lambda name: (_weight(name, root), name))

    def everywhere(self) -> dict[str, str]:
        """All shards where tasks may be."""
        return {**self.shards, **self.leaving}

    def as_json(self) -> str:
        """The map as JSON text."""
        return json.dumps(
            {
                "version": self.version,
                "shards": dict(self.shards),
                "leaving": dict(self.leaving),
                "moving": self.moving,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> ShardMap:
        """Read what `as_json` wrote.

        Raises
        ------
        LabError
            If it is something else.
        """
        try:
            data = json.loads(text)
            return cls(int(data["version"]), dict(data["shards"]), dict(data["leaving"]), bool(data["moving"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LabError("the shard map cannot be read; use the version of autodev_lab that wrote it") from error


def shard_url(directory: str, where: str) -> str:
    """A shard's address with the directory's user, password and options; an empty one is the directory's server.

    Examples
    --------
    >>> shard_url("rediss://lab:secret@one:6379/0?ssl_cert_reqs=none", "rediss://two:6379/0")
    'rediss://lab:secret@two:6379/0?ssl_cert_reqs=none'
    """
    if not where:
        return directory
    known, parts = urlsplit(directory), urlsplit(where)
    user, at, _ = known.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{parts.netloc}", query=known.query).geturl()


def _weight(name: str, root: str) -> int:
    digest = hashlib.blake2b(f"{name}\0{root}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
