"""The shards of a ledger that processes work on: which are asked for, and changing them while agents work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from autodev_lab.errors import LabError
from autodev_lab.ledger.redis_server import without_password
from autodev_lab.ledger.sharded import ShardedLedger

__all__ = ["ShardChange", "change_shards", "wanted_shards"]


def wanted_shards(urls: Sequence[str], count: int | None) -> dict[str, str] | None:
    """Addresses by name of the shards that somebody asks for; None when nobody does.

    Parameters
    ----------
    urls
        Addresses of servers. The first one has the shard map, and its shards have no address of their own, since not
        everybody may reach it by the same.
    count
        Number of shards, dealt out to the servers in turn; None is one a server.

    Raises
    ------
    LabError
        If an address is there twice or has a user of its own, or there are more servers than shards.

    Examples
    --------
    >>> wanted_shards(["redis://one:6379/0", "redis://two:6379/0"], 3)
    {'0': '', '1': 'redis://two:6379/0', '2': ''}
    >>> wanted_shards(["redis://one:6379/0"], None) is None
    True
    """
    if not urls:
        raise LabError("an address of Redis is needed; give --redis, for example redis://localhost:6379/0")
    if count is None and len(urls) == 1:
        return None
    places = [without_password(url) for url in urls]
    if len(set(places)) < len(places):
        raise LabError("--redis names a server twice; give each once, and --shards for several shards on one")
    users = {urlsplit(url).netloc.rpartition("@")[0] for url in urls[1:]} - {""}
    if users - {urlsplit(urls[0]).netloc.rpartition("@")[0]}:
        raise LabError("all servers are reached with the user and password of the first --redis; give no others")
    if count is not None and count < len(urls):
        raise LabError(f"--redis names {len(urls)} servers for {count} shards; leave some out, or give more --shards")
    return {
        str(number): places[number % len(urls)] if number % len(urls) else "" for number in range(count or len(urls))
    }


@dataclass(frozen=True, slots=True)
class ShardChange:
    """What came of changing the shards.

    Parameters
    ----------
    redis, prefix
        Where.
    before, after
        Addresses of the shards by name.
    moved
        Tasks that were moved, closed ones included.
    """

    redis: str
    prefix: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    moved: int

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """A sentence for a person."""
        return (
            f"{len(self.after)} shards ({', '.join(self.after)}) instead of {len(self.before)} on {self.redis} under "
            f"{self.prefix}; {self.moved} tasks were moved"
        )


async def change_shards(
    urls: Sequence[str],
    count: int | None,
    prefix: str,
    *,
    max_tries: int = 3,
    patience: float = 30.0,
    say: Callable[[str], None] = lambda line: None,
) -> ShardChange:
    """Let tasks live in other shards from now on, while agents work.

    Parameters
    ----------
    urls, count
        See `wanted_shards`.
    prefix, max_tries, patience
        See `autodev_lab.ledger.sharded.ShardedLedger`.
    say
        Told what happens, a line at a time.

    Raises
    ------
    LabError
        If nothing is asked for, or a server cannot be had or changed.
    """
    wanted = wanted_shards(urls, count)
    if wanted is None:
        raise LabError("say which shards there shall be: give --shards, or --redis several times")

    def progress(moved: int, held: int) -> None:
        if held:
            say(f"{moved} tasks moved, {held} are being worked on and follow when they are free")

    async with ShardedLedger(urls[0], prefix=prefix, max_tries=max_tries, patience=patience) as ledger:
        before = ledger.addresses()
        moved = await ledger.change_shards(wanted, progress)
        return ShardChange(ledger.directory.shown, prefix, before, ledger.addresses(), moved)
