"""Vectors: a matrix that grows by rows and is searched whole, and a file that keeps vectors by what they are of."""

from __future__ import annotations

import functools
import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from autodev_lab.memory.files import connect, told, transaction
from autodev_lab.protocols import Embedder

__all__ = ["Matrix", "VectorCache", "VectorIndex"]

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Scores = np.ndarray[tuple[int], np.dtype[np.float32]]

_CHUNK = 200
_STORED = np.float16
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    embedder TEXT NOT NULL, content BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (embedder, content)
)
"""


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class VectorIndex:
    """Rows by position; a search is one product with all of them, which needs no index below some 100,000 rows.

    Examples
    --------
    >>> index = VectorIndex()
    >>> index.extend(np.eye(2, dtype=np.float32))
    >>> index.scores(np.array([0.0, 1.0], np.float32)).tolist()
    [0.0, 1.0]
    """

    def __init__(self) -> None:
        self._rows: Matrix = np.zeros((0, 0), np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, vectors: Matrix) -> None:
        """Add rows at the next positions."""
        if not len(vectors):
            return
        needed = self._count + len(vectors)
        if needed > len(self._rows):
            grown = np.zeros((max(needed, 3 * len(self._rows) // 2), vectors.shape[1]), np.float32)
            if self._count:
                grown[: self._count] = self._rows[: self._count]
            self._rows = grown
        self._rows[self._count : needed] = vectors
        self._count = needed

    def scores(self, query: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Scores:
        """Inner product of every row with a query, 0 at least."""
        if not self._count:
            return np.zeros(0, np.float32)
        # one thread reads these rows as fast as memory gives them; several wait for one another on a busy machine
        with _blas().limit(limits=1):
            return np.asarray(np.maximum(self._rows[: self._count] @ query, np.float32(0.0)), np.float32)


class VectorCache:
    """Vectors of texts by an embedder, each made once and kept in a file by the hash of its text.

    Numbers are kept with 16 bits, and given back so even when they are new: where a vector comes from changes nothing.

    Parameters
    ----------
    path
        SQLite file; made when something is kept.
    embedder
        Makes what is missing.
    keeps
        Whether what is made is written to the file; a second process only reads it.
    """

    def __init__(self, path: Path, embedder: Embedder, *, keeps: bool) -> None:
        self._path = path
        self._embedder = embedder
        self._keeps = keeps
        self._connection: sqlite3.Connection | None = None

    def of(self, texts: Sequence[str]) -> Matrix:
        """One row a text."""
        parts = [self._chunk(texts[start : start + _CHUNK]) for start in range(0, len(texts), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def made(self, texts: Sequence[str]) -> Matrix:
        """One row a text, which is not kept: for queries."""
        return self._embedder.embed(texts)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _chunk(self, texts: Sequence[str]) -> Matrix:
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = self._read(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = self._embedder.embed(list(missing.values())).astype(_STORED)
            new = {key: row.tobytes() for key, row in zip(missing, made, strict=True)}
            known.update(new)
            if self._keeps:
                self._write(new)
        return np.frombuffer(b"".join(known[key] for key in keys), _STORED).reshape(len(keys), -1).astype(np.float32)

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        with told(self._path):
            connection = self._open()
            if connection is None:
                return {}
            asked = ", ".join("?" * len(keys))
            return dict(
                connection.execute(
                    f"SELECT content, vector FROM vectors WHERE embedder = ? AND content IN ({asked})",
                    (self._embedder.name, *keys),
                )
            )

    def _write(self, vectors: dict[bytes, bytes]) -> None:
        with told(self._path):
            connection = self._open()
            assert connection is not None, "who keeps vectors makes the file"
            with transaction(connection, writes=True):
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)",
                    ((self._embedder.name, content, vector) for content, vector in vectors.items()),
                )

    def _open(self) -> sqlite3.Connection | None:
        """The file, or None when there is nothing in it for who only reads."""
        if self._connection is None and (self._keeps or self._path.exists()):
            connection = connect(self._path)
            try:
                if self._keeps:
                    connection.execute(_TABLE)
                elif not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                    connection.close()
                    return None
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection
