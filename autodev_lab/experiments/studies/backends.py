"""The memories that an arm is measured on: embedded, its twin without weights, and R2R with either fusion."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.code_corpus import CodeFunction, as_item
from autodev_lab.experiments.studies.lookups import Searchable, fill
from autodev_lab.experiments.studies.study import Options
from autodev_lab.integrations.r2r import Patience, R2RClient
from autodev_lab.memory import EmbeddedMemory, InMemoryMemory
from autodev_lab.memory.r2r import R2RMemory, prepare_collections, remove_collections
from autodev_lab.records import MemoryHit, SearchMode

__all__ = ["BACKENDS", "R2R_URL", "check_backend", "filled", "lacks"]

R2R_URL = "AUTODEV_R2R_URL"
"""The environment variable that says where R2R listens, as `autodev-lab init-r2r` reads it."""

R2R_OWN = "r2r_own"

BACKENDS: dict[str, tuple[SearchMode, ...]] = {
    "embedded": tuple(SearchMode),
    "twin": tuple(SearchMode),
    # R2R stores links and has no search along them: that would measure the lab's own
    "r2r": (SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID),
    R2R_OWN: (SearchMode.HYBRID,),
}
"""Modes of each backend. ``r2r`` finds by words and by meaning on the server, and the lab fuses; with ``r2r_own`` R2R
fuses."""

_HURRIED = Patience(seconds=2.0, answer_seconds=20.0)


class OwnFusion:
    """R2R's own hybrid search as something to look functions up in.

    Parameters
    ----------
    memory
        The collections that are searched.
    """

    def __init__(self, memory: R2RMemory) -> None:
        self._memory = memory

    def search(self, query: str, *, collection: str, mode: SearchMode, k: int) -> tuple[MemoryHit, ...]:
        """See `lookups.Searchable`; there is one mode."""
        return self._memory.search_own(query, collection=collection, k=k)


def check_backend(name: str, options: Options) -> None:
    """Refuse a backend or mode of an arm that there is not.

    Raises
    ------
    LabError
        That names what is allowed.
    """
    backend, mode = options.get("backend"), options.get("mode")
    if backend not in BACKENDS:
        raise LabError(f"arm {name} has backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    allowed = BACKENDS[str(backend)]
    if mode not in allowed:
        raise LabError(f"arm {name} has mode {mode!r}; choose one of {', '.join(allowed)}")


def lacks(options: Options) -> str:
    """What a backend needs that is not there, in words; empty when it can be measured."""
    if str(options.get("backend")).startswith("r2r") and not os.environ.get(R2R_URL):
        return f"no R2R is configured; set {R2R_URL} to where one listens"
    return ""


def filled(
    stack: ExitStack, options: Options, functions: Sequence[CodeFunction], *, hard: bool, cache: Path, name: str
) -> tuple[Searchable, float]:
    """A memory of an arm's backend that holds the functions and has answered a search, and the seconds that took.

    Parameters
    ----------
    stack
        Closes the memory, and takes away what was only there for the measurement.
    hard
        Whether functions are without their own names.
    cache
        The lab's, for vectors of texts that were met before.
    name
        Tells this measurement from all others: on a server, what an earlier try of it left behind is removed first.

    Raises
    ------
    LabError
        If a server is needed and is not there, or goes and does not come back.
    """
    backend, mode = str(options["backend"]), SearchMode(str(options["mode"]))
    if backend == "twin":
        twin = InMemoryMemory()
        return twin, fill(twin, functions, hard=hard, modes=[mode])
    if backend == "embedded":
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        cache.mkdir(parents=True, exist_ok=True)
        embedded = stack.enter_context(EmbeddedMemory(Path(folder), vectors=cache / "vectors.sqlite"))
        return embedded, fill(embedded, functions, hard=hard, modes=[mode])
    what = lacks(options)
    if what:
        raise LabError(f"this arm cannot run: {what}, or leave the arm out")
    memory = _on_r2r(stack, os.environ[R2R_URL], name)
    searched: Searchable = OwnFusion(memory) if backend == R2R_OWN else memory
    started = time.perf_counter()
    memory.add_all(as_item(function, hard=hard) for function in functions)
    searched.search("everything that waits for a first search", collection="codebase", mode=mode, k=1)
    return searched, time.perf_counter() - started


def _on_r2r(stack: ExitStack, url: str, name: str) -> R2RMemory:
    """An empty memory on a server, in collections of its own that go with the stack."""
    client = R2RClient(url)
    stack.callback(client.close)
    prefix = f"{hashlib.sha256(f'{platform.node()} {name}'.encode()).hexdigest()[:16]}-"

    def leave(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            remove_collections(client, prefix)
            return
        # perhaps because the server is gone: what is left is removed when the arm is measured again
        hurried = R2RClient(url, patience=_HURRIED)
        with suppress(LabError):
            remove_collections(hurried, prefix)
        hurried.close()

    remove_collections(client, prefix)
    stack.push(leave)
    prepare_collections(client, prefix)
    return R2RMemory(client, prefix=prefix)
