"""How a run is carried out, as opposed to what it is; the same for every worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run, as opposed to what: none of it may change an outcome.

    Parameters
    ----------
    cache
        Folder of fetched packages and evaluation results.
    code_hash
        The lab's code at the start of the run; part of every cell's key.
    offline
        Take packages from the cache alone.
    weak_sandbox
        Run even where the machine cannot isolate candidate code.
    """

    cache: str
    code_hash: str
    offline: bool = False
    weak_sandbox: bool = False

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Settings:
        """Read back from `as_json`."""
        return cls(
            str(data["cache"]), str(data["code_hash"]), bool(data.get("offline")), bool(data.get("weak_sandbox"))
        )
