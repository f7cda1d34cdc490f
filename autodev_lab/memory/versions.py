"""What an index was made with: embedder, tokenizer and weights, in a file beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.files import write_atomic
from autodev_lab.memory.fusion import Weights

__all__ = ["Versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """Names and versions that decide what a search finds.

    Parameters
    ----------
    embedder, tokenizer
        Names with versions.
    weights
        How signals are weighed in this memory, by every process that opens it.
    """

    embedder: str
    tokenizer: str
    weights: Weights

    @classmethod
    def read(cls, path: Path) -> Versions | None:
        """What the file says; None when there is none yet.

        Raises
        ------
        LabError
            If it is damaged.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(found["embedder"]), str(found["tokenizer"]), Weights(**found["weights"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"{path} is damaged ({type(error).__name__}); rebuild_memory({str(path.parent)!r}) makes it anew"
            ) from error

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_atomic(path, json.dumps(asdict(self), indent=2) + "\n")

    def require(self, embedder: str, tokenizer: str, path: Path) -> None:
        """Refuse to search with another embedder or tokenizer than the index was made with.

        Raises
        ------
        LabError
            If one of them differs.
        """
        for what, made, now in (("embedder", self.embedder, embedder), ("tokenizer", self.tokenizer, tokenizer)):
            if made != now:
                raise LabError(
                    f"the index in {path.parent} was made with the {what} {made} and this is {now}; open it with the "
                    f"same, or rebuild_memory({str(path.parent)!r}) makes it anew"
                )
