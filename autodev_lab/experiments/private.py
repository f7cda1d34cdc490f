"""What must not leave this machine: secrets, and the places where things lie."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from autodev_lab.errors import LabError
from autodev_lab.execution.revisions import REVISION
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.resources import cache_directory

__all__ = ["refuse_private"]

_SECRET_NAME = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
_SHORTEST_SECRET = 12
"""Shorter values of an environment variable are words, and are not looked for."""

_SECRETS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{20,}|\bgh[opsur]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bAKIA[A-Z0-9]{16}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\blin_(?:api|oauth)_[A-Za-z0-9]{20,}|\bhf_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""The forms that keys of well-known services have."""


def refuse_private(run: RunDirectory, members: Mapping[str, bytes]) -> None:
    """Refuse to give away files of a run that hold a secret or a path of this machine.

    Parameters
    ----------
    run
        The run they are of.
    members
        Their content by name; compressed ones are looked through as well.

    Raises
    ------
    LabError
        That names the file, and for a path the place.
    """
    places = {str(Path.home()), str(run.path.parent), str(cache_directory()), str(Path.cwd())} - {"/"}
    secrets = {
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET and not Path(value).exists()
    }
    for name, data in members.items():
        text = "\n".join(_texts(name, data))
        if _SECRETS.search(text) or any(secret in text for secret in secrets):
            raise LabError(f"{name} of run {run.id} holds what looks like a secret; nothing was written")
        found = [place for place in sorted(places) if re.search(rf"{re.escape(place)}(?![\w.-])", text)]
        found += _places(name, text)
        if found:
            raise LabError(
                f"{name} of run {run.id} names a path of this machine (in {found[0]}); run the experiment with "
                "packages and task files given by name or by relative path, and export that run"
            )


def _places(name: str, text: str) -> list[str]:
    """Absolute paths that exist on this machine, among the values of a member that is JSON."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(key)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str) and len(value) > 1 and "\n" not in value:
            path = Path(value.removeprefix(REVISION).rpartition("@")[0] if value.startswith(REVISION) else value)
            with suppress(OSError, ValueError):  # too long, or not a path at all
                found.extend([value] if path.is_absolute() and path.exists() else [])

    documents = [text] if name.endswith(".json") else text.splitlines() if name.endswith((".jsonl", ".gz")) else []
    for document in documents:
        with suppress(json.JSONDecodeError):  # whatever it is, it has been looked through as text
            walk(json.loads(document))
    return found


def _texts(name: str, data: bytes) -> Iterable[str]:
    """All text in a member, compressed text included."""
    if name.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(data))
        for column in table.columns:
            flat = column.combine_chunks()
            if pa.types.is_list(flat.type):
                flat = flat.flatten()
            if pa.types.is_string(flat.type):
                yield from (str(value) for value in flat.unique().to_pylist() if value is not None)
    elif name.endswith(".gz"):
        yield gzip.decompress(data).decode("utf-8", "replace")
    else:
        yield data.decode("utf-8", "replace")
