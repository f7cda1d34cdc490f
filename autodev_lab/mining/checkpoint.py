"""What is already known of a history that is being mined, in small files, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from autodev_lab.files import write_atomic

__all__ = ["Checkpoint", "forget", "in_pieces"]

T = TypeVar("T")
Piece = Sequence[str]

_VERSION = "1"


class Checkpoint(Generic[T]):
    """Results of pieces of work by their content: the same piece always has the same result, so none goes stale.

    Parameters
    ----------
    folder
        Where they are kept; made when first needed.
    kind
        What the results are, and every setting they depend on.
    shape
        Checks and reads a result.
    """

    def __init__(self, folder: Path, kind: str, shape: TypeAdapter[T]) -> None:
        self._folder, self._kind, self._shape = folder, kind, shape

    def get(self, piece: Piece) -> T | None:
        """The result of a piece, or None if it is not known or its file is damaged."""
        try:
            return self._shape.validate_json(self._path(piece).read_bytes())
        except (OSError, ValidationError):
            return None

    def put(self, piece: Piece, result: T) -> None:
        """Keep a result; a run that is killed meanwhile leaves none."""
        write_atomic(self._path(piece), self._shape.dump_json(result))

    def _path(self, piece: Piece) -> Path:
        key = hashlib.sha256(json.dumps([_VERSION, self._kind, *piece]).encode()).hexdigest()[:24]
        return self._folder / f"{self._kind}-{key}.json"


def in_pieces(
    pieces: Sequence[Piece],
    work: Callable[[Piece], T],
    *,
    checkpoint: Checkpoint[T],
    workers: int,
    progress: Callable[[int], None],
) -> Iterator[T]:
    """Results of all pieces, in their order; what is not known is worked out by several git processes at a time.

    Threads only wait for git here, so that processes of Python would add nothing.

    Parameters
    ----------
    pieces
        Commits of each piece of work.
    work
        Works one piece out.
    checkpoint
        What is known, and where new results go.
    workers
        Git processes at a time.
    progress
        Called with the number of commits done.
    """
    results: dict[int, T] = {}
    for index, piece in enumerate(pieces):
        known = checkpoint.get(piece)
        if known is not None:
            results[index] = known
    done = sum(len(pieces[index]) for index in results)
    progress(done)
    with _pool(workers) as pool:
        waiting: dict[Future[T], int] = {
            pool.submit(work, piece): index for index, piece in enumerate(pieces) if index not in results
        }
        for future in as_completed(waiting):
            index = waiting[future]
            results[index] = future.result()
            checkpoint.put(pieces[index], results[index])
            done += len(pieces[index])
            progress(done)
    yield from (results[index] for index in range(len(pieces)))


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def forget(folder: Path) -> None:
    """Remove what was kept, when it is no longer needed."""
    shutil.rmtree(folder, ignore_errors=True)
