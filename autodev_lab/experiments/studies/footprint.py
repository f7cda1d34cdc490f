"""How much memory a process takes that reads an embedded memory: measured in a process of its own.

`python -m autodev_lab.experiments.studies.footprint FOLDER MODE EMBEDDER` prints the bytes that opening the memory and
searching it once add to what the interpreter and its modules take before.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.vector_sources import NamedEmbedder
from autodev_lab.memory import EmbeddedMemory, MiniLmEmbedder
from autodev_lab.records import SearchMode

__all__ = ["reader_bytes"]


def reader_bytes(folder: Path, mode: SearchMode, embedder: str) -> float:
    """Bytes of memory that reading and searching a memory takes, the model that makes a query's vector included.

    Parameters
    ----------
    folder
        The memory's directory.
    mode
        Of the search.
    embedder
        Name of the embedder that the memory was filled with.

    Raises
    ------
    LabError
        If the memory cannot be read.
    """
    command = [sys.executable, "-m", "autodev_lab.experiments.studies.footprint", str(folder), mode.value, embedder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise LabError(f"the memory in {folder} cannot be read again: {told[-1] if told else 'its reader was killed'}")
    return float(done.stdout)


def _peak() -> int:
    """Most bytes this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what the process held that started this one, from before it became another program
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, which has no /proc


def main(folder: str, mode: str, embedder: str) -> int:
    """Print the bytes."""
    before = _peak()
    with EmbeddedMemory(folder, embedder=NamedEmbedder(MiniLmEmbedder(), embedder), read_only=True) as memory:
        memory.search("everything that waits for a first search", collection="codebase", mode=SearchMode(mode))
        print(_peak() - before)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
